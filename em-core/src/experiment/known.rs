//! What is known of an experiment.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::{
    BlockState, DrawnBlock, Experiment, HoldRecord, Phase, PlacedIteration, Placing, Trial,
};
use crate::configuration::Configuration;
use crate::id::{BlockNo, Digest, IterationNo, SlotId, TrialId};
use crate::journal::{Purpose, Stopped};
use crate::plan::{LoadSpec, Plan, RateSpec};
use crate::port::{Capacity, Suggestion, Survey};

impl Experiment {
    /// The resolved plan.
    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// Where it stands.
    pub fn phase(&self) -> &Phase {
        &self.phase
    }

    /// Number of the next entry of its stream.
    pub fn next_seq(&self) -> u64 {
        self.entries
    }

    /// When it was first started.
    pub fn first_started(&self) -> Option<Timestamp> {
        self.started
    }

    /// When the last event was written.
    pub fn last_event(&self) -> Timestamp {
        self.last
    }

    /// What the target looked like before anything was done.
    pub fn survey(&self) -> Option<&Arc<Survey>> {
        self.survey.as_ref()
    }

    /// The capacity that was found, and the offered rate that follows from it.
    pub fn calibration(&self) -> Option<&(Capacity, f64)> {
        self.calibration.as_ref()
    }

    /// Iterations that looked for the capacity.
    pub fn calibrating(&self) -> &[PlacedIteration] {
        &self.calibrating
    }

    /// The trial of that number.
    pub fn trial(&self, trial: TrialId) -> Option<&Trial> {
        self.trials.get(&trial)
    }

    /// All trials in the order in which they joined.
    pub fn trials(&self) -> impl DoubleEndedIterator<Item = &Trial> {
        self.trials.values()
    }

    /// Number the next trial gets.
    pub fn next_trial_id(&self) -> TrialId {
        TrialId(
            self.trials
                .last_key_value()
                .map_or(1, |(last, _)| last.0 + 1),
        )
    }

    /// How many trials have joined because the file lists them.
    pub fn listed(&self) -> usize {
        self.listed
    }

    /// Trials without an outcome.
    pub fn unfinished(&self) -> &BTreeSet<TrialId> {
        &self.unfinished
    }

    /// The trial that has this configuration.
    pub fn trial_of(&self, configuration: &Digest) -> Option<TrialId> {
        self.configurations.get(configuration).copied()
    }

    /// All blocks in the order in which they were drawn.
    pub fn blocks(&self) -> &[DrawnBlock] {
        &self.blocks
    }

    /// The block of that number.
    pub fn block(&self, number: BlockNo) -> Option<&DrawnBlock> {
        self.blocks.get((number.0 as usize).checked_sub(1)?)
    }

    /// The block that is being run.
    pub fn open_block(&self) -> Option<&DrawnBlock> {
        self.open_block.and_then(|number| self.block(number))
    }

    /// Whether the open block's baseline has no value, so that nothing in it can be compared.
    pub fn open_block_lost_its_baseline(&self) -> bool {
        self.open_block
            .is_some_and(|number| self.baseline_is_lost(number))
    }

    /// Blocks voided one after the other.
    pub fn voided_in_a_row(&self) -> u32 {
        self.voided_in_a_row
    }

    /// Complete blocks of a purpose.
    pub fn complete_blocks(&self, purpose: Purpose) -> impl Iterator<Item = &DrawnBlock> {
        self.blocks
            .iter()
            .filter(move |block| block.purpose == purpose && block.state == BlockState::Complete)
    }

    /// Iterations that have a slot and have not ended.
    pub fn active(&self) -> &BTreeMap<(TrialId, IterationNo), Placing> {
        &self.active
    }

    /// The iterations that wait for one another before their load starts: those of the same block
    /// that run now.
    pub fn wave_of(&self, trial: TrialId, iteration: IterationNo) -> Vec<(TrialId, IterationNo)> {
        let Some(placing) = self.active.get(&(trial, iteration)) else {
            return Vec::new();
        };
        let same = self
            .active
            .iter()
            .filter(|(_, other)| other.block == placing.block);
        same.map(|(key, _)| *key).collect()
    }

    /// Holds by slot.
    pub fn holds(&self) -> &BTreeMap<SlotId, HoldRecord> {
        &self.holds
    }

    /// Rounds of proposals so far.
    pub fn rounds(&self) -> u32 {
        self.rounds
    }

    /// The recommender's last answer, and when it came.
    pub fn asked(&self) -> Option<&(Timestamp, Suggestion)> {
        self.asked.as_ref()
    }

    /// Proposed configurations that are not trials yet.
    pub fn pending(&self) -> &[Configuration] {
        &self.pending
    }

    /// Trials that were proposed.
    pub fn proposed(&self) -> u32 {
        self.proposed
    }

    /// Trials that failed or were not to be trusted.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// The last request that was taken from the inbox.
    pub fn requests_taken(&self) -> u64 {
        self.requests_taken
    }

    /// Why it had stopped, where it was finished and is judged anew.
    pub fn stopped_before(&self) -> Option<Stopped> {
        self.stopped_before
    }

    /// The report, once it is written.
    pub fn report(&self) -> Option<&Digest> {
        self.report.as_ref()
    }

    /// Offered rate of every iteration; none where the load has no rate.
    pub fn rate(&self) -> Option<f64> {
        match &self.plan.load {
            LoadSpec::Http(http) => match http.rate {
                RateSpec::PerSecond(rate) => Some(rate),
                RateSpec::OfCapacity(_) => self.calibration.as_ref().map(|(_, rate)| *rate),
            },
            LoadSpec::Command(_)
            | LoadSpec::Job(_)
            | LoadSpec::External(_)
            | LoadSpec::None
            | LoadSpec::Custom { .. } => None,
        }
    }

    /// Seed of the arrivals: the same for all iterations of a block.
    pub fn load_seed(&self, block: Option<BlockNo>) -> u64 {
        let block = block.map_or(0, |block| u64::from(block.0));
        self.plan
            .measurement
            .seed
            .wrapping_mul(1_000_003)
            .wrapping_add(block)
    }

    /// Mean time of an iteration that has a result, as seen so far.
    pub fn mean_iteration_time(&self) -> Option<Duration> {
        (self.iterations_timed > 0).then(|| self.iteration_time / self.iterations_timed)
    }
}
