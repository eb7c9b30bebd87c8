#!/bin/sh
# Logs the same events through real loggers of Node.js and Python, and checks what the
# decoders make of their output: `make test-loggers`.
# Needs Node.js 20 with npm, and Python 3.11. The packages, at pinned versions, are installed
# below the target folder, and the output of the loggers is kept there.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
work=${CARGO_TARGET_DIR:-$root/target}/loggers
python=${PYTHON:-python3}
cargo=${CARGO:-cargo}

mkdir -p "$work"
work=$(cd "$work" && pwd)
# Packages of Node.js are found beside the programs.
cp "$here"/*.json "$here"/*.mjs "$here"/*.py "$work"
npm install --prefix "$work" --no-audit --no-fund --no-package-lock --silent
[ -x "$work/venv/bin/python" ] || "$python" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$here/requirements.txt"

LOOKBACK_LOGGERS=$work/output
export LOOKBACK_LOGGERS
rm -rf "$LOOKBACK_LOGGERS"
mkdir "$LOOKBACK_LOGGERS"
date -u +%Y-%m-%dT%H:%M:%SZ >"$LOOKBACK_LOGGERS/began"
for program in pino winston bunyan otlp; do
    node "$work/$program.mjs"
done
for program in logging_formatters structlog_renderers loguru_sinks otlp; do
    # Local times are UTC, as the decoders take those without a zone.
    TZ=UTC "$work/venv/bin/python" "$work/$program.py"
done
cd "$root"
$cargo test --locked -p lookback-formats --test loggers
