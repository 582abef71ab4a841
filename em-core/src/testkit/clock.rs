//! A clock that tests move.

use std::sync::atomic::{AtomicI64, Ordering};

use jiff::{SignedDuration, Timestamp};

use crate::port::Clock;

/// Begins on 1 January 2026, follows the runtime's own time (paused or not), and can be set ahead.
#[derive(Debug)]
pub struct ManualClock {
    origin: tokio::time::Instant,
    ahead: AtomicI64,
}

impl ManualClock {
    /// A clock that begins now.
    pub fn new() -> Self {
        Self {
            origin: tokio::time::Instant::now(),
            ahead: AtomicI64::new(0),
        }
    }

    /// Sets it ahead by whole milliseconds.
    pub fn advance_ms(&self, ms: i64) {
        self.ahead.fetch_add(ms, Ordering::SeqCst);
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        let start: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let ahead = SignedDuration::from_millis(self.ahead.load(Ordering::SeqCst));
        let passed = SignedDuration::try_from(self.origin.elapsed()).unwrap();
        start + passed + ahead
    }
}
