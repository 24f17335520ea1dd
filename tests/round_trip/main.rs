//! The null round trip, timed: what scripts/bench/roundtrip runs in each file system.
//!
//!     fs9-round-trip DIRECTORY DAEMON CLIENTS...
//!
//! For each number of CLIENTS, so many threads ask at once for the attributes of a file of their own in DIRECTORY, as
//! often as they can for a fixed time. DAEMON is the process that serves it, 0 for none. Prints one line for each
//! number: clients, operations, nanoseconds, median and 99th percentile of a call in nanoseconds, microseconds of the
//! daemon.
//!
//! Invariant: one call is one GETATTR of the daemon, and nothing but calls runs between the two clock readings.
#![forbid(unsafe_code)]

mod calls;
mod latencies;

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use calls::Plan;
use fs9_tests::Clock;

/// Most threads at once: more would measure the scheduler.
const CLIENTS_MAX: usize = 64;

/// How long a mount gets to start its threads and touch its memory; nobody looks at these calls.
const WARM_UP: Duration = Duration::from_millis(250);

/// How long calls are timed: 25,000 of them at the slowest rate of a working mount, so that 250 lie beyond the 99th
/// percentile, and a hundred ticks of the daemon's clock.
const MEASURED: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("fs9-round-trip: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [directory, daemon, clients @ ..] = arguments.as_slice() else {
        return Err(io::Error::other("expects DIRECTORY DAEMON CLIENTS..."));
    };
    let daemon = daemon.parse().map_err(|_| io::Error::other("DAEMON is not a process id"))?;
    let clock = Clock::new(daemon);
    let plan = Plan { call: calls::get_attributes, warm_up: WARM_UP, measured: MEASURED };
    let mut output = io::stdout().lock();
    for clients in clients {
        let files = calls::files(Path::new(directory), client_count(clients)?)?;
        let (sample, latencies) = plan.run(&files, &clock)?;
        let (median, tail) = (latencies.percentile(50), latencies.percentile(99));
        let (elapsed, daemon_us) = (sample.elapsed.as_nanos(), sample.daemon.as_micros());
        writeln!(output, "{clients}\t{}\t{elapsed}\t{median}\t{tail}\t{daemon_us}", sample.operations)?;
    }
    output.flush()
}

fn client_count(argument: &str) -> io::Result<usize> {
    match argument.parse() {
        Ok(count) if (1..=CLIENTS_MAX).contains(&count) => Ok(count),
        _ => Err(io::Error::other(format!("CLIENTS: {argument} is not a number from 1 to {CLIENTS_MAX}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_of_clients_is_neither_none_nor_without_bound() {
        assert_eq!(client_count("1").expect("one client"), 1);
        assert_eq!(client_count("64").expect("the most clients"), CLIENTS_MAX);
        for refused in ["0", "65", "-1", "two", ""] {
            client_count(refused).expect_err(refused);
        }
    }
}
