//! A run, or several merged ones, as one result.

use std::time::Duration;

use jiff::Timestamp;

use crate::batch::{Batch, Times};
use crate::checks::SelfChecks;
use crate::counts::Counts;
use crate::run::RunPlan;
use crate::schedule::Arrivals;

/// What a report says about how it came to be.
#[derive(Debug, Clone, PartialEq)]
pub struct RunFacts {
    /// Where requests went, without query.
    pub url: String,
    /// Offered requests per second of the last phase.
    pub rate: f64,
    /// How they were spaced.
    pub arrivals: Arrivals,
    /// Seed of the spacing.
    pub seed: u64,
    /// Most connections.
    pub connections: u32,
    /// Most requests under way.
    pub in_flight: u32,
    /// Time-out of one request.
    pub timeout: Duration,
    /// When the load started.
    pub started: Timestamp,
}

impl RunFacts {
    /// The facts of a plan, started at `started`.
    pub fn of(plan: &RunPlan, started: Timestamp) -> Self {
        Self {
            url: plan.destination.request.display_url(),
            rate: plan.profile.steady_rate(),
            arrivals: plan.arrivals,
            seed: plan.seed,
            connections: plan.connections,
            in_flight: plan.in_flight,
            timeout: plan.timeout,
            started,
        }
    }
}

/// A stretch of load: its counts and its distributions.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Stretch {
    /// What was counted.
    pub counts: Counts,
    /// What was timed.
    pub times: Times,
}

impl Stretch {
    /// Pools batches that follow each other.
    pub fn of<'a>(batches: impl IntoIterator<Item = &'a Batch>) -> Self {
        let mut stretch = Self::default();
        for batch in batches {
            stretch.counts.followed_by(&batch.counts);
            stretch.times.merge(&batch.times.unpack());
        }
        stretch
    }

    /// The self checks of this stretch.
    pub fn checks(&self) -> SelfChecks {
        SelfChecks::of(&self.counts, &self.times)
    }
}

/// The result of one run, or of several that ran side by side.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// How it came to be, one entry per run.
    pub runs: Vec<RunFacts>,
    /// The steady part; ramps are left out.
    pub steady: Stretch,
}

impl Report {
    /// The report of one run.
    pub fn new(facts: RunFacts, batches: &[Batch]) -> Self {
        let steady = Stretch::of(batches.iter().filter(|batch| batch.is_steady));
        Self {
            runs: vec![facts],
            steady,
        }
    }

    /// Adds a run that was made at the same time. Counts add up, distributions are pooled
    /// exactly; percentiles are never averaged.
    pub fn merge(&mut self, other: &Self) {
        self.runs.extend(other.runs.iter().cloned());
        self.steady.counts.beside(&other.steady.counts);
        self.steady.times.merge(&other.steady.times);
    }
}
