//! How much a plan will do: blocks, deployments, time.

use std::time::Duration;

use em_core::plan::{Iterations, Plan, Search};

/// How much a plan will do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forecast {
    /// Comparisons among which the final verdicts are corrected.
    pub comparisons: u32,
    /// Blocks that the verdicts need.
    pub needed_blocks: u32,
    /// Blocks that they get before anything is decided, and at the most.
    pub blocks: (u32, u32),
    /// Deployments at the least and at the most; none where nothing limits the search.
    pub deployments: Option<(u64, u64)>,
    /// Deployments of the screening, all rounds together; none where nothing limits the search.
    pub screening: Option<u64>,
    /// Trials that compete in the end.
    pub competing: u32,
    /// Load from steady to end in one deployment, as planned.
    pub collection: Duration,
    /// Whether the baseline's capacity is found first.
    pub calibrates: bool,
}

impl Forecast {
    /// Of a plan. Nothing is measured for it.
    pub fn of(plan: &Plan) -> Self {
        let competing = match &plan.search {
            Some(search) => search.verify,
            None => count(plan.trials.len()),
        };
        let quantities = if plan.objective.is_some() {
            1
        } else {
            count(plan.metrics.len()).max(1)
        };
        let levels = count(plan.levels());
        let comparisons = competing.max(1) * quantities * levels;
        let iterations = plan.measurement.iterations;
        let blocks = (iterations.least(comparisons), iterations.max);
        let measurement = &plan.measurement;
        let cycles = measurement
            .cycle_duration
            .saturating_mul(measurement.cycles);
        let collection = (measurement.warmup.expected() + cycles).saturating_mul(levels);
        let calibrates = plan.load.of_capacity().is_some();
        Self {
            comparisons,
            needed_blocks: Iterations::needed(comparisons),
            blocks,
            deployments: deployments(plan, competing, blocks, calibrates),
            screening: screened(plan),
            competing,
            collection,
            calibrates,
        }
    }

    /// Whether no verdict can come out, however great the effect.
    pub fn cannot_decide(&self) -> bool {
        self.blocks.1 < self.needed_blocks
    }

    /// Time of all collections where `slots` run side by side; deploying and stopping come on top.
    pub fn time(&self, slots: u32) -> Option<(Duration, Duration)> {
        self.time_with(slots, Duration::ZERO)
    }

    /// Time of everything, where each deployment takes so long beyond its collection.
    pub fn time_with(&self, slots: u32, around: Duration) -> Option<(Duration, Duration)> {
        let (least, most) = self.deployments?;
        let of = |deployments: u64| {
            let waves = deployments.div_ceil(u64::from(slots.max(1)));
            let waves = u32::try_from(waves).unwrap_or(u32::MAX);
            (self.collection + around).saturating_mul(waves)
        };
        Some((of(least), of(most)))
    }
}

fn deployments(
    plan: &Plan,
    competing: u32,
    blocks: (u32, u32),
    calibrates: bool,
) -> Option<(u64, u64)> {
    let baseline = u64::from(plan.has_baseline());
    let once = screened(plan)? + u64::from(calibrates);
    let block = u64::from(competing) + baseline;
    let all = |blocks: u32| once + u64::from(blocks) * block;
    Some((all(blocks.0), all(blocks.1)))
}

fn screened(plan: &Plan) -> Option<u64> {
    let baseline = u64::from(plan.has_baseline());
    match &plan.search {
        None => Some(0),
        Some(search) => Some(screening(search, plan.budget.trials?, baseline)),
    }
}

/// Each block of a round holds the baseline, the round's trials, and from the second round on the
/// best so far.
fn screening(search: &Search, trials: u32, baseline: u64) -> u64 {
    let rounds = u64::from(trials.div_ceil(search.parallel.max(1)));
    let blocks = u64::from(search.blocks);
    blocks * (u64::from(trials) + rounds * baseline + rounds.saturating_sub(1))
}

fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}
