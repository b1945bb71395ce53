#!/usr/bin/env bash
# One search over all hosts of a TPU pod slice, by gcloud.
#
#   scripts/tpu_pod.sh --name TPU --zone ZONE [--project P] [--directory DIR] [--install] [--dry-run] search|resume ARGUMENTS
#   scripts/tpu_pod.sh --name v5e-16 --zone us-west4-a search --search-only --out runs/pod --strategy.population 8192
#
#   --name, --zone, --project   of the TPU, as gcloud takes them
#   --directory DIR             checkout of evodev on the hosts, where the run directory goes too (default: evodev)
#   --install                   first install evodev with the tpu extra on every host, from that checkout
#   --dry-run                   print the commands and do nothing
#
# The hosts find each other (EVODEV_DISTRIBUTED=auto). Only the first writes the run directory, on its own disk: put --out on a mounted
# bucket if the slice can be preempted. With --search-only the table is made afterwards, on any machine, by `evodev compare RUN`.
set -euo pipefail
# shellcheck source=scripts/common.sh
. "$(dirname "$0")/common.sh"

name='' zone='' project='' directory=evodev install=0 dry=0
while [ $# -gt 0 ]; do
    case $1 in
        -h | --help) help ;;
        --dry-run) dry=1 ;;
        --install) install=1 ;;
        --name) value "$@" && name=$2 && shift ;;
        --zone) value "$@" && zone=$2 && shift ;;
        --project) value "$@" && project=$2 && shift ;;
        --directory) value "$@" && directory=$2 && shift ;;
        --*) fail "no option $1; see --help" ;;
        *) break ;;
    esac
    shift
done
[ -n "$name" ] || fail "--name: missing; see --help"
[ -n "$zone" ] || fail "--zone: missing; see --help"
case ${1:-} in
    search | resume) ;;
    *) fail "expected search or resume, given '${1:-}'; other commands run in one process" ;;
esac

remote=(gcloud compute tpus tpu-vm ssh "$name" "--zone=$zone" --worker=all)
[ -z "$project" ] || remote+=("--project=$project")
printf -v where '%q' "$directory"
printf -v arguments ' %q' "$@"
if [ "$install" = 1 ]; then
    run "${remote[@]}" "--command=cd $where && python3 -m pip install --quiet -e '.[tpu]'"
fi
run "${remote[@]}" "--command=cd $where && EVODEV_DISTRIBUTED=auto python3 -m evodev$arguments"
