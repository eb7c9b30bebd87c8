#!/bin/sh
# The tests on other days, in other time zones, on a busy machine, one at a time
# and many at once, and as an ordinary user. `make test-anywhere` runs all of it;
# names choose: `sh scripts/test-anywhere.sh load threads-1`.
#
# A PostgreSQL of another day or zone is the one that the tests use anyway
# (LOOKBACK_PG_BIN, or the fetched one), behind scripts that set its clock.
set -eu
cd "$(dirname "$0")/.."
cargo=${CARGO:-cargo}
all='new-year leap-day later client-ahead client-behind kathmandu apia load threads-1 threads-16 user'

work=$(mktemp -d "${TMPDIR:-/tmp}/lookback-anywhere.XXXXXX")
chmod 755 "$work"
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

stop() {
    printf 'error: %s\nhint: %s\n' "$1" "$2" >&2
    exit 1
}

# The library that changes the clock of a program.
faketime() {
    for path in /usr/lib/*/faketime/libfaketimeMT.so.1 /usr/lib/faketime/libfaketimeMT.so.1; do
        if [ -f "$path" ]; then
            echo "$path"
            return
        fi
    done
    stop 'there is no libfaketime' 'install it: apt-get install faketime'
}

# What a program is to be started with to see a clock that is so many seconds
# ahead. Clocks that only measure how long something takes stay as they are.
clock() { # seconds
    printf 'LD_PRELOAD=%s FAKETIME=%+ds FAKETIME_DONT_FAKE_MONOTONIC=1 NO_FAKE_STAT=1' \
        "$library" "$1"
}

# A folder of programs of PostgreSQL that start with this environment.
postgres_with() { # name, environment
    mkdir -p "$work/$1/bin"
    for program in "$pg_bin"/*; do
        name=$(basename "$program")
        printf '#!/bin/sh\n%s exec %s "$@"\n' "$2" "$program" >"$work/$1/bin/$name"
        chmod 755 "$work/$1/bin/$name"
    done
    echo "$work/$1/bin"
}

# The programs of the PostgreSQL that the tests use.
find_postgres() {
    if [ -n "${LOOKBACK_PG_BIN:-}" ]; then
        echo "$LOOKBACK_PG_BIN"
    else
        $cargo run --quiet --locked -p testkit --example pg-bin
    fi
}

# Runs the tests, each program of theirs with this environment. Cargo itself
# goes by the true clock: it compares the times of files.
tests() { # environment, then arguments of the tests
    triple=$(rustc -vV | sed -n 's/^host: //p' | tr 'a-z-' 'A-Z_')
    runner="env $1"
    shift
    env "CARGO_TARGET_${triple}_RUNNER=$runner" \
        $cargo test --workspace --locked -- "$@"
}

ahead_by() { # a time in UTC
    echo $(($(date -u -d "$1" +%s) - $(date +%s)))
}

# Clients and server at this time.
on() { # name, a time in UTC
    clock=$(clock "$(ahead_by "$2")")
    LOOKBACK_PG_BIN=$(postgres_with "$1" "$clock")
    export LOOKBACK_PG_BIN
    tests "$clock"
}

# Clients and server in this zone.
in_zone() { # name, zone
    LOOKBACK_PG_BIN=$(postgres_with "$1" "TZ=$2")
    export LOOKBACK_PG_BIN
    tests "TZ=$2"
}

# Beside loops that keep four processors busy, until this script ends.
under_load() {
    mkdir "$work/load"
    for _ in 1 2 3 4; do
        sh -c 'while [ -d "$0" ]; do i=0; while [ $i -lt 100000 ]; do i=$((i + 1)); done; done' \
            "$work/load" &
    done
    status=0
    tests '' || status=$?
    rmdir "$work/load"
    return "$status"
}

# In a clone of the user's own, with a home that is new.
as_user() {
    if [ "$(id -u)" -ne 0 ]; then
        tests ''
        return
    fi
    user=${LOOKBACK_TEST_USER:-nobody}
    home=$work/home
    git clone --quiet . "$work/clone"
    mkdir "$home"
    chown -R "$user" "$work/clone" "$home"
    toolchain=$(rustc --print sysroot)
    setpriv --reuid "$user" --regid "$(id -g "$user")" --clear-groups \
        env "HOME=$home" "PATH=$toolchain/bin:$PATH" "CARGO_HOME=$home/.cargo" \
        sh -c 'cargo --version >/dev/null 2>&1' ||
        stop "the user $user cannot run cargo in $toolchain" \
            'let others read it (chmod), or run make test-anywhere as an ordinary user'
    cd "$work/clone" &&
        setpriv --reuid "$user" --regid "$(id -g "$user")" --clear-groups \
            env "HOME=$home" "PATH=$toolchain/bin:$PATH" "CARGO_HOME=$home/.cargo" \
            cargo test --workspace --locked --target-dir "$work/clone/target"
}

one() { # name
    case $1 in
    new-year) on "$1" '2027-12-31 23:59:50' ;;
    leap-day) on "$1" '2028-02-29 00:00:00' ;;
    later) on "$1" '2036-01-01 00:00:00' ;;
    # The clock of the tests and of the program is wrong, and that of the server is right.
    client-ahead) tests "$(clock 39484800)" ;;
    client-behind) tests "$(clock -34560000)" ;;
    kathmandu) in_zone "$1" Asia/Kathmandu ;;
    apia) in_zone "$1" Pacific/Apia ;;
    load) under_load ;;
    threads-1) tests '' --test-threads 1 ;;
    threads-16) tests '' --test-threads 16 ;;
    user) as_user ;;
    *) stop "there is no $1" "one of: $all" ;;
    esac
}

library=$(faketime)
$cargo test --workspace --locked --no-run
pg_bin=$(find_postgres)
# shellcheck disable=SC2086
[ $# -gt 0 ] || set -- $all
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
[ -z "$failed" ] || stop "failed:$failed" "one alone: sh scripts/test-anywhere.sh${failed%% *}"
