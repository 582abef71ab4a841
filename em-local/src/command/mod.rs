//! Target `command`: any system, through commands that take and print JSON.
//!
//! | act | standard input | wanted |
//! |---|---|---|
//! | `snapshot` | `{"act": "snapshot"}` | prints the original as JSON: the undo record |
//! | `apply` | `{"act": "apply", "values": {..}, "undo": <snapshot>}` | exit code 0 when applied |
//! | `ready` | `{"act": "ready", "values": {..}}` | exit code 0 when ready, any other when not yet |
//! | `facts` | `{"act": "facts", "values": {..}}` | prints `{"NAME": VALUE}`: what really runs |
//! | `restore` | `{"act": "restore", "undo": <snapshot>}` | exit code 0 when the original is back |
//!
//! Whatever prints a snapshot prints the same for the same state, because a restored target is compared
//! with its undo record. A configuration without any value (the live baseline) is the original: it is
//! deployed by `restore`. There is one slot, locked on this machine by the name that the plan gives, or
//! by the digest of the snapshot command.

mod error;
mod hold;
mod target;
mod undo;

pub use error::CommandTargetError;
pub use target::CommandTarget;
