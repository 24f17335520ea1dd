//! The random operations: few names and sizes, so that they meet often.

use proptest::prelude::*;
use std::fmt;

/// Handles that can be open at once.
pub(super) const SLOTS: usize = 4;
/// No file grows beyond this, so that whole contents can be compared after each case.
const SIZE_MAX: u64 = 200_000;
/// Names to choose from: some ordinary, one that is not UTF-8, one of full length.
const NAMES: usize = 5;

/// A path of one to three names from a small pool.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Path(pub(super) Vec<u8>);

impl Path {
    /// Returns the names.
    pub(super) fn names(&self) -> Vec<Vec<u8>> {
        self.0.iter().map(|&index| name(index)).collect()
    }
}

impl fmt::Debug for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |index: &u8| match name(*index) {
            name if name.len() > 20 => "LONG".to_owned(),
            name => name.escape_ascii().to_string(),
        };
        f.write_str(&self.0.iter().map(text).collect::<Vec<_>>().join("/"))
    }
}

fn name(index: u8) -> Vec<u8> {
    match usize::from(index) % NAMES {
        0 => b"a".to_vec(),
        1 => b"b".to_vec(),
        2 => b"c".to_vec(),
        3 => b"\xff\xfe".to_vec(),
        _ => vec![b'n'; 255],
    }
}

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OpenMode {
    /// 0 reading, 1 writing, 2 both, as the access mode of `open(2)`.
    pub(super) access: u32,
    pub(super) truncate: bool,
    pub(super) append: bool,
}

/// A time to set: `None` leaves it, nanosecond `u32::MAX` stands for now.
pub(super) type ModelTime = Option<(i64, u32)>;

/// One step of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Nothing,
    Create { path: Path, mode: u16, exclusive: bool, open: OpenMode, slot: usize },
    Open { path: Path, open: OpenMode, slot: usize },
    Close { slot: usize },
    Mkdir { path: Path, mode: u16 },
    Symlink { path: Path, target: Vec<u8> },
    Link { from: Path, to: Path },
    Mkfifo { path: Path, mode: u16 },
    Unlink { path: Path },
    Rmdir { path: Path },
    Rename { from: Path, to: Path, flags: u32 },
    Write { slot: usize, offset: u64, length: usize, fill: u8 },
    Read { slot: usize, offset: u64, length: usize },
    Truncate { path: Path, size: u64 },
    TruncateOpen { slot: usize, size: u64 },
    Chmod { path: Path, mode: u16 },
    SetTimes { path: Path, atime: ModelTime, mtime: ModelTime },
    SetXattr { path: Path, name: u8, value: Vec<u8>, flags: u32 },
    GetXattr { path: Path, name: u8 },
    RemoveXattr { path: Path, name: u8 },
    ListXattr { path: Path },
    Fallocate { slot: usize, mode: u32, offset: u64, length: u64 },
    Copy { from: usize, to: usize, source: u64, target: u64, length: u64 },
    List { path: Path, page: usize },
    Stat { path: Path },
    StatOpen { slot: usize },
    Readlink { path: Path },
    Fsync { slot: usize },
    ForgetAll,
}

fn path() -> impl Strategy<Value = Path> {
    let index = prop_oneof![6 => 0_u8..3, 1 => 3_u8..5];
    prop::collection::vec(index, 1..=3).prop_map(Path)
}

fn slot() -> impl Strategy<Value = usize> {
    0..SLOTS
}

/// Offsets and sizes: around the edges of pages and blocks, and anywhere.
fn position() -> impl Strategy<Value = u64> {
    prop_oneof![
        2 => Just(0),
        3 => (0_u64..20, -2_i64..=2).prop_map(|(page, off)| (page * 4_096).saturating_add_signed(off)),
        1 => Just(65_536),
        2 => 0..SIZE_MAX / 2,
    ]
}

fn length() -> impl Strategy<Value = u64> {
    prop_oneof![3 => 1_u64..100, 2 => Just(4_096), 1 => Just(65_536), 2 => 1..SIZE_MAX / 4]
}

fn mode() -> impl Strategy<Value = u16> {
    // Owner bits stay, since an ordinary user who runs the test must still reach everything.
    prop_oneof![4 => 0_u16..=0o777, 1 => 0_u16..=0o7777].prop_map(|mode| mode | 0o700)
}

fn open_mode() -> impl Strategy<Value = OpenMode> {
    let access = prop_oneof![1 => Just(0), 1 => Just(1), 4 => Just(2)];
    (access, prop::bool::weighted(0.15), prop::bool::weighted(0.15))
        .prop_map(|(access, truncate, append)| OpenMode { access, truncate: truncate && access != 0, append })
}

