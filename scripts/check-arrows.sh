#!/bin/sh
# Checks the dependencies between crates that ARCHITECTURE.md draws as arrows:
# no crate depends on one it must not use, directly or indirectly.
set -eu
status=0

forbid() { # crate, forbidden dependency, reason
    # A separate assignment, so that a failure of `cargo tree` ends the script.
    tree=$(cargo tree --locked -e normal -p "$1" --prefix none)
    if printf '%s\n' "$tree" | grep -qE "^$2 v"; then
        printf 'error: %s must not reach %s: %s\n' "$1" "$2" "$3" >&2
        status=1
    fi
}

forbid lookback lookback-cli 'arrows run from the command line to the library'
forbid lookback lookback-embedded 'an application brings its own database'
forbid lookback clap 'the library reads no arguments'
forbid lookback indicatif 'the library never prints'
forbid lookback hyper 'an application brings its own HTTP client'
forbid lookback-embedded lookback 'the private PostgreSQL stands alone'
forbid lookback-embedded sqlx 'the private PostgreSQL needs no driver'
forbid lookback-embedded tokio 'the private PostgreSQL is synchronous'
forbid lookback lookback-formats 'a library that stores records reads no formats'
forbid lookback-formats lookback-cli 'decoders are pure'
forbid lookback-capture sqlx 'capture has no database driver'
forbid lookback-capture lookback 'capture is below the library'
forbid lookback-capture axum 'capture works with any tower service'
forbid lookback-capture rustls 'capture has no TLS'
forbid lookback-capture opentelemetry 'capture has its own events'
forbid lookback-json sqlx 'a value needs no driver'
forbid lookback-json lookback 'values are below the library'
forbid lookback-formats opentelemetry_sdk 'a decoder sends no telemetry'
forbid lookback lookback-server 'arrows run from the server to the library'
forbid lookback-server lookback-cli 'arrows run from the command line to the server'
forbid lookback-server lookback-embedded 'a server brings no database'
forbid lookback-server clap 'the server reads no arguments'
forbid lookback-macros sqlx 'a macro opens no connection'
forbid lookback-macros serde_json 'a macro reads definitions and no files'
forbid lookback-schema sqlx 'the schema is data: it opens no connection'
forbid lookback-schema tokio 'the schema is data: it waits for nothing'
forbid lookback-schema lookback 'the schema knows nothing of logs or requests'
forbid lookback-migrate lookback 'migrations are for any application, not for models of Lookback'
forbid lookback-migrate clap 'the program words remedies as flags'
forbid lookback-migrate indicatif 'the library never prints'
forbid lookback-cli testkit 'what ships does not carry its tests'

# A feature that changes how other code of an application works.
for crate in lookback lookback-capture lookback-migrate lookback-embedded lookback-formats lookback-json lookback-macros lookback-schema lookback-server; do
    features=$(cargo tree --locked -e normal,features -p "$crate" --all-features --prefix none)
    if printf '%s\n' "$features" | grep -E '"(arbitrary_precision|preserve_order|float_roundtrip)"' >&2; then
        printf 'error: %s turns on a feature of a dependency that changes its host\n' "$crate" >&2
        status=1
    fi
done

[ "$status" -eq 0 ] && echo 'arrows between crates: as drawn'
exit "$status"
