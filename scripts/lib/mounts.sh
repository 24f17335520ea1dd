# shellcheck shell=bash
# Mounts that a script makes, and takes down again however it ends. Sourced after shell.sh.
#
# Invariant: what `mount_file_system` and `mount_ext4_image` set up is undone, newest first, when the script
# exits, is interrupted or fails. A daemon runs in the foreground as our child, so that its process is known.

MOUNTS=()     # "file system|mount point|daemon's process or 0", oldest first
LOOP_FILES=() # image files to remove once their mounts are gone
UNMOUNT_WAIT_S=20

trap unmount_all EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# The file systems that can be put over a directory. Those that end in -uring talk to the kernel over io_uring, fs9 and
# passthrough_hp over /dev/fuse, fs9-memory as fs9 does of itself.
FILE_SYSTEMS=(native fs9 fs9-uring fs9-memory tmpfs passthrough_hp passthrough_hp-uring passthrough_ll bindfs mergerfs)

RING_PARAMETER=/sys/module/fuse/parameters/enable_uring
RING_BEFORE= # what it was before this script turned it on

# mount_file_system NAME SOURCE MOUNTPOINT: mounts one of FILE_SYSTEMS; FS9_OPTIONS are fs9's own options.
# Each peer has its defaults; mergerfs would otherwise refuse to write to a file system with less than 4 GiB free.
mount_file_system() {
    local name=$1 source=$2 target=$3
    mkdir -p "$target"
    [[ $name != *-uring ]] || turn_ring_on
    case $name in
        native) mount --bind "$source" "$target" && MOUNTS+=("$name|$target|0") ;;
        tmpfs) mount -t tmpfs -o size=4g fs9-tmpfs "$target" && MOUNTS+=("$name|$target|0") ;;
        fs9 | fs9-uring) start_fs9 "$name" "$source" "$target" ;;
        fs9-memory) start_fs9 "$name" memory: "$target" ;;
        passthrough_hp | passthrough_hp-uring | passthrough_ll) start_passthrough "$name" "$source" "$target" ;;
        bindfs) start_daemon "$name" "$target" bindfs -f -o suid,dev "$source" "$target" ;;
        mergerfs)
            start_daemon "$name" "$target" mergerfs -f -o allow_other,suid,dev,use_ino,minfreespace=0 "$source" "$target"
            ;;
        *) die "$name is not one of: ${FILE_SYSTEMS[*]}" ;;
    esac
    [[ $name != *-uring ]] || expect_ring "$name" "$target"
}

# FS9_OPTIONS come last, so that they decide.
start_fs9() {
    local name=$1 source=$2 target=$3 fs9 options=
    fs9=$(fs9_binary)
    [[ $EUID -ne 0 ]] || options=allow_other,suid,dev
    case $name in
        fs9-uring) options+=${options:+,}io_uring=on ;;
        # fs9 takes the ring of itself where it can; a binary without that option has /dev/fuse alone.
        fs9) [[ $("$fs9" mount --help) != *io_uring=* ]] || options+=${options:+,}io_uring=off ;;
    esac
    options+=${FS9_OPTIONS:+${options:+,}$FS9_OPTIONS}
    start_daemon "$name" "$target" "$fs9" mount -f ${options:+-o "$options"} "$source" "$target"
}

# libfuse's two examples; scripts/bench/peers builds them.
start_passthrough() {
    local name=$1 source=$2 target=$3 program=$FS9_CACHE/peers/bin/${1%-uring}
    [[ -x $program ]] || die "$program is not there; run scripts/bench/peers"
    case $name in
        passthrough_hp) start_daemon "$name" "$target" "$program" --foreground "$source" "$target" ;;
        passthrough_hp-uring) start_daemon "$name" "$target" "$program" --foreground -o io_uring "$source" "$target" ;;
        passthrough_ll)
            start_daemon "$name" "$target" "$program" -f -o "source=$source,allow_other,default_permissions,cache=auto" "$target"
            ;;
    esac
}

# Lets new mounts ask for FUSE over io_uring, for the whole machine; the end of the script takes it back.
turn_ring_on() {
    local before
    [[ -e $RING_PARAMETER ]] || modprobe -q fuse || true
    [[ -e $RING_PARAMETER ]] || die "this kernel has no FUSE over io_uring (Linux 6.14, CONFIG_FUSE_IO_URING)"
    before=$(<"$RING_PARAMETER")
    [[ $before != Y ]] || return 0
    need_root "$RING_PARAMETER is turned on"
    note "turning on $RING_PARAMETER until the end"
    echo Y >"$RING_PARAMETER"
    RING_BEFORE=$before
}

