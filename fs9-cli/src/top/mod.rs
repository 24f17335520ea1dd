//! `fs9 top`: what a mount does, page after page, from the counters of its control directory.
//!
//! Invariant: it ends at once on a signal, when the mount is gone, and when nobody reads what it writes.

mod page;
mod rates;
mod sampler;
mod screen;

use crate::command::TopArgs;
use crate::daemon::EndingSignals;
use crate::fault::{Fault, Outcome, Status};
use crate::mountinfo::{self, MountLine};
use crate::status::{MountRecord, State};
use crate::umount;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::AsFd as _;
use sampler::{Sample, Sampler};
use screen::Screen;
use std::io::{self, IsTerminal as _};
use std::time::{Duration, Instant};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime};

/// How often to look whether the mount is still there, while waiting for the next page.
const LOOK: Duration = Duration::from_millis(250);

/// How long a look may take before the mount is said not to answer: longer than `fs9 status` waits.
const PATIENCE: Duration = Duration::from_secs(3);

/// Shows what a mount does until it is told to end.
///
/// # Errors
/// A fault if there is no such mount, it tells nothing, or nobody takes the output.
pub(crate) fn run(arguments: &TopArgs) -> Outcome<()> {
    let line = chosen(arguments)?;
    let refused = |error: io::Error| Fault::new(Status::System, format!("top: {error}"));
    let signals = EndingSignals::take().map_err(refused)?;
    let mut top = Top { sampler: Sampler::new(line.clone()), line, signals };
    let Some(first) = top.first()? else { return Ok(()) };
    let is_batch = arguments.batch || !io::stdout().is_terminal();
    let mut screen =
        if is_batch { Screen::Batch { has_begun: false } } else { Screen::terminal().map_err(refused)? };
    let shown = top.show_pages(first, arguments, &mut screen);
    drop(screen);
    match shown {
        Ok(End::Vanished) => {
            crate::manual::print(format!("{} is gone\n", top.line.mountpoint.display()).as_bytes())
        }
        Ok(End::Done) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(refused(error)),
    }
}

/// Finds the mount that was asked for, or the only one.
fn chosen(arguments: &TopArgs) -> Outcome<MountLine> {
    if let Some(place) = &arguments.mountpoint {
        return umount::find("top", place);
    }
    let lines = mountinfo::read()
        .map_err(|error| Fault::new(Status::System, format!("top: /proc/self/mountinfo: {error}")))?;
    only(mountinfo::visible_of_fs9(&lines))
}

/// Returns the only mount of several, if there is just one.
fn only(mut mounts: Vec<MountLine>) -> Outcome<MountLine> {
    match (mounts.pop(), mounts.len()) {
        (None, _) => Err(Fault::mount("top: no mount of fs9: mount something first")),
        (Some(only), 0) => Ok(only),
        (Some(_), more) => Err(Fault::usage(format!(
            "top: {} mounts of fs9: name one of them, as fs9 status lists them",
            more + 1
        ))),
    }
}

/// Why it ends.
enum End {
    /// It was told to, or all pages were shown.
    Done,
    /// The mount is gone.
    Vanished,
}

/// What woke it.
enum Event {
    Signal,
    Sample(Sample),
    Timeout,
}

struct Top {
    line: MountLine,
    sampler: Sampler,
    signals: EndingSignals,
}

impl Top {
    /// Takes the first look; nothing if a signal came first.
    fn first(&mut self) -> Outcome<Option<Sample>> {
        let place = self.line.mountpoint.display().to_string();
        self.sampler.begin().map_err(|error| Fault::new(Status::System, format!("top: {error}")))?;
        let refused = |why: &str| Err(Fault::mount(format!("top: {place}: {why}")));
        match self.next_event(Instant::now() + PATIENCE) {
            Event::Signal => Ok(None),
            Event::Timeout => refused("the mount does not answer: fs9 doctor says what to do"),
            Event::Sample(sample) => match sample.record.state {
                State::Serving => Ok(Some(sample)),
                State::WithoutControl => {
                    refused("mounted with nocontrol: mount it without to see what it does")
                }
                State::Closed => refused("of another user: only who mounted it may look"),
                State::Dead => refused("its daemon is gone: fs9 umount takes it away"),
                State::Silent => refused("the mount does not answer: fs9 doctor says what to do"),
            },
        }
    }

