#!/bin/sh
# Builds the web page of dashboard/ into the crate that embeds it, if it is older than its sources.
# Called by `make page` and `make up`. Without Node.js it does nothing; with --try, it says in one
# line that it failed, and succeeds.
set -eu
cd "$(dirname "$0")/.."
built=crates/lookback-server/page
log=${CARGO_TARGET_DIR:-target}/page.log
optional=${1:-}

skip() {
    if [ -f "$built/index.html" ]; then
        printf 'page: %s: the program has the page that was built before\n' "$1"
    else
        printf 'page: %s: the program has no page\n' "$1"
    fi
    exit 0
}

[ -f dashboard/package.json ] || skip 'there is no dashboard/package.json'
# What the build makes itself is newer than the page.
newer() {
    find dashboard -name node_modules -prune -o -type f -newer "$built/index.html" -print | head -n 1
}
if [ -f "$built/index.html" ] && [ -z "$(newer)" ]; then
    exit 0
fi
for program in node npm; do
    command -v "$program" >/dev/null || skip "it needs Node.js 20.19 or later, and there is no $program"
done
version=$(node -p process.versions.node)
major=${version%%.*}
minor=${version#*.}
minor=${minor%%.*}
if [ "$major" -lt 20 ] || { [ "$major" -eq 20 ] && [ "$minor" -lt 19 ]; }; then
    skip "it needs Node.js 20.19 or later, and this is $version"
fi

run() {
    printf 'page: npm %s\n' "$*"
    (cd dashboard && npm "$@") >>"$log" 2>&1 && return
    if [ "$optional" = --try ]; then
        printf 'page: npm %s failed, see %s: the page is not built again; go on without\n' "$1" "$log"
        exit 0
    fi
    tail -n 20 "$log" >&2
    printf 'error: npm %s failed\nhint: %s has all that it printed\n' "$1" "$log" >&2
    exit 1
}

mkdir -p "$(dirname "$log")"
: >"$log"
# npm writes this file when it has installed.
installed=dashboard/node_modules/.package-lock.json
if [ ! -f "$installed" ] || [ dashboard/package-lock.json -nt "$installed" ]; then
    run ci --no-audit --no-fund
fi
run run build
# The build has emptied the folder, which is in git by this file.
: >"$built/.gitkeep"
printf 'page: built in %s\n' "$built"
