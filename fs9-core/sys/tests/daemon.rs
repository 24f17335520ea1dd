//! Becoming a daemon, in a test without a harness: only a process with one thread may fork itself off.
#![expect(clippy::print_stdout, reason = "it answers the test runner's --list as a harness would")]

use fs9_sys::{Daemon, Detached, Outcome, detach};
use std::io::Result;

const NAME: &str = "the_parent_learns_how_the_daemon_fared";

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let asks = |flag: &str| arguments.iter().any(|argument| argument == flag);
    if asks("--list") {
        if !asks("--ignored") {
            println!("{NAME}: test");
        }
        return Ok(());
    }
    assert_eq!(outcome(Daemon::ready)?, Outcome::Ready);
    assert_eq!(outcome(|daemon| daemon.failed(32))?, Outcome::Failed(32));
    assert_eq!(outcome(|_| Ok(()))?, Outcome::Died);

    std::thread::scope(|scope| {
        let (finish, finished) = std::sync::mpsc::channel::<()>();
        scope.spawn(move || finished.recv());
        let refused = detach().err().map(|error| error.kind());
        assert_eq!(refused, Some(std::io::ErrorKind::ResourceBusy));
        drop(finish);
    });
    Ok(())
}

/// Forks a daemon that does `life` and exits, and returns what the parent learns.
fn outcome(life: impl FnOnce(Daemon) -> Result<()>) -> Result<Outcome> {
    match detach()? {
        Detached::Parent(waiter) => waiter.wait(),
        Detached::Daemon(daemon) => std::process::exit(i32::from(life(daemon).is_err())),
    }
}
