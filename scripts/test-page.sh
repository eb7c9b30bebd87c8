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
# A file of tests that fails is tried once more, since other programs may have had the machine.
failed=
for file in tests/"${FILTER:-}"*.test.mjs; do
    node --test --test-reporter=spec --test-timeout=300000 "$file" && continue
    echo "the page: $file failed, and is tried again"
    node --test --test-reporter=spec --test-timeout=300000 "$file" || failed="$failed $file"
done
if [ -n "$failed" ]; then
    echo "error: failed twice:$failed" >&2
    exit 1
fi
