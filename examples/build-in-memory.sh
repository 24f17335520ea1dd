#!/usr/bin/env bash
# Runs a command in a copy of a directory that is kept in memory, and leaves nothing behind.
#
#   examples/build-in-memory.sh DIRECTORY COMMAND [ARGUMENT...]
#   examples/build-in-memory.sh ~/src/project make check
#
# FS9 names the fs9 binary, if it is not in PATH. SIZE bounds the memory (default 1G).
set -euo pipefail

(($# >= 2)) || { sed -n '2,7s/^# \{0,1\}//p' "$0" >&2; exit 2; }
fs9=${FS9:-fs9}
source_directory=$(realpath -- "$1")
shift

mount_point=$(mktemp -d)
clean_up() {
    local status=$?
    if mountpoint -q "$mount_point"; then "$fs9" umount -l "$mount_point" || status=1; fi
    rmdir "$mount_point" || status=1
    exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

"$fs9" mount -o "size=${SIZE:-1G},uid=$(id -u),gid=$(id -g)" memory: "$mount_point"
cp -a -- "$source_directory/." "$mount_point/"
(cd "$mount_point" && "$@")
