#!/bin/sh
# The main job, end to end: start the store, migrate, import a small sample,
# search it. Run by `make up`, as often as you like.
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
