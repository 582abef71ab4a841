//! Where stamps come from.

use std::fmt::Debug;

use jiff::Timestamp;

/// The only source of stamps. Waiting is done on the runtime's own timers.
#[cfg_attr(any(test, feature = "mock"), mockall::automock)]
pub trait Clock: Debug + Send + Sync + 'static {
    /// The time now.
    fn now(&self) -> Timestamp;
}

/// The system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}
