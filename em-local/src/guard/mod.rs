//! The guard: the parent of everything that one launch starts.
//!
//! A manager can die at any moment, by `kill -9` too, and must not leave a process, a port or a
//! cgroup behind. So it never starts a target itself: it starts its own executable once more in *guard
//! mode*, and that process starts the target. The guard is a *child subreaper*: whatever daemonizes or
//! opens a session of its own becomes the guard's child when its parent ends, and is found by walking
//! down from the guard. It shares one socket with its manager (its standard input); when that is
//! closed, for whatever reason, the guard sends TERM to the whole tree, KILL one second later, removes
//! the cgroups and folders it was told of, and leaves.
//!
//! What it cannot hold: work handed to somebody else's daemon (a container engine, systemd), since that
//! never is a descendant.
//!
//! ```no_run
//! // First lines of a binary's main, before any runtime starts:
//! let mut arguments = std::env::args_os().skip(1);
//! if arguments.next().is_some_and(|first| first == em_local::guard::WORD) {
//!     std::process::exit(em_local::guard::run(arguments));
//! }
//! ```

mod protocol;
mod serve;

pub use protocol::{Exit, Instructions, Report, Request};
pub use serve::run;

/// The first argument that turns a binary into a guard.
pub const WORD: &str = "guard";
