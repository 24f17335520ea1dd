//! Mount points and the directories that lead to them, as a user sees them.

use crate::support::{Mounted, local, memory, names};
use fs9_core::{MountOptions, Namespace, VfsPath};
use fs9_fuse::FuseOptions;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

#[test]
fn a_mount_appears_in_a_listing_and_by_name_at_once() {
    let mounted = Mounted::of(memory());
    let path = mounted.path();
    assert!(fs::metadata(path.join("scratch")).is_err());
    mounted.mount("/scratch", memory());
    mounted.settle();
    fs::write(path.join("scratch/f"), b"1").unwrap();
    assert_eq!(names(path), ["scratch"]);
    assert_eq!(names(&path.join("scratch")), ["f"]);
}

#[test]
fn missing_ancestors_are_directories_of_their_own() {
    let mounted = Mounted::of(memory());
    mounted.mount("/a/b/c", memory());
    mounted.settle();
    let path = mounted.path();
    assert_eq!((names(path), names(&path.join("a"))), (vec!["a".into()], vec!["b".into()]));
    let metadata = fs::metadata(path.join("a/b")).unwrap();
    assert_eq!(metadata.permissions().mode() & 0o7777, 0o555);
    assert_ne!(metadata.ino(), fs::metadata(path.join("a")).unwrap().ino());
    assert_eq!(fs::write(path.join("a/x"), b"").unwrap_err().raw_os_error(), Some(30));
    fs::write(path.join("a/b/c/f"), b"deep").unwrap();
    assert_eq!(fs::read(path.join("a/b/../b/c/f")).unwrap(), b"deep");
}

#[test]
fn an_ancestor_that_exists_in_the_provider_keeps_what_it_has() {
    let mounted = Mounted::of(memory());
    let path = mounted.path();
    fs::create_dir_all(path.join("a/b")).unwrap();
    fs::write(path.join("a/own"), b"1").unwrap();
    fs::write(path.join("a/b/hidden"), b"1").unwrap();
    mounted.mount("/a/b", memory());
    mounted.settle();
    assert_eq!(names(&path.join("a")), ["b", "own"]);
    assert_eq!(names(&path.join("a/b")), [""; 0]);
    mounted.namespace.unmount(&VfsPath::parse(b"/a/b").unwrap(), true).unwrap();
    mounted.settle();
    assert_eq!(names(&path.join("a/b")), ["hidden"]);
}

#[test]
fn a_directory_in_use_learns_of_a_mount_below_it() {
    let mounted = Mounted::of(memory());
    let path = mounted.path();
    fs::create_dir_all(path.join("a/b")).unwrap();
    let inside = fs::File::open(path.join("a/b")).unwrap();
    mounted.mount("/a/b/c", memory());
    mounted.settle();
    let found = rustix::fs::statat(&inside, "c", rustix::fs::AtFlags::empty());
    assert_eq!(rustix::fs::FileType::from_raw_mode(found.unwrap().st_mode), rustix::fs::FileType::Directory);
}

#[test]
fn mount_points_and_their_ancestors_are_busy() {
    let mounted = Mounted::of(memory());
    let path = mounted.path();
    fs::create_dir(path.join("a")).unwrap();
    mounted.mount("/a/m", memory());
    mounted.settle();
    for (result, errno) in [
        (fs::remove_dir(path.join("a")), 16),
        (fs::remove_dir(path.join("a/m")), 16),
        (fs::rename(path.join("a"), path.join("x")), 16),
        (fs::rename(path.join("a/m"), path.join("x")), 16),
        (fs::create_dir(path.join("a/m")), 17),
    ] {
        assert_eq!(result.unwrap_err().raw_os_error(), Some(errno));
    }
}

#[test]
fn renames_and_links_between_mounts_are_exdev() {
    let mounted = Mounted::of(memory());
    mounted.mount("/m", memory());
    mounted.settle();
    let path = mounted.path();
    fs::write(path.join("f"), b"1").unwrap();
    for result in
        [fs::rename(path.join("f"), path.join("m/f")), fs::hard_link(path.join("f"), path.join("m/f"))]
    {
        assert_eq!(result.unwrap_err().raw_os_error(), Some(18));
    }
    // A copy between them goes through the kernel.
    fs::copy(path.join("f"), path.join("m/f")).unwrap();
    assert_eq!(fs::read(path.join("m/f")).unwrap(), b"1");
}

