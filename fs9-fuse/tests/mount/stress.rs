//! Many threads at once, on every way that data and names can take.

use crate::support::{Mounted, local, memory};
use fs9_fuse::{FuseOptions, Passthrough};
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::Duration;

/// Opens, writes, reads back, renames and removes files of its own in a directory that all share.
fn churn(directory: &Path, worker: usize, rounds: usize) {
    for round in 0..rounds {
        let (path, moved) =
            (directory.join(format!("w{worker}-{round}")), directory.join(format!("m{worker}-{round}")));
        let mut file = File::options().read(true).write(true).create_new(true).open(&path).unwrap();
        let text = format!("worker {worker} round {round}").repeat(1 + round % 97);
        file.write_all(text.as_bytes()).unwrap();
        let mut second = File::open(&path).unwrap();
        fs::rename(&path, &moved).unwrap();
        let mut read = String::new();
        file.seek(SeekFrom::Start(0)).unwrap();
        file.read_to_string(&mut read).unwrap();
        assert_eq!(read, text);
        read.clear();
        second.read_to_string(&mut read).unwrap();
        assert_eq!(read, text);
        if round % 3 == 0 {
            let listed = fs::read_dir(directory).unwrap().filter_map(Result::ok).count();
            assert!(listed >= 1);
        }
        fs::remove_file(&moved).unwrap();
    }
}

/// Opens and closes one file for reading and writing again and again.
fn reopen(path: &Path, rounds: usize) {
    for round in 0..rounds {
        let mut file = File::options().read(true).append(round % 2 == 0).open(path).unwrap();
        if round % 2 == 0 {
            file.write_all(b"0123456789").unwrap();
        }
        let mut start = [0; 10];
        file.seek(SeekFrom::Start(0)).unwrap();
        file.read_exact(&mut start).unwrap();
        assert_eq!(&start, b"0123456789");
    }
}

fn stress(mounted: &Mounted, rounds: usize) {
    let path = mounted.path();
    fs::write(path.join("shared"), b"0123456789").unwrap();
    fs::create_dir(path.join("d")).unwrap();
    std::thread::scope(|scope| {
        for worker in 0..4 {
            scope.spawn(move || churn(&path.join("d"), worker, rounds));
            scope.spawn(move || reopen(&path.join("shared"), rounds));
        }
    });
    assert_eq!(fs::metadata(path.join("shared")).unwrap().len(), 10 + 4 * 10 * rounds.div_ceil(2) as u64);
    assert_eq!(fs::read_dir(path.join("d")).unwrap().count(), 0);
    assert!(
        mounted.session.drain(Duration::from_secs(20)),
        "{} handles stay",
        mounted.session.open_handles()
    );
}

#[test]
fn threads_do_not_disturb_each_other_in_memory() {
    stress(&Mounted::of(memory()), 150);
}

#[test]
fn threads_do_not_disturb_each_other_with_passthrough() {
    let source = tempfile::tempdir().unwrap();
    let options = FuseOptions { max_threads: Some(4), clone_fd: true, ..FuseOptions::default() };
    stress(&Mounted::with(local(source.path()), options), 150);
}

#[test]
fn threads_do_not_disturb_each_other_without_passthrough() {
    let source = tempfile::tempdir().unwrap();
    let options = FuseOptions { passthrough: Passthrough::Off, ..FuseOptions::default() };
    stress(&Mounted::with(local(source.path()), options), 150);
}

#[test]
fn what_the_kernel_collects_arrives_whole_with_writeback() {
    let source = tempfile::tempdir().unwrap();
    let options = FuseOptions { writeback: true, ..FuseOptions::default() };
    let local_options = fs9_local::LocalOptions { writeback: true, ..fs9_local::LocalOptions::default() };
    let provider = fs9_local::LocalProvider::open(source.path(), local_options).unwrap();
    let mounted = Mounted::with(std::sync::Arc::new(provider), options);
    assert!(!mounted.session.has_passthrough());
    let path = mounted.path().join("f");
    let mut file = File::options().append(true).create_new(true).open(&path).unwrap();
    for index in 0..5000 {
        writeln!(file, "{index:09}").unwrap();
    }
    file.sync_all().unwrap();
    drop(file);
    let expected: String = (0..5000).map(|index| format!("{index:09}\n")).collect();
    assert_eq!(fs::read_to_string(source.path().join("f")).unwrap(), expected);
    stress(&mounted, 60);
}
