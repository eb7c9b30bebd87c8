#!/bin/sh
# Runs `make demo` with programs that are built already, on a PostgreSQL of its own, and checks what it
# shows: `make test` does. The argument is the folder of the programs.
set -eu
cd "$(dirname "$0")/.."
programs=$1
folder=$(mktemp -d)
# PostgreSQL, which root starts as another user, has to get there.
chmod 755 "$folder"
unset DATABASE_URL LOOKBACK_DATABASE_URL
export LOOKBACK_DATA_DIR="$folder/data" PORT=$((20000 + $$ % 10000))
end() {
    "$programs/lookback" pg stop --quiet || true
    rm -rf "$folder"
}
trap end EXIT
trap 'exit 130' INT TERM
shown=$folder/shown
failed() {
    cat "$shown"
    echo "error: the demo $1" >&2
    exit 1
}
SECONDS=12 STAY=no sh scripts/demo.sh "$programs/lookback" "$programs/shop" "$programs/traffic" \
    </dev/null >"$shown" 2>&1 || failed 'failed'
shows() {
    grep -Eq "$1" "$shown" || failed "does not show $2"
}
shows '  502  .*  POST    /orders/[0-9]+/pay$' 'a payment that failed'
shows '  503  .*  POST    /charges$' 'the call to the gateway'
shows 'error  shop::api  payment gateway answered 50' 'the logs of a failed payment'
shows '  500  .*  GET     /report$' 'a report that failed'
shows 'error  tower_http::catch_' 'the logs of a failed report'
shows '  GET /report  500 → [0-9]+  ' 'that a report is sent again'
shows '^ *[0-9]+ .*(GET|POST) /orders' 'latency windows'
echo "the demo: as expected"