#[test]
fn a_hidden_mount_is_reachable_and_not_listed() {
    let namespace = Namespace::new();
    namespace.mount(&VfsPath::root(), memory(), MountOptions::default()).unwrap();
    let hidden = MountOptions { hidden: true, ..MountOptions::default() };
    namespace.mount(&VfsPath::parse(b"/.fs9").unwrap(), memory(), hidden).unwrap();
    let mounted = Mounted::namespace(namespace, FuseOptions::default());
    let path = mounted.path();
    assert_eq!(names(path), [""; 0]);
    assert!(fs::metadata(path.join(".fs9")).unwrap().is_dir());
    assert_eq!(fs::create_dir(path.join(".fs9")).unwrap_err().raw_os_error(), Some(17));
}

#[test]
fn numbers_of_all_mounts_differ() {
    let mounted = Mounted::of(memory());
    for mount in ["/m", "/n"] {
        mounted.mount(mount, memory());
    }
    mounted.settle();
    let path = mounted.path();
    let mut numbers = Vec::new();
    for directory in ["", "m/", "n/"] {
        fs::write(path.join(format!("{directory}f")), b"").unwrap();
        numbers.push(fs::metadata(path.join(format!("{directory}f"))).unwrap().ino());
        numbers.push(fs::metadata(path.join(format!("{directory}."))).unwrap().ino());
    }
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), 6);
}

#[test]
fn a_bind_shows_the_same_files_without_stale_caches() {
    let mounted = Mounted::of(memory());
    let path = mounted.path();
    fs::create_dir(path.join("d")).unwrap();
    fs::write(path.join("d/f"), b"old").unwrap();
    mounted.bind("/d", "/bound").unwrap();
    mounted.settle();
    assert_eq!(fs::read(path.join("bound/f")).unwrap(), b"old");
    for text in ["new text", "newer text", "x"] {
        fs::write(path.join("d/f"), text).unwrap();
        assert_eq!(fs::read_to_string(path.join("bound/f")).unwrap(), text);
        fs::write(path.join("bound/f"), format!("{text} back")).unwrap();
        assert_eq!(fs::read_to_string(path.join("d/f")).unwrap(), format!("{text} back"));
    }
    fs::remove_file(path.join("bound/f")).unwrap();
    assert!(fs::metadata(path.join("d/f")).is_err());
}

#[test]
fn a_bind_of_a_directory_without_provider_shows_the_mounts_below_it() {
    let mounted = Mounted::of(memory());
    let path = mounted.path();
    mounted.mount("/way/to/a", memory());
    mounted.mount("/way/b", memory());
    mounted.settle();
    fs::write(path.join("way/to/a/f"), b"old").unwrap();
    assert_eq!(names(&path.join("way")), ["b", "to"]);
    mounted.bind("/way", "/dst").unwrap();
    mounted.settle();
    assert_eq!(
        (names(path), names(&path.join("dst"))),
        (vec!["dst".into(), "way".into()], vec!["b".into(), "to".into()])
    );
    fs::write(path.join("dst/to/a/f"), b"longer").unwrap();
    assert_eq!(fs::read(path.join("way/to/a/f")).unwrap(), b"longer");
    assert_eq!(fs::metadata(path.join("dst")).unwrap().permissions().mode() & 0o7777, 0o555);
    for (result, errno) in [
        (fs::create_dir(path.join("dst/x")), 30),
        (fs::create_dir(path.join("dst/to/x")), 30),
        (fs::remove_dir(path.join("dst/to/a")), 16),
        (fs::remove_dir(path.join("dst/to")), 16),
        (fs::rename(path.join("dst"), path.join("moved")), 16),
        (fs::rename(path.join("dst/to/a/f"), path.join("way/to/a/g")), 18),
        (fs::rename(path.join("dst/to/a/f"), path.join("dst/b/f")), 18),
    ] {
        assert_eq!(result.unwrap_err().raw_os_error(), Some(errno));
    }
    mounted.namespace.unmount(&VfsPath::parse(b"/dst").unwrap(), true).unwrap();
    mounted.settle();
    assert_eq!(names(path), ["way"]);
    assert_eq!(fs::read(path.join("way/to/a/f")).unwrap(), b"longer");
}

