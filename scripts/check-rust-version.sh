#!/bin/sh
# The oldest Rust that compiles this: one number, which all crates have and the
# documents name, and above which no dependency is. (APIs of the standard library
# that are newer are found by Clippy.)
set -eu
status=0
oldest=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)

complain() {
    printf 'error: %s\n' "$1" >&2
    status=1
}

# Asked on its own: metadata that cannot be had is not without a fault.
metadata=$(cargo metadata --locked --format-version 1)
needed=$(printf '%s' "$metadata" | grep -oE '"rust_version":"[0-9.]+"' | tr -dc '0-9.\n' | sort -V | tail -n 1)
# 1.95 comes before 1.95.1, and is the same as 1.95.0.
newest=$(printf '%s\n%s\n' "${needed%.0}" "$oldest" | sort -V | tail -n 1)
[ "$newest" = "$oldest" ] || complain "a dependency needs Rust $needed, and rust-version is $oldest"

for manifest in crates/*/Cargo.toml; do
    grep -q '^rust-version.workspace = true' "$manifest" \
        || complain "$manifest does not have rust-version.workspace = true"
done
for document in README.md CONTRIBUTING.md; do
    grep -q "Rust $oldest" "$document" || complain "$document does not name Rust $oldest"
done

[ "$status" -eq 0 ] && echo "oldest Rust: $oldest"
exit "$status"
