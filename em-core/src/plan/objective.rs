//! What is optimised, and what must hold.

use serde::{Deserialize, Serialize};

use crate::expression::{Constraint as ConstraintExpression, Expression};
use crate::value::Unit;

/// What is optimised.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Objective {
    /// Which way is better.
    pub direction: Direction,
    /// The quantity, evaluated per block.
    pub expression: Expression,
    /// Its unit.
    pub unit: Unit,
    /// Relative difference that does not matter, as a share.
    pub equivalent_within: Option<f64>,
    /// Good enough: the search ends when the interval says it is reached.
    pub goal: Option<Goal>,
}

/// Which way is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Less.
    Minimize,
    /// More.
    Maximize,
}

/// A value of the objective that is good enough, in its base unit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Goal {
    /// At most this where it is minimised, at least this where it is maximised.
    pub value: f64,
}

/// What must hold, with the text that the file gave.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Constraint {
    /// The comparison.
    pub expression: ConstraintExpression,
}
