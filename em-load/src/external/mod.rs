//! Load that somebody else makes: waiting until it is there and steady, and noticing when it is
//! not any more. Pure functions over samples of a request counter, and the load driver that asks
//! for them.
//!
//! Increments between samples are used, never a rate over a window: a window lags behind and
//! remembers load that has gone. No statistic can tell a plateau of two minutes within a slow
//! rise from steady load, so [`ShiftWatch`] keeps looking while it is measured.

mod driver;
mod increments;
mod shift;
mod trend;

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use increments::{Increment, Increments};

pub use driver::ExternalDriver;
pub use increments::CounterSample;
pub use shift::{Shift, ShiftWatch};

/// What is known about the load that is waited for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ExternalRule {
    /// Its rate per second, where it is known. Ask for it: with it, waiting is safer.
    pub rate: Option<f64>,
    /// Time between two samples.
    pub period: Duration,
    /// How long to wait.
    pub timeout: Duration,
    /// Relative change of level that voids what is being measured.
    pub shift: f64,
}

/// Where waiting stands.
#[derive(Debug, Clone, PartialEq)]
pub enum ExternalStatus {
    /// Not steady yet.
    Waiting {
        /// What is missing, for people.
        why: String,
    },
    /// Steady.
    Steady {
        /// Time of the sample that decided.
        since: Duration,
    },
    /// The time is up.
    Failed(LoadProblem),
}

/// Why there is no steady load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoadProblem {
    /// Nobody makes load, or its counter is not seen.
    Absent,
    /// There is load, but it did not settle.
    Unstable,
}

impl fmt::Display for LoadProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Absent => "load_absent",
            Self::Unstable => "load_unstable",
        })
    }
}

/// Samples that must be steady together: two minutes at five seconds each.
const WINDOW: usize = 24;
/// Samples in a row near a known rate.
const NEAR: usize = 12;
/// How near that is, as a share of it.
const NEAR_SHARE: f64 = 0.8;
/// Without a known rate, less than this is health probes, not load (per second).
const PRESENT: f64 = 5.0;
/// Relative difference of the window's halves.
const HALVES: f64 = 0.06;
/// Coefficient of variation of the window.
const VARIATION: f64 = 0.15;
/// Two-sided 5 % of the normal distribution, for the trend.
const NO_TREND: f64 = 1.96;

/// Waits for steady load.
///
/// ```
/// use std::time::Duration;
/// use em_load::external::{CounterSample, ExternalDetector, ExternalRule, ExternalStatus};
///
/// let period = Duration::from_secs(5);
/// let timeout = Duration::from_secs(600);
/// let mut detector = ExternalDetector::new(ExternalRule { rate: Some(100.0), period, timeout, shift: 0.2 });
/// let mut status = None;
/// for k in 0..25 {
///     let at = period * k;
///     status = Some(detector.look(at, Some(CounterSample { at, count: 500.0 * f64::from(k) })));
/// }
/// assert_eq!(status, Some(ExternalStatus::Steady { since: period * 24 }));
/// ```
#[derive(Debug, Clone)]
pub struct ExternalDetector {
    rule: ExternalRule,
    increments: Increments,
    window: VecDeque<Increment>,
    began: Option<Duration>,
    /// Whether the last whole window saw anything that deserves the name of load.
    was_present: bool,
    steady: Option<Duration>,
}

impl ExternalDetector {
    /// Has seen nothing yet.
    pub fn new(rule: ExternalRule) -> Self {
        Self {
            rule,
            increments: Increments::new(rule.period),
            window: VecDeque::with_capacity(WINDOW + 1),
            began: None,
            was_present: false,
            steady: None,
        }
    }

    /// Takes the newest sample of the counter (`None`: there is none) at time `now`. All times
    /// are from the same zero. Once steady it stays so; then ask [`ExternalDetector::watch`].
    pub fn look(&mut self, now: Duration, sample: Option<CounterSample>) -> ExternalStatus {
        if let Some(since) = self.steady {
            return ExternalStatus::Steady { since };
        }
        let began = *self.began.get_or_insert(now);
        let fresh = self.increments.take(now, sample);
        if self.increments.has_gap() {
            self.window.clear();
        }
        if let Some(increment) = fresh {
            self.window.push_back(increment);
            if self.window.len() > WINDOW {
                self.window.pop_front();
            }
            self.was_present |= increment.rate() >= self.present();
        }
        match self.missing() {
            None => {
                let since = self.window.back().map_or(now, |last| last.at);
                self.steady = Some(since);
                ExternalStatus::Steady { since }
            }
            Some(_) if now.saturating_sub(began) >= self.rule.timeout => {
                ExternalStatus::Failed(self.problem())
            }
            Some(why) => ExternalStatus::Waiting { why },
        }
    }

    /// The watch that keeps looking while it is measured; `None` until the load is steady.
    pub fn watch(&self) -> Option<ShiftWatch> {
        self.steady?;
        Some(ShiftWatch::new(
            &self.window,
            self.rule.shift,
            self.increments.clone(),
        ))
    }

    /// What keeps the load from counting as steady; `None` when nothing does.
    fn missing(&self) -> Option<String> {
        let present = self.present();
        let near = self.window.iter().rev().take(NEAR);
        let in_a_row = near
            .take_while(|increment| increment.rate() >= present)
            .count();
        if in_a_row < NEAR {
            return Some(format!(
                "{in_a_row} of {NEAR} samples in a row with at least {present:.1} requests/s"
            ));
        }
        if self.window.len() < WINDOW {
            return Some(format!("{} of {WINDOW} samples", self.window.len()));
        }
        let rates: Vec<f64> = self.window.iter().map(Increment::rate).collect();
        let mean_count = self.window.iter().map(|one| one.count).sum::<f64>() / count(WINDOW);
        let halves = trend::halves_differ(&rates);
        if halves > beyond_chance(HALVES, 4.0 / count(WINDOW), mean_count) {
            return Some(format!(
                "its level moved by {:.0} % within the window",
                halves * 100.0
            ));
        }
        if self.rule.rate.is_some() {
            return None;
        }
        let variation = trend::variation(&rates);
        if variation > beyond_chance(VARIATION, 1.0, mean_count) {
            return Some(format!("it varies by {:.0} %", variation * 100.0));
        }
        let z = trend::mann_kendall(&rates);
        (z.abs() > NO_TREND).then(|| {
            let way = if z > 0.0 { "rises" } else { "falls" };
            format!("it still {way} (Mann-Kendall z = {z:.1})")
        })
    }

    /// Least rate that counts as load.
    fn present(&self) -> f64 {
        self.rule.rate.map_or(PRESENT, |rate| NEAR_SHARE * rate)
    }

    fn problem(&self) -> LoadProblem {
        let has_gone = self
            .window
            .iter()
            .all(|one| one.rate() < PRESENT.min(self.present()));
        if self.was_present || !has_gone {
            LoadProblem::Unstable
        } else {
            LoadProblem::Absent
        }
    }
}

/// A limit that independent requests alone do not exceed: their counts vary by the root of their
/// number, `share` of that variance remaining after averaging.
fn beyond_chance(limit: f64, share: f64, mean_count: f64) -> f64 {
    if mean_count > 0.0 {
        (limit * limit + share / mean_count).sqrt()
    } else {
        limit
    }
}

#[expect(clippy::cast_precision_loss, reason = "some dozens")]
fn count(n: usize) -> f64 {
    n as f64
}

#[cfg(test)]
mod tests;
