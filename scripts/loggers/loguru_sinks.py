"""loguru serialized, and as text."""

from loguru import logger

from events import BIG, BOUND, FIELDS, SECRETS, TEXT, fail, output

for file, options in [
    ("loguru.log", {"serialize": True}),
    ("loguru-text.log", {}),
]:
    logger.remove()
    sink = logger.add(output(file), level=0, encoding="utf-8", **options)
    for name in ("TRACE", "DEBUG", "INFO", "SUCCESS", "WARNING", "ERROR", "CRITICAL"):
        logger.log(name, "level {}", name)
    logger.info(TEXT)
    logger.bind(**FIELDS, big=BIG).info("fields")
    try:
        fail()
    except ValueError:
        logger.exception("failed")
    logger.bind(**BOUND).info("child")
    logger.bind(**SECRETS).warning("secret")
    logger.remove(sink)
