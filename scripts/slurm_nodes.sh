#!/usr/bin/env bash
# One search over many nodes of SLURM: a process a node, with all the devices of its node.
#
#   scripts/slurm_nodes.sh --nodes N [--port P] [--sbatch "OPTIONS"] [--dry-run] search|resume ARGUMENTS
#   scripts/slurm_nodes.sh --nodes 4 --sbatch "--gpus-per-node=8 --time=12:00:00" search --out runs/big --strategy.population 4096
#
#   --nodes N          how many
#   --port P           where the first process listens on the first node (default: from the job's number)
#   --sbatch OPTIONS   further options of sbatch (partition, time, gpus-per-node, account); split at spaces
#   --dry-run          print the sbatch command and the job, and submit nothing
#
# Only the first process touches the run directory. Its comparison runs on the first node alone: `search --search-only`, and a small job
# with `evodev compare RUN` and `evodev report RUN`, spares the others the wait. When a node is lost all processes end (--kill-on-bad-exit)
# and `scripts/slurm_nodes.sh ... resume RUN` goes on, on any number of nodes.
set -euo pipefail
# shellcheck source=scripts/common.sh
. "$(dirname "$0")/common.sh"

nodes='' port='' sbatch='' dry=0
while [ $# -gt 0 ]; do
    case $1 in
        -h | --help) help ;;
        --dry-run) dry=1 ;;
        --nodes) value "$@" && nodes=$2 && shift ;;
        --port) value "$@" && port=$2 && shift ;;
        --sbatch) value "$@" && sbatch=$2 && shift ;;
        --*) fail "no option $1; see --help" ;;
        *) break ;;
    esac
    shift
done
number --nodes "$nodes"
[ -z "$port" ] || number --port "$port"
case ${1:-} in
    search | resume) ;;
    *) fail "expected search or resume, given '${1:-}'; other commands run in one process" ;;
esac
read -r -a options <<<"$sbatch"

printf -v arguments ' %q' "$@"
listening=${port:-"\$((20000 + SLURM_JOB_ID % 20000))"}
job=$(
    cat <<JOB
#!/usr/bin/env bash
first=\$(scontrol show hostnames "\$SLURM_JOB_NODELIST" | head -n 1)
export EVODEV_COORDINATOR=\$first:$listening EVODEV_PROCESSES=\$SLURM_NNODES
exec srun --kill-on-bad-exit=1 bash -c 'EVODEV_PROCESS=\$SLURM_PROCID exec evodev "\$@"' evodev$arguments
JOB
)
command=(sbatch "--nodes=$nodes" --ntasks-per-node=1 --job-name=evodev --open-mode=append --signal=TERM@120)
command+=(${options[@]+"${options[@]}"})
if [ "$dry" = 1 ]; then
    shown "${command[@]}"
    printf '%s\n' "$job"
else
    printf '%s\n' "$job" | "${command[@]}"
fi
