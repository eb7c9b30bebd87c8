#!/bin/sh
# Tests the page in Chromium, against the program on a PostgreSQL of its own: `make test-page`. With the
# path of a program in dashboard/, runs that instead: `make bench-page`.
# It needs Node.js 20.19 with npm, and Chromium (CHROMIUM is its path). A machine without them says so,
# and is no failure, unless PAGE=required. FILTER is the start of the name of a file of tests; LOOKBACK
# is a program that is built already.
set -eu
cd "$(dirname "$0")/.."
cargo=${CARGO:-cargo}

missing() {
    echo "the page: not tested, since $1"
    [ "${PAGE:-}" != required ] || exit 1
    exit 0
}
node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' 2>/dev/null ||
    missing 'there is no Node.js 20.19 or later'
command -v npm >/dev/null || missing 'there is no npm'
chromium=${CHROMIUM:-$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)}
[ -n "$chromium" ] || missing 'there is no Chromium (Debian: apt-get install chromium; elsewhere set CHROMIUM)'
export CHROMIUM="$chromium"

sh scripts/page.sh || missing 'it cannot be built'
[ -f crates/lookback-server/page/index.html ] || missing 'it is not built'
if [ -z "${LOOKBACK:-}" ]; then
    $cargo build --locked -p lookback-cli
    LOOKBACK=${CARGO_TARGET_DIR:-$PWD/target}/debug/lookback
fi
LOOKBACK=$(cd "$(dirname "$LOOKBACK")" && pwd)/$(basename "$LOOKBACK")
export LOOKBACK
cd dashboard
if [ $# -gt 0 ]; then
    exec node "$@"
fi
npm run --silent check
npm test --silent
exec node --test --test-concurrency=1 --test-reporter=spec --test-timeout=300000 tests/"${FILTER:-}"*.test.mjs
