"""Looks for everything that the exporters sent: each record once, with all its fields."""

import collections
import glob
import json
import os
import sys
import time
import urllib.parse
import urllib.request

URL = os.environ["LOOKBACK_URL"]


def read(path):
    request = urllib.request.Request(
        URL + path, headers={"authorization": f"Bearer {os.environ['LOOKBACK_READ_KEY']}"}
    )
    with urllib.request.urlopen(request, timeout=60) as response:
        return json.load(response)["data"]


def find(value, name):
    """Returns the values of a field, wherever it is."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == name:
                yield inner
            yield from find(inner, name)


def is_same(wanted, found):
    # Labels of Loki are texts.
    return wanted == found or str(wanted) == found


def problems_of_log(wanted, log):
    for name in ("level", "trace_id"):
        if name in wanted and log[name] != wanted[name]:
            yield f"{name}: expected {wanted[name]!r}, got {log[name]!r}"
    for name, value in wanted["fields"].items():
        if not any(is_same(value, found) for found in find(log["meta"], name)):
            yield f"{name}: expected {value!r} in meta: {log['meta']}"


def check(expected):
    source, records = expected["source"], expected["records"]
    query = urllib.parse.urlencode({"source": source, "limit": 1000, "order_by": "id"})
    until = time.monotonic() + 20
    # Syslog has no answer: its messages are stored a moment later.
    while len(logs := read(f"/api/v1/logs?{query}")) < len(records) and time.monotonic() < until:
        time.sleep(0.1)
    if len(logs) != len(records):
        yield f"expected {len(records)} log lines, got {len(logs)}"
    for message, count in collections.Counter(log["message"] for log in logs).items():
        if count > 1:
            yield f"stored {count} times: {message}"
    for wanted in records:
        if "message" in wanted:
            found = [log for log in logs if log["message"] == wanted["message"]]
        else:
            found = [log for log in logs if log["message"].startswith(wanted["message_start"])]
        if not found:
            yield f"not found: {wanted}"
        for log in found:
            yield from problems_of_log(wanted, log)
    for wanted in expected["requests"]:
        requests = read(f"/api/v1/requests?{urllib.parse.urlencode({'path': wanted['path']})}")
        if len(requests) != 1:
            yield f"expected 1 request {wanted['path']}, got {len(requests)}"
        for request in requests:
            for name, value in wanted.items():
                if request[name] != value:
                    yield f"{name}: expected {value!r}, got {request[name]!r}"


failed = False
files = sorted(glob.glob(os.path.join(os.environ["LOOKBACK_EXPORTERS"], "*.json")))
for path in files:
    with open(path) as file:
        expected = json.load(file)
    problems = list(check(expected))
    counts = f"{len(expected['records'])} log lines, {len(expected['requests'])} requests"
    print(f"{'FAILED' if problems else 'ok':7} {expected['source']:28} {counts}")
    for problem in problems[:10]:
        print(f"        {problem}")
    failed = failed or bool(problems)
if len(files) != int(sys.argv[1]):
    print(f"expected {sys.argv[1]} exporters, got {len(files)}")
    failed = True
sys.exit(failed)
