"""The events that each exporter sends, and where it notes what has to be found."""

import json
import os

URL = os.environ["LOOKBACK_URL"]
KEY = os.environ["LOOKBACK_INGEST_KEY"]
LEVELS = ["debug", "info", "warn", "error"]
TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"


def events(count=40):
    for number in range(count):
        yield {
            "level": LEVELS[number % 4],
            "message": f'event {number}: käse "quoted" 100% \\ /',
            "fields": {"order": 140_737_488_355_329 + number, "ratio": 0.5, "paid": True, "note": "two words"},
        }


def expect(source, records, requests=()):
    """Notes what has to be found: of log lines level, message and fields, of requests their columns."""
    path = os.path.join(os.environ["LOOKBACK_EXPORTERS"], f"{source}.json")
    with open(path, "w") as file:
        json.dump({"source": source, "records": list(records), "requests": list(requests)}, file)
