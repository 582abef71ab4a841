//! What is known of configurations tried before.

use crate::space::{Point, Seen};

/// One configuration that was proposed before.
#[derive(Debug, Clone, PartialEq)]
pub struct Past {
    /// The configuration.
    pub point: Point,
    /// What became of it.
    pub known: Known,
}

/// What became of a configuration.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Known {
    /// Not finished: no value yet.
    Pending,
    /// It was measured.
    Measured {
        /// The objective; smaller is better.
        value: f64,
        /// Blocks it is the mean of.
        blocks: u32,
        /// Whether it breaks no constraint.
        feasible: bool,
    },
    /// It cannot run at all.
    Infeasible,
    /// Nothing was learned, and it is not the configuration's fault.
    Lost,
}

impl Past {
    /// A configuration without a value yet.
    pub fn pending(point: Point) -> Self {
        Self {
            point,
            known: Known::Pending,
        }
    }

    /// Whether the configuration is allowed, where that is known.
    pub(crate) fn feasible(&self) -> Option<bool> {
        match self.known {
            Known::Measured { feasible, .. } => Some(feasible),
            Known::Infeasible => Some(false),
            Known::Pending | Known::Lost => None,
        }
    }
}

/// All points of a history.
pub(crate) fn seen(history: &[Past]) -> Seen {
    history.iter().map(|past| &past.point).collect()
}
