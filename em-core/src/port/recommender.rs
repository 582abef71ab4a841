//! Who proposes configurations.

use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::OpContext;
use crate::configuration::Configuration;
use crate::fault::Fault;
use crate::id::TrialId;
use crate::journal::OutcomeKind;
use crate::plan::Plan;

/// Proposes configurations. Idempotent per key; each answer is journaled, so the next ask has a
/// new key.
#[cfg_attr(any(test, feature = "mock"), mockall::automock)]
#[async_trait]
pub trait Recommender: Debug + Send + Sync + 'static {
    /// Up to `wanted` configurations in the light of all that is known.
    async fn suggest(
        &self,
        cx: &OpContext,
        plan: &Plan,
        history: &[PastTrial],
        wanted: u32,
    ) -> Result<Suggestion, Fault>;

    /// Is told how a trial ended. The default does nothing: a stateless recommender reads history.
    async fn observe(&self, cx: &OpContext, past: &PastTrial) -> Result<(), Fault> {
        let _ = (cx, past);
        Ok(())
    }
}

/// An answer of a recommender.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Suggestion {
    /// Try these.
    Try(Vec<Configuration>),
    /// Nothing yet.
    Wait {
        /// When to ask again.
        again_after: Duration,
    },
    /// Nothing more.
    Done {
        /// Why.
        why: String,
    },
}

/// What a recommender learns of a trial.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PastTrial {
    /// The trial.
    pub trial: TrialId,
    /// Its configuration; none where the baseline is `live` and outside the space.
    pub configuration: Option<Configuration>,
    /// How it ended; none while it runs.
    pub outcome: Option<OutcomeKind>,
    /// Mean of the objective over its blocks, relative to the same blocks' baseline where there is
    /// one (then 1 = as the baseline), in the objective's own direction.
    pub objective: Option<f64>,
    /// Standard error of `objective`, where more than one block says so.
    pub standard_error: Option<f64>,
    /// Blocks behind it.
    pub blocks: u32,
    /// Whether its constraints are all unbroken; none where unknown.
    pub feasible: Option<bool>,
}
