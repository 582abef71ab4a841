//! The engine's only way to statistics across batches, iterations and trials.

use std::fmt::Debug;

use crate::id::TrialId;
use crate::observe::{Collected, Enough, History, Judgement, Labelled};

/// Decides what counts, when it is enough, and what it says. Pure.
#[cfg_attr(any(test, feature = "mock"), mockall::automock)]
pub trait Analyst: Debug + Send + Sync + 'static {
    /// Puts labels on one collection: warm-up, cycles that count, cycles that are void.
    fn label(&self, collected: &Collected) -> Labelled;

    /// Whether the blocks so far decide.
    fn enough(&self, history: &History) -> Enough;

    /// Verdicts of all competing trials, and the state of their constraints.
    fn compare(&self, history: &History) -> Judgement;

    /// Trials that cannot win any more.
    fn hopeless(&self, history: &History) -> Vec<TrialId>;
}
