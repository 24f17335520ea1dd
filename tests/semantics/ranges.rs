//! Ranges of files: holes, preallocation, copies, appends and direct I/O.

use fs9_tests::Mounted;
use rustix::fs::{FallocateFlags, OFlags, SeekFrom, copy_file_range, fallocate, seek};
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};

/// Every kind of mount that serves files in another way.
fn mounts() -> [Mounted; 3] {
    [Mounted::local(""), Mounted::local("passthrough=off"), Mounted::memory("")]
}

/// Makes a file of this size without holes.
fn filled(mount: &Mounted, name: &str, size: usize) -> File {
    let file = File::options().create_new(true).read(true).write(true).open(mount.path(name)).unwrap();
    file.write_all_at(&vec![b'd'; size], 0).unwrap();
    file.sync_all().unwrap();
    file
}

#[test]
fn a_punched_hole_reads_as_zeros_and_is_found_by_seeking() {
    for mount in mounts() {
        let file = filled(&mount, "file", 1 << 20);
        let before = file.metadata().unwrap().blocks();
        let punch = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        fallocate(&file, punch, 256 << 10, 512 << 10).unwrap();
        let mut bytes = vec![1; 1 << 20];
        file.read_exact_at(&mut bytes, 0).unwrap();
        assert!(bytes[256 << 10..768 << 10].iter().all(|&b| b == 0));
        assert!(bytes[..256 << 10].iter().chain(&bytes[768 << 10..]).all(|&b| b == b'd'));
        assert_eq!(file.metadata().unwrap().len(), 1 << 20);
        assert!(file.metadata().unwrap().blocks() < before);
        assert_eq!(seek(&file, SeekFrom::Hole(0)).unwrap(), 256 << 10);
        assert_eq!(seek(&file, SeekFrom::Data(256 << 10)).unwrap(), 768 << 10);
        assert_eq!(seek(&file, SeekFrom::Data(1 << 20)).unwrap_err(), rustix::io::Errno::NXIO);
    }
}

#[test]
fn zeroing_and_preallocating_keep_or_grow_the_size_as_asked() {
    for mount in mounts() {
        let file = filled(&mount, "file", 64 << 10);
        fallocate(&file, FallocateFlags::ZERO_RANGE, 4096, 8192).unwrap();
        let mut bytes = vec![1; 16 << 10];
        file.read_exact_at(&mut bytes, 0).unwrap();
        assert!(bytes[4096..12_288].iter().all(|&b| b == 0));
        fallocate(&file, FallocateFlags::KEEP_SIZE, 0, 1 << 20).unwrap();
        assert_eq!(file.metadata().unwrap().len(), 64 << 10);
        fallocate(&file, FallocateFlags::empty(), 0, 1 << 20).unwrap();
        assert_eq!(file.metadata().unwrap().len(), 1 << 20);
        let refused = fallocate(&file, FallocateFlags::COLLAPSE_RANGE, 0, 4096).unwrap_err();
        assert_eq!(refused, rustix::io::Errno::OPNOTSUPP);
    }
}

#[test]
fn a_copy_within_the_mount_equals_its_source() {
    for mount in mounts() {
        let source = filled(&mount, "source", 300_000);
        source.write_all_at(b"marker", 123_456).unwrap();
        let target =
            File::options().create_new(true).read(true).write(true).open(mount.path("target")).unwrap();
        let (mut from, mut to) = (0, 0);
        while from < 300_000 {
            let copied = copy_file_range(&source, Some(&mut from), &target, Some(&mut to), 300_000).unwrap();
            assert!(copied > 0);
        }
        assert_eq!(
            std::fs::read(mount.path("target")).unwrap(),
            std::fs::read(mount.path("source")).unwrap()
        );
    }
}

#[test]
fn appends_of_several_writers_are_all_there() {
    for mount in mounts() {
        let path = mount.path("log");
        std::thread::scope(|scope| {
            for writer in 0..4 {
                let path = &path;
                scope.spawn(move || {
                    let mut file = File::options().create(true).append(true).open(path).unwrap();
                    for line in 0..250 {
                        file.write_all(format!("{writer:02} {line:04}\n").as_bytes()).unwrap();
                    }
                });
            }
        });
        let text = std::fs::read_to_string(&path).unwrap();
        let mut lines: Vec<_> = text.lines().collect();
        lines.sort_unstable();
        lines.dedup();
        assert_eq!(lines.len(), 1_000);
        assert!(lines.iter().all(|line| line.len() == 7));
    }
}

#[test]
fn truncating_at_open_is_one_step_and_frees_the_space() {
    for mount in mounts() {
        let old = filled(&mount, "file", 1 << 20);
        let new = File::options().write(true).truncate(true).open(mount.path("file")).unwrap();
        assert_eq!(old.metadata().unwrap().len(), 0);
        assert_eq!(new.metadata().unwrap().blocks(), 0);
    }
}

#[test]
fn direct_io_and_cached_io_see_the_same_bytes() {
    for mount in mounts() {
        let path = mount.path("file");
        let cached = filled(&mount, "file", 64 << 10);
        let flags = OFlags::DIRECT.bits().cast_signed();
        let direct = File::options().read(true).write(true).custom_flags(flags).open(&path).unwrap();
        // O_DIRECT wants memory aligned to the block size; take the aligned part of a larger buffer.
        let mut space = vec![0; 4096 * 3];
        let start = space.as_ptr().align_offset(4096);
        let block = &mut space[start..start + 4096];
        direct.read_exact_at(block, 8192).unwrap();
        assert!(block.iter().all(|&b| b == b'd'));
        block.fill(b'D');
        direct.write_all_at(block, 8192).unwrap();
        let mut seen = vec![0; 4096];
        cached.read_exact_at(&mut seen, 8192).unwrap();
        assert!(seen.iter().all(|&b| b == b'D'), "cached readers see what was written directly");
    }
}

/// Symptom: under `-o writeback`, cp made a copy of zeros of a file that was just written. Cause: data in the kernel's
/// cache passed for a hole. Fix: with writeback every file is data to its end.
#[test]
fn data_that_the_kernel_has_not_written_back_is_not_a_hole() {
    let mount = Mounted::local("writeback");
    let file = File::options().create_new(true).read(true).write(true).open(mount.path("file")).unwrap();
    file.write_all_at(b"fresh", 1 << 20).unwrap();
    let mut data = seek(&file, SeekFrom::Data(0)).unwrap();
    let mut bytes = [0; 5];
    while data < 1 << 20 {
        data = seek(&file, SeekFrom::Data(1 << 20)).unwrap();
    }
    file.read_exact_at(&mut bytes, data).unwrap();
    assert_eq!(&bytes, b"fresh");
}

#[test]
fn there_is_neither_data_nor_a_hole_before_the_beginning() {
    for mount in mounts() {
        let file = filled(&mount, "file", 8192);
        for whence in [nix::unistd::Whence::SeekData, nix::unistd::Whence::SeekHole] {
            let refused = nix::unistd::lseek(&file, -1, whence).unwrap_err();
            assert_eq!(refused, nix::errno::Errno::ENXIO);
        }
    }
}
