//! `fs9 status`: for people and for scripts.

use crate::scratch::{Scratch, fs9, is_root, succeed, text};
use std::fs;
use std::time::{Duration, Instant};

#[test]
fn status_shows_source_providers_operations_and_open_files() {
    let scratch = Scratch::new();
    scratch.mount("memory:", "");
    scratch.sh("echo mount memory: /scratch > $m/.fs9/ctl; ls $m/missing 2>/dev/null; mkdir $m/d");
    let _open = fs::File::create(scratch.mnt().join("file")).unwrap();
    let json = succeed(fs9(&["status", "--json"]).arg(scratch.mnt()));
    let status: serde_json::Value = serde_json::from_str(&json).unwrap();
    let mount = &status["mounts"][0];
    assert_eq!(mount["mountpoint"], scratch.mnt().to_str().unwrap());
    assert_eq!((&mount["source"], &mount["state"]), (&"memory:".into(), &"serving".into()));
    assert_eq!(mount["version"], env!("CARGO_PKG_VERSION"));
    let paths: Vec<_> = mount["mounts"].as_array().unwrap().iter().map(|path| &path["path"]).collect();
    assert_eq!(paths, ["/", "/scratch"]);
    assert!(mount["handles"].as_u64().unwrap() >= 1, "{json}");
    let operations = mount["providers"][0]["operations"].as_array().unwrap();
    let of = |name: &str| operations.iter().find(|operation| operation["operation"] == name).unwrap();
    assert_eq!((&of("mkdir")["calls"], &of("mkdir")["errors"]), (&1.into(), &0.into()));
    assert!(of("lookup")["errors"].as_u64().unwrap() >= 1, "the missing name");
    assert!(of("mkdir")["p99_ns"].as_u64().unwrap() >= of("mkdir")["p50_ns"].as_u64().unwrap());
    let text = succeed(fs9(&["status"]).arg(scratch.mnt()));
    assert!(text.starts_with(&format!("{}: memory:, serving, ", scratch.mnt().display())), "{text}");
    assert!(text.contains("  /scratch: memory: (memory, rw, 0 open)"), "{text}");
}

#[test]
fn status_says_whether_files_pass_the_daemon_by_and_who_forbids_it() {
    let reason = |options: &str| {
        let scratch = Scratch::new();
        scratch.mount(scratch.source().to_str().unwrap(), options);
        let json = succeed(fs9(&["status", "--json"]).arg(scratch.mnt()));
        let status: serde_json::Value = serde_json::from_str(&json).unwrap();
        status["mounts"][0]["mounts"][0]["passthrough_withdrawn_by"].clone()
    };
    assert_eq!(reason("passthrough=off"), if is_root() { "passthrough=off" } else { "provider" });
    assert_eq!(reason("writeback"), if is_root() { "writeback" } else { "provider" });
}

#[test]
fn open_files_are_listed_with_the_process_that_opened_them() {
    let scratch = Scratch::new();
    scratch.mount("memory:", "");
    let _file = fs::File::create(scratch.mnt().join("file")).unwrap();
    let handles = scratch.sh("cat $m/.fs9/handles");
    let ours =
        format!("\tw\t{}\n", text(&fs::read("/proc/thread-self/stat").unwrap()).split(' ').next().unwrap());
    assert!(handles.contains(&ours), "{handles}");
}

#[test]
fn all_mounts_are_shown_and_one_that_does_not_answer_holds_none_up() {
    let (scratch, stopped) = (Scratch::new(), Scratch::new());
    scratch.mount("memory:", "");
    let server = stopped.serve("memory:");
    server.stop();
    let started = Instant::now();
    let json = succeed(&mut fs9(&["status", "--json"]));
    server.signal(rustix::process::Signal::CONT);
    assert!(started.elapsed() < Duration::from_secs(10));
    let status: serde_json::Value = serde_json::from_str(&json).unwrap();
    let state = |scratch: &Scratch| {
        let mounts = status["mounts"].as_array().unwrap();
        let mount = mounts.iter().find(|mount| mount["mountpoint"] == scratch.mnt().to_str().unwrap());
        mount.unwrap()["state"].as_str().unwrap().to_owned()
    };
    assert_eq!((state(&scratch).as_str(), state(&stopped).as_str()), ("serving", "silent"));
}
