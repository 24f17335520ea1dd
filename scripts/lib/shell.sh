# shellcheck shell=bash
# What every script here starts from: strict mode, the repository's root, the cache, and how to stop with a message.
# Sourced, never run.
#
# Nothing outside the repository is written but the cache: $FS9_CACHE, by default fs9/ under the user's XDG cache.

set -euo pipefail

FS9_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
FS9_CACHE=${FS9_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/fs9}
FS9_SCRIPT=$(basename "$0")

note() { printf '%s: %s\n' "$FS9_SCRIPT" "$*" >&2; }

die() {
    note "$*"
    exit 1
}

# Ends with the script's own header, as its help.
usage() {
    sed -n '2,/^[^#]/{/^#/!q; s/^# \{0,1\}//; p}' "$0"
    exit "${1:-0}"
}

need() {
    local tool
    for tool in "$@"; do
        command -v "$tool" >/dev/null || die "$tool is not installed; run scripts/setup"
    done
}

need_root() { [[ $EUID -eq 0 ]] || die "needs root: $1"; }

# Installs the binary of a crate from the registry into the cache, once, and prints its path.
cargo_tool() {
    local crate=$1 version=$2 binary=$FS9_CACHE/cargo-tools/$1-$2/bin/$1
    if [[ ! -x $binary ]]; then
        need cargo
        note "installing $crate $version into $FS9_CACHE"
        mkdir -p "$FS9_CACHE"
        # Of several tests that need it at once, one builds it and the others find it there. The target directory
        # is cargo's own, so that an install never waits for a build of fs9, nor fills its directory.
        env -u CARGO_TARGET_DIR flock "$FS9_CACHE/lock" \
            cargo install --quiet --locked --root "$FS9_CACHE/cargo-tools/$crate-$version" "$crate@$version" >&2
    fi
    printf '%s\n' "$binary"
}

# Builds the release binary and prints its path. FS9_BINARY names one that is built already.
fs9_binary() {
    if [[ -n ${FS9_BINARY:-} ]]; then
        [[ -x $FS9_BINARY ]] || die "FS9_BINARY: $FS9_BINARY is not a program"
        printf '%s\n' "$FS9_BINARY"
        return
    fi
    need cargo
    (cd "$FS9_ROOT" && cargo build --quiet --release --locked -p fs9-cli >&2)
    printf '%s\n' "${CARGO_TARGET_DIR:-$FS9_ROOT/target}/release/fs9"
}
