# Arguments: pg_ctl, data folder. Input: lines "stop", any number of them.
trap '' HUP INT QUIT
pg_ctl=$1 data=$2
exec 3<&0 </dev/null
{
    while read -r word <&3 && [ "$word" = stop ]; do
        "$pg_ctl" stop --silent --pgdata "$data" --mode fast --wait --timeout 60 3<&-
        echo >"$data/watchdog.done"
    done
} &
