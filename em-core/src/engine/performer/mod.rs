//! What drivers do outside: one file per act, each a wait around one decision.

mod collect;
mod hold;
mod iteration;
mod job;
mod load;
mod verify;
mod wanted;

pub(super) use hold::HoldPerformer;
pub(super) use iteration::IterationPerformer;
pub(super) use job::{Job, Stamps};
pub(super) use wanted::Wanted;