fn time() -> impl Strategy<Value = ModelTime> {
    // Times lie in the past, so that a time that was set can be told from one that a change renewed.
    let past = (1_000_000_000_i64..1_100_000_000, 0_u32..1_000_000_000);
    prop_oneof![1 => Just(None), 5 => past.prop_map(Some), 1 => Just(Some((0, u32::MAX)))]
}

fn target() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(b"a".to_vec()),
        Just(b"../b/c".to_vec()),
        Just(b"/nowhere".to_vec()),
        Just(vec![0xff; 3]),
        Just(vec![b't'; 300])
    ]
}

fn names() -> impl Strategy<Value = Operation> {
    use Operation as O;
    prop_oneof![
        6 => (path(), mode(), any::<bool>(), open_mode(), slot())
            .prop_map(|(path, mode, exclusive, open, slot)| O::Create { path, mode, exclusive, open, slot }),
        6 => (path(), mode()).prop_map(|(path, mode)| O::Mkdir { path, mode }),
        2 => (path(), target()).prop_map(|(path, target)| O::Symlink { path, target }),
        3 => (path(), path()).prop_map(|(from, to)| O::Link { from, to }),
        1 => (path(), mode()).prop_map(|(path, mode)| O::Mkfifo { path, mode }),
        3 => path().prop_map(|path| O::Unlink { path }),
        2 => path().prop_map(|path| O::Rmdir { path }),
        6 => (path(), path(), prop_oneof![6 => Just(0), 2 => Just(1), 2 => Just(2), 1 => Just(4), 1 => 3..9_u32])
            .prop_map(|(from, to, flags)| O::Rename { from, to, flags }),
    ]
}

fn data() -> impl Strategy<Value = Operation> {
    use Operation as O;
    let modes =
        prop_oneof![1 => Just(0), 1 => Just(1), 3 => Just(3), 1 => Just(0x10), 1 => Just(0x11), 1 => Just(2)];
    prop_oneof![
        3 => (path(), open_mode(), slot()).prop_map(|(path, open, slot)| O::Open { path, open, slot }),
        1 => slot().prop_map(|slot| O::Close { slot }),
        6 => (slot(), position(), length(), any::<u8>()).prop_map(|(slot, offset, length, fill)| O::Write {
            slot, offset, length: length as usize, fill,
        }),
        4 => (slot(), position(), length())
            .prop_map(|(slot, offset, length)| O::Read { slot, offset, length: length as usize }),
        2 => (path(), position()).prop_map(|(path, size)| O::Truncate { path, size }),
        2 => (slot(), position()).prop_map(|(slot, size)| O::TruncateOpen { slot, size }),
        3 => (slot(), modes, position(), length())
            .prop_map(|(slot, mode, offset, length)| O::Fallocate { slot, mode, offset, length }),
        2 => (slot(), slot(), position(), position(), length())
            .prop_map(|(from, to, source, target, length)| O::Copy { from, to, source, target, length }),
        1 => slot().prop_map(|slot| O::Fsync { slot }),
    ]
}

fn attributes() -> impl Strategy<Value = Operation> {
    use Operation as O;
    let value = prop::collection::vec(any::<u8>(), 0..200);
    prop_oneof![
        2 => (path(), mode()).prop_map(|(path, mode)| O::Chmod { path, mode }),
        2 => (path(), time(), time()).prop_map(|(path, atime, mtime)| O::SetTimes { path, atime, mtime }),
        2 => (path(), 0_u8..3, value, 0_u32..3)
            .prop_map(|(path, name, value, flags)| O::SetXattr { path, name, value, flags }),
        1 => (path(), 0_u8..3).prop_map(|(path, name)| O::GetXattr { path, name }),
        1 => (path(), 0_u8..3).prop_map(|(path, name)| O::RemoveXattr { path, name }),
        1 => path().prop_map(|path| O::ListXattr { path }),
        2 => (path(), 1_usize..8).prop_map(|(path, page)| O::List { path, page }),
        3 => path().prop_map(|path| O::Stat { path }),
        2 => slot().prop_map(|slot| O::StatOpen { slot }),
        1 => path().prop_map(|path| O::Readlink { path }),
        1 => Just(O::ForgetAll),
    ]
}

/// Returns sequences of this many operations. They keep their length; what is not needed for a failure shrinks to
/// `Nothing`, which the report leaves out.
pub(super) fn sequences(operations: usize) -> impl Strategy<Value = Vec<Operation>> {
    // A choice shrinks towards its first arm.
    let one = prop_oneof![1 => Just(Operation::Nothing), 150 => names(), 150 => data(), 100 => attributes()];
    prop::collection::vec(one, operations)
}
