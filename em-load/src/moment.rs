//! Instants on the machine's monotonic clock, as whole nanoseconds.
//!
//! `std::time::Instant` hides its value, but the pacer must hand an absolute deadline to
//! `clock_nanosleep`; so the driver reads `CLOCK_MONOTONIC` itself and uses nothing else.
//! Wall-clock time is not here: it enters through the `Clock` port only.

use std::ops::Add;
use std::time::Duration;

use rustix::fs::Timespec;
use rustix::time::{ClockId, clock_gettime};

/// One instant on `CLOCK_MONOTONIC`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(u64);

impl Moment {
    /// Reads the clock (one vDSO call, some 25 ns).
    pub fn now() -> Self {
        Self(nanoseconds(clock_gettime(ClockId::Monotonic)))
    }

    /// Time from `earlier` until this moment; zero when `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    pub(crate) fn timespec(self) -> Timespec {
        Timespec {
            tv_sec: i64::try_from(self.0 / NANOS_PER_SECOND).expect("2^64 ns are 584 years"),
            tv_nsec: i64::try_from(self.0 % NANOS_PER_SECOND).expect("less than 10^9"),
        }
    }
}

impl Add<Duration> for Moment {
    type Output = Self;

    /// Saturates at the end of the clock's range (some 584 years after boot).
    fn add(self, later: Duration) -> Self {
        Self(self.0.saturating_add(saturating_nanos(later)))
    }
}

/// CPU time that the calling thread has used so far.
pub(crate) fn thread_cpu_time() -> Duration {
    Duration::from_nanos(nanoseconds(clock_gettime(ClockId::ThreadCPUTime)))
}

/// Whole nanoseconds, `u64::MAX` for durations beyond 584 years.
pub(crate) fn saturating_nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

const NANOS_PER_SECOND: u64 = 1_000_000_000;

fn nanoseconds(time: Timespec) -> u64 {
    let seconds = u64::try_from(time.tv_sec).expect("these clocks count up from zero");
    let rest = u64::try_from(time.tv_nsec).expect("a normalized timespec has 0..10^9 ns");
    seconds * NANOS_PER_SECOND + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_survives_the_way_into_a_timespec() {
        let moment = Moment(3_000_000_042);
        assert_eq!(
            (moment.timespec().tv_sec, moment.timespec().tv_nsec),
            (3, 42)
        );
        assert_eq!(nanoseconds(moment.timespec()), 3_000_000_042);
    }

    #[test]
    fn time_since_a_later_moment_is_zero() {
        let now = Moment(10);
        assert_eq!(now.since(now + Duration::from_nanos(5)), Duration::ZERO);
        assert_eq!((now + Duration::MAX).0, u64::MAX);
    }
}
