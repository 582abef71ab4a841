//! How iterations, trials and experiments end.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::iteration::Stage;
use crate::fault::FaultKind;

/// Who is to blame for a failure. Decides retries and what the recommender is told.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Blame {
    /// The configuration cannot run.
    Configuration,
    /// The system under test.
    Target,
    /// Whoever makes the load.
    Load,
    /// A datasource.
    Datasource,
    /// Whoever proposes configurations.
    Recommender,
    /// The machine or the cluster.
    Cluster,
    /// The manager itself.
    Manager,
}

impl fmt::Display for Blame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Configuration => "configuration",
            Self::Target => "target",
            Self::Load => "load",
            Self::Datasource => "datasource",
            Self::Recommender => "recommender",
            Self::Cluster => "cluster",
            Self::Manager => "manager",
        })
    }
}

/// Why an iteration failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// In which stage.
    pub stage: Stage,
    /// Who is to blame.
    pub blame: Blame,
    /// Kind of the fault, where a port failed.
    pub fault: Option<FaultKind>,
    /// What happened.
    pub message: String,
}

impl Failure {
    /// Whether the numbers, not the target, are at fault.
    pub fn is_invalid(&self) -> bool {
        matches!(self.blame, Blame::Load | Blame::Datasource)
    }
}

/// How a trial ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// It has numbers.
    Measured,
    /// It cannot run, or breaks a constraint.
    Infeasible {
        /// Which, and how.
        why: String,
    },
    /// Its numbers are not to be trusted.
    Invalid {
        /// Why.
        why: String,
    },
    /// It could not be measured.
    Failed {
        /// Who is to blame.
        blame: Blame,
        /// Why.
        why: String,
    },
    /// It was called off.
    Cancelled,
}

impl Outcome {
    /// Whether it counts against the budget of failures.
    pub fn is_failure(&self) -> bool {
        matches!(self, Self::Failed { .. } | Self::Invalid { .. })
    }

    /// The same without reasons.
    pub fn kind(&self) -> OutcomeKind {
        match self {
            Self::Measured => OutcomeKind::Measured,
            Self::Infeasible { .. } => OutcomeKind::Infeasible,
            Self::Invalid { .. } => OutcomeKind::Invalid,
            Self::Failed { .. } => OutcomeKind::Failed,
            Self::Cancelled => OutcomeKind::Cancelled,
        }
    }
}

/// How a trial ended, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutcomeKind {
    /// It has numbers.
    Measured,
    /// It cannot run, or breaks a constraint.
    Infeasible,
    /// Its numbers are not to be trusted.
    Invalid,
    /// It could not be measured.
    Failed,
    /// It was called off.
    Cancelled,
}

/// Why an experiment stopped placing iterations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Stopped {
    /// Everything there was to measure is measured.
    AllMeasured,
    /// The goal is reached.
    Goal,
    /// A budget is used up.
    Budget,
    /// The recommender has nothing more.
    NoProgress,
    /// It was called off.
    Cancelled,
    /// It cannot go on.
    Failed,
}

/// What an experiment answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// A trial is better than the baseline, or the best of those that are not compared with one.
    Found,
    /// None is.
    NoBetter,
    /// The blocks do not say.
    Undecided,
    /// None keeps the constraints.
    NoFeasible,
    /// There is no number at all.
    NothingMeasured,
}
