"""The logging module with its default format, one with %, and JSON, by python-json-logger, too."""

import json
import logging
import time

from pythonjsonlogger.json import JsonFormatter

from events import BIG, BOUND, FIELDS, SECRET, SECRETS, TEXT, fail, output


class OwnJson(logging.Formatter):
    """JSON as many applications write it."""

    def format(self, record):
        known = logging.makeLogRecord({}).__dict__
        fields = {name: value for name, value in record.__dict__.items() if name not in known}
        fields |= {
            "timestamp": self.formatTime(record),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            fields["exc_info"] = self.formatException(record.exc_info)
        return json.dumps(fields)


OwnJson.converter = time.gmtime
percent = logging.Formatter(
    "%(asctime)s %(levelname)-8s [%(name)s:%(lineno)d] %(message)s"
)
percent.converter = time.gmtime
json_logger = JsonFormatter("%(asctime)s %(levelname)s %(levelno)s %(name)s %(message)s")
json_logger.converter = time.gmtime

for file, formatter in [
    ("logging-default.log", logging.Formatter(logging.BASIC_FORMAT)),
    ("logging-percent.log", percent),
    ("logging-json.log", OwnJson()),
    ("json-logger.log", json_logger),
]:
    handler = logging.FileHandler(output(file), encoding="utf-8")
    handler.setFormatter(formatter)
    log = logging.getLogger("cart")
    log.handlers = [handler]
    log.propagate = False
    log.setLevel(logging.DEBUG)
    for name in ("debug", "info", "warning", "error", "critical"):
        getattr(log, name)("level %s", name)
    log.info(TEXT)
    log.info("fields", extra=FIELDS | {"big": BIG})
    try:
        fail()
    except ValueError:
        log.exception("failed")
    logging.LoggerAdapter(log, BOUND).info("child")
    # Text has no fields: secrets are in the message.
    secrets = file.startswith("logging-") and file != "logging-json.log"
    text = f" password={SECRET} {SECRETS} {json.dumps(SECRETS)}" if secrets else ""
    log.warning("secret%s", text, extra=SECRETS)
    handler.close()
