//! The thread that says "now": it sleeps until each due time and hands it on.
//!
//! A timer of the async runtime ticks in milliseconds, and a spinning thread takes a core from
//! the target. So this is a thread of its own that sleeps on absolute deadlines with the
//! kernel's timer slack set to a nanosecond. It does nothing else and never waits for anybody:
//! when the ring is full the request is counted as overflowed, and time goes on.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::thread::{ClockId, clock_nanosleep_absolute, set_current_timer_slack};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use crate::moment::{Moment, saturating_nanos, thread_cpu_time};
use crate::schedule::Schedule;

/// What the pacer tells the outside while it runs.
#[derive(Debug, Default)]
pub(crate) struct PacerGauges {
    stop: AtomicBool,
    due: AtomicU64,
    overflowed: AtomicU64,
    cpu_nanos: AtomicU64,
}

impl PacerGauges {
    /// Asks the pacer to end; it looks at least every 20 ms.
    pub(crate) fn stop(&self) {
        self.stop.store(true, Ordering::Release);
    }

    /// Requests that have fallen due so far.
    pub(crate) fn due(&self) -> u64 {
        self.due.load(Ordering::Acquire)
    }

    /// Takes the count of due requests that found the ring full since the last call.
    pub(crate) fn take_overflowed(&self) -> u64 {
        self.overflowed.swap(0, Ordering::AcqRel)
    }

    /// CPU time of the pacing thread, a few milliseconds behind.
    pub(crate) fn cpu_time(&self) -> Duration {
        Duration::from_nanos(self.cpu_nanos.load(Ordering::Relaxed))
    }
}

/// What to pace.
pub(crate) struct Pacing {
    pub(crate) schedule: Schedule,
    pub(crate) origin: Moment,
    /// Where the load ends by itself, if it does.
    pub(crate) ends: Option<Moment>,
    pub(crate) ring: mpsc::Sender<Moment>,
    pub(crate) gauges: Arc<PacerGauges>,
}

impl Pacing {
    /// Starts the pacing thread. It ends when the schedule or `ends` is reached, on
    /// [`PacerGauges::stop`], or when the receiving side is gone.
    pub(crate) fn spawn(self) -> std::io::Result<JoinHandle<()>> {
        std::thread::Builder::new()
            .name("em-load-pacer".to_owned())
            .spawn(move || self.run())
    }

    fn run(self) {
        // Without this the kernel may wake us up to 50 us late. A refusal costs punctuality,
        // which the send lag reports, not correctness.
        if let Err(error) = set_current_timer_slack(NonZeroU64::new(1)) {
            tracing::debug!(%error, "timer slack stays as it is");
        }
        let Self {
            schedule,
            origin,
            ends,
            ring,
            gauges,
        } = self;
        for offset in schedule {
            let due = origin + offset;
            let last = ends.is_some_and(|ends| due >= ends);
            let until = if last { ends.unwrap_or(due) } else { due };
            if !sleep_until(until, &gauges) || last {
                return;
            }
            gauges.due.fetch_add(1, Ordering::AcqRel);
            match ring.try_send(due) {
                Ok(()) => {}
                Err(TrySendError::Full(_)) => {
                    gauges.overflowed.fetch_add(1, Ordering::AcqRel);
                }
                Err(TrySendError::Closed(_)) => {
                    gauges.overflowed.fetch_add(1, Ordering::AcqRel);
                    return;
                }
            }
        }
    }
}

/// Sleeps in pieces so that a stop is seen even when the next request is a minute away.
/// Answers false when the pacer is to end.
fn sleep_until(deadline: Moment, gauges: &PacerGauges) -> bool {
    const LONGEST_NAP: Duration = Duration::from_millis(20);
    loop {
        if gauges.stop.load(Ordering::Acquire) {
            return false;
        }
        let now = Moment::now();
        if now >= deadline {
            return true;
        }
        let nap = deadline.min(now + LONGEST_NAP);
        // Interrupted by a signal or not: the loop looks at the clock again.
        let _ = clock_nanosleep_absolute(ClockId::Monotonic, &nap.timespec());
        gauges
            .cpu_nanos
            .store(saturating_nanos(thread_cpu_time()), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::Profile;
    use crate::schedule::Arrivals;

    fn pacing(
        rate: f64,
        ring: mpsc::Sender<Moment>,
        lasts: Duration,
    ) -> (Pacing, Arc<PacerGauges>) {
        let gauges = Arc::new(PacerGauges::default());
        let schedule = Schedule::new(Profile::constant(rate).unwrap(), Arrivals::Constant, 1);
        let origin = Moment::now();
        let ends = Some(origin + lasts);
        let pacing = Pacing {
            schedule,
            origin,
            ends,
            ring,
            gauges: Arc::clone(&gauges),
        };
        (pacing, gauges)
    }

    #[test]
    fn every_due_time_is_handed_on_and_never_early() {
        let (ring, mut due) = mpsc::channel(1024);
        let (pacing, gauges) = pacing(1000.0, ring, Duration::from_millis(200));
        let origin = pacing.origin;
        let thread = pacing.spawn().unwrap();
        let mut came = 0;
        while let Some(due) = due.blocking_recv() {
            assert!(Moment::now() >= due);
            assert_eq!(due.since(origin), Duration::from_millis(came));
            came += 1;
        }
        thread.join().unwrap();
        assert_eq!((came, gauges.due()), (200, 200));
    }

    #[test]
    fn a_full_ring_is_counted_and_does_not_hold_up_time() {
        let (ring, mut due) = mpsc::channel(10);
        let (pacing, gauges) = pacing(1000.0, ring, Duration::from_millis(100));
        pacing.spawn().unwrap().join().unwrap();
        let mut kept = 0;
        while due.try_recv().is_ok() {
            kept += 1;
        }
        assert_eq!(
            (kept, gauges.due(), gauges.take_overflowed()),
            (10, 100, 90)
        );
    }

    #[test]
    fn a_stop_ends_a_pacer_whose_next_request_is_an_hour_away() {
        let (ring, _due) = mpsc::channel(10);
        let (pacing, gauges) = pacing(1.0 / 3600.0, ring, Duration::from_hours(2));
        let thread = pacing.spawn().unwrap();
        gauges.stop();
        thread.join().unwrap();
    }
}
