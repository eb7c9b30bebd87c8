# Arguments: pg_ctl, data folder. Input: the word "stop", or nothing at all.
trap '' HUP INT QUIT
pg_ctl=$1 data=$2
exec 3<&0 </dev/null
{
    if read -r word <&3 && [ "$word" = stop ]; then
        "$pg_ctl" stop --silent --pgdata "$data" --mode fast --wait --timeout 60 3<&-
        : >"$data/watchdog.done"
    fi
} &
