//! One trial as the experiment's stream tells it.

use std::sync::Arc;

use crate::configuration::Configuration;
use crate::id::TrialId;
use crate::journal::{Origin, Outcome};

/// One configuration under test.
#[derive(Debug, Clone, PartialEq)]
pub struct Trial {
    /// Its number.
    pub id: TrialId,
    /// Its name for people.
    pub label: String,
    /// Its values; none: whatever the target runs today.
    pub configuration: Option<Arc<Configuration>>,
    /// Where it comes from.
    pub origin: Origin,
    /// Greatest number of an iteration that was placed.
    pub placed: u32,
    /// Places with a value.
    pub measured: u32,
    /// Places without.
    pub lost: u32,
    /// Why it cannot win any more.
    pub dropped: Option<String>,
    /// How it ended.
    pub outcome: Option<Outcome>,
}

impl Trial {
    /// A trial that has just joined.
    pub fn new(
        id: TrialId,
        label: String,
        configuration: Option<Arc<Configuration>>,
        origin: Origin,
    ) -> Self {
        Self {
            id,
            label,
            configuration,
            origin,
            placed: 0,
            measured: 0,
            lost: 0,
            dropped: None,
            outcome: None,
        }
    }

    /// Whether it is what all others are compared with.
    pub fn is_baseline(&self) -> bool {
        self.origin == Origin::Baseline
    }

    /// The round in which it was proposed.
    pub fn round(&self) -> Option<u32> {
        match self.origin {
            Origin::Proposed { round } => Some(round),
            Origin::Baseline | Origin::Listed | Origin::Verifies { .. } | Origin::Observed => None,
        }
    }

    /// The screened trial that it measures again.
    pub fn verifies(&self) -> Option<TrialId> {
        match self.origin {
            Origin::Verifies { trial } => Some(trial),
            Origin::Baseline | Origin::Listed | Origin::Proposed { .. } | Origin::Observed => None,
        }
    }
}
