#!/usr/bin/env bash
# Seeds x presets x settings, one search after the other; what is finished is skipped, what was broken off goes on.
#
#   scripts/sweep.sh [--seeds "0 1 2"] [--presets "A B"] [--vary "OPTION VALUE VALUE ..."]... [--out BASE] [--dry-run] [-- SEARCH ARGUMENTS]
#   scripts/sweep.sh --seeds "0 1 2" --vary "--strategy.population 64 256" --vary "--learner episodic hebbian" -- --generations 100
#
#   --seeds LIST     seeds (default 0)
#   --presets LIST   presets (default few-shot-digits)
#   --vary SETTING   an option of `evodev search` and its values; given several times, every combination is run
#   --out BASE       runs are BASE/PRESET[,OPTION=VALUE...]/seed-<n> (default runs/sweep); `evodev compare BASE/PRESET...` merges seeds
#   --dry-run        print the commands that are still to run, and do nothing
#
# A search that fails is named, the others go on; the exit code is then 1. Ctrl-C checkpoints the running one and ends the sweep: the same
# line takes it up again.
set -euo pipefail
# shellcheck source=scripts/common.sh
. "$(dirname "$0")/common.sh"

seeds=0 presets=few-shot-digits out=runs/sweep dry=0 vary=()
while [ $# -gt 0 ]; do
    case $1 in
        -h | --help) help ;;
        --dry-run) dry=1 ;;
        --seeds) value "$@" && seeds=$2 && shift ;;
        --presets) value "$@" && presets=$2 && shift ;;
        --vary) value "$@" && vary+=("$2") && shift ;;
        --out) value "$@" && out=$2 && shift ;;
        --)
            shift
            break
            ;;
        *) fail "no option $1; what is for evodev search goes after --" ;;
    esac
    shift
done
further=("$@")
read -r -a seeds <<<"$seeds"
read -r -a presets <<<"$presets"
for seed in "${seeds[@]}"; do
    case $seed in *[!0-9]*) fail "--seeds: expected whole numbers, given '$seed'" ;; esac
done

# every combination, a line each: OPTION VALUE OPTION VALUE ...
combinations=('')
for setting in ${vary[@]+"${vary[@]}"}; do
    read -r -a parts <<<"$setting"
    [ ${#parts[@]} -ge 2 ] && [[ ${parts[0]} == --* ]] || fail "--vary: expected an option and its values, given '$setting'"
    longer=()
    for before in "${combinations[@]}"; do
        for choice in "${parts[@]:1}"; do longer+=("$before ${parts[0]} $choice"); done
    done
    combinations=("${longer[@]}")
done

failed=() stopped=0
trap 'stopped=1' INT TERM

# one RUN SEARCH-ARGUMENTS...: searches, resumes, or skips
one() {
    local path=$1 code=0
    shift
    if [ -e "$path/comparison.json" ] || { [ -e "$path/champion.json" ] && [[ " $* " == *' --search-only '* ]]; }; then
        printf 'done: %s\n' "$path" >&2
    elif [ -e "$path/config.yaml" ]; then
        run evodev resume "$path" || code=$?
    else
        run evodev search "$@" --out "$path" || code=$?
    fi
    [ "$code" != 130 ] || stopped=1
    [ "$code" = 0 ] || failed+=("$path")
}

for preset in "${presets[@]}"; do
    for combination in "${combinations[@]}"; do
        read -r -a settings <<<"$combination"
        folder=$preset
        for ((i = 0; i < ${#settings[@]}; i += 2)); do
            folder+=,${settings[i]#--}=${settings[i + 1]//\//_}
        done
        for seed in "${seeds[@]}"; do
            one "$out/$folder/seed-$seed" "$preset" ${settings[@]+"${settings[@]}"} ${further[@]+"${further[@]}"} --seed "$seed"
            [ "$stopped" = 0 ] || break 3
        done
    done
done
for path in ${failed[@]+"${failed[@]}"}; do printf 'sweep.sh: not finished: %s\n' "$path" >&2; done
[ ${#failed[@]} = 0 ] || exit 1
