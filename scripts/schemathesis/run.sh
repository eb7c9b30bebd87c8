#!/bin/sh
# Sends requests that are drawn from the document of the API to a server, and checks that every
# answer is as the document says: `make test-openapi`.
# Needs Python 3.11. The package, at a pinned version, is installed below the target folder, and so
# is the database. EXAMPLES is the number of requests per operation (20), SEED repeats a run.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
target=${CARGO_TARGET_DIR:-$root/target}
work=$target/schemathesis
python=${PYTHON:-python3}
cargo=${CARGO:-cargo}
examples=${EXAMPLES:-20}
seed=${SEED:-$(date +%s)}

mkdir -p "$work"
work=$(cd "$work" && pwd)
[ -x "$work/venv/bin/python" ] || "$python" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$here/requirements.txt"

cd "$root"
$cargo build --locked -p lookback-cli
lookback=$target/debug/lookback
LOOKBACK_DATA_DIR=$work/data
export LOOKBACK_DATA_DIR
unset DATABASE_URL
"$lookback" --quiet pg start

server=
stop() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    [ -z "$server" ] || wait "$server" 2>/dev/null || true
    "$lookback" --quiet pg stop
}
trap stop EXIT
trap 'exit 130' INT TERM

"$lookback" --quiet db migrate
"$lookback" --quiet import examples/sample/logs.jsonl
"$lookback" --quiet import examples/sample/requests.jsonl
"$lookback" --quiet metrics rebuild --from 2000-01-01 || true
key=$("$lookback" --quiet keys create schemathesis --scope admin)
"$lookback" serve --listen 127.0.0.1:0 2>"$work/server.log" &
server=$!
address=
waited=0
while [ -z "$address" ]; do
    address=$(sed -n 's|^listening on http://||p' "$work/server.log")
    waited=$((waited + 1))
    if [ "$waited" -gt 300 ] || ! kill -0 "$server" 2>/dev/null; then
        cat "$work/server.log" >&2
        exit 1
    fi
    sleep 0.1
done

echo "seed $seed"
# Not asked: whether every value of a type is accepted. A filter is a language of its own, which
# answers a text that it does not read with a documented error.
"$work/venv/bin/python" "$here/sample.py" "http://$address/api/v1/openapi.json" "$seed" >"$work/openapi.json"
SCHEMATHESIS_HOOKS=$here/hooks.py "$work/venv/bin/schemathesis" run "$work/openapi.json" --url "http://$address" \
    --header "Authorization: Bearer $key" \
    --exclude-checks positive_data_acceptance,negative_data_rejection \
    --max-examples "$examples" --seed "$seed" --workers 1 \
    --suppress-health-check all --request-timeout 60 \
    --continue-on-failure --no-shrink --report junit --report-dir "$work/report"
