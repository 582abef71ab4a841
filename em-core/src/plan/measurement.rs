//! How often, how long and in which order everything is measured.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::configuration::Configuration;
use crate::observe::Window;

/// The measurement design.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measurement {
    /// What is cut off at the start.
    pub warmup: Warmup,
    /// Windows that count in each iteration.
    pub cycles: u32,
    /// Length of one.
    pub cycle_duration: Duration,
    /// Blocks in which competing trials are compared.
    pub iterations: Iterations,
    /// Order of iterations.
    pub design: Design,
    /// When an iteration is long enough before its cycles are full.
    pub precision: Option<Precision>,
    /// When a fresh deployment is made.
    pub redeploy: Redeploy,
    /// Seed of every drawn order and schedule (ChaCha8).
    pub seed: u64,
}

impl Measurement {
    /// A window of one cycle's length that ends now: what a query is tried about before anything runs.
    pub fn cycle_until(&self, now: Timestamp) -> Window {
        let length = SignedDuration::try_from(self.cycle_duration).unwrap_or_default();
        Window::until(now, length)
    }
}

/// What is cut off at the start of a collection.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Warmup {
    /// What MSER-5 says, after the fact; extended while it says too much.
    Auto {
        /// At the least this long, and what is planned with.
        expected: Duration,
        /// The longest extension.
        at_most: Duration,
    },
    /// A fixed time.
    Fixed(Duration),
}

impl Warmup {
    /// What is planned with.
    pub fn expected(&self) -> Duration {
        match *self {
            Self::Auto { expected, .. } => expected,
            Self::Fixed(length) => length,
        }
    }
}

/// Numbers of blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Iterations {
    /// Blocks before anything is decided. None: by the number of comparisons.
    pub min: Option<u32>,
    /// Blocks at the most.
    pub max: u32,
}

impl Iterations {
    /// Blocks that `comparisons` Holm-corrected sign-flip tests at 0.05 need at the least:
    /// the smallest B with 2 / 2^B <= 0.05 / k, that is B >= log2(40 k).
    pub fn needed(comparisons: u32) -> u32 {
        let wanted = 40 * u64::from(comparisons.max(1));
        wanted.next_power_of_two().trailing_zeros()
    }

    /// Blocks before anything is decided about `comparisons`.
    pub fn least(&self, comparisons: u32) -> u32 {
        self.min
            .unwrap_or_else(|| Self::needed(comparisons))
            .min(self.max)
    }
}

/// Order of iterations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Design {
    /// Blocks hold each trial once, in random order.
    RandomizedBlocks,
    /// Trials one after the other, in file order: no comparison is free of drift.
    Sequential,
}

/// When an iteration is precise enough.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Precision {
    /// Half width of the interval over the mean.
    pub relative: f64,
    /// The longest collection.
    pub max_iteration: Duration,
}

/// When a fresh deployment is made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Redeploy {
    /// For each iteration.
    #[default]
    Always,
    /// Only when the configuration changes: the level of replication is then the window.
    WhenChanged,
}

/// What everything is compared with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Baseline {
    /// Today's object, untouched.
    Live,
    /// Every tunable's default.
    Defaults(Configuration),
    /// These values.
    Values(Configuration),
    /// Nothing.
    None,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_number_of_blocks_follows_the_number_of_comparisons() {
        let needed = |k| Iterations::needed(k);
        assert_eq!(
            [1, 2, 3, 4, 6, 7, 12, 13, 25].map(needed),
            [6, 7, 7, 8, 8, 9, 9, 10, 10]
        );
    }
}
