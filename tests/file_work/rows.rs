//! The rows: one operation each, many times.
//!
//! Invariant: a row starts in a directory that no row before it has used, or that it says it takes over, so no row
//! profits from what another left in a cache.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use fs9_tests::{Clock, Sample};

/// Objects in a directory for rows that go to the daemon each time: enough to time it in ticks.
pub(crate) const OBJECTS: u64 = 6_000;

/// Objects for rows that are to be answered from the kernel's cache: a pass over all of them takes far less than
/// the second that most file systems let an attribute live.
const CACHED_OBJECTS: u64 = 1_000;

/// How long a cached row repeats its passes: shorter than the second for which its cache entries live.
const CACHED_TIME: Duration = Duration::from_millis(500);

/// Where rows work.
pub(crate) struct Ground {
    pub(crate) directory: PathBuf,
    pub(crate) backing: PathBuf,
    pub(crate) clock: Clock,
    /// How many objects the rows that go to the daemon make and use.
    pub(crate) objects: u64,
}

type Row = fn(&Ground) -> io::Result<Sample>;

/// The rows in the order in which they must run: rename takes over what create made, and so on.
pub(crate) const ROWS: [(&str, Row); 9] = [
    ("create", create),
    ("rename", rename),
    ("unlink", unlink),
    ("mkdir", mkdir),
    ("open+read+close 4 KiB", open_read_close),
    ("stat, cold FUSE cache", stat_cold),
    ("stat, cached", stat_cached),
    ("ls -l, cached", list_cached),
    ("missing name, again", missing_again),
];

fn names(directory: &Path, stem: &str, count: u64) -> Vec<PathBuf> {
    (0..count).map(|number| directory.join(format!("{stem}-{number:06}"))).collect()
}

fn each(paths: &[PathBuf], mut operation: impl FnMut(&Path) -> io::Result<()>) -> io::Result<u64> {
    for path in paths {
        operation(path)?;
    }
    Ok(paths.len() as u64)
}

/// Makes a directory with files of one block each.
fn fill(ground: &Ground, name: &str, count: u64) -> io::Result<Vec<PathBuf>> {
    let directory = ground.directory.join(name);
    fs::create_dir(&directory)?;
    let files = names(&directory, "file", count);
    each(&files, |path| File::create_new(path)?.write_all(&[9; 4096]))?;
    Ok(files)
}

fn create(ground: &Ground) -> io::Result<Sample> {
    let directory = ground.directory.join("create");
    fs::create_dir(&directory)?;
    let files = names(&directory, "file", ground.objects);
    ground.clock.time(|| each(&files, |path| File::create_new(path).map(drop)))
}

fn rename(ground: &Ground) -> io::Result<Sample> {
    let directory = ground.directory.join("create");
    let pairs: Vec<_> = names(&directory, "file", ground.objects)
        .into_iter()
        .zip(names(&directory, "renamed", ground.objects))
        .collect();
    ground.clock.time(|| {
        for (old, new) in &pairs {
            fs::rename(old, new)?;
        }
        Ok(ground.objects)
    })
}

fn unlink(ground: &Ground) -> io::Result<Sample> {
    let files = names(&ground.directory.join("create"), "renamed", ground.objects);
    ground.clock.time(|| each(&files, |path| fs::remove_file(path)))
}

fn mkdir(ground: &Ground) -> io::Result<Sample> {
    let directory = ground.directory.join("mkdir");
    fs::create_dir(&directory)?;
    let directories = names(&directory, "directory", ground.objects);
    ground.clock.time(|| each(&directories, |path| fs::create_dir(path)))
}

fn open_read_close(ground: &Ground) -> io::Result<Sample> {
    let files = fill(ground, "read", ground.objects)?;
    let read = |path: &Path| {
        let mut block = [0; 4096];
        File::open(path)?.read_exact(&mut block)
    };
    each(&files, read)?;
    ground.clock.time(|| each(&files, read))
}

/// Looks at a file as `stat(2)` does. (The standard library asks for the birth time, too, of which not every peer tells,
/// and which costs the kernel a second request where it is told.)
fn look(path: &Path) -> io::Result<()> {
    rustix::fs::stat(path)?;
    Ok(())
}

/// The mounted file system's cache is emptied, its backing's is filled again, so that the way to it is measured.
fn stat_cold(ground: &Ground) -> io::Result<Sample> {
    let files = fill(ground, "stat", ground.objects)?;
    rustix::fs::syncfs(File::open(&ground.backing)?)?;
    // 2: directory entries and inodes (Documentation/admin-guide/sysctl/vm.rst).
    fs::write("/proc/sys/vm/drop_caches", "2")?;
    each(&names(&ground.backing.join("stat"), "file", ground.objects), look)?;
    ground.clock.time(|| each(&files, look))
}

/// Warms the caches with one pass, then times passes until the cached rows' time is over.
fn repeat(ground: &Ground, mut pass: impl FnMut() -> io::Result<u64>) -> io::Result<Sample> {
    pass()?;
    ground.clock.time(|| {
        let (started, mut operations) = (Instant::now(), 0);
        while started.elapsed() < CACHED_TIME {
            operations += pass()?;
        }
        Ok(operations)
    })
}

fn stat_cached(ground: &Ground) -> io::Result<Sample> {
    let files = fill(ground, "cached", CACHED_OBJECTS)?;
    repeat(ground, || each(&files, look))
}

fn list_cached(ground: &Ground) -> io::Result<Sample> {
    let directory = ground.directory.join("cached");
    repeat(ground, || {
        let mut entries = 0;
        for entry in fs::read_dir(&directory)? {
            // As `ls -l`: without the birth time.
            rustix::fs::lstat(entry?.path())?;
            entries += 1;
        }
        assert!(entries == CACHED_OBJECTS, "a listing of {CACHED_OBJECTS} files gave {entries}");
        Ok(entries)
    })
}

fn missing_again(ground: &Ground) -> io::Result<Sample> {
    let absent = names(&ground.directory.join("cached"), "absent", CACHED_OBJECTS);
    let look = |path: &Path| match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(_) => Err(io::Error::other(format!("{} should be absent", path.display()))),
    };
    repeat(ground, || each(&absent, look))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_do_all_their_operations_and_leave_what_the_next_one_takes_over() {
        let scratch = tempfile::tempdir().expect("temporary directory");
        let directory = scratch.path().to_path_buf();
        let ground = Ground {
            backing: directory.clone(),
            directory,
            clock: Clock::new(std::process::id()),
            objects: 64,
        };
        // The cold row empties the caches of the whole machine: not in a test.
        for (name, row) in ROWS.into_iter().filter(|(name, _)| !name.contains("cold")) {
            let sample = row(&ground).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert!(sample.operations >= ground.objects, "{name}: {} operations", sample.operations);
            assert!(sample.elapsed > Duration::ZERO, "{name}");
        }
        let left = fs::read_dir(scratch.path().join("create")).expect("what create made").count();
        assert_eq!(left, 0, "unlink leaves nothing");
    }
}
