#!/bin/sh
# Runs the tests with other dates, with different clocks, in other time zones, under
# load, one at a time and many at once, and as an ordinary user.
#
#   sh scripts/test-anywhere.sh                      all variants, some minutes each
#   sh scripts/test-anywhere.sh load threads-1       some variants
#   FILTER=maintenance:: sh scripts/test-anywhere.sh only tests with this name
#
# clock.c changes the clock of a program. Cargo keeps the real clock, because it
# compares file times; it starts each test binary through `env`. To give the server
# the same clock or zone, LOOKBACK_PG_BIN names a folder of wrapper scripts around
# the PostgreSQL binaries.
set -u
umask 022
cd "$(dirname "$0")/.." || exit 1
cargo=${CARGO:-cargo}
filter=${FILTER:-}
all='new-year leap-day later client-ahead client-behind kathmandu apia load threads-1 threads-16 user'
# Kept at the end: a server that stops after a minute of idling still needs its binaries.
work=${TMPDIR:-/tmp}/lookback-anywhere-$(id -u)

stop() { # problem, hint
    printf 'error: %s\nhint: %s\n' "$1" "$2" >&2
    exit 1
}

# Prints the environment for a program whose clock is this number of seconds ahead.
# Monotonic clocks do not change.
clock() { # seconds
    printf 'LD_PRELOAD=%s LOOKBACK_CLOCK=%d' "$work/clock.so" "$1"
}

# Prints the seconds from now until a time.
ahead_by() { # a time in UTC
    echo $(($(date -u -d "$1" +%s) - $(date +%s)))
}

# Runs the tests; each test binary gets this environment.
tests() { # environment, then arguments for the test binaries
    triple=$(rustc -vV | sed -n 's/^host: //p' | tr 'a-z-' 'A-Z_')
    runner="env $1"
    shift
    # shellcheck disable=SC2086
    env "CARGO_TARGET_${triple}_RUNNER=$runner" \
        $cargo test --workspace --locked --no-fail-fast -- $filter "$@"
}

# Does the same, and starts the server with that environment, too.
tests_and_server() { # name, environment
    real=${LOOKBACK_PG_BIN:-$($cargo run --quiet --locked -p testkit --example pg-bin)} || return
    rm -rf "${work:?}/$1/bin"
    mkdir -p "$work/$1/bin" || return
    for program in "$real"/*; do
        behind=$work/$1/bin/$(basename "$program")
        printf '#!/bin/sh\n%s exec %s "$@"\n' "$2" "$program" >"$behind"
        chmod 755 "$behind"
    done
    LOOKBACK_PG_BIN=$work/$1/bin
    export LOOKBACK_PG_BIN
    tests "$2"
}

# Runs the tests next to busy loops, two for each processor.
under_load() {
    loops=$(($(nproc) * 2))
    [ "$loops" -ge 4 ] || loops=4
    busy=$work/busy.$$
    mkdir -p "$busy" || return
    while [ "$loops" -gt 0 ]; do
        # A loop ends when the folder is removed or this script ends.
        sh -c 'while [ -d "$0" ] && kill -0 "$1"; do
                i=0
                while [ $i -lt 100000 ]; do i=$((i + 1)); done
            done' "$busy" $$ 2>/dev/null &
        loops=$((loops - 1))
    done
    tests ''
    status=$?
    rmdir "$busy"
    return "$status"
}

# Runs the tests of HEAD as another user, in a fresh clone with a new home folder.
as_user() {
    if [ "$(id -u)" -ne 0 ]; then
        tests ''
        return
    fi
    user=${LOOKBACK_TEST_USER:-nobody}
    rm -rf "${work:?}/user"
    mkdir -p "$work/user/home" || return
    git clone --quiet . "$work/user/clone" || return
    chown -R "$user" "$work/user"
    toolchain=$(rustc --print sysroot)
    # shellcheck disable=SC2016,SC2086
    setpriv --reuid "$user" --regid "$(id -g "$user")" --clear-groups \
        env "HOME=$work/user/home" "PATH=$toolchain/bin:$PATH" \
        sh -c 'cd "$0" && cargo test --workspace --locked --no-fail-fast -- "$@"' \
        "$work/user/clone" $filter
}

one() { # name
    case $1 in
    new-year) tests_and_server "$1" "$(clock "$(ahead_by '2027-12-31 23:59:50')")" ;;
    leap-day) tests_and_server "$1" "$(clock "$(ahead_by '2028-02-29 00:00:00')")" ;;
    later) tests_and_server "$1" "$(clock "$(ahead_by '2036-01-01 00:00:00')")" ;;
    # The clock of the tests and of the program is wrong, the server has the real one.
    client-ahead) tests "$(clock 39484800)" ;;
    client-behind) tests "$(clock -17280000)" ;;
    kathmandu) tests_and_server "$1" TZ=Asia/Kathmandu ;;
    apia) tests_and_server "$1" TZ=Pacific/Apia ;;
    load) under_load ;;
    threads-1) tests '' --test-threads 1 ;;
    threads-16) tests '' --test-threads 16 ;;
    user) as_user ;;
    *) stop "there is no $1" "one of: $all" ;;
    esac
}

# shellcheck disable=SC2086
[ $# -gt 0 ] || set -- $all
mkdir -p "$work" || exit
cc -shared -fPIC -O2 -o "$work/clock.so" scripts/clock.c || exit
$cargo test --workspace --locked --no-run || exit
failed=
for name in "$@"; do
    printf '\n=== %s\n' "$name"
    begun=$(date +%s)
    if (one "$name"); then
        echo "=== $name: passed in $(($(date +%s) - begun)) s"
    else
        echo "=== $name: FAILED"
        failed="$failed $name"
    fi
done
[ -z "$failed" ] || stop "failed:$failed" "to run it again: sh scripts/test-anywhere.sh$failed"
