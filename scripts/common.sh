# Sourced by the launchers of this folder: help, dry runs, and errors in one line.
# shellcheck shell=bash

# The comment at the top of a launcher, down to the first line that is none, is its help.
help() {
    sed -n '2,/^[^#]/{s/^# \{0,1\}//p;}' "$0"
    exit 0
}

fail() {
    printf '%s: %s\n' "$(basename "$0")" "$1" >&2
    exit 2
}

# value OPTION GIVEN...: fails unless OPTION came with a value.
value() {
    [ $# -ge 2 ] || fail "$1: needs a value; see --help"
}

# number OPTION VALUE: fails unless it is a whole number of at least 1.
number() {
    case $2 in
        '' | 0 | *[!0-9]*) fail "$1: expected a whole number of at least 1, given '$2'" ;;
    esac
}

# shown COMMAND...: the command as it could be typed.
shown() {
    printf '%q ' "$@"
    printf '\n'
}

# run COMMAND...: does it, or under --dry-run (dry=1) shows it.
run() {
    if [ "${dry:-0}" = 1 ]; then shown "$@"; else "$@"; fi
}
