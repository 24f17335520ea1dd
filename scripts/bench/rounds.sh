# shellcheck shell=bash
# Rounds of a benchmark over several file systems. Sourced after mounts.sh by a script that defines
#
#   measure DIRECTORY BACKING DAEMON     prints lines of "row<TAB>unit<TAB>rate<TAB>microseconds of the daemon a unit"
#
# Invariants: every file system lies over the same ext4 in memory and is mounted afresh for each round, because where
# wake-ups land makes a mount up to ten times slower than its twin for as long as it lives; the order turns with each
# round; a ratio is taken within its round.

# Its file systems and their order are `file_systems`, those of the command line after what is in BASE.

ROUNDS=5
IMAGE_SIZE=4g
BASE=(native)
REPORT_OPTIONS=()
file_systems=(native fs9 passthrough_hp bindfs mergerfs)

read_arguments() {
    local names=()
    while (($#)); do
        case $1 in
            -h | --help) usage 0 ;;
            --rounds) ROUNDS=${2:?--rounds needs a number} && shift ;;
            -*) die "unknown option $1" ;;
            *) names+=("$1") ;;
        esac
        shift
    done
    [[ ${#names[@]} -eq 0 ]] || file_systems=("${BASE[@]}" "${names[@]}")
}

# Ordinary scheduling, but before everything else that the machine does. Where the kernel groups processes by
# session, a nice value counts within the session alone, so the session's own is set as well.
raise_priority() {
    renice -n -20 $$ >/dev/null
    if [[ -w /proc/self/autogroup ]]; then echo -20 >/proc/self/autogroup || note "the session keeps its priority"; fi
}

run_rounds() {
    local results=$1 round index count=${#file_systems[@]} name backing
    for ((round = 0; round < ROUNDS; round++)); do
        for ((index = 0; index < count; index++)); do
            name=${file_systems[(index + round) % count]}
            backing=$WORK_DIRECTORY/ext4/$name.$round
            mkdir "$backing"
            mount_file_system "$name" "$backing" "$WORK_DIRECTORY/mnt"
            note "round $((round + 1)) of $ROUNDS: $name"
            measure "$WORK_DIRECTORY/mnt" "$backing" "$(daemon_of "$WORK_DIRECTORY/mnt")" >"$WORK_DIRECTORY/lines" ||
                die "$name failed in round $((round + 1))"
            sed "s/^/$round\t$name\t/" "$WORK_DIRECTORY/lines" >>"$results"
            unmount "$WORK_DIRECTORY/mnt"
            rm -rf "$backing"
        done
    done
}

# benchmark ARGUMENTS...: the whole of it, from mounting to the tables.
benchmark() {
    read_arguments "$@"
    need_root "file systems are mounted and caches emptied"
    # Built once and beforehand, so that no compiler runs while something is measured.
    if [[ " ${file_systems[*]} " == *" fs9"* ]]; then
        FS9_BINARY=$(fs9_binary)
        export FS9_BINARY
    fi
    raise_priority
    make_work_directory /dev/shm
    mount_ext4_image "$IMAGE_SIZE" "$WORK_DIRECTORY/ext4"
    run_rounds "$WORK_DIRECTORY/results"
    "$FS9_ROOT/scripts/bench/report" "${REPORT_OPTIONS[@]}" "$WORK_DIRECTORY/results" "${file_systems[@]}"
    if [[ " ${file_systems[*]} " == *" passthrough_"* ]]; then
        printf '\npassthrough_hp, passthrough_ll: libfuse %s\n' "$(<"$FS9_CACHE/peers/version")"
    fi
}
