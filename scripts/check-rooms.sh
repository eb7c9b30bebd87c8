#!/bin/sh
# Checks the rooms of the crate `lookback`: a room (a module of the crate's root,
# with its files) imports only rooms that stand before it here, and some things
# are in one room only.
set -eu
cd "$(dirname "$0")/../crates/lookback/src"

# The lowest first, as ARCHITECTURE.md describes them.
rooms='hash letters value error model db embedding filter write tables search query password setup ingest maintenance migrate capture replay'

status=0
above=" $rooms "
for room in $rooms; do
    # The rooms that this one must not import: all that come after it.
    above=${above#" $room"}
    [ "$above" != ' ' ] || break
    names=$(printf '%s' "$above" | sed 's/^ //; s/ $//; s/ /|/g')
    files=$room.rs
    [ ! -d "$room" ] || files="$files $room"
    # Comments may name anything, and so may tests.
    # shellcheck disable=SC2086
    if grep -rnE "crate::($names)\b" --include='*.rs' --exclude=tests.rs $files |
        grep -vE '^[^:]+:[0-9]+:\s*//' >&2; then
        printf 'error: the room %s imports one that stands above it\n' "$room" >&2
        status=1
    fi
done

# A room that is not in the list is not checked.
for file in *.rs; do
    case " $rooms lib " in
    *" ${file%.rs} "*) ;;
    *)
        printf 'error: %s is not in the list of rooms of scripts/check-rooms.sh\n' "$file" >&2
        status=1
        ;;
    esac
done

only() { # pattern, where it may stand, what is meant
    # shellcheck disable=SC2086
    if grep -rnE "$1" --include='*.rs' . | grep -vE "^\./($2)" | grep -vE '^[^:]+:[0-9]+:\s*//' >&2; then
        printf 'error: %s\n' "$3" >&2
        status=1
    fi
}

only 'AssertSqlSafe' 'db/sql\.rs' 'only db/sql.rs marks text as safe SQL'
only '(FROM|INTO|UPDATE|JOIN) (sealed_segments|search_(blocks|postings|templates)|rollup_(ranges|cells|corrections))' 'search/' \
    'only search/ has SQL on the tables of summaries'

[ "$status" -eq 0 ] && echo 'rooms of lookback: imports as listed'
exit "$status"
