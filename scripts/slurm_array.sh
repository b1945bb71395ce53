#!/usr/bin/env bash
# One search a seed, as a SLURM array: each its own job, which SLURM may stop and requeue.
#
#   scripts/slurm_array.sh --seeds FIRST-LAST [--out BASE] [--at-once N] [--sbatch "OPTIONS"] [--dry-run] [SEARCH ARGUMENTS]
#   scripts/slurm_array.sh --seeds 0-9 --sbatch "--gpus=1 --time=4:00:00" few-shot-digits --generations 300
#
#   --seeds A-B        seeds A to B, both included
#   --out BASE         runs are BASE/seed-<n> (default runs/array); afterwards `evodev compare BASE` merges them
#   --at-once N        no more than N at a time (default: as many as SLURM likes)
#   --sbatch OPTIONS   further options of sbatch (partition, time, gpus, account); split at spaces
#   --dry-run          print the sbatch command and the job, and submit nothing
#
# A run that is there already is resumed, a finished one is left alone: submit the same line again after a failure. SLURM's SIGTERM
# makes evodev checkpoint; it is asked for two minutes before the time limit (--signal), and the job requeues itself.
set -euo pipefail
# shellcheck source=scripts/common.sh
. "$(dirname "$0")/common.sh"

seeds='' out=runs/array at_once='' sbatch='' dry=0
while [ $# -gt 0 ]; do
    case $1 in
        -h | --help) help ;;
        --dry-run) dry=1 ;;
        --seeds) value "$@" && seeds=$2 && shift ;;
        --out) value "$@" && out=$2 && shift ;;
        --at-once) value "$@" && at_once=$2 && shift ;;
        --sbatch) value "$@" && sbatch=$2 && shift ;;
        *) break ;;
    esac
    shift
done
[[ $seeds =~ ^[0-9]+-[0-9]+$ ]] || fail "--seeds: expected FIRST-LAST, given '$seeds'"
[ -z "$at_once" ] || number --at-once "$at_once"
for argument in "$@"; do
    case $argument in --seed | --seed=* | --seeds | --seeds=* | --out | --out=*) fail "$argument: the array sets it" ;; esac
done
read -r -a options <<<"$sbatch"

printf -v base '%q' "$out"
arguments=''
[ $# = 0 ] || printf -v arguments ' %q' "$@"
last=comparison.json
case " $* " in *' --search-only '*) last=champion.json ;; esac
job=$(
    cat <<JOB
#!/usr/bin/env bash
run=$base/seed-\$SLURM_ARRAY_TASK_ID
if [ -e "\$run/$last" ]; then exit 0; fi
trap 'kill -TERM "\$child"' TERM
if [ -e "\$run/config.yaml" ]; then
    evodev resume "\$run" &
else
    evodev search$arguments --seed "\$SLURM_ARRAY_TASK_ID" --out "\$run" &
fi
child=\$!
code=0
wait "\$child" || code=\$?
# a signal interrupts wait, while evodev writes its checkpoint
while kill -0 "\$child" 2>/dev/null; do
    code=0
    wait "\$child" || code=\$?
done
if [ ! -e "\$run/$last" ] && { [ "\$code" = 0 ] || [ "\$code" = 130 ]; }; then
    scontrol requeue "\${SLURM_ARRAY_JOB_ID}_\$SLURM_ARRAY_TASK_ID"
fi
exit "\$code"
JOB
)
command=(sbatch "--array=$seeds${at_once:+%$at_once}" --job-name=evodev --requeue --open-mode=append --signal=B:TERM@120)
command+=(${options[@]+"${options[@]}"})
if [ "$dry" = 1 ]; then
    shown "${command[@]}"
    printf '%s\n' "$job"
else
    printf '%s\n' "$job" | "${command[@]}"
fi
