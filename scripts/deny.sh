#!/bin/sh
# What cargo-deny checks by deny.toml: `sh scripts/deny.sh licenses bans sources`.
# A machine that does not have it checks the rest.
set -eu
cargo=${CARGO:-cargo}
if ! $cargo deny --version >/dev/null 2>&1; then
    echo "dependencies: $* not checked, since cargo-deny is not installed (cargo install --locked cargo-deny)"
    exit
fi
$cargo deny --locked check --hide-inclusion-graph "$@"
