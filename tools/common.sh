# What the scripts of this folder share. It is sourced, not run.

set -euo pipefail
unset CDPATH
root=$(cd -P -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)

# Each argument on a line of its own.
say() { printf '%s\n' "$@"; }

refuse() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# The comment at the head of the script is its help.
answer_help() {
    case ${1-} in
        -h | --help) sed -n '2,/^[^#]*$/s/^# \{0,1\}//p' "$0" && exit 0 ;;
    esac
}

# Lines in, nothing out: on a terminal the latest line is shown in place.
show_latest_line() {
    if ! [ -t 2 ]; then
        cat >/dev/null
        return
    fi
    local columns line
    columns=$(tput cols 2>/dev/null) || columns=80
    while IFS= read -r line; do
        printf '\r\033[K%.*s' "$((columns - 1))" "$line" >&2
    done
    printf '\r\033[K' >&2
}

show_end() {
    tail -n 60 "$1" | sed 's/^/    /'
    say "    (all of it: $1)"
}

# quietly LOG COMMAND …: runs the command with its output in LOG, whose end is shown if it fails. Gives the command's status.
quietly() {
    local log=$1 status=0
    shift
    mkdir -p "$(dirname -- "$log")"
    "$@" 2>&1 </dev/null | tee "$log" | show_latest_line || status=$?
    if [ "$status" -ne 0 ]; then
        say "'$*' failed; the end of its output:"
        show_end "$log"
    fi
    return "$status"
}
