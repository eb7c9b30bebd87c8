"""Runs the first steps of the documents as they stand there, and looks for what they store."""

import json
import os
import re
import subprocess
import sys
import urllib.parse
import urllib.request

ROOT, WORK = sys.argv[1:]
URL = os.environ["LOOKBACK_URL"]
PYTHON = os.path.join(WORK, "venv/bin/python")
SYSLOG_PORT = os.environ["LOOKBACK_SYSLOG_UDP"].rsplit(":", 1)[1]
environment = os.environ | {
    "KEY": os.environ["LOOKBACK_INGEST_KEY"],
    "PATH": f"{WORK}/bin:{os.environ['PATH']}",
    "OTEL_EXPORTER_OTLP_ENDPOINT": URL,
    "OTEL_EXPORTER_OTLP_HEADERS": f"authorization=Bearer {os.environ['LOOKBACK_INGEST_KEY']}",
}


def count(message):
    query = urllib.parse.urlencode({"message": message, "limit": 0})
    request = urllib.request.Request(
        f"{URL}/api/v1/logs?{query}",
        headers={"authorization": f"Bearer {os.environ['LOOKBACK_READ_KEY']}"},
    )
    with urllib.request.urlopen(request, timeout=60) as response:
        return json.load(response)["metadata"]["total"]


def here(text):
    """Puts the addresses of this run in place of the usual ones."""
    return text.replace("http://127.0.0.1:4000", URL).replace('"127.0.0.1", 5514', f'"127.0.0.1", {SYSLOG_PORT}')


ran = 0
for document, stored in [("docs/http.md", "disk full"), ("docs/otlp.md", "payment failed"), ("docs/agents.md", None)]:
    with open(os.path.join(ROOT, document)) as file:
        text = file.read()
    blocks = re.findall(r"^```(js|python|text)\n(.*?)^```$", text, re.M | re.S)
    for number, (language, code) in enumerate(blocks):
        if language == "text":
            # The call of curl, with the lines that go on. Those that send nothing read or follow.
            calls = re.findall(r"^\$ (curl .*(?:\n    .*)*)", code, re.M)
            calls = [call for call in calls if not stored or " -d " in call]
            commands = [["sh", "-c", here(call)] for call in calls]
        else:
            path = os.path.join(WORK, f"document-{number}.{'mjs' if language == 'js' else 'py'}")
            with open(path, "w") as file:
                file.write(here(code))
            commands = [["node", path] if language == "js" else [PYTHON, path]]
        for command in commands:
            before = stored and count(stored)
            done = subprocess.run(command, env=environment, cwd=WORK, capture_output=True, text=True, timeout=120)
            problem = done.returncode and f"exit code {done.returncode}"
            if stored and not problem:
                # Syslog has no answer.
                for _ in range(100):
                    if count(stored) == before + 1:
                        break
                else:
                    problem = f"{stored!r} is not stored"
            if not stored and "note" not in done.stdout:
                problem = "no answer of a tool"
            if problem:
                sys.exit(f"{document}: {problem}: {code}\n{done.stdout}\n{done.stderr}")
            ran += 1
    print(f"ok      {document}")
if ran < 7:
    sys.exit(f"expected 7 examples or more in the documents, got {ran}")
