//! Load driver `job`: any image that makes load and prints what it saw, as Jobs of a cluster.
//!
//! - `run: whole`: one Job covers warm-up and all cycles; its numbers are known when it has ended. It goes on when the
//!   manager dies: what is needed to read it stands in an annotation of the Job.
//! - `run: per-cycle`: one Job is one batch; when it ends, the next is made, until the load is stopped.
//!
//! A Job has as many pods as the load has workers, which Kubernetes numbers in `JOB_COMPLETION_INDEX`. The load is steady
//! when all of them run. No pod is tried twice: one that fails, is evicted or removed fails the load, with its reason and
//! last lines. What the pods print is followed while they run, since a node keeps only the end of it. Standard output and
//! errors come as one text. `$(NAME)` in words means what Kubernetes means by it.

mod batches;
mod blueprint;
mod driver;
mod left;
mod log;
mod make;
mod patience;
mod pod;
mod progress;
mod run;
mod sight;
mod stop;
#[cfg(test)]
mod tests;

pub use driver::JobDriver;
pub use left::{JobLeft, jobs_left};

/// Label of everything of one load: which one.
pub const LOAD: &str = "experiment-manager.io/load";
/// Label of the Job and the pods of one run of a load: the how-manieth, from 0.
pub const RUN: &str = "experiment-manager.io/load-run";
/// Annotation of a Job: how what it prints is read.
pub const READING: &str = "experiment-manager.io/load-reading";

/// What a manager has to be allowed for load as Jobs: group, resource, verbs.
pub const RIGHTS: [(&str, &str, &[&str]); 5] = [
    ("batch", "jobs", &["create", "get", "list", "delete"]),
    ("", "pods", &["get", "list", "watch", "delete"]),
    ("", "pods/log", &["get"]),
    ("", "events", &["list"]),
    // Only where the environment of the load holds secrets.
    ("", "secrets", &["create", "patch", "delete"]),
];
