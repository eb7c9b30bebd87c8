#!/bin/sh
# Stops the server that scripts/up.sh has started, and with it the private PostgreSQL, unless
# `--server` says to leave that. Called by `make down`.
set -eu
lookback=$1
pid_file=$(dirname "$lookback")/serve.pid

if [ -f "$pid_file" ]; then
    pid=$(cat "$pid_file")
    # After a restart of the machine, another program may have the number.
    if ps -p "$pid" -o args= 2>/dev/null | grep -q "lookback serve"; then
        kill "$pid"
        tries=0
        # Requests that are under way have 30 seconds.
        while kill -0 "$pid" 2>/dev/null; do
            tries=$((tries + 1))
            if [ "$tries" -gt 400 ]; then
                echo "error: the server (process $pid) does not end" >&2
                exit 1
            fi
            sleep 0.1
        done
        echo "server stopped"
    fi
    rm -f "$pid_file"
fi
[ "${2:-}" = --server ] || "$lookback" pg stop