    /// Shows a page after each interval.
    fn show_pages(&mut self, first: Sample, arguments: &TopArgs, screen: &mut Screen) -> io::Result<End> {
        let (mut before, mut pages) = (first, 0);
        let mut due = Instant::now() + arguments.delay;
        loop {
            match self.wait_until(due) {
                Waited::Signal => return Ok(End::Done),
                Waited::Vanished => return Ok(End::Vanished),
                Waited::Due => {}
            }
            due = Instant::now() + arguments.delay;
            self.sampler.begin()?;
            // On a busy machine a look may take longer than a short interval; then the page is late.
            match self.next_event(Instant::now() + arguments.delay.max(PATIENCE)) {
                Event::Signal => return Ok(End::Done),
                Event::Timeout => screen.show(&page::lines(&self.sampler.silent(), &[], &now()))?,
                Event::Sample(sample) if !self.is_there(&sample.record) => return Ok(End::Vanished),
                Event::Sample(sample) => {
                    let interval = sample.taken.saturating_duration_since(before.taken);
                    let rates = rates::between(&before.record, &sample.record, interval);
                    screen.show(&page::lines(&sample.record, &rates, &now()))?;
                    before = sample;
                }
            }
            pages += 1;
            if arguments.iterations.is_some_and(|most| pages >= most) {
                return Ok(End::Done);
            }
        }
    }

    /// Waits for the next page's time.
    fn wait_until(&mut self, due: Instant) -> Waited {
        while Instant::now() < due {
            match self.next_event(due.min(Instant::now() + LOOK)) {
                Event::Signal => return Waited::Signal,
                // One that came too late for its page tells nothing of the next interval.
                Event::Sample(_) | Event::Timeout => {}
            }
            if !self.is_mounted() {
                return Waited::Vanished;
            }
        }
        Waited::Due
    }

    fn is_there(&self, record: &MountRecord) -> bool {
        record.state != State::Dead && self.is_mounted()
    }

    fn is_mounted(&self) -> bool {
        // Where the list cannot be read, the next look tells.
        mountinfo::read()
            .map_or(true, |lines| lines.iter().any(|line| line.id == self.line.id && line.is_fs9()))
    }

    /// Waits for a signal or a sample, at most until a moment.
    fn next_event(&mut self, deadline: Instant) -> Event {
        loop {
            if self.signals.has_come() {
                return Event::Signal;
            }
            if let Some(sample) = self.sampler.take() {
                return Event::Sample(sample);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Event::Timeout;
            }
            let descriptors = [Some(self.signals.as_fd()), self.sampler.descriptor()];
            let wanted = |descriptor| PollFd::from_borrowed_fd(descriptor, PollFlags::IN);
            let mut fds: Vec<PollFd<'_>> = descriptors.into_iter().flatten().map(wanted).collect();
            let timeout = Timespec::try_from(left).ok();
            // An interrupted wait is as good as one that ended.
            let _woken = poll(&mut fds, timeout.as_ref());
        }
    }
}

/// How a wait ended.
enum Waited {
    Due,
    Signal,
    Vanished,
}

/// Returns the present time as the log writes it.
fn now() -> String {
    let mut text = String::new();
    // A string takes every character.
    let _full = SystemTime.format_time(&mut Writer::new(&mut text));
    text
}

#[cfg(test)]
mod tests {
    use super::{now, only};
    use crate::fault::Status;

    #[test]
    fn without_a_mount_point_there_must_be_one_mount() {
        let line = crate::mountinfo::tests::mount();
        assert_eq!(only(vec![]).unwrap_err().status(), Status::MountFailed);
        assert_eq!(only(vec![line.clone()]).unwrap(), line);
        let several = only(vec![line.clone(), line]).unwrap_err();
        assert_eq!(several.status(), Status::Usage);
        assert!(several.to_string().contains("2 mounts"), "{several}");
    }

    #[test]
    fn a_page_has_a_time() {
        assert!(now().starts_with("20") && now().ends_with('Z'), "{}", now());
    }
}
