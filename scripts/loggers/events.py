"""The events that each program logs, and the files it writes."""

import decimal
import json
import os
import pathlib

SHARED = json.loads(pathlib.Path(__file__).with_name("events.json").read_text("utf-8"))
TEXT, FIELDS, BOUND, SECRET = (SHARED[name] for name in ("text", "fields", "bound", "secret"))
BIG = int(SHARED["big"])
EXACT = decimal.Decimal("0.1000000000000000000001")
SECRETS = {
    "user": "anna",
    "password": SECRET,
    "headers": {"authorization": f"Bearer {SECRET}", "accept": "*/*"},
}


def output(name):
    return os.path.join(os.environ["LOOKBACK_LOGGERS"], name)


def fail():
    """Raises an exception with a cause, a few functions deep."""

    def check(shelf):
        return shelf["a"]

    try:
        check({})
    except KeyError as cause:
        raise ValueError(SHARED["failure"]) from cause
