# Arguments: base folder, PostgreSQL's programs, idle seconds, "remove" or "keep".
# Works in the base folder. Input: a file whose lock tells others that the watch lives.
# Output: the word "stop", for the stopper.
trap '' HUP INT QUIT
base=$1 bin=$2 idle=$3 end=$4
exec 3<&0 </dev/null

# Whether a client is connected. A server that answers and lets nobody in has too many clients,
# or is starting or stopping: that is not idle.
busy() {
    [ -e data/postmaster.pid ] || return 1
    port=$(cat port)
    clients=$(PGPASSWORD=$(cat password) PGCONNECT_TIMEOUT=5 \
        "$bin/psql" -XAtq -h 127.0.0.1 -p "$port" -U lookback -d postgres -w -c \
        "SELECT count(*) FROM pg_stat_activity
         WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()") &&
        { [ "$clients" -gt 0 ]; return; }
    answers
}

answers() {
    "$bin/pg_isready" -q -h 127.0.0.1 -p "$(cat port)" -d postgres
    [ $? -le 1 ]
}

# The children must not hold the lock longer than the watch does, hence 3<&-.
watch() {
    quiet=0 seen=
    while sleep 1 3<&-; do
        lease=$(cat lease 3<&-) || exit # the folder is gone
        if [ "$lease" != "$seen" ] || busy 3<&-; then
            seen=$lease quiet=0
            continue
        fi
        quiet=$((quiet + 1))
        [ "$quiet" -ge "$idle" ] || continue

        mkdir stopping 3<&- || exit
        if busy 3<&- || [ "$(cat lease 3<&-)" != "$seen" ]; then
            rmdir stopping 3<&-
            quiet=0
            continue
        fi
        finish
        exit
    done
}

finish() {
    echo stop
    tries=0
    until [ -e data/watchdog.done ] || [ "$tries" -ge 350 ]; do
        sleep 0.2 3<&- || sleep 1 3<&-
        tries=$((tries + 1))
    done
    rm -f data/watchdog.done 3<&-
    # The folder of a server that could not be stopped is left alone, and so is another folder
    # that has this name by now.
    [ "$end" = remove ] && ! answers 3<&- && [ "$base" -ef . ] || return
    mv "$base" "$base.removed.$$" 3<&- && rm -rf "$base.removed.$$" 3<&-
}

watch &
