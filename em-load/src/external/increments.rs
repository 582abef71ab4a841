//! From samples of a counter to increments.

use std::time::Duration;

/// One sample of a request counter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CounterSample {
    /// When the sample was taken (not when it was asked for).
    pub at: Duration,
    /// Requests counted so far.
    pub count: f64,
}

/// What was counted between two samples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Increment {
    /// Time of the later sample.
    pub(super) at: Duration,
    pub(super) count: f64,
    seconds: f64,
}

impl Increment {
    pub(super) fn rate(&self) -> f64 {
        self.count / self.seconds
    }
}

/// Makes increments, and notices when samples stop coming.
#[derive(Debug, Clone)]
pub(super) struct Increments {
    period: Duration,
    last: Option<CounterSample>,
    has_gap: bool,
}

impl Increments {
    pub(super) fn new(period: Duration) -> Self {
        Self {
            period,
            last: None,
            has_gap: false,
        }
    }

    /// Takes the newest sample known at `now`. A sample seen before, and one older than two
    /// periods, is no news: a database may go on answering the last value of a target that has
    /// gone.
    pub(super) fn take(
        &mut self,
        now: Duration,
        sample: Option<CounterSample>,
    ) -> Option<Increment> {
        let stale = self.period * 2;
        self.has_gap = self
            .last
            .is_some_and(|last| now.saturating_sub(last.at) > stale + self.period / 2);
        let sample = sample.filter(|sample| now.saturating_sub(sample.at) <= stale)?;
        let last = self.last.filter(|last| last.at < sample.at);
        if self.last.is_none() || last.is_some() {
            self.last = Some(sample);
        }
        let last = last?;
        let between = sample.at.saturating_sub(last.at);
        if between > stale {
            self.has_gap = true;
            return None;
        }
        // A counter that fell began anew at zero.
        let count = if sample.count < last.count {
            sample.count
        } else {
            sample.count - last.count
        };
        Some(Increment {
            at: sample.at,
            count,
            seconds: between.as_secs_f64(),
        })
    }

    /// Time of the newest sample.
    pub(super) fn last(&self) -> Option<Duration> {
        self.last.map(|last| last.at)
    }

    /// Whether the last call found that samples had been missing.
    pub(super) fn has_gap(&self) -> bool {
        self.has_gap
    }
}