# Turns it off again, if this script turned it on.
turn_ring_back() {
    local before=$RING_BEFORE
    RING_BEFORE=
    [[ -z $before ]] || echo "$before" >"$RING_PARAMETER"
}

# Fails if a daemon fell back to /dev/fuse, which libfuse does with no more than a line in its log.
expect_ring() {
    local name=$1 daemon
    daemon=$(daemon_of "$2")
    [[ -n $(find "/proc/$daemon/fd" -lname 'anon_inode:\[io_uring\]' -print -quit) ]] || die "$name runs without io_uring"
}

# start_daemon NAME MOUNTPOINT COMMAND...: runs a daemon and returns once its mount answers.
start_daemon() {
    local name=$1 target=$2 daemon log deadline=$((SECONDS + UNMOUNT_WAIT_S))
    shift 2
    log=$(mktemp "${TMPDIR:-/tmp}/fs9-daemon.XXXXXX")
    "$@" >"$log" 2>&1 </dev/null &
    daemon=$!
    MOUNTS+=("$name|$target|$daemon")
    until mountpoint -q "$target"; do
        if ! kill -0 "$daemon" 2>/dev/null || ((SECONDS > deadline)); then
            sed 's/^/    /' "$log" >&2
            rm -f "$log"
            die "$name did not mount: $*"
        fi
        sleep 0.02
    done
    stat "$target" >/dev/null || die "$name is mounted and does not answer"
    rm -f "$log"
}

# The process that serves a mount point, or 0.
daemon_of() {
    local entry
    for entry in "${MOUNTS[@]}"; do
        [[ $entry != *"|$1|"* ]] || printf '%s\n' "${entry##*|}"
    done
}

# mount_ext4_image SIZE DIRECTORY [ARGUMENT OF MKFS...]: a fresh ext4 in memory, so that no disk is measured.
mount_ext4_image() {
    local size=$1 target=$2 image
    shift 2
    need_root "an ext4 image is mounted"
    need mkfs.ext4 losetup
    image=$(mktemp /dev/shm/fs9-image.XXXXXX)
    LOOP_FILES+=("$image")
    truncate -s "$size" "$image"
    # Nothing is written lazily later, while something is measured.
    mkfs.ext4 -q -F -E lazy_itable_init=0,lazy_journal_init=0 "$@" "$image"
    mkdir -p "$target"
    mount -o loop,acl,user_xattr "$image" "$target"
    MOUNTS+=("ext4|$target|0")
}

# unmount MOUNTPOINT: takes one mount down and waits until its daemon has gone. Fails if either will not.
unmount() {
    local target=$1 entry kept=() daemon=0 deadline=$((SECONDS + UNMOUNT_WAIT_S)) failed=0
    for entry in "${MOUNTS[@]}"; do
        if [[ $entry == *"|$target|"* ]]; then daemon=${entry##*|}; else kept+=("$entry"); fi
    done
    MOUNTS=("${kept[@]}")
    while mountpoint -q "$target"; do
        if [[ $EUID -eq 0 ]]; then umount "$target" 2>/dev/null && break; else fusermount3 -u "$target" 2>/dev/null && break; fi
        if ((SECONDS > deadline)); then
            note "$target stays busy: detaching it"
            umount -l "$target" 2>/dev/null || fusermount3 -uz "$target" || true
            failed=1
            break
        fi
        sleep 0.2
    done
    [[ $daemon -eq 0 ]] || end_daemon "$daemon" || failed=1
    return "$failed"
}

# Waits for a daemon whose mount is gone; one that stays is ended.
end_daemon() {
    local daemon=$1 deadline=$((SECONDS + UNMOUNT_WAIT_S))
    while kill -0 "$daemon" 2>/dev/null; do
        if ((SECONDS > deadline)); then
            note "the daemon $daemon outlives its mount: ending it"
            kill -KILL "$daemon"
            wait "$daemon" 2>/dev/null || true
            return 1
        fi
        sleep 0.05
    done
    wait "$daemon" 2>/dev/null || note "the daemon $daemon ended with status $?"
}

unmount_all() {
    local status=$? last target image
    trap - EXIT
    while ((${#MOUNTS[@]})); do
        last=${MOUNTS[-1]}
        target=${last#*|}
        unmount "${target%|*}" || status=1
    done
    for image in "${LOOP_FILES[@]}"; do rm -f "$image"; done
    turn_ring_back || status=1
    [[ -z ${WORK_DIRECTORY:-} ]] || rm -rf --one-file-system "$WORK_DIRECTORY"
    exit "$status"
}

# make_work_directory PARENT: a directory of the script's own, removed at its end.
make_work_directory() { WORK_DIRECTORY=$(mktemp -d "$1/fs9-$FS9_SCRIPT.XXXXXX"); }
