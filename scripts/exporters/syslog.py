"""Python's own handler of syslog, over UDP and TCP."""

import logging
import os
import socket
from logging.handlers import SysLogHandler

from events import events, expect

names = {"debug": logging.DEBUG, "info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}
for source, variable, kind in [
    ("py-syslog-udp", "LOOKBACK_SYSLOG_UDP", socket.SOCK_DGRAM),
    ("py-syslog-tcp", "LOOKBACK_SYSLOG_TCP", socket.SOCK_STREAM),
]:
    host, port = os.environ[variable].rsplit(":", 1)
    handler = SysLogHandler((host, int(port)), socktype=kind)
    handler.ident = f"{source}: "
    logger = logging.getLogger(source)
    logger.setLevel(logging.DEBUG)
    logger.addHandler(handler)
    for event in events():
        logger.log(names[event["level"]], "%s", event["message"])
    try:
        raise ValueError("no stock")
    except ValueError:
        logger.exception("failed")
    handler.close()
    records = [{**event, "fields": {"facility": 1, "host": "127.0.0.1"}} for event in events()]
    records.append({"level": "error", "message_start": "failed\nTraceback (most recent call last):\n", "fields": {}})
    expect(source, records)
