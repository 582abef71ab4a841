//! What an iteration leaves behind.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::outcome::Failure;
use crate::id::Digest;
use crate::observe::{Labelled, Summary, Window};
use crate::port::{Capacity, Fact, Incident};

/// A stage of an active iteration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// The configuration is being deployed.
    Deploy,
    /// What runs is compared with what was asked.
    Verify,
    /// It waits for the others of its wave.
    Barrier,
    /// The load is on its way to steady.
    Load,
    /// It is measured.
    Collect,
    /// It is taken down.
    Withdraw,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Deploy => "deploy",
            Self::Verify => "verify",
            Self::Barrier => "barrier",
            Self::Load => "load",
            Self::Collect => "collect",
            Self::Withdraw => "withdraw",
        })
    }
}

/// How an iteration ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "end", rename_all = "snake_case")]
pub enum IterationEnd {
    /// It has a result.
    Done(Box<IterationResult>),
    /// It has none.
    Failed(Failure),
    /// It was broken off, to be repeated under a new number.
    Interrupted {
        /// In which stage; none before it began.
        stage: Option<Stage>,
        /// Why.
        cause: InterruptCause,
    },
}

/// Why an iteration was broken off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InterruptCause {
    /// Somebody asked the manager to leave or to pause.
    Asked,
    /// Its trial or the experiment was called off: it is not repeated.
    CalledOff,
    /// The manager died, and what it measured with died with it.
    ManagerDied,
    /// Its block is void.
    BlockVoid,
}

/// What an iteration measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IterationResult {
    /// Statistics per metric.
    pub summary: Summary,
    /// Capacity, where this iteration looked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<Capacity>,
    /// Time that passed at each step.
    #[serde(default)]
    pub timing: Timing,
    /// What should be known beside the numbers: a neighbour, a run beside others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<String>,
}

/// Time that passed at each step of an iteration.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Timing {
    /// From the start of the deployment to ready.
    pub deploy: Duration,
    /// From ready to steady load.
    pub ramp: Duration,
    /// From steady load to the end of the last window.
    pub collect: Duration,
    /// From the end of the last window until the last observation that belongs to it: the answer to
    /// a request that fell due in it.
    #[serde(default)]
    pub answers: Duration,
    /// Time that the manager itself added: from the last awaited fact to the first request, and
    /// from the last awaited answer to the result, ready to be recorded.
    pub dead: Duration,
}

/// What was collected, and how it was labelled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Collection {
    /// From steady load to load end.
    pub window: Window,
    /// Raw data of each batch.
    pub raw: Vec<Digest>,
    /// Warm-up, kept and void.
    pub labelled: Labelled,
    /// What happened to the target meanwhile.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub incidents: Vec<Incident>,
    /// What really ran.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub facts: Vec<Fact>,
    /// What the load driver and the datasources warned of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}
