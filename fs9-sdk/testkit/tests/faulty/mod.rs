//! A provider that breaks one promise: a right one, and a fault between it and whoever calls.

mod listing;
mod provider;

use fs9_sdk::{
    Attr, Call, Caller, Entry, Error, ErrorKind, FileHandle, FileType, LockTable, Name, NodeId, OpenFlags,
    OpenNode, Place, Provider, RenameFlags, Result, SetAttr, SetTime, Timestamp, WriteOptions,
};
use fs9_testkit::Subject;
use listing::Recorded;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Bit of a node id where aliases begin.
const ALIAS_SHIFT: u32 = 40;
/// Every so-manieth call meets a fault that comes now and then.
const NOW_AND_THEN: u64 = 41;

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Fault {
    AliasesNodes,
    BelowForgottenIsGone,
    BlocksAreOne,
    BlocksAreSize,
    BytesAreNotNames,
    ChangesAllTimes,
    ChmodTouchesMtime,
    CloseOfOneClosesAll,
    CookiesAreIndices,
    CookiesBeyondBounds,
    CookiesOffByOne,
    CopyArrivesHalf,
    CreateCutsWhatExists,
    CreateIsNeverExclusive,
    DirectoryRenameLosesChildren,
    EmptyWriteExtends,
    ErrorsAreIo,
    ExchangeInThreeSteps,
    FallocateDoesNothing,
    FallocateIgnoresUnknownModes,
    FallocateKeepsNoSize,
    ForgetTakesAll,
    ForgottenIdsChange,
    FsyncFails,
    FullSinkLosesAnEntry,
    GroupIsIgnored,
    HandlesHaveOtherIds,
    HandlesReadWhatTheyOpened,
    HolesAreDirty,
    IdsAreShared,
    IdsComeFromNames,
    IoctlsSucceed,
    KillIsForgotten,
    KillsUnasked,
    LinkTargetsAreCut,
    LinksTouchMtime,
    ListedKindIsWrong,
    ListingIsNotCounted,
    LockWaitsAreDeaf,
    LockWaitsAreNone,
    LocksAreIgnored,
    LocksAreOfHandles,
    LocksAreOfOneFamily,
    LocksAreOfOneFile,
    LocksCoverTheFile,
    MadeIsNotCounted,
    MissingIsFineToRemove,
    ModesLoseSpecialBits,
    ModificationTimeStands,
    NodKindsAreRegular,
    NumbersOfDevicesAreShort,
    OpenIgnoresAppend,
    OpenIgnoresTruncate,
    PanicsOnTheAbsurd,
    ReadsAreShifted,
    ReadsAreShort,
    ReadsPadWithZeros,
    ReadTouchesMtime,
    RemovedDirectoriesAreGone,
    RemovedDirectoriesListGhosts,
    RenameDropsOneOfTwoNames,
    RenameIgnoresFlags,
    RenameInTwoSteps,
    RenameKillsItsTarget,
    RenameLosesXattrs,
    RenameOntoItselfRemoves,
    RestartLosesAll,
    RewindIsStale,
    RmdirRemovesFull,
    RootCanBeForgotten,
    RootOwnsAll,
    RoundsRanges,
    SeeksFindNoHoles,
    SetgidIsNotInherited,
    SizeComesLast,
    SometimesCreatesNothing,
    SometimesRenameFails,
    SometimesWritesNothing,
    StatfsIsNonsense,
    TimesAreIgnored,
    TimesInSeconds,
    TruncateIsIgnored,
    TypesAreWrong,
    UmaskIsIgnored,
    UnlinkHides,
    UnlinkedIsGone,
    UnnamedAreUnlinked,
    UnnamedHaveNames,
    WriteErrorsAreSwallowed,
    WritesCut,
    XattrFlagsAreIgnored,
    XattrListHasNoEnd,
    XattrValuesAreCut,
}

/// A provider with a fault.
pub(crate) struct Faulty {
    inner: Subject,
    fault: Fault,
    state: Mutex<State>,
    calls: AtomicU64,
    locks: LockTable,
    /// The storage fails, and writes go nowhere.
    broken: Arc<AtomicBool>,
}

