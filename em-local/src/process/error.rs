//! What can go wrong with a process target, and which fault that is.

use std::path::PathBuf;

use em_core::fault::{Fault, FaultKind, Retry};

use super::apply::ApplyError;
use crate::cgroup::GroupError;
use crate::fill::FillError;
use crate::guard::Exit;
use crate::launch::LaunchError;
use crate::lock::SlotLockError;
use crate::port::NoFreePort;
use crate::stop::UnknownSignal;
use crate::user::UserError;
use crate::workdir::WorkdirError;

/// A process target could not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProcessError {
    /// The plan is about another kind of target.
    #[error("the plan's target is {kind}, not process")]
    OtherKind {
        /// The kind.
        kind: String,
    },
    /// A template, a secret, a regular expression.
    #[error("failed to prepare the deployment")]
    Render(#[from] ApplyError),
    /// A working folder or file.
    #[error("failed to prepare the working folder")]
    Workdir(#[from] WorkdirError),
    /// A limit.
    #[error("failed to set the limits")]
    Group(#[from] GroupError),
    /// No port.
    #[error("failed to find a port for the target")]
    Port(#[from] NoFreePort),
    /// The user.
    #[error("failed to find the target's user")]
    User(#[from] UserError),
    /// The command.
    #[error("failed to start the target")]
    Launch(#[from] LaunchError),
    /// The signal.
    #[error("target.stop.signal cannot be used")]
    Signal(#[from] UnknownSignal),
    /// The slot.
    #[error("failed to lock the slot")]
    Lock(#[from] SlotLockError),
    /// A setup or teardown command.
    #[error("{which} command {command} ended with {how}; it printed: {printed:?}")]
    Hook {
        /// `setup` or `teardown`.
        which: &'static str,
        /// The command as a person would type it.
        command: String,
        /// How it ended.
        how: String,
        /// The end of what it printed.
        printed: String,
    },
    /// The slot does not exist.
    #[error("there is no slot {slot}: the survey found {slots}")]
    NoSlot {
        /// The slot.
        slot: String,
        /// How many there are.
        slots: usize,
    },
    /// There are fewer CPUs than the slots need.
    #[error(transparent)]
    Cores(#[from] crate::cores::TooFewCores),
    /// Another hold's remains, and no way to put them back.
    #[error(
        "the slot was left by {hold} and the copy of its undo at {} cannot be read: put it back with `em restore`, then remove {}",
        undo.display(),
        lock.display()
    )]
    LeftBehind {
        /// The hold.
        hold: String,
        /// Where its undo should be.
        undo: PathBuf,
        /// The lock file.
        lock: PathBuf,
    },
    /// A record of ours cannot be written or read.
    #[error("failed to {act} {}", path.display())]
    Record {
        /// What was tried.
        act: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A record of ours holds something else.
    #[error("the undo record of a process target is of kind {kind:?}, format {format}, or damaged")]
    Undo {
        /// Its kind.
        kind: String,
        /// Its format.
        format: u32,
    },
    /// Nothing was deployed under this key.
    #[error(
        "nothing is deployed for {key}: the manager was restarted, and a local process does not outlive it"
    )]
    NotDeployed {
        /// The key.
        key: String,
    },
    /// A process resisted, or a folder cannot be removed.
    #[error("failed to clear away what {key} left: {why}")]
    Resisted {
        /// The key.
        key: String,
        /// What is left.
        why: String,
    },
}

impl ProcessError {
    pub(super) fn hook(
        which: &'static str,
        command: &str,
        exit: Option<Exit>,
        printed: String,
    ) -> Self {
        let how = exit.map_or_else(|| "its guard gone".to_owned(), |exit| exit.to_string());
        Self::Hook {
            which,
            command: command.to_owned(),
            how,
            printed,
        }
    }

    const fn kind(&self) -> FaultKind {
        match self {
            Self::OtherKind { .. }
            | Self::Render(_)
            | Self::Signal(_)
            | Self::Hook { .. }
            | Self::NoSlot { .. }
            | Self::Cores(_)
            | Self::Launch(LaunchError::Command { .. }) => FaultKind::Invalid,
            Self::User(_) | Self::Group(GroupError::Refused(_)) => FaultKind::Denied,
            Self::Lock(SlotLockError::Held { .. }) | Self::LeftBehind { .. } => FaultKind::Conflict,
            Self::Undo { .. } => FaultKind::Malformed,
            Self::NotDeployed { .. } => FaultKind::NotFound,
            Self::Workdir(_)
            | Self::Group(_)
            | Self::Port(_)
            | Self::Launch(_)
            | Self::Lock(_)
            | Self::Record { .. }
            | Self::Resisted { .. } => FaultKind::Unavailable,
        }
    }
}

impl From<FillError> for ProcessError {
    fn from(error: FillError) -> Self {
        Self::Render(error.into())
    }
}

impl From<ProcessError> for Fault {
    fn from(error: ProcessError) -> Self {
        let fault = crate::fault::of_kind(error.kind(), &error);
        // Whoever holds it will let it go.
        let is_held = matches!(&error, ProcessError::Lock(SlotLockError::Held { .. }));
        if is_held {
            fault.with_retry(Retry::Later)
        } else {
            fault
        }
    }
}