/// Symptom: after a bind into a directory that nobody had looked at, the first path showed old sizes for a day. Cause: where
/// the kernel did not know the directory of the bind, it was not told to forget the files either. Fix: it always is.
#[test]
fn a_bind_below_a_directory_that_nobody_looked_at_shows_nothing_stale() {
    let mounted = Mounted::of(memory());
    let path = mounted.path();
    mounted.mount("/x/other", memory());
    mounted.settle();
    fs::create_dir(path.join("d")).unwrap();
    fs::write(path.join("d/f"), b"old").unwrap();
    assert_eq!(fs::metadata(path.join("d/f")).unwrap().len(), 3);
    mounted.bind("/d", "/x/bound").unwrap();
    mounted.settle();
    fs::write(path.join("x/bound/f"), b"longer").unwrap();
    assert_eq!(fs::metadata(path.join("d/f")).unwrap().len(), 6);
}

/// Symptom: a running program lost its bytes to an open for reading with `O_TRUNC` through a bind. Cause: the frontend knew
/// by their inodes which files run, and a bind shows a file under another one. Fix: it knows them by their nodes.
#[test]
fn a_running_program_is_not_cut_through_a_bind_by_one_who_only_reads() {
    use rustix::fs::{Mode, OFlags};
    let source = tempfile::tempdir().unwrap();
    for provider in [memory(), local(source.path())] {
        let mounted = Mounted::of(provider);
        let path = mounted.path();
        fs::create_dir(path.join("d")).unwrap();
        let program = path.join("d/program");
        fs::copy("/bin/sleep", &program).unwrap();
        mounted.bind("/d", "/bound").unwrap();
        mounted.settle();
        let size = fs::metadata(&program).unwrap().len();
        let mut running = std::process::Command::new(&program).arg("60").spawn().unwrap();
        let flags = OFlags::RDONLY | OFlags::TRUNC;
        let refused = rustix::fs::open(path.join("bound/program"), flags, Mode::empty()).map(drop);
        let left = fs::metadata(&program).unwrap().len();
        running.kill().unwrap();
        running.wait().unwrap();
        assert_eq!((refused, left), (Err(rustix::io::Errno::TXTBSY), size));
    }
}

#[test]
fn a_listing_of_many_mounts_and_entries_has_each_once_at_every_buffer_size() {
    let mounted = Mounted::of(memory());
    for index in 0..200 {
        fs::write(mounted.path().join(format!("file-with-a-rather-long-name-{index:04}")), b"").unwrap();
        mounted.mount(&format!("/mount-with-a-rather-long-name-{index:04}"), memory());
    }
    mounted.settle();
    let listed = names(mounted.path());
    assert_eq!(listed.len(), 400);
    let mut sorted = listed.clone();
    sorted.dedup();
    assert_eq!(sorted, listed);
}

/// Symptom: a bind of a directory that leads to some thousand mounts held its command up for minutes. Cause: each of
/// the mounts that it made brought the views of all others up to date. Fix: the first one does it for all.
#[test]
fn a_bind_that_shows_thousands_of_mounts_takes_no_quadratic_time() {
    let mounted = Mounted::of(memory());
    mounted.mount("/way/a", memory());
    let begin = std::time::Instant::now();
    // Each shows again all that the ones before show.
    for index in 0..12 {
        mounted.bind("/way", &format!("/way/b{index}")).unwrap();
    }
    assert_eq!(mounted.namespace.table().mounts().count(), 1 << 13);
    mounted.namespace.unmount(&VfsPath::parse(b"/way/b11").unwrap(), true).unwrap();
    mounted.settle();
    // Quadratic: two minutes. This is half a second.
    assert!(begin.elapsed() < std::time::Duration::from_secs(20), "{:?}", begin.elapsed());
    fs::write(mounted.path().join("way/a/f"), b"1").unwrap();
    assert_eq!(fs::read(mounted.path().join("way/b10/b9/b0/a/f")).unwrap(), b"1");
}
