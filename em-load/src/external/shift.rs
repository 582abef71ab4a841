//! Noticing that load has changed its level while it is measured: a two-sided CUSUM.

use std::collections::VecDeque;
use std::time::Duration;

use super::increments::{CounterSample, Increment, Increments};
use super::trend;

/// Watches the level of load that was steady.
///
/// Relative deviations from the level of the waiting window, less half the shift that matters,
/// are added up in each direction (Page 1954). The alarm limit is 4.5 long-run standard
/// deviations of the window, so that a wandering load does not raise it all the time: at 7 %
/// correlated noise a shift of 20 % is found in about a minute, at pure Poisson noise within
/// three samples.
#[derive(Debug, Clone)]
pub struct ShiftWatch {
    level: f64,
    slack: f64,
    limit: f64,
    above: Sum,
    below: Sum,
    increments: Increments,
}

/// What deviations in one direction add up to.
#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    value: f64,
    /// When it last was nothing.
    since: Duration,
}

impl Sum {
    fn add(&mut self, deviation: f64, at: Duration) {
        self.value = (self.value + deviation).max(0.0);
        if self.value <= 0.0 {
            self.since = at;
        }
    }
}

/// The load is not what it was.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shift {
    /// When it began to deviate: the last sample that was still as before (Page 1954), or the last
    /// one there was.
    pub since: Duration,
    /// Time of the sample that decided.
    pub at: Duration,
    /// Requests per second before.
    pub before: f64,
    /// Requests per second in that sample; none where samples stopped coming.
    pub now: Option<f64>,
}

/// Alarm limit in long-run standard deviations (see the simulation in the tests).
const LIMIT: f64 = 4.5;

impl ShiftWatch {
    pub(super) fn new(window: &VecDeque<Increment>, shift: f64, increments: Increments) -> Self {
        let rates: Vec<f64> = window.iter().map(Increment::rate).collect();
        let counts: Vec<f64> = window.iter().map(|one| one.count).collect();
        // Independent requests vary at least by the root of their number.
        let chance = trend::mean(&counts).max(1.0).sqrt().recip();
        let deviation = trend::variation(&rates).max(chance);
        let correlation = trend::autocorrelation(&rates);
        let quiet = Sum {
            value: 0.0,
            since: window.back().map_or(Duration::ZERO, |last| last.at),
        };
        let long_run = deviation * ((1.0 + correlation) / (1.0 - correlation)).sqrt();
        Self {
            level: trend::mean(&rates),
            slack: shift / 2.0,
            limit: LIMIT * long_run,
            above: quiet,
            below: quiet,
            increments,
        }
    }

    /// Takes the newest sample at time `now`; answers a shift of the level when there is one.
    /// Samples that stop coming are one, too: what is not seen is not known to be load.
    pub fn look(&mut self, now: Duration, sample: Option<CounterSample>) -> Option<Shift> {
        let last = self.increments.last();
        let fresh = self.increments.take(now, sample);
        let before = self.level;
        if self.increments.has_gap() {
            return Some(Shift {
                since: last.unwrap_or(now),
                at: now,
                before,
                now: None,
            });
        }
        let increment = fresh?;
        let deviation = increment.rate() / self.level - 1.0;
        self.above.add(deviation - self.slack, increment.at);
        self.below.add(-deviation - self.slack, increment.at);
        let raised = [self.above, self.below].into_iter();
        let raised = raised.filter(|sum| sum.value > self.limit);
        let since = raised.map(|sum| sum.since).min()?;
        Some(Shift {
            since,
            at: increment.at,
            before,
            now: Some(increment.rate()),
        })
    }
}
