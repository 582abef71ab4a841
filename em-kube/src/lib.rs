//! Kubernetes adapters of the Experiment Manager.
//!
//! | port | kind in the file | here |
//! |---|---|---|
//! | `Target` | `kubernetes` | `target` |
//! | `LoadDriver` | `job` | [`job`] |
//!
//! What judges is pure: it takes objects as the cluster shows them and answers verdicts, facts and incidents. What talks
//! to a cluster is a thin shell around it. Everything that is written carries a [`mark`], and everything that is
//! written to an object that was there before is written under a hold, which knows how to put it back.

pub mod change;
pub mod clone;
pub mod cluster;
pub mod command;
pub mod fault;
pub mod hold;
pub mod incidents;
pub mod job;
pub mod mark;
pub mod place;
pub mod proof;
pub mod rbac;
pub mod readiness;
pub mod scene;
pub mod survey;
pub mod target;
pub mod usage;
pub mod watch;
