//! Target `process`: a command per iteration, on this machine.
//!
//! Nothing of the original is changed: every iteration is a process tree of its own in a folder of its
//! own, under a guard, in a cgroup where that is permitted. What a hold has to undo are the `once`
//! hooks around its iterations.

mod apply;
mod deployment;
mod error;
mod health;
mod hold;
mod hooks;
mod render;
mod site;
mod survey;
mod target;

pub use apply::ApplyError;
pub use error::ProcessError;
pub use render::{Rendered, RenderedReady, ports_of, render, render_once};
pub use target::ProcessTarget;
