# shellcheck shell=bash
# A workload: work in a directory of its own below the one that is given, removed afterwards. Sourced after shell.sh.

# begin_workload DIRECTORY: makes the directory `place`; it is gone when the script ends.
begin_workload() {
    case ${1:-} in
        -h | --help) usage 0 ;;
        "") usage 2 >&2 ;;
    esac
    [[ -d $1 ]] || die "$1 is not a directory"
    place=$(realpath "$1")/workload-$FS9_SCRIPT.$$
    mkdir "$place"
    trap end_workload EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
}

end_workload() {
    local status=$?
    if declare -F before_end >/dev/null; then before_end; fi
    cd /
    rm -rf --one-file-system "$place" || status=1
    exit "$status"
}

# expect_equal WHAT EXPECTED FOUND
expect_equal() { [[ $2 == "$3" ]] || die "$1: expected $2, found $3"; }
