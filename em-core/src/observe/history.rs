//! Blocks as numbers, and what they say.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Interval, Replication};
use crate::id::{BlockNo, TrialId};
use crate::plan::{Direction, Iterations};

/// What an analyst needs to know of the blocks so far.
#[derive(Debug, Clone, PartialEq)]
pub struct History {
    /// The compared quantities, the objective alone or every metric.
    pub comparisons: Vec<Comparison>,
    /// The constraints.
    pub constraints: Vec<ConstraintHistory>,
    /// Trials that compete for a verdict.
    pub competing: Vec<TrialId>,
    /// How many trials were judged before these, in blocks of their own, and are judged with them in
    /// the end: they are part of the same family of comparisons.
    pub earlier: u32,
    /// Blocks that are wanted at the least and allowed at the most.
    pub iterations: Iterations,
    /// What was repeated.
    pub replication: Replication,
    /// Whether trials ran in random order within blocks; without it nothing is comparable.
    pub randomized: bool,
    /// Whether this is screening: no verdicts are wanted.
    pub screening: bool,
}

/// One quantity over the blocks.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// What is compared.
    pub quantity: Quantity,
    /// The blocks, in order.
    pub blocks: Vec<Block>,
}

/// What is compared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Quantity {
    /// The expression, as in the file.
    pub name: String,
    /// Which way is better; none: a difference is reported as `better` for less and `worse` for
    /// more only in words of direction.
    pub direction: Option<Direction>,
    /// Relative difference that does not matter.
    pub equivalent_within: Option<f64>,
}

/// One block of one quantity. Trials without a value in it are absent.
#[derive(Debug, Clone, PartialEq)]
pub struct Block {
    /// Its number.
    pub block: BlockNo,
    /// Value of the baseline; none where there is none or it was lost.
    pub baseline: Option<f64>,
    /// Values of the trials.
    pub values: BTreeMap<TrialId, f64>,
}

/// One constraint over the blocks.
#[derive(Debug, Clone, PartialEq)]
pub struct ConstraintHistory {
    /// The constraint, as in the file.
    pub text: String,
    /// Per trial, the margin in each block: positive = holds. In the unit of its two sides.
    pub margins: BTreeMap<TrialId, Vec<f64>>,
}

/// Whether the blocks so far decide.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Enough {
    /// They do.
    Stop {
        /// Why.
        why: String,
    },
    /// More blocks are wanted.
    Continue,
}

/// What the blocks say.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Judgement {
    /// A verdict per competing trial and quantity.
    pub verdicts: Vec<Verdict>,
    /// A state per competing trial and constraint.
    pub constraints: Vec<ConstraintVerdict>,
    /// Mean of each quantity per trial over its blocks, with interval: for tables.
    pub levels: Vec<TrialLevel>,
}

/// Mean of a quantity of one trial over its blocks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TrialLevel {
    /// The trial.
    pub trial: TrialId,
    /// The quantity.
    pub quantity: String,
    /// Mean over blocks.
    pub mean: f64,
    /// Student t interval over blocks; none with fewer than two.
    pub interval: Option<Interval>,
    /// Blocks.
    pub blocks: u32,
}

/// One trial against the baseline, in one quantity.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Verdict {
    /// The trial.
    pub trial: TrialId,
    /// The quantity, as in the file.
    pub quantity: String,
    /// What is said.
    pub kind: VerdictKind,
    /// Trial over baseline, as a ratio (1 = the same); none where values can be <= 0 or nothing
    /// is shared.
    pub ratio: Option<f64>,
    /// Its interval.
    pub ratio_interval: Option<Interval>,
    /// Trial minus baseline, where the ratio has no meaning.
    pub difference: Option<f64>,
    /// Its interval.
    pub difference_interval: Option<Interval>,
    /// p of the exact two-sided sign-flip test.
    pub p: Option<f64>,
    /// The same after Holm's correction over all comparisons.
    pub p_adjusted: Option<f64>,
    /// Blocks that trial and baseline share.
    pub blocks: u32,
    /// The smallest relative effect that this many blocks could have seen with 80 % power.
    pub smallest_effect: Option<f64>,
    /// What was repeated.
    pub replication: Replication,
}

/// What is said of a trial against the baseline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum VerdictKind {
    /// Better, at a false-positive rate of 5 % over all comparisons.
    Better,
    /// Worse, at the same rate.
    Worse,
    /// The interval lies within what does not matter.
    Equivalent,
    /// Not decided.
    Undecided {
        /// Why: `7 blocks needed, 5 there`, `the smallest effect seen would be 4 %`.
        why: String,
    },
}

/// One constraint of one trial.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ConstraintVerdict {
    /// The trial.
    pub trial: TrialId,
    /// The constraint, as in the file.
    pub text: String,
    /// Its state.
    pub state: ConstraintState,
    /// Mean margin over the blocks; none without blocks.
    pub margin: Option<f64>,
    /// One-sided 95 % bounds of the margin.
    pub interval: Option<Interval>,
    /// Blocks.
    pub blocks: u32,
}

/// The state of a constraint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConstraintState {
    /// The lower one-sided 95 % bound of the margin is not negative.
    Holds,
    /// The upper one is negative.
    Broken,
    /// Neither.
    Undecided,
}
