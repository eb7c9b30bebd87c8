#!/bin/sh
# Sends records to the server by exporters, loggers and clients that others wrote, finds each of
# them again, and asks every tool for agents by clients of the Model Context Protocol:
# `make test-exporters`.
# Needs Node.js 20 with npm, and Python 3.11. The packages, at pinned versions, are installed below
# the target folder, where the database of the run is, too.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
work=${CARGO_TARGET_DIR:-$root/target}/exporters
python=${PYTHON:-python3}
cargo=${CARGO:-cargo}

mkdir -p "$work"
work=$(cd "$work" && pwd)
# Packages of Node.js are found beside the programs.
cp "$here"/*.json "$here"/*.mjs "$here"/*.py "$work"
npm install --prefix "$work" --no-audit --no-fund --no-package-lock --silent
[ -x "$work/venv/bin/python" ] || "$python" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$here/requirements.txt"
cd "$root"
$cargo build --locked -p lookback-cli
$cargo build --locked --quiet --manifest-path "$here/rust/Cargo.toml" --target-dir "$work/rust"
LOOKBACK=${CARGO_TARGET_DIR:-$root/target}/debug/lookback
LOOKBACK=$(cd "$(dirname "$LOOKBACK")" && pwd)/lookback

LOOKBACK_DATA=$work/data
LOOKBACK_EXPORTERS=$work/sent
export LOOKBACK LOOKBACK_DATA LOOKBACK_EXPORTERS
unset DATABASE_URL LOOKBACK_DATABASE_URL
rm -rf "$LOOKBACK_EXPORTERS"
mkdir "$LOOKBACK_EXPORTERS"

server=
stop() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    [ -z "$server" ] || wait "$server" || true
    "$LOOKBACK" pg stop --data-dir "$LOOKBACK_DATA" --quiet || true
    rm -rf "$LOOKBACK_DATA"
}
trap stop EXIT
trap 'exit 1' INT TERM

"$LOOKBACK" db migrate --data-dir "$LOOKBACK_DATA" --quiet
key() {
    "$LOOKBACK" keys create exporters --scope "$1" --data-dir "$LOOKBACK_DATA" --quiet
}
LOOKBACK_INGEST_KEY=$(key ingest)
LOOKBACK_READ_KEY=$(key read)
: >"$work/serve.log"
"$LOOKBACK" serve --data-dir "$LOOKBACK_DATA" --listen 127.0.0.1:0 --otlp-grpc 127.0.0.1:0 \
    --syslog-udp 127.0.0.1:0 --syslog-tcp 127.0.0.1:0 2>"$work/serve.log" &
server=$!
tries=0
until grep -q 'syslog over TCP' "$work/serve.log"; do
    tries=$((tries + 1))
    if [ "$tries" -gt 300 ] || ! kill -0 "$server" 2>/dev/null; then
        cat "$work/serve.log"
        exit 1
    fi
    sleep 0.1
done
address() {
    sed -n "s/^listening on \([^ ]*\)$1\$/\1/p" "$work/serve.log"
}
LOOKBACK_URL=$(address '')
LOOKBACK_GRPC_URL=http://$(address ' for OTLP over gRPC')
LOOKBACK_SYSLOG_UDP=$(address ' for syslog over UDP')
LOOKBACK_SYSLOG_TCP=$(address ' for syslog over TCP')
export LOOKBACK_INGEST_KEY LOOKBACK_READ_KEY LOOKBACK_URL LOOKBACK_GRPC_URL
export LOOKBACK_SYSLOG_UDP LOOKBACK_SYSLOG_TCP

for program in otlp loki; do
    node "$work/$program.mjs"
done
for program in otlp loki elastic syslog; do
    "$work/venv/bin/python" "$work/$program.py"
done
OTEL_EXPORTER_OTLP_ENDPOINT=$LOOKBACK_GRPC_URL OTEL_EXPORTER_OTLP_HEADERS="authorization=Bearer $LOOKBACK_INGEST_KEY" \
    "$work/rust/debug/exporter"
"$work/venv/bin/python" "$work/check.py" 17
node "$work/mcp.mjs"
"$work/venv/bin/python" "$work/mcp_client.py"
# `lookback` of the documents uses the database of this run.
mkdir -p "$work/bin"
printf '#!/bin/sh\nexec "%s" "$@" --data-dir "%s"\n' "$LOOKBACK" "$LOOKBACK_DATA" >"$work/bin/lookback"
chmod +x "$work/bin/lookback"
"$work/venv/bin/python" "$work/documents.py" "$root" "$work"
