//! The manager's side of a launch: start a command under a guard, watch it, stop it.
//!
//! Dropping a [`Running`] ends its whole tree: the guard takes the closed socket for the death of its
//! manager. So nothing that forgets to stop something leaves it behind.

mod grouped;
mod guarded;

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use em_core::port::Clock;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::cgroup::Group;
use crate::guard::{self, Exit};
use crate::mark::{self, Mark};
use crate::output::{KEPT_BYTES, Output};
use crate::stop::SignalName;

/// How long a guard may take to say that the command was started.
const START_LIMIT: Duration = Duration::from_secs(20);
/// How long to wait for the rest of the outputs of a process that has ended.
const OUTPUT_LIMIT: Duration = Duration::from_millis(500);
/// How long after the grace time a tree may take to be gone.
const END_LIMIT: Duration = Duration::from_secs(10);

/// Who stands guard over what is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Guardian {
    /// This executable, run again with this first argument, calls [`crate::guard::run`].
    Executable {
        /// The file.
        path: PathBuf,
        /// Its first argument.
        word: String,
    },
    /// A shell, which holds the process group only: what opens a session of its own escapes it.
    ProcessGroup,
}

impl Guardian {
    /// The running executable itself, for a binary whose `main` knows [`guard::WORD`].
    pub fn this_executable() -> io::Result<Self> {
        Ok(Self::Executable {
            path: std::env::current_exe()?,
            word: guard::WORD.to_owned(),
        })
    }
}

/// What to start.
#[derive(Debug, Clone)]
pub struct Launch {
    /// The mark that all of it carries.
    pub mark: Mark,
    /// Program and arguments.
    pub command: Vec<String>,
    /// Environment variables on top of this process's own.
    pub env: Vec<(String, String)>,
    /// Working folder; this process's own when absent.
    pub folder: Option<PathBuf>,
    /// File that is the command's standard input; nothing when absent.
    pub input: Option<PathBuf>,
    /// The group to join, ended and removed when the manager is gone.
    pub group: Option<Group>,
    /// CPUs to run on; all that this process may use when empty.
    pub cpus: Vec<usize>,
    /// Folders to delete when the manager is gone.
    pub delete: Vec<PathBuf>,
    /// How much of each output is kept, in bytes.
    pub keep: usize,
    /// Stamps what comes out; nothing is stamped when absent.
    pub stamps: Option<Arc<dyn Clock>>,
}

impl Launch {
    /// A launch of `command` with nothing special about it.
    pub fn new(mark: Mark, command: Vec<String>) -> Self {
        Self {
            mark,
            command,
            env: Vec::new(),
            folder: None,
            input: None,
            group: None,
            cpus: Vec::new(),
            delete: Vec::new(),
            keep: KEPT_BYTES,
            stamps: None,
        }
    }

    fn environment(&self) -> Vec<(String, String)> {
        let mark = (mark::VARIABLE.to_owned(), self.mark.to_string());
        self.env.iter().cloned().chain([mark]).collect()
    }

    fn output(&self) -> Output {
        let output = Output::keeping(self.keep);
        match &self.stamps {
            Some(clock) => output.stamped(Arc::clone(clock)),
            None => output,
        }
    }

    fn group_folders(&self) -> Vec<PathBuf> {
        self.group.as_ref().map(Group::folders).unwrap_or_default()
    }

    fn join_files(&self) -> Vec<PathBuf> {
        self.group
            .as_ref()
            .map(Group::join_files)
            .unwrap_or_default()
    }
}

/// A command could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LaunchError {
    /// The guard itself could not be started.
    #[error("failed to start the guard {}", program.display())]
    Guard {
        /// The guard's executable.
        program: PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// The guard runs, and could not start the command.
    #[error("failed to start {command}: {why}")]
    Command {
        /// The command as a person would type it.
        command: String,
        /// Why.
        why: String,
    },
    /// The guard said nothing in time, or broke off.
    #[error("the guard of {command} did not answer; what it printed: {printed:?}")]
    Silent {
        /// The command as a person would type it.
        command: String,
        /// The guard's standard error.
        printed: String,
    },
}

/// What is known of a tree.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TreeState {
    /// Process id of the first process, once started.
    pub main: Option<u32>,
    /// How the first process ended.
    pub exit: Option<Exit>,
    /// Nothing of the tree is left.
    pub empty: bool,
    /// Why nothing could be started.
    pub failed: Option<String>,
    /// The guard has ended. Unless it was told to, somebody has killed it.
    pub guard_gone: bool,
}

impl TreeState {
    /// Whether any process of the tree may still be there.
    pub const fn is_alive(&self) -> bool {
        !self.empty && self.failed.is_none()
    }
}

/// A started tree.
#[derive(Debug)]
pub struct Running {
    command: String,
    state: watch::Receiver<TreeState>,
    control: Control,
    /// Standard output.
    pub stdout: Output,
    /// Standard error.
    pub stderr: Output,
    /// Reads the guard's reports and the outputs; ends, and with it the tree, when this is dropped.
    tasks: JoinSet<()>,
}

