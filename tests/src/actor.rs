//! Acting as an ordinary user on one thread, as the kernel's file systems see it.

use nix::unistd::{Gid, Uid, setfsgid, setfsuid};

/// An ordinary user.
#[derive(Clone, Copy, Debug)]
pub struct Actor {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
}

impl Actor {
    /// A first user, in nobody's groups.
    pub const ALICE: Actor = Actor { uid: 61_001, gid: 61_001 };
    /// A second user, in nobody's groups.
    pub const BOB: Actor = Actor { uid: 61_002, gid: 61_002 };

    /// Runs `deed` on a thread of its own whose file system identity is this user's. The kernel takes the file
    /// system capabilities away with it (`capabilities(7)`, effect of user id changes).
    ///
    /// # Panics
    /// As `deed` does.
    pub fn run<T: Send>(self, deed: impl FnOnce() -> T + Send) -> T {
        self.run_in(&[], deed)
    }

    /// Runs `deed` as [`Actor::run`] does, in further groups.
    ///
    /// # Panics
    /// As `deed` does, and where the groups are refused.
    pub fn run_in<T: Send>(self, groups: &[u32], deed: impl FnOnce() -> T + Send) -> T {
        let groups: Vec<_> = groups.iter().copied().map(rustix::thread::Gid::from_raw).collect();
        std::thread::scope(|scope| {
            let thread = scope.spawn(move || {
                rustix::thread::set_thread_groups(&groups).expect("groups of this thread");
                setfsgid(Gid::from_raw(self.gid));
                setfsuid(Uid::from_raw(self.uid));
                deed()
            });
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }
}

/// Returns whether the test runs as root; otherwise says that it is left out.
pub fn require_root() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        eprintln!("left out: needs root");
    }
    root
}
