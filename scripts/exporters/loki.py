"""python-logging-loki."""

import logging

import logging_loki

from events import KEY, URL, events, expect

source = "py-logging-loki"
handler = logging_loki.LokiHandler(
    url=f"{URL}/loki/api/v1/push",
    tags={"app": source},
    auth=("any", KEY),
    version="1",
)
logger = logging.getLogger("checkout")
logger.setLevel(logging.DEBUG)
logger.addHandler(handler)
names = {"debug": logging.DEBUG, "info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}
for event in events():
    # It sends the text, and tags.
    logger.log(names[event["level"]], "%s", event["message"], extra={"tags": {"note": "two words"}})
expect(source, ({**event, "fields": {"note": "two words", "logger": "checkout"}} for event in events()))