#[derive(Debug)]
enum Control {
    Guard(guarded::Handle),
    Group(grouped::Handle),
}

impl Running {
    /// Starts `launch`; returns once its first process runs.
    pub async fn start(guardian: &Guardian, launch: &Launch) -> Result<Self, LaunchError> {
        let mut running = match guardian {
            Guardian::Executable { path, word } => guarded::start(path, word, launch).await?,
            Guardian::ProcessGroup => grouped::start(launch).await?,
        };
        let started = running
            .state
            .wait_for(|state| state.main.is_some() || state.failed.is_some() || state.guard_gone);
        let state = tokio::time::timeout(START_LIMIT, started).await;
        let state = state
            .ok()
            .and_then(Result::ok)
            .map(|state| state.clone())
            .unwrap_or_default();
        match (state.main, state.failed) {
            (Some(_), None) => Ok(running),
            (_, Some(why)) => Err(LaunchError::Command {
                command: running.command,
                why,
            }),
            (None, None) => Err(LaunchError::Silent {
                command: running.command.clone(),
                printed: running.stderr.last_lines(5),
            }),
        }
    }

    /// What is known now.
    pub fn state(&self) -> TreeState {
        self.state.borrow().clone()
    }

    /// A receiver that sees every later change.
    pub fn watch(&self) -> watch::Receiver<TreeState> {
        self.state.clone()
    }

    /// Process id of the first process.
    pub fn main(&self) -> Option<u32> {
        self.state.borrow().main
    }

    /// The command as a person would type it.
    pub fn command(&self) -> &str {
        &self.command
    }

    /// Process ids of all that belongs to the tree now.
    pub fn members(&self) -> Vec<u32> {
        match &self.control {
            Control::Guard(handle) => handle.members(),
            Control::Group(handle) => handle.members(),
        }
    }

    /// Sends a signal to the top of the tree.
    pub async fn signal(&self, signal: SignalName) {
        match &self.control {
            Control::Guard(handle) => handle.signal(signal).await,
            Control::Group(handle) => handle.signal(signal),
        }
    }

    /// Sends `signal`, waits for at most `grace`, kills what is left then, and returns when nothing of
    /// the tree is there any more; false when something resisted even that.
    pub async fn stop(&self, signal: SignalName, grace: Duration) -> bool {
        if !self.state().is_alive() {
            return true;
        }
        match &self.control {
            Control::Guard(handle) => handle.stop(signal, grace).await,
            Control::Group(handle) => handle.stop(signal, grace, self.state.clone()).await,
        }
        let mut state = self.state.clone();
        let ended = state.wait_for(|state| !state.is_alive() || state.guard_gone);
        matches!(tokio::time::timeout(grace + END_LIMIT, ended).await, Ok(Ok(state)) if !state.is_alive())
    }

    /// Ends what is left and waits until the guard has cleared away and gone, so that what comes next
    /// in the same place is not swept up with it.
    pub async fn close(self) {
        let Self {
            control,
            mut tasks,
            mut state,
            ..
        } = self;
        let gone = async {
            match control {
                Control::Guard(handle) => {
                    handle.let_go().await;
                    let _ = state.wait_for(|state| state.guard_gone).await;
                }
                Control::Group(handle) => {
                    tasks.shutdown().await;
                    handle.gone().await;
                }
            }
        };
        let _ = tokio::time::timeout(END_LIMIT, gone).await;
    }

    /// Waits until nothing more can come from the outputs, or, where something that was left behind
    /// still holds them, for a moment.
    pub async fn outputs_closed(&self) {
        let closed = async {
            while self.stdout.is_open() || self.stderr.is_open() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let _ = tokio::time::timeout(OUTPUT_LIMIT, closed).await;
    }

    /// Waits until the first process has ended; `None` when the guard was lost before.
    pub async fn exited(&self) -> Option<Exit> {
        let mut state = self.state.clone();
        let ended = state
            .wait_for(|state| state.exit.is_some() || state.guard_gone)
            .await;
        ended.ok().and_then(|state| state.exit)
    }
}

/// A command as a person would type it: words that need it in single quotes.
pub fn as_typed(command: &[String]) -> String {
    let typed: Vec<String> = command.iter().map(|word| quoted(word)).collect();
    typed.join(" ")
}

fn quoted(word: &str) -> String {
    let is_plain = |char: char| char.is_ascii_alphanumeric() || "-_./=:,@%+".contains(char);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

impl fmt::Display for Guardian {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Executable { path, .. } => write!(formatter, "guard {}", path.display()),
            Self::ProcessGroup => formatter.write_str("shell guard (process group only)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_shown_as_one_would_type_them() {
        let words = ["sh", "-c", "echo 'a b'", "", "--x=1"].map(str::to_owned);
        assert_eq!(as_typed(&words), r"sh -c 'echo '\''a b'\''' '' --x=1");
    }
}
