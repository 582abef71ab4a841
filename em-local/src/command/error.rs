//! What can go wrong with a command target, and which fault that is.

use std::path::PathBuf;

use em_core::fault::{Fault, FaultKind, Retry};

use crate::call::CallError;
use crate::fill::FillError;
use crate::lock::SlotLockError;

/// A command target could not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CommandTargetError {
    /// The plan is about another kind of target.
    #[error("the plan's target is {kind}, not command")]
    OtherKind {
        /// The kind.
        kind: String,
    },
    /// A template or a secret.
    #[error("failed to prepare the command")]
    Fill(#[from] FillError),
    /// A command.
    #[error("failed to {act} the target")]
    Call {
        /// `snapshot`, `apply`, `read the facts of`, `restore`.
        act: &'static str,
        /// What happened.
        #[source]
        source: CallError,
    },
    /// The facts are no map.
    #[error("the facts are not a JSON object of names and values: {printed}")]
    Facts {
        /// What was printed instead.
        printed: String,
    },
    /// The slot.
    #[error("failed to lock the target")]
    Lock(#[from] SlotLockError),
    /// What another hold left cannot be put back by us.
    #[error(
        "the target was left changed by {hold} and the copy of its undo at {} cannot be read: put it back with `em restore`, then remove {}",
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
    /// A record of ours cannot be written, or removed.
    #[error("failed to keep the undo record {}", path.display())]
    Record {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A record holds something else.
    #[error("the undo record of a command target is of kind {kind:?}, format {format}, or damaged")]
    Undo {
        /// Its kind.
        kind: String,
        /// Its format.
        format: u32,
    },
    /// It was put back, by the restore command or by somebody, and the target shows something else.
    #[error("the target does not show its original: its snapshot differs at {places}")]
    NotBack {
        /// The keys that differ.
        places: String,
    },
}

impl CommandTargetError {
    pub(super) fn call(act: &'static str) -> impl FnOnce(CallError) -> Self {
        move |source| Self::Call { act, source }
    }
}

impl From<CommandTargetError> for Fault {
    fn from(error: CommandTargetError) -> Self {
        use CommandTargetError as E;
        let kind = match &error {
            // A command that refuses a configuration will refuse it again; one that cannot restore may
            // succeed later.
            E::Call { act: "restore", .. } | E::NotBack { .. } | E::Record { .. } => {
                FaultKind::Unavailable
            }
            E::Call {
                source: CallError::NotJson { .. },
                ..
            }
            | E::Facts { .. }
            | E::Undo { .. } => FaultKind::Malformed,
            E::OtherKind { .. } | E::Fill(_) | E::Call { .. } => FaultKind::Invalid,
            E::Lock(SlotLockError::Held { .. }) | E::LeftBehind { .. } => FaultKind::Conflict,
            E::Lock(_) => FaultKind::Unavailable,
        };
        let fault = crate::fault::of_kind(kind, &error);
        // Whoever holds it will let it go.
        let is_held = matches!(&error, CommandTargetError::Lock(SlotLockError::Held { .. }));
        if is_held {
            fault.with_retry(Retry::Later)
        } else {
            fault
        }
    }
}
