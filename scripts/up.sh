#!/bin/sh
# Starts the store, migrates, imports a small sample, searches it, and leaves a server running.
# Called by `make up`; you can run it any number of times: a server that runs is restarted.
set -eu
lookback=$1
here=$(dirname "$0")
listen=${LISTEN:-127.0.0.1:4000}
# What the server prints, its process and its key are beside the program.
state=$(cd "$(dirname "$lookback")" && pwd)

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

sh "$here/down.sh" "$lookback" --server
umask 077
# The key of an earlier run, if the database has it still.
key=$(cat "$state/serve.key" 2>/dev/null || true)
prefix=$(printf '%s' "$key" | cut -c 4-11)
if [ -z "$key" ] || ! "$lookback" keys list --json | grep -q "\"$prefix\""; then
    key=$("$lookback" keys create "make up" --scope admin --quiet)
    printf '%s\n' "$key" >"$state/serve.key"
fi

printf '\n$ lookback serve --listen %s\n' "$listen"
nohup "$lookback" serve --listen "$listen" </dev/null >"$state/serve.log" 2>&1 &
pid=$!
echo "$pid" >"$state/serve.pid"
tries=0
until grep -q '^listening on http' "$state/serve.log"; do
    tries=$((tries + 1))
    if ! kill -0 "$pid" 2>/dev/null || [ "$tries" -gt 300 ]; then
        cat "$state/serve.log" >&2
        rm -f "$state/serve.pid"
        echo "hint: with make: make up LISTEN=127.0.0.1:4001" >&2
        exit 1
    fi
    sleep 0.1
done
# The other addresses and the page follow at once.
sleep 0.3
cat "$state/serve.log"
url=$(sed -n 's/^listening on \(http.*\)$/\1/p' "$state/serve.log")

cat <<END

The server is $url, until \`make down\`; it writes to $state/serve.log.
Its API key, which may do everything: $key
A password that is lost is made again by: $lookback users set-password EMAIL --one-time
Some things to try:

  export KEY=$key
  curl $url/api/v1/logs -H "Authorization: Bearer \$KEY" -d '{"level":"error","source":"shop","message":"disk full"}'
  curl -G $url/api/v1/logs -H "Authorization: Bearer \$KEY" --data-urlencode 'search=conection refused' -d limit=3
  $lookback logs tail level__in=warn,error

END
if grep -q '^the page: ' "$state/serve.log"; then
    printf 'The page, to which users log in: %s/\n\n' "$url"
else
    printf 'This program has no page: make page, with Node.js 20.19 or later, and make up again\n\n'
fi
