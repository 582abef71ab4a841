//! Domain, ports, pure state machines and engine of the Experiment Manager.
//!
//! An experiment manager deploys configurations of a running system one by one, checks that what
//! runs is what was asked, applies load, measures, puts everything back, and reports which
//! configuration is best, with proof. This crate holds everything that does not touch the outside:
//! the [`plan`] that a file means, the [`port`]s through which the outside is reached, the pure
//! [`machine`]s, the [`journal`] from which every state can be folded again.

pub mod assign;
pub mod configuration;
pub mod engine;
pub mod experiment;
pub mod expression;
pub mod fault;
pub mod file;
pub mod fill;
pub mod fold;
pub mod id;
pub mod journal;
pub mod machine;
pub mod observe;
pub mod plan;
pub mod port;
pub mod read;
pub mod report;
pub mod schedule;
pub mod store;
pub mod template;
#[cfg(any(test, feature = "testkit"))]
pub mod testkit;
pub mod value;
