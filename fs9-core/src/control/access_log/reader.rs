//! One reader of the access log, with its ring of lines.
//!
//! Invariant: the ring holds at most [`RING_BYTES_MAX`] bytes of lines; what had to go is counted, and told before the
//! first line after it.

use fs9_sdk::{Call, Deadline, Error, ErrorKind, PollEvents, PollWaker, Result};
use parking_lot::{Condvar, Mutex, MutexGuard};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What a reader may fall behind, in bytes: some ten thousand lines, a tenth of a second of a busy mount.
const RING_BYTES_MAX: usize = 1 << 20;

/// The most bytes of one read: less than the kernel's smallest largest request (128 KiB), so that a longer read gets a
/// short answer and returns, instead of asking for more and waiting with what it has.
const READ_BYTES_MAX: usize = 64 << 10;

/// How often a reader that waits looks whether its call was cancelled: a person who pressed Ctrl-C does not notice.
const LOOK: Duration = Duration::from_millis(20);

#[derive(Default)]
struct State {
    lines: VecDeque<Arc<[u8]>>,
    /// The bytes of `lines`.
    bytes: usize,
    /// Lines that were lost since the last read.
    lost: u64,
    /// What a read has begun and not finished.
    rest: VecDeque<u8>,
    has_ended: bool,
    /// A read waits.
    is_waited_for: bool,
    waker: Option<PollWaker>,
}

/// One reader.
#[derive(Default)]
pub(in crate::control) struct LogReader {
    state: Mutex<State>,
    grown: Condvar,
}

impl LogReader {
    /// Adds a line, and lets the oldest ones go that have no room then.
    pub(super) fn push(&self, line: Arc<[u8]>) {
        let mut state = self.state.lock();
        state.bytes += line.len();
        state.lines.push_back(line);
        while state.bytes > RING_BYTES_MAX {
            let Some(oldest) = state.lines.pop_front() else { break };
            state.bytes -= oldest.len();
            state.lost += 1;
        }
        self.wake(state);
    }

    /// Marks the end, or takes the mark away.
    pub(super) fn end(&self, has_ended: bool) {
        let mut state = self.state.lock();
        state.has_ended = has_ended;
        self.wake(state);
    }

    fn wake(&self, mut state: MutexGuard<'_, State>) {
        let waker = state.waker.take();
        drop(state);
        self.grown.notify_all();
        if let Some(waker) = waker {
            waker();
        }
    }

    /// Reads what is there. Without anything it waits for more, unless told not to, or finds the end.
    ///
    /// # Errors
    /// `EAGAIN` if it must not wait, `EBUSY` if another read waits already, `EINTR` if the call was cancelled,
    /// `ETIMEDOUT` for a call with a deadline.
    pub(in crate::control) fn read(&self, call: &Call, never_wait: bool, buffer: &mut [u8]) -> Result<usize> {
        let mut state = self.state.lock();
        if state.is_empty() && !state.has_ended {
            if never_wait {
                return Err(ErrorKind::WouldBlock.into());
            }
            if state.is_waited_for {
                // Each that waits holds a thread, and only the readers are bounded.
                return Err(Error::new(ErrorKind::Busy).because("another read waits on this descriptor"));
            }
            state.is_waited_for = true;
            let waited = self.wait(&mut state, call);
            state.is_waited_for = false;
            waited?;
        }
        let length = buffer.len().min(READ_BYTES_MAX);
        Ok(state.take(buffer.get_mut(..length).unwrap_or_default()))
    }

    fn wait(&self, state: &mut MutexGuard<'_, State>, call: &Call) -> Result<()> {
        while state.is_empty() && !state.has_ended {
            if call.cancellation.is_cancelled() {
                return Err(ErrorKind::Interrupted.into());
            }
            if matches!(call.deadline, Deadline::At(moment) if Instant::now() >= moment) {
                return Err(ErrorKind::TimedOut.into());
            }
            // Lines and the end wake it at once; only a cancellation has to be looked for.
            let _either = self.grown.wait_for(state, LOOK);
        }
        Ok(())
    }

    /// Returns which of the events are ready, and keeps the waker if none is.
    pub(in crate::control) fn poll(&self, events: PollEvents, waker: Option<PollWaker>) -> PollEvents {
        let mut state = self.state.lock();
        let mut ready = PollEvents::empty();
        ready.set(PollEvents::IN, !state.is_empty() || state.has_ended);
        ready &= events;
        if ready.is_empty() {
            // One is enough: the kernel wakes all who poll this handle.
            state.waker = waker.or(state.waker.take());
        }
        ready
    }
}

impl State {
    fn is_empty(&self) -> bool {
        self.lines.is_empty() && self.rest.is_empty()
    }

    /// Moves bytes into a buffer and returns how many.
    fn take(&mut self, buffer: &mut [u8]) -> usize {
        let mut filled = 0;
        while let Some(to) = buffer.get_mut(filled..).filter(|to| !to.is_empty()) {
            if self.rest.is_empty() && !self.next_line() {
                break;
            }
            let length = to.len().min(self.rest.len());
            to.iter_mut().zip(self.rest.drain(..length)).for_each(|(to, byte)| *to = byte);
            filled += length;
        }
        filled
    }

    /// Begins the next line, or the one that tells of lost ones. Returns whether there was one.
    fn next_line(&mut self) -> bool {
        if self.lost > 0 {
            self.rest.extend(format!("... {} lines lost\n", self.lost).into_bytes());
            self.lost = 0;
            return true;
        }
        let Some(line) = self.lines.pop_front() else { return false };
        self.bytes -= line.len();
        self.rest.extend(line.iter());
        true
    }
}

