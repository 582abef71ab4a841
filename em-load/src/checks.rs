//! What the driver says about itself: whether its numbers can be believed.

use std::time::Duration;

use crate::batch::Times;
use crate::counts::{Counts, ratio};

/// Evidence that a stretch of load was what it claims to be. Every value is absent where there
/// is nothing to compute it from.
#[derive(Debug, Clone, PartialEq)]
pub struct SelfChecks {
    /// Little's law: relative gap between the measured requests in flight and throughput times
    /// service time. Beyond rounding and the edges of the stretch, a gap is a bookkeeping error.
    pub little_gap: Option<f64>,
    /// How large the gap may be by the edges alone: requests that began before the stretch or
    /// ended after it.
    little_edge: f64,
    /// Answers that came in over requests that fell due.
    pub achieved_over_offered: Option<f64>,
    /// Requests never sent.
    pub dropped: u64,
    /// CPU time of the driver's two threads over the length of the stretch; 1 = one full core.
    pub client_cpu_share: Option<f64>,
    /// p99 of the send lag over the median service time.
    pub lag_over_service: Option<f64>,
    /// p99 of the send lag over p99 of the response time.
    pub lag_over_response: Option<f64>,
    is_falling_behind: bool,
}

impl SelfChecks {
    /// Greatest gap of Little's law, edges aside.
    pub const LITTLE_GAP: f64 = 0.02;
    /// Least share of the offered requests that is answered.
    pub const ACHIEVED: f64 = 0.99;
    /// Greatest share of a core that the driver may use before it is the bottleneck.
    pub const CLIENT_CPU: f64 = 0.7;
    /// Send lag (p99) that does not matter, as a share of the median service time.
    pub const LAG: f64 = 0.1;
    /// Send lag (p99) with which the response time is the driver's own, as a share of its p99.
    pub const LAG_DOMINATES: f64 = 0.5;

    /// Looks at one stretch.
    pub fn of(counts: &Counts, times: &Times) -> Self {
        let in_flight = counts.in_flight_time.as_secs_f64();
        let gap = (in_flight - counts.service_time.as_secs_f64()).abs();
        let span = counts.span.as_secs_f64();
        let lag = times.send_lag.quantile(0.99);
        Self {
            little_gap: (in_flight > 0.0).then(|| gap / in_flight),
            little_edge: little_edge(counts),
            achieved_over_offered: ratio(counts.achieved, counts.offered),
            dropped: counts.dropped,
            client_cpu_share: (span > 0.0).then(|| counts.client_cpu.as_secs_f64() / span),
            lag_over_service: over(lag, times.service_time.quantile(0.5)),
            lag_over_response: over(lag, times.response_time.quantile(0.99)),
            is_falling_behind: is_falling_behind(counts),
        }
    }

    /// Why the numbers should not be trusted; empty = they can be.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.dropped > 0 {
            problems.push(format!(
                "{} requests were dropped because too many were under way: percentiles are lower \
                 bounds; offer less, or allow more in flight",
                self.dropped
            ));
        }
        if self.is_falling_behind {
            problems.push(format!(
                "the target falls behind: {} of the requests due were answered in time, the \
                 others pile up; offer less",
                percent(self.achieved_over_offered)
            ));
        }
        if self
            .little_gap
            .is_some_and(|gap| gap > Self::LITTLE_GAP + self.little_edge)
        {
            problems.push(format!(
                "the books do not balance: requests in flight differ from throughput times \
                 service time by {} (Little's law)",
                percent(self.little_gap)
            ));
        }
        if self
            .client_cpu_share
            .is_some_and(|share| share > Self::CLIENT_CPU)
        {
            problems.push(format!(
                "the load driver is the bottleneck: it used {} of a core; offer less or spread \
                 the load over several drivers",
                percent(self.client_cpu_share)
            ));
        }
        if self
            .lag_over_response
            .is_some_and(|share| share > Self::LAG_DOMINATES)
        {
            problems.push(format!(
                "the response time is mostly the driver's own lag: its p99 is {} of the \
                 response's; give the driver a core or more connections",
                percent(self.lag_over_response)
            ));
        }
        problems
    }

    /// What a careful reader wants to know, though it spoils nothing.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.lag_over_service.is_some_and(|share| share > Self::LAG) {
            notes.push(format!(
                "send lag p99 is {} of the median service time; it is part of the response time",
                percent(self.lag_over_service)
            ));
        }
        notes
    }
}

