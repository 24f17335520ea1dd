//! `--config`: several providers and binds from one file.

use crate::scratch::{Scratch, fs9, refuse, succeed, text};
use std::fs;

const CONFIG: &str = r#"
options = "attr_timeout=2"

[[mount]]
path = "/"
source = "source"

[[mount]]
path = "/deep/below/scratch"
source = "memory:"
options = "size=1M"

[[mount]]
path = "/frozen"
source = "source"
options = "ro"

[[bind]]
source = "/deep/below/scratch"
target = "/short"
"#;

#[test]
fn a_configuration_mounts_providers_at_paths_and_binds_them() {
    let scratch = Scratch::new();
    fs::write(scratch.source().join("hello"), "world").unwrap();
    let config = scratch.write("fs9.toml", CONFIG);
    succeed(fs9(&["mount", "--config"]).arg(&config).arg(scratch.mnt()));
    assert_eq!(scratch.sh("cat $m/hello"), "world");
    assert_eq!(scratch.sh("ls $m | tr '\\n' ' '"), "deep frozen hello short ");
    scratch.sh("echo kept > $m/deep/below/scratch/file && grep -q kept $m/short/file");
    assert!(!scratch.shell("touch $m/frozen/x").status.success());
    scratch.sh("touch $m/seen && test -e $m/frozen/seen");
    assert!(!scratch.shell("head -c 2M /dev/zero > $m/short/big").status.success(), "its own size holds");
    assert!(!scratch.shell("rmdir $m/deep/below").status.success(), "a way to a mount stays");
    let shown = text(&fs::read("/proc/self/mounts").unwrap());
    assert!(shown.contains(&format!("{} {} fuse.fs9", config.display(), scratch.mnt().display())), "{shown}");
}

#[test]
fn a_bind_of_a_way_to_mounts_shows_them() {
    let scratch = Scratch::new();
    let config =
        scratch.write("fs9.toml", &CONFIG.replace("\"/deep/below/scratch\"\ntarget", "\"/deep\"\ntarget"));
    succeed(fs9(&["mount", "--config"]).arg(&config).arg(scratch.mnt()));
    scratch.sh("echo kept > $m/deep/below/scratch/file && grep -q kept $m/short/below/scratch/file");
}

#[test]
fn options_of_the_command_line_go_over_those_of_the_file() {
    let scratch = Scratch::new();
    let config = scratch.write("fs9.toml", &CONFIG.replace("attr_timeout=2", "ro,fsname=from-the-file"));
    succeed(fs9(&["mount", "-o", "rw", "--config"]).arg(&config).arg(scratch.mnt()));
    scratch.sh("touch $m/x");
    assert_eq!(scratch.sh("findmnt -no SOURCE $m"), "from-the-file\n");
}

#[test]
fn a_source_beside_a_configuration_is_refused() {
    let scratch = Scratch::new();
    let config = scratch.write("fs9.toml", CONFIG);
    let line = refuse(fs9(&["mount", "--config"]).arg(&config).arg("memory:").arg(scratch.mnt()), 1);
    assert!(line.contains("give only MOUNTPOINT with --config"), "{line}");
    assert!(!scratch.is_mounted());
}

#[test]
fn a_path_that_is_a_file_is_refused_and_nothing_is_mounted() {
    let scratch = Scratch::new();
    fs::write(scratch.source().join("frozen"), "kept").unwrap();
    let config = scratch.write("fs9.toml", CONFIG);
    let line = refuse(fs9(&["mount", "--config"]).arg(&config).arg(scratch.mnt()), 32);
    assert!(
        line.contains(": path: mount at /frozen: not a directory (ENOTDIR): /frozen is a regular file"),
        "{line}"
    );
    assert!(!scratch.is_mounted());
}
