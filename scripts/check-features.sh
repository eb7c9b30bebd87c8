#!/bin/sh
# Each published crate compiles without a warning in every combination of its
# features: what one feature needs must not come by accident from another.
set -eu
cd "$(dirname "$0")/.."
cargo=${CARGO:-cargo}

# The names in [features], without `default`.
features_of() { # manifest
    awk '/^\[/ { inside = $0 == "[features]" } inside && /^[a-z0-9_-]+ *=/ { print $1 }' "$1" \
        | grep -vx default || true
}

# The combinations of some names, one a line, the first of them empty.
combinations() { # names
    if [ $# -eq 0 ]; then
        echo
        return
    fi
    first=$1
    shift
    combinations "$@" | while IFS= read -r rest; do
        echo "$rest"
        echo "$first $rest"
    done
}

checked=0
for manifest in crates/*/Cargo.toml; do
    ! grep -qx 'publish = false' "$manifest" || continue
    crate=$(sed -n 's/^name = "\(.*\)"/\1/p' "$manifest" | head -n 1)
    # shellcheck disable=SC2046
    combinations $(features_of "$manifest") >"${TMPDIR:-/tmp}/lookback-features.$$"
    while IFS= read -r features <&3; do
        printf '%s: %s\n' "$crate" "${features:-no feature}"
        # Not its tests: what they depend on switches features on.
        $cargo clippy --quiet --locked -p "$crate" --no-default-features --features "$features" \
            -- -D warnings
        checked=$((checked + 1))
    done 3<"${TMPDIR:-/tmp}/lookback-features.$$"
    rm "${TMPDIR:-/tmp}/lookback-features.$$"
done
echo "combinations of features: $checked compile"