#[cfg(test)]
mod tests {
    use super::{LogReader, RING_BYTES_MAX};
    use fs9_sdk::{Call, Caller, Cancellation, Deadline, ErrorKind, PollEvents};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::{Duration, Instant};

    fn waiting() -> Call {
        Call { caller: Caller::ROOT, deadline: Deadline::Wait, cancellation: Cancellation::new() }
    }

    fn read(reader: &LogReader, room: usize) -> String {
        let mut buffer = vec![0; room];
        let length = reader.read(&waiting(), true, &mut buffer).unwrap();
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    }

    /// Returns a line of some length that begins with a number.
    fn line(number: usize, length: usize) -> Arc<[u8]> {
        let mut line = format!("{number:05} ").into_bytes();
        line.resize(length - 1, b'x');
        line.push(b'\n');
        line.into()
    }

    #[test]
    fn lines_are_read_in_pieces_of_any_size() {
        let reader = LogReader::default();
        reader.push((*b"first\n").into());
        reader.push((*b"second\n").into());
        let pieces: Vec<String> = (0..5).map(|_| read(&reader, 3)).collect();
        assert_eq!(pieces.concat(), "first\nsecond\n");
        let empty = reader.read(&waiting(), true, &mut [0; 3]).unwrap_err();
        assert_eq!(empty.kind(), ErrorKind::WouldBlock);
    }

    #[test]
    fn the_oldest_lines_are_lost_and_their_number_is_told_where_they_would_stand() {
        let reader = LogReader::default();
        let (length, kept) = (1 << 10, RING_BYTES_MAX >> 10);
        reader.push(line(0, length));
        assert_eq!(read(&reader, 5), "00000", "a line that was begun is not lost");
        (1..=kept + 3).for_each(|number| reader.push(line(number, length)));
        let mut rest = String::new();
        while rest.len() < (kept + 1) * length {
            rest += &read(&reader, 1 << 20);
        }
        let lines: Vec<&str> = rest.lines().collect();
        assert!(lines[0].starts_with(" xx"), "{}", lines[0]);
        assert_eq!(lines[1], "... 3 lines lost");
        assert!(lines[2].starts_with("00004 ") && lines.len() == 2 + kept);
        reader.push(line(9, length));
        assert!(read(&reader, 1 << 20).starts_with("00009 "), "it is told once");
    }

    #[test]
    fn a_long_read_gets_a_short_answer() {
        let reader = LogReader::default();
        (0..100).for_each(|number| reader.push(line(number, 1 << 10)));
        assert!(read(&reader, 1 << 20).len() < 128 << 10);
    }

    #[test]
    fn a_reader_that_waits_is_woken_by_a_line_and_by_the_end() {
        let reader = LogReader::default();
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| {
                let mut buffer = [0; 9];
                let lengths = [(); 2].map(|()| reader.read(&waiting(), false, &mut buffer).unwrap());
                (buffer, lengths)
            });
            reader.push((*b"line\n").into());
            reader.end(true);
            assert_eq!(waiter.join().unwrap(), (*b"line\n\0\0\0\0", [5, 0]));
        });
    }

    #[test]
    fn a_cancelled_read_ends_within_a_tenth_of_a_second() {
        let (reader, call) = (LogReader::default(), waiting());
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| {
                let error = reader.read(&call, false, &mut [0; 9]).unwrap_err();
                (error.kind(), Instant::now())
            });
            while !reader.state.lock().is_waited_for {
                std::thread::yield_now();
            }
            let second = reader.read(&waiting(), false, &mut [0; 9]).unwrap_err();
            assert_eq!(second.kind(), ErrorKind::Busy, "only one may wait");
            let cancelled = Instant::now();
            call.cancellation.cancel();
            let (kind, ended) = waiter.join().unwrap();
            assert_eq!(kind, ErrorKind::Interrupted);
            assert!(ended - cancelled < Duration::from_millis(100));
        });
        assert!(!reader.state.lock().is_waited_for);
    }

    #[test]
    fn a_read_with_a_deadline_keeps_it() {
        let reader = LogReader::default();
        let call = Call { deadline: Deadline::At(Instant::now()), ..waiting() };
        assert_eq!(reader.read(&call, false, &mut [0; 9]).unwrap_err().kind(), ErrorKind::TimedOut);
    }

    #[test]
    fn whoever_polls_is_woken_once_when_a_line_comes() {
        let (reader, woken) = (LogReader::default(), Arc::new(AtomicU32::new(0)));
        let waker = || {
            let woken = Arc::clone(&woken);
            Box::new(move || {
                woken.fetch_add(1, Ordering::Relaxed);
            }) as fs9_sdk::PollWaker
        };
        assert_eq!(reader.poll(PollEvents::IN, Some(waker())), PollEvents::empty());
        assert_eq!(reader.poll(PollEvents::IN, Some(waker())), PollEvents::empty());
        reader.push((*b"a\n").into());
        reader.push((*b"b\n").into());
        assert_eq!(woken.load(Ordering::Relaxed), 1);
        assert_eq!(reader.poll(PollEvents::IN | PollEvents::OUT, None), PollEvents::IN);
        assert_eq!(reader.poll(PollEvents::OUT, None), PollEvents::empty());
    }
}
