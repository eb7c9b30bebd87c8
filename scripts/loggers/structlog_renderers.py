"""structlog as JSON, as key=value pairs and as it writes to a console."""

import structlog

from events import BIG, BOUND, FIELDS, SECRETS, TEXT, fail, output

before = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso"),
]
plain = structlog.processors.format_exc_info
for file, processors in [
    ("structlog.log", [plain, structlog.processors.JSONRenderer(ensure_ascii=False)]),
    ("structlog-dict.log", [structlog.processors.dict_tracebacks, structlog.processors.JSONRenderer()]),
    ("structlog-logfmt.log", [plain, structlog.processors.LogfmtRenderer()]),
    (
        "structlog-console.log",
        [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)],
    ),
]:
    with open(output(file), "w", encoding="utf-8") as stream:
        log = structlog.wrap_logger(
            structlog.WriteLogger(stream),
            processors=before + processors,
            wrapper_class=structlog.make_filtering_bound_logger(0),
        ).bind(logger="cart")
        for name in ("debug", "info", "warning", "error", "critical"):
            getattr(log, name)(f"level {name}")
        log.info(TEXT)
        log.info("fields", **FIELDS, big=BIG)
        try:
            fail()
        except ValueError:
            log.exception("failed")
        log.bind(**BOUND).info("child")
        log.warning("secret", **SECRETS)