/// A request that an edge of the stretch cuts is counted on one side with a part of its time only. At
/// either edge about as many are cut as are under way on average, give or take one: of few requests
/// in all that is a large share.
fn little_edge(counts: &Counts) -> f64 {
    let span = counts.span.as_secs_f64();
    if span <= 0.0 || counts.achieved == 0 {
        return 0.0;
    }
    #[expect(clippy::cast_precision_loss, reason = "exact up to 2^53 requests")]
    let achieved = counts.achieved as f64;
    let mean_in_flight = counts.in_flight_time.as_secs_f64() / span;
    (2.0 * mean_in_flight + 2.0) / achieved
}

/// From an idle start to a steady state, as many requests stay unanswered as are in flight on
/// average. A backlog that grows evenly ends at twice its own average.
fn is_falling_behind(counts: &Counts) -> bool {
    let unanswered = counts
        .offered
        .saturating_sub(counts.dropped + counts.achieved + counts.errors());
    let span = counts.span.as_secs_f64();
    if span <= 0.0 || ratio(unanswered, counts.offered).is_none_or(|share| share <= 0.01) {
        return false;
    }
    #[expect(clippy::cast_precision_loss, reason = "exact up to 2^53 requests")]
    let unanswered = unanswered as f64;
    let mean_in_flight = counts.in_flight_time.as_secs_f64() / span;
    unanswered > 1.5 * mean_in_flight + 3.0
}

fn over(part: Option<Duration>, whole: Option<Duration>) -> Option<f64> {
    let (part, whole) = (part?, whole?);
    (!whole.is_zero()).then(|| part.as_secs_f64() / whole.as_secs_f64())
}

fn percent(share: Option<f64>) -> String {
    share.map_or_else(
        || "an unknown share".to_owned(),
        |share| format!("{:.1} %", share * 100.0),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten seconds at 100/s with 50 ms service time, begun idle: five are left in flight.
    fn healthy() -> (Counts, Times) {
        let counts = Counts {
            span: Duration::from_secs(10),
            offered: 1000,
            answered: 1000,
            achieved: 995,
            throughput: 995,
            in_flight_peak: 9,
            in_flight_time: Duration::from_secs(50),
            service_time: Duration::from_millis(49_750),
            client_cpu: Duration::from_millis(100),
            ..Counts::default()
        };
        let mut times = Times::default();
        times.service_time.record_n(Duration::from_millis(50), 1000);
        times
            .response_time
            .record_n(Duration::from_millis(51), 1000);
        times.send_lag.record_n(Duration::from_micros(60), 1000);
        (counts, times)
    }

    #[test]
    fn a_healthy_run_has_no_problems_and_no_notes() {
        let (counts, times) = healthy();
        let checks = SelfChecks::of(&counts, &times);
        assert_eq!((checks.problems(), checks.notes()), (vec![], vec![]));
        assert!((checks.little_gap.unwrap() - 0.005).abs() < 1e-9);
        assert!((checks.client_cpu_share.unwrap() - 0.01).abs() < 1e-9);
    }

    #[test]
    fn each_failing_makes_its_own_problem() {
        type Spoil = fn(&mut Counts, &mut Times);
        let failings: [(Spoil, &str); 5] = [
            (|counts, _| counts.dropped = 1, "1 requests were dropped"),
            (
                |counts, _| (counts.achieved, counts.in_flight_peak) = (900, 100),
                "falls behind",
            ),
            (
                |counts, _| counts.service_time = Duration::from_secs(40),
                "Little's law",
            ),
            (
                |counts, _| counts.client_cpu = Duration::from_secs(8),
                "bottleneck",
            ),
            (
                |_, times| times.send_lag.record_n(Duration::from_millis(30), 100),
                "own lag",
            ),
        ];
        for (spoil, expected) in failings {
            let (mut counts, mut times) = healthy();
            spoil(&mut counts, &mut times);
            let problems = SelfChecks::of(&counts, &times).problems();
            assert_eq!(problems.len(), 1, "{expected}: {problems:?}");
            assert!(problems[0].contains(expected), "{problems:?}");
        }
    }

    #[test]
    fn one_request_of_a_few_that_is_cut_by_the_end_is_no_bookkeeping_error() {
        let (healthy, times) = healthy();
        let counts = Counts {
            span: Duration::from_secs(1),
            offered: 6,
            answered: 6,
            achieved: 6,
            throughput: 6,
            in_flight_peak: 2,
            in_flight_time: Duration::from_millis(600),
            service_time: Duration::from_millis(500),
            ..healthy
        };
        let problems = SelfChecks::of(&counts, &times).problems();
        assert_eq!(problems, Vec::<String>::new());
    }

    #[test]
    fn nothing_offered_gives_no_numbers() {
        let checks = SelfChecks::of(&Counts::default(), &Times::default());
        assert_eq!((checks.little_gap, checks.client_cpu_share), (None, None));
        assert!(checks.problems().is_empty());
    }
}
