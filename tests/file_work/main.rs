//! Metadata operations in a directory, timed: what scripts/bench/metadata runs in each file system.
//!
//!     fs9-file-work DIRECTORY BACKING DAEMON
//!
//! DIRECTORY lies in the file system to measure, BACKING is the same directory without it, and DAEMON is the process
//! that serves it, 0 for none. Prints one line for each row: name, operations, nanoseconds, microseconds of the daemon.
//!
//! Invariant: only the named operation runs between the two clock readings; what it needs is made before.
#![forbid(unsafe_code)]

mod rows;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use fs9_tests::Clock;
use rows::{Ground, OBJECTS, ROWS};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("fs9-file-work: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [directory, backing, daemon] = arguments.as_slice() else {
        return Err(io::Error::other("expects DIRECTORY BACKING DAEMON"));
    };
    let daemon = daemon.parse().map_err(|_| io::Error::other("DAEMON is not a process id"))?;
    let ground = Ground {
        directory: PathBuf::from(directory),
        backing: PathBuf::from(backing),
        clock: Clock::new(daemon),
        objects: OBJECTS,
    };
    let mut output = io::stdout().lock();
    for (name, row) in ROWS {
        let sample =
            row(&ground).map_err(|error| io::Error::new(error.kind(), format!("{name}: {error}")))?;
        let (nanoseconds, daemon_us) = (sample.elapsed.as_nanos(), sample.daemon.as_micros());
        writeln!(output, "{name}\t{}\t{nanoseconds}\t{daemon_us}", sample.operations)?;
    }
    output.flush()
}
