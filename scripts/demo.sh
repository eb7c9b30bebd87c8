#!/bin/sh
# Runs the example shop with some customers, and looks at what was captured. Called by `make demo`;
# you can run it any number of times. SECONDS is how long the customers come (20). In a terminal, or
# with STAY=yes, the shop stays open then, beside a server with the page, until Ctrl-C.
set -eu
lookback=$1
shop=$2
traffic=$3
seconds=${SECONDS:-20}
address=127.0.0.1:${PORT:-3417}
page=127.0.0.1:${PAGE_PORT:-4010}
stay=${STAY:-no}
[ ! -t 1 ] || stay=${STAY:-yes}

say() {
    printf '\n%s\n' "$*"
}

run() {
    printf '\n$ lookback %s\n' "$*"
    "$lookback" "$@"
}

if [ -z "${DATABASE_URL:-}" ]; then
    run pg start
    DATABASE_URL=$("$lookback" pg url)
    export DATABASE_URL
fi
run db migrate

# The shop has a database of its own beside that of Lookback.
before=${DATABASE_URL%%\?*}
options=${DATABASE_URL#"$before"}
say "The shop opens: http://$address"
log=$(mktemp)
LOOKBACK_DATABASE_URL=$DATABASE_URL DATABASE_URL="${before%/*}/shop$options" ADDRESS=$address \
    "$shop" >"$log" 2>&1 &
pid=$!
others=
end() {
    # shellcheck disable=SC2086
    kill $others "$pid" 2>/dev/null || true
    wait || true
    rm -f "$log" "$log.serve"
}
trap end EXIT
trap 'exit 130' INT TERM
waited=0
until grep -q 'the shop is open' "$log"; do
    if ! kill -0 "$pid" 2>/dev/null || [ "$waited" -ge 300 ]; then
        cat "$log" >&2
        echo 'error: the shop did not open' >&2
        exit 1
    fi
    waited=$((waited + 1))
    sleep 0.2
done

say "Three customers come for $seconds seconds: some requests are slow, and some fail."
SHOP="http://$address" SECONDS=$seconds "$traffic"
# What was captured is stored within a second, and the windows of a minute when it is over.
sleep 1

say 'The slowest and the failed requests:'
run requests list stage=demo --order-by -duration --limit 5
run requests list stage=demo status_code__gte=500 --limit 5

# The first value of a field of a list that is printed as JSON.
field() {
    sed -n "s/.*\"$1\": *\"\{0,1\}\([0-9a-f]*\).*/\1/p" | head -n 1
}

say 'A payment that failed, found by words; and the same trace among the requests: that of the
customer, and the call to the gateway.'
run logs search 'payment gateway answered 503' --limit 3
trace=$("$lookback" requests list status_code=502 path__endswith=/pay --limit 1 --json | field trace_id)
[ -z "$trace" ] || run requests list "trace_id=$trace"

say 'A report that failed, and what was logged meanwhile, by its trace:'
run requests search 'report' status_code=500 --limit 1
failed=$("$lookback" requests list path=/report status_code=500 --limit 1 --json)
id=$(printf '%s' "$failed" | field id)
run logs list "trace_id=$(printf '%s' "$failed" | field trace_id)"
say 'It is sent again, to see whether it still fails:'
run replay "$id" --to "http://$address"

if [ "$stay" = yes ]; then
    : >"$log.serve"
    # It asks for no password, and sends requests again to the shop alone.
    "$lookback" serve --open --listen "$page" --otlp-grpc off --otlp-http off \
        --replay-targets "http://$address" 2>"$log.serve" &
    others=$!
    SHOP="http://$address" SECONDS=86400 PAUSE=2000 "$traffic" >/dev/null 2>&1 &
    others="$others $!"
    waited=0
    until grep -q '^listening on http' "$log.serve"; do
        waited=$((waited + 1))
        # The server is the first of the others.
        if ! kill -0 "${others%% *}" 2>/dev/null || [ "$waited" -ge 100 ]; then
            cat "$log.serve" >&2
            exit 1
        fi
        sleep 0.1
    done
    say "The page: http://$page. The customers go on coming; payments fail at times, and so do
reports. Find out why, and send a failed request again to http://$address. Ctrl-C closes all of it."
    wait "$pid"
fi

say 'The shop closes, and its last windows are stored.'
kill "$pid"
wait "$pid" || true
trap - EXIT
rm -f "$log"
run metrics list --order-by -p95_latency --limit 8
say "All of it stays in the database. Look on: $lookback requests list"
