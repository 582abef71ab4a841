//! An exclusive grip on a workload, and the record of how to put it back.
//!
//! Three things in the cluster make a hold in place, in this order, and go in the reverse one:
//!
//! 1. a [`Lease`] that is renewed while the hold lasts: whoever finds it expired may take it over;
//! 2. a Secret with the undo: `em kube restore` needs nothing else;
//! 3. an annotation on every object that may be changed. It names the owner and the Secret, and every write is bound to
//!    a version of the object that has it: an owner that lost the object cannot write to it any more.
//!
//! A clone needs no undo: its Lease owns all that belongs to it.

mod annotation;
mod lease;
mod owner;
mod renewal;
mod undo;

pub use annotation::Annotation;
pub use lease::{LASTS, Lease, Taken, is_expired, is_kept, lease_name};
pub use owner::Owner;
pub use renewal::Renewal;
pub use undo::{LARGEST_UNDO, UndoBody, UndoCopy, undo_name};
