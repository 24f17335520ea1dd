//! The access log: each request of the kernel as one line, for whoever has `.fs9/accesslog` open at that moment.
//!
//! Invariants: while nobody reads, a request pays for one relaxed load; a request never waits for a reader, whose ring
//! loses its oldest lines instead, and says how many; a line is never cut or delivered in part.
//! Lock order: `readers` before the state of one reader; neither is held while a waker is called.

mod line;
mod reader;

pub use line::{AccessRecord, Argument};
pub(super) use reader::LogReader;

use crate::THREADS_MAX_DEFAULT;
use fs9_sdk::{Error, ErrorKind, Result};
use parking_lot::RwLock;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// How many may read at a time. Each of them can hold a thread of the control directory's pool for as long as nothing
/// happens, and at least half of the threads are for everything else.
pub const READERS_MAX: usize = 8;

const _: () = assert!(READERS_MAX * 2 <= THREADS_MAX_DEFAULT, "readers could stop the commands");

/// The access log of one mount.
#[derive(Default)]
pub struct AccessLog {
    /// Somebody reads.
    is_open: AtomicBool,
    /// The mount is ending.
    has_ended: AtomicBool,
    readers: RwLock<Vec<Arc<LogReader>>>,
}

impl AccessLog {
    /// Returns whether somebody reads, so that a request has to be recorded.
    #[inline]
    pub fn is_open(&self) -> bool {
        self.is_open.load(Ordering::Relaxed)
    }

    /// Gives a line to everybody who reads.
    pub fn append(&self, line: Arc<[u8]>) {
        let readers: Vec<Arc<LogReader>> = self.readers.read().clone();
        readers.iter().for_each(|reader| reader.push(Arc::clone(&line)));
    }

    /// Lets every reader find the end once all lines are read, because the mount is ending, or lets them wait for more
    /// again.
    pub fn end(&self, has_ended: bool) {
        self.has_ended.store(has_ended, Ordering::Relaxed);
        let readers: Vec<Arc<LogReader>> = self.readers.read().clone();
        readers.iter().for_each(|reader| reader.end(has_ended));
    }

    /// Begins to log for one more reader.
    ///
    /// # Errors
    /// `EBUSY` if there are [`READERS_MAX`] already.
    pub(super) fn open(&self) -> Result<Arc<LogReader>> {
        let mut readers = self.readers.write();
        if readers.len() >= READERS_MAX {
            return Err(Error::new(ErrorKind::Busy).because("too many read the access log"));
        }
        let reader = Arc::new(LogReader::default());
        reader.end(self.has_ended.load(Ordering::Relaxed));
        readers.push(Arc::clone(&reader));
        self.is_open.store(true, Ordering::Relaxed);
        Ok(reader)
    }

    /// Ends the log for a reader; whoever still waits on it finds the end.
    pub(super) fn close(&self, reader: &Arc<LogReader>) {
        let mut readers = self.readers.write();
        readers.retain(|other| !Arc::ptr_eq(other, reader));
        self.is_open.store(!readers.is_empty(), Ordering::Relaxed);
        drop(readers);
        reader.end(true);
    }
}

impl fmt::Debug for AccessLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessLog").field("readers", &self.readers.read().len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::{AccessLog, READERS_MAX};
    use fs9_sdk::{Call, Caller, ErrorKind};

    fn text(reader: &super::LogReader) -> String {
        let mut buffer = [0; 99];
        let length = reader.read(&Call::by(Caller::ROOT), true, &mut buffer).unwrap();
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    }

    #[test]
    fn each_reader_gets_the_lines_from_its_open_on() {
        let log = AccessLog::default();
        assert!(!log.is_open());
        let early = log.open().unwrap();
        log.append((*b"one\n").into());
        let late = log.open().unwrap();
        log.append((*b"two\n").into());
        assert_eq!((text(&early).as_str(), text(&late).as_str()), ("one\ntwo\n", "two\n"));
        log.close(&early);
        assert!(log.is_open());
        log.close(&late);
        assert!(!log.is_open());
    }

    #[test]
    fn readers_are_bounded_and_a_closed_one_makes_room() {
        let log = AccessLog::default();
        let readers: Vec<_> = (0..READERS_MAX).map(|_| log.open().unwrap()).collect();
        assert_eq!(log.open().err().unwrap().kind(), ErrorKind::Busy);
        log.close(&readers[3]);
        log.open().unwrap();
    }

    #[test]
    fn at_the_end_readers_find_the_end_after_the_last_line_also_late_ones() {
        let log = AccessLog::default();
        let reader = log.open().unwrap();
        log.append((*b"last\n").into());
        log.end(true);
        assert_eq!((text(&reader).as_str(), text(&reader).as_str()), ("last\n", ""));
        assert_eq!(text(&log.open().unwrap()), "");
        log.end(false);
        let again = reader.read(&Call::by(Caller::ROOT), true, &mut [0; 9]).unwrap_err();
        assert_eq!(again.kind(), ErrorKind::WouldBlock);
    }
}
