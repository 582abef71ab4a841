//! Whether a deployment is there, is coming, or will never come: judged from a [`Scene`], without a client.
//!
//! A verdict is about one roll-out: pods of former ones have to be gone, and what happened to them does not count.
//! Stuck is said as soon as it is certain. What may pass by itself (room that is not there yet, a controller that
//! tries again) has a moment of three seconds first. Every reason says what, where, in the cluster's words, and
//! what to do.

mod look;
mod rollout;
mod settled;
mod stuck;

use std::time::Duration;

use em_core::journal::Blame;
use em_core::plan::ReadyWhen;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;

use self::look::Look;
use self::rollout::Rollout;
use crate::scene::Scene;

/// What a deployment is judged by.
#[derive(Debug, Clone)]
pub struct Wanted<'a> {
    /// What the annotation [`crate::mark::ITERATION`] of its pods has to say. None: any pods of the workload's newest
    /// roll-out do, as when nothing is written or when pods are changed in place.
    pub iteration: Option<&'a str>,
    /// How long all pods have to be ready without a break.
    pub settle: Duration,
    /// What the workload itself has to show besides.
    pub ready: Option<&'a ReadyWhen>,
    /// When the deployment was asked, by the clock of the cluster. What happened before to pods that stayed does
    /// not count.
    pub asked_at: Timestamp,
}

/// What became of a deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// All of it is there.
    Ready {
        /// Names of its pods, sorted.
        pods: Vec<String>,
        /// Since when all of them are ready, to the second, as the cluster has it.
        since: Timestamp,
    },
    /// Not yet.
    Progressing {
        /// What it waits for.
        why: String,
        /// When to judge again although nothing changed. None: only a change can change the verdict.
        look_again: Option<Duration>,
    },
    /// It will not become ready.
    Stuck {
        /// What, where, in the cluster's words, and what to do.
        why: String,
        /// Whose fault it is, as far as a cluster tells.
        blame: Blame,
        /// Whose last lines say more.
        logs_of: Option<LogsOf>,
    },
}

impl Verdict {
    fn is_stuck(&self) -> bool {
        match self {
            Self::Stuck { .. } => true,
            Self::Ready { .. } | Self::Progressing { .. } => false,
        }
    }
}

/// A container whose output explains a verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogsOf {
    /// Name of the pod.
    pub pod: String,
    /// Name of the container.
    pub container: String,
    /// Whether the output is that of the run before the one that is there now.
    pub previous: bool,
}

/// Judges a deployment. `now` is the time by the clock of the cluster, like all times in a scene.
///
/// Total: whatever fields the objects lack, there is an answer, and it is not `Ready` unless everything that ready
/// means was seen.
pub fn judge(scene: &Scene, wanted: &Wanted<'_>, now: Timestamp) -> Verdict {
    let look = Look {
        scene,
        wanted,
        now,
        rollout: Rollout::of(scene, wanted),
    };
    let Some(workload) = scene.workload() else {
        return look.absent();
    };
    let (stuck, waits): (Vec<_>, Vec<_>) = stuck::findings(&look, workload)
        .into_iter()
        .partition(Verdict::is_stuck);
    if let Some(verdict) = stuck.into_iter().next() {
        return verdict;
    }
    let verdict = settled::judge(&look, workload);
    // What a pod waits for says more than the counts of its workload.
    if verdict.is_stuck() || waits.is_empty() {
        return verdict;
    }
    look::together(waits)
}

/// The pods of this roll-out that are neither being removed nor have ended, by name.
pub fn current_pods<'a>(scene: &'a Scene, wanted: &Wanted<'_>) -> Vec<&'a Pod> {
    Rollout::of(scene, wanted).current
}