/// What a fault has to remember.
#[derive(Default)]
struct State {
    gone: HashSet<NodeId>,
    parents: HashMap<NodeId, NodeId>,
    numbers: HashMap<NodeId, u64>,
    forgotten: HashMap<u64, u64>,
    moved: HashSet<NodeId>,
    recorded: HashMap<FileHandle, Recorded>,
    snapshots: HashMap<FileHandle, Vec<u8>>,
}

impl Faulty {
    /// Puts a fault before a provider that keeps its promises.
    pub(crate) fn subject(inner: Subject, fault: Fault) -> Subject {
        let broken = Arc::new(AtomicBool::new(false));
        let switch = broken.clone();
        let calls = AtomicU64::new(0);
        let faulty = Faulty { inner, fault, state: Mutex::default(), calls, locks: LockTable::new(), broken };
        Subject::new(faulty).broken_by(move || switch.store(true, Ordering::Release))
    }

    fn inner(&self) -> &dyn Provider {
        self.inner.provider()
    }

    fn has(&self, fault: Fault) -> bool {
        self.fault == fault
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns whether a fault that comes now and then comes now.
    fn now_and_then(&self, fault: Fault) -> bool {
        self.has(fault) && self.calls.fetch_add(1, Ordering::Relaxed) % NOW_AND_THEN == NOW_AND_THEN - 1
    }

    /// Passes a result on, with its error changed where that is the fault.
    fn pass<T>(&self, result: Result<T>) -> Result<T> {
        match result {
            Err(_) if self.has(Fault::ErrorsAreIo) => Err(ErrorKind::Io.into()),
            result => result,
        }
    }

    /// Returns the node that the provider knows.
    fn real(&self, node: NodeId) -> Result<NodeId> {
        let node = NodeId(node.0 & ((1 << ALIAS_SHIFT) - 1));
        if self.state().gone.contains(&node) { Err(Error::new(ErrorKind::Stale)) } else { Ok(node) }
    }

    fn real_file(&self, file: OpenNode) -> Result<OpenNode> {
        Ok(OpenNode { node: self.real(file.node)?, handle: file.handle })
    }

    /// Returns whether a directory or one above it was moved.
    fn is_below_moved(&self, dir: NodeId) -> bool {
        let state = self.state();
        std::iter::successors(Some(dir), |at| state.parents.get(at).copied())
            .any(|at| state.moved.contains(&at))
    }

    /// Keeps what a file holds when it is opened.
    fn keep_snapshot(&self, call: &Call, file: OpenNode) -> Result<()> {
        let mut content = vec![0; 4_096];
        let handle = self.inner().open(call, file.node, OpenFlags::empty())?.handle;
        let reader = OpenNode { node: file.node, handle };
        let count = self.inner().read(call, reader, 0, &mut content)?;
        self.inner().release(reader);
        content.truncate(count);
        self.state().snapshots.insert(file.handle, content);
        Ok(())
    }

    /// Returns the call as the provider sees it.
    fn caller(&self, call: &Call) -> Call {
        let mut call = call.clone();
        if self.has(Fault::UmaskIsIgnored) {
            call.caller.umask = 0;
        }
        if self.has(Fault::RootOwnsAll) {
            let Caller { uid, gid, .. } = Caller::ROOT;
            (call.caller.uid, call.caller.gid) = (uid, gid);
        }
        call
    }

    /// Returns attributes as they are shown.
    fn shown(&self, node: NodeId, mut attr: Attr) -> Attr {
        let number = attr.id.number;
        match self.fault {
            Fault::IdsAreShared => attr.id.number = 7,
            Fault::BlocksAreOne => attr.blocks = 1,
            Fault::BlocksAreSize => attr.blocks = attr.size.div_ceil(512).max(100),
            Fault::ModificationTimeStands => {
                attr.mtime = Timestamp { seconds: 1_000_000_000, nanoseconds: 123_456_789 };
            }
            Fault::TypesAreWrong if attr.kind == FileType::Regular => attr.kind = FileType::Socket,
            Fault::ForgottenIdsChange => {
                let mut state = self.state();
                state.numbers.insert(node, number);
                attr.id.number += state.forgotten.get(&number).copied().unwrap_or(0) << 32;
            }
            _ => {}
        }
        attr
    }

    /// Returns an entry as it is shown, found at a name.
    fn entry(&self, parent: NodeId, name: Name<'_>, entry: Entry) -> Entry {
        let mut shown = Entry { node: entry.node, attr: self.shown(entry.node, entry.attr) };
        match self.fault {
            Fault::AliasesNodes => {
                let alias = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
                shown.node.0 |= (alias & 0xff_ffff) << ALIAS_SHIFT;
            }
            Fault::IdsComeFromNames => {
                let sum =
                    name.as_bytes().iter().fold(7_u64, |sum, byte| sum * 31 % 1_000_003 + u64::from(*byte));
                shown.attr.id.number = sum;
            }
            Fault::BelowForgottenIsGone | Fault::DirectoryRenameLosesChildren => {
                self.state().parents.insert(entry.node, parent);
            }
            _ => {}
        }
        shown
    }

    /// Returns what was just made as it is shown.
    fn made(&self, call: &Call, place: Place<'_>, made: Result<Entry>) -> Result<Entry> {
        let entry = self.pass(made)?;
        if self.has(Fault::MadeIsNotCounted) {
            self.inner().forget(entry.node, 1);
        }
        if self.now_and_then(Fault::SometimesCreatesNothing) {
            match entry.attr.kind {
                FileType::Directory => self.inner().rmdir(call, place.parent, place.name)?,
                _ => self.inner().unlink(call, place.parent, place.name)?,
            }
        }
        if self.has(Fault::SetgidIsNotInherited) {
            let gid = Some(call.caller.gid);
            self.inner().setattr(call, entry.node, None, SetAttr { gid, ..SetAttr::default() })?;
        }
        let attr = self.inner().getattr(call, entry.node, None).unwrap_or(entry.attr);
        Ok(self.entry(place.parent, place.name, Entry { attr, ..entry }))
    }

    /// Looks at a name without leaving a trace.
    fn peek(&self, call: &Call, parent: NodeId, name: Name<'_>) -> Option<Entry> {
        let entry = self.inner().lookup(call, parent, name).ok()?;
        self.inner().forget(entry.node, 1);
        Some(entry)
    }

    fn mark_gone(&self, entry: Option<Entry>) {
        self.state().gone.extend(entry.map(|entry| entry.node));
    }

    /// Fills a range with bytes that nobody wrote.
    fn soil(&self, call: &Call, node: NodeId, from: u64, to: u64) -> Result<()> {
        let length = usize::try_from(to.saturating_sub(from)).unwrap_or(0).min(1 << 20);
        let opened = self.inner().open(call, node, OpenFlags::READ_WRITE)?;
        let file = OpenNode { node, handle: opened.handle };
        self.inner().write(call, file, from, &vec![0xaa; length], WriteOptions::default())?;
        self.inner().release(file);
        Ok(())
    }

    fn touch(&self, call: &Call, node: NodeId) {
        let changes = SetAttr { mtime: Some(SetTime::Now), ..SetAttr::default() };
        drop(self.inner().setattr(call, node, None, changes));
    }

    /// Renames with a fault that needs several steps.
    fn rename_wrongly(
        &self,
        call: &Call,
        from: Place<'_>,
        to: Place<'_>,
        flags: RenameFlags,
    ) -> Option<Result<()>> {
        let inner = self.inner();
        let source = || self.peek(call, from.parent, from.name);
        let target = || self.peek(call, to.parent, to.name);
        match self.fault {
            Fault::RenameIgnoresFlags => Some(inner.rename(call, from, to, RenameFlags::empty())),
            Fault::RenameOntoItselfRemoves if from == to => Some(inner.unlink(call, from.parent, from.name)),
            Fault::RenameDropsOneOfTwoNames if source()?.node == target()?.node => {
                Some(inner.unlink(call, from.parent, from.name))
            }
            Fault::RenameInTwoSteps => {
                inner.unlink(call, to.parent, to.name).ok()?;
                std::thread::yield_now();
                Some(inner.rename(call, from, to, flags))
            }
            Fault::ExchangeInThreeSteps if flags.contains(RenameFlags::EXCHANGE) => {
                let aside = Place { parent: from.parent, name: Name::new(b"aside").ok()? };
                let none = RenameFlags::empty();
                inner.rename(call, from, aside, none).ok()?;
                std::thread::yield_now();
                inner.rename(call, to, from, none).ok()?;
                Some(inner.rename(call, aside, to, none))
            }
            _ if self.now_and_then(Fault::SometimesRenameFails) => Some(Err(ErrorKind::Io.into())),
            _ => None,
        }
    }
}
