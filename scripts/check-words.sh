#!/bin/sh
# Keeps words out of the repository that docs/glossary.md has replaced: a reader
# finds nothing by them. `make lint` runs it.
set -eu
cd "$(dirname "$0")/.."

# What to write instead stands behind the colon.
words='
anew: again, rebuild, retry
whoever: name the subject
heed: use, apply
heeds: uses, applies
for ever: forever, for good
so many: this many, a number of
is said: is reported
is told: gets
mend: repair
mends: repairs
of the caller.s: the caller'"'"'s X
is no number: is not a number, NaN
one after the other: in turn, sequentially
as one likes: any
what is of: name it
likeness: similarity
'

found=0
while IFS=: read -r word instead; do
    [ -n "$word" ] || continue
    # This file and the glossary name the words themselves.
    if git grep -nIiwE "$word" -- . ':!scripts/check-words.sh' ':!docs/glossary.md' >&2; then
        printf 'error: "%s" is not a word of this project\nhint: write%s\n' "$word" "$instead" >&2
        found=1
    fi
done <<EOF
$words
EOF

[ "$found" -eq 0 ] && echo 'words: as in docs/glossary.md'
exit "$found"
