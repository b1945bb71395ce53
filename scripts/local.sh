#!/usr/bin/env bash
# Run one search as several processes of this machine.
#
#   scripts/local.sh [--processes N] [--devices M] [--port P] [--cpu] [--logs DIR] [--dry-run] search|resume ARGUMENTS
#
# One process alone uses every GPU of a machine, and every core of a CPU: `evodev search` is enough. Several processes pay where one
# host thread cannot keep many GPUs busy, and to try out here what will run on many machines.
#
#   --processes N   how many (default 2)
#   --devices M     devices of each process (default 1): process i has the GPUs i*M to i*M+M-1
#   --cpu           M devices of the CPU instead
#   --port P        where the first listens (default: a free one)
#   --logs DIR      what the processes after the first print goes to DIR/process-I.log (default: a temporary folder)
#   --dry-run       print the commands and do nothing
#
# When a process ends badly the others are stopped, its last lines are shown, and how to go on. Ctrl-C and SIGTERM are handed on:
# the search is checkpointed.
set -euo pipefail
# shellcheck source=scripts/common.sh
. "$(dirname "$0")/common.sh"

processes=2 devices=1 port='' logs='' cpu=0 dry=0
while [ $# -gt 0 ]; do
    case $1 in
        -h | --help) help ;;
        --dry-run) dry=1 ;;
        --cpu) cpu=1 ;;
        --processes) value "$@" && processes=$2 && shift ;;
        --devices) value "$@" && devices=$2 && shift ;;
        --port) value "$@" && port=$2 && shift ;;
        --logs) value "$@" && logs=$2 && shift ;;
        --*) fail "no option $1; see --help" ;;
        *) break ;;
    esac
    shift
done
number --processes "$processes"
number --devices "$devices"
case ${1:-} in
    search | resume) ;;
    *) fail "expected search or resume, given '${1:-}'; other commands run in one process" ;;
esac
if [ -z "$port" ]; then
    port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
fi
number --port "$port"

# environment I: what process I is told
environment() {
    local first=$(($1 * devices)) own i
    own=$first
    for ((i = first + 1; i < first + devices; i++)); do own=$own,$i; done
    told=("EVODEV_COORDINATOR=127.0.0.1:$port" "EVODEV_PROCESSES=$processes" "EVODEV_PROCESS=$1")
    if [ "$cpu" = 1 ]; then
        told+=("JAX_PLATFORMS=cpu" "JAX_NUM_CPU_DEVICES=$devices")
    else
        told+=("JAX_LOCAL_DEVICE_IDS=$own")
    fi
}

if [ "$dry" = 1 ]; then
    for ((i = 0; i < processes; i++)); do
        environment "$i"
        shown env "${told[@]}" evodev "$@"
    done
    exit 0
fi

[ -n "$logs" ] || logs=$(mktemp -d)
mkdir -p "$logs"
children=()
stop() { kill "-$1" "${children[@]}" 2>/dev/null || true; }
# what a script starts in the background is deaf to Ctrl-C
trap 'stop TERM' INT TERM
for ((i = 0; i < processes; i++)); do
    environment "$i"
    if [ "$i" = 0 ]; then
        # in the background with a terminal of its own to write on, the progress bar included
        env "${told[@]}" evodev "$@" &
    else
        env "${told[@]}" evodev "$@" >"$logs/process-$i.log" 2>&1 &
    fi
    children+=($!)
done

# watch the children; a signal interrupts wait, which is then taken up again
alive=${#children[@]} worst=0
while [ "$alive" -gt 0 ]; do
    code=0
    wait -n -p ended || code=$?
    if [ -z "${ended:-}" ]; then
        kill -0 "${children[@]}" 2>/dev/null || break
        continue
    fi
    alive=$((alive - 1))
    [ "$worst" != 0 ] || worst=$code
    if [ "$code" != 0 ] && [ "$code" != 130 ] && [ "$alive" -gt 0 ]; then
        for ((i = 0; i < processes; i++)); do [ "${children[i]}" != "$ended" ] || break; done
        printf 'local.sh: process %s ended with %s; stopping the others\n' "$i" "$code" >&2
        if [ "$i" != 0 ]; then tail -n 5 "$logs/process-$i.log" >&2; fi
        # what they were computing they can never finish: they get a moment to say so
        for ((i = 0; i < 25; i++)); do
            kill -0 "${children[@]}" 2>/dev/null || break
            sleep 0.2
        done
        stop KILL
        break
    fi
done
wait 2>/dev/null || true
if [ "$worst" != 0 ] && [ "$worst" != 2 ]; then
    again='RUN (named above)' before=''
    for argument in "$@"; do
        case $before in --out | resume) printf -v again '%q' "$argument" ;; esac
        case $argument in --out=*) printf -v again '%q' "${argument#--out=}" ;; esac
        before=$argument
    done
    printf 'local.sh: go on with: evodev resume %s, by as many processes as you like\n' "$again" >&2
fi
exit "$worst"
