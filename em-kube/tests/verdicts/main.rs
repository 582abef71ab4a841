//! Verdicts and incidents over recorded scenes: one test per reason.
//!
//! The files of `tests/scenes` were recorded from a Kubernetes 1.34 with real pods. Where a test changes one, it says
//! what the cluster would show instead.

mod incidents;
mod readiness;
mod recorded;
mod said;
mod stuck;
mod total;
