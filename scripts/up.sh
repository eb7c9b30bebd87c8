#!/bin/sh
# Starts the store, migrates, imports a small sample and searches it. Called by
# `make up`; you can run it any number of times.
set -eu
lookback=$1

run() {
    printf '\n$ lookback %s\n' "$*"
    "$lookback" "$@"
}

if [ -z "${DATABASE_URL:-}" ]; then
    run pg start
fi
run db migrate
run import examples/sample/logs.jsonl
run import examples/sample/requests.jsonl
printf '\n$ lookback logs search "payment gateway timeout" --limit 5\n'
"$lookback" logs search "payment gateway timeout" --limit 5

printf '\nThe program is %s. Some things to try:\n' "$lookback"
printf '  %s logs search "conection refused" level__in=warn,error\n' "$lookback"
printf '  %s requests list status_code__gte=500 --order-by -duration\n' "$lookback"
printf '  %s import YOUR.jsonl\n' "$lookback"
