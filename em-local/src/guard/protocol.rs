//! What manager and guard say to each other: one JSON object per line, both ways over one socket.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::stop::signal_title;

/// The manager's first line: what to start, and what to clear away at the end.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instructions {
    /// Program and arguments; the outputs are the guard's own.
    pub command: Vec<String>,
    /// Environment on top of the guard's own: what a plan sets (a preloaded library, say) must not work
    /// on the guard itself.
    pub env: Vec<(String, String)>,
    /// Working folder; the guard's own when absent.
    pub folder: Option<PathBuf>,
    /// File that is the command's standard input; nothing when absent.
    pub input: Option<PathBuf>,
    /// `cgroup.procs` files that the started process writes itself into before it becomes the target.
    pub join: Vec<PathBuf>,
    /// CPUs the tree may run on; all that the guard may use when empty.
    pub cpus: Vec<usize>,
    /// Cgroup folders to end and remove once the manager is gone.
    pub groups: Vec<PathBuf>,
    /// Folders to delete once the manager is gone.
    pub folders: Vec<PathBuf>,
}

/// A later line of the manager.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// Send the signal to the top of the tree, and KILL to all that is left after the grace time.
    Stop {
        /// Name of the signal.
        signal: String,
        /// Grace time in milliseconds.
        grace_ms: u64,
    },
    /// Send the signal to the top of the tree, and nothing else.
    Signal {
        /// Name of the signal.
        signal: String,
    },
}

/// A line of the guard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Report {
    /// The first process runs.
    Started {
        /// Its process id.
        pid: u32,
    },
    /// Nothing could be started.
    Failed {
        /// Why.
        why: String,
    },
    /// The first process has ended; what it started may still run.
    Exited {
        /// How.
        exit: Exit,
    },
    /// No process of the tree is left.
    Empty,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exit {
    /// By itself, with this code.
    Code(i32),
    /// By a signal, with this number.
    Signal(i32),
}

impl Exit {
    /// Whether the process ended by itself with one of `codes`.
    pub fn is_one_of(self, codes: &[i32]) -> bool {
        matches!(self, Self::Code(code) if codes.contains(&code))
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(formatter, "exit code {code}"),
            Self::Signal(number) => write!(formatter, "killed by {}", signal_title(*number)),
        }
    }
}
