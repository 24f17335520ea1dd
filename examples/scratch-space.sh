#!/usr/bin/env bash
# Mounts a directory and, inside of it, memory as scratch space: two providers at one mount point, the second one
# added to the running mount through its control directory.
#
#   examples/scratch-space.sh DIRECTORY MOUNTPOINT
#
# DIRECTORY itself stays as it is: what is written to MOUNTPOINT/scratch is gone after `fs9 umount MOUNTPOINT`.
# FS9 names the fs9 binary, if it is not in PATH.
set -euo pipefail

(($# == 2)) || { sed -n '2,8s/^# \{0,1\}//p' "$0" >&2; exit 2; }
fs9=${FS9:-fs9}

"$fs9" mount "$1" "$2"
# A refused command fails the write; reading the same file then says why.
if ! echo 'mount memory: /scratch' >"$2/.fs9/ctl"; then
    cat "$2/.fs9/ctl" >&2
    "$fs9" umount "$2"
    exit 1
fi
cat "$2/.fs9/mounts"
