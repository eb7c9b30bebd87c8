# Arguments: base folder, PostgreSQL's programs, idle seconds, "remove" or "keep".
# Works in the base folder. Input: a file whose lock shows others that the watch is alive.
# Output: the command "stop", for the stopper.
trap '' HUP INT QUIT
base=$1 bin=$2 idle=$3 end=$4
exec 3<&0 </dev/null

# Whether a client is connected. A live server without an answer is busy: it may have too many
# clients or too little time to answer, or the programs to ask it with may be gone.
busy() {
    [ -e data/postmaster.pid ] || return 1
    port=$(cat port)
    clients=$(PGPASSWORD=$(cat password) PGCONNECT_TIMEOUT=5 \
        "$bin/psql" -XAtq -h 127.0.0.1 -p "$port" -U lookback -d postgres -w -c \
        "SELECT count(*) FROM pg_stat_activity
         WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()") &&
        { [ "$clients" -gt 0 ]; return; }
    lives
}

# Whether the process of postmaster.pid is a live server: its id may belong to another program by
# now, or to a zombie.
lives() {
    pid=
    read -r pid <data/postmaster.pid
    case $pid in '' | 0 | *[!0-9]*) return 1 ;; esac
    case $(cat "/proc/$pid/status") in
    '') ;; # it is gone, or there is no /proc
    *State:?Z*) return 1 ;;
    Name:?postgres[![:graph:]]*)
        # Without permission to see its folder, the name has to do.
        [ ! -e "/proc/$pid/cwd" ] || [ "/proc/$pid/cwd" -ef data ]
        return
        ;;
    *) return 1 ;;
    esac
    kill -0 "$pid" || return 1
    case $(ps -o stat= -o comm= -p "$pid") in
    Z*) return 1 ;;
    '' | *postgres) return 0 ;;
    *) return 1 ;;
    esac
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
        if busy 3<&- || [ "$(cat lease 3<&-)" != "$seen" ] || ! stopped; then
            rmdir stopping 3<&-
            quiet=0
            continue
        fi
        # Keeps another folder that has this name by now.
        [ "$end" = remove ] && [ "$base" -ef . ] && remove
        exit
    done
}

# Has the server stopped; false if it could not be stopped. The watch retries after the idle
# timeout then.
stopped() {
    rm -f data/watchdog.done 3<&-
    echo stop
    tries=0
    until [ -e data/watchdog.done ] || [ "$tries" -ge 350 ]; do
        sleep 0.2 3<&- || sleep 1 3<&-
        tries=$((tries + 1))
    done
    rm -f data/watchdog.done 3<&-
    ! lives 3<&-
}

remove() {
    gone=$base.removed.$$
    mv "$base" "$gone" 3<&- || return
    tries=0
    # The children of a server that was killed may write for some more moments.
    until rm -rf "$gone" 3<&- || [ "$tries" -ge 60 ]; do
        sleep 1 3<&-
        tries=$((tries + 1))
    done
}

watch &
