#!/bin/sh
# Fuzzes the decoders, filters, capture and the server, one target at a time: `sh scripts/fuzz.sh SECONDS [TARGET…]`.
# It needs cargo-fuzz and a C++ compiler, and no other toolchain than the stable one:
# without a sanitizer, since the decoders have no unsafe code. The release profile of
# fuzz/Cargo.toml has the assertions.
set -eu
cd "$(dirname "$0")/.."
cargo=${CARGO:-cargo}
if ! $cargo fuzz --version >/dev/null 2>&1; then
    echo "error: cargo-fuzz is not installed" >&2
    echo "hint: cargo install --locked cargo-fuzz" >&2
    exit 1
fi
seconds=$1
shift
[ $# -gt 0 ] || set -- decoder json_object text_line push_otlp_logs push_otlp_traces push_loki secrets filter capture server
for target in "$@"; do
    # What was found before is kept in fuzz/corpus; the seeds are read beside it.
    mkdir -p "fuzz/corpus/$target"
    seeds=
    [ ! -d "fuzz/seeds/$target" ] || seeds=fuzz/seeds/$target
    # shellcheck disable=SC2086
    $cargo fuzz run --release --sanitizer none "$target" "fuzz/corpus/$target" $seeds -- \
        -dict=fuzz/words.dict -max_total_time="$seconds" -max_len=4096 -timeout=10 \
        -rss_limit_mb=2048 -malloc_limit_mb=256
done
