//! From observations to statistics.

use std::fmt::Debug;

use crate::observe::{MetricSummary, Observations, Statistic};

/// Turns what was seen of one metric in one iteration into statistics. Pure.
#[cfg_attr(any(test, feature = "mock"), mockall::automock)]
pub trait Summarizer: Debug + Send + Sync + 'static {
    /// Statistics that it knows beside the built-in ones, by name.
    fn statistics(&self) -> Vec<String>;

    /// The wanted statistics. What cannot be said is left out, with the reason in `problems`.
    fn summarize(&self, seen: &Observations, wanted: &[Statistic]) -> MetricSummary;
}
