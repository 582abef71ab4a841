//! The service's own metrics, as Prometheus text.

use std::fmt::Write as _;
use std::time::Duration;

/// Upper bounds of the latency buckets, in milliseconds.
pub const BOUNDS_MS: [u32; 14] = [25, 40, 45, 50, 55, 60, 65, 70, 80, 90, 100, 150, 250, 1000];

/// Counters since the start.
#[derive(Debug, Default)]
pub(super) struct Metrics {
    requests: u64,
    cache_hits: u64,
    cache_misses: u64,
    pub(super) in_flight: u64,
    buckets: [u64; BOUNDS_MS.len()],
    seconds: f64,
}

impl Metrics {
    pub(super) fn looked_up(&mut self, is_hit: bool) {
        let counter = if is_hit {
            &mut self.cache_hits
        } else {
            &mut self.cache_misses
        };
        *counter += 1;
    }

    pub(super) fn answered(&mut self, after: Duration) {
        self.requests += 1;
        self.seconds += after.as_secs_f64();
        for (bucket, bound) in self.buckets.iter_mut().zip(BOUNDS_MS) {
            *bucket += u64::from(after <= Duration::from_millis(u64::from(bound)));
        }
    }

    /// The text page, format version 0.0.4.
    pub(super) fn page(&self) -> String {
        let mut page = String::new();
        self.write(&mut page)
            .expect("writing to a string cannot fail");
        page
    }

    fn write(&self, page: &mut String) -> std::fmt::Result {
        let scalars = [
            (
                "demo_requests_total",
                "counter",
                "Requests answered.",
                self.requests,
            ),
            (
                "demo_cache_hits_total",
                "counter",
                "Pieces found in the cache.",
                self.cache_hits,
            ),
            (
                "demo_cache_misses_total",
                "counter",
                "Pieces read from the store.",
                self.cache_misses,
            ),
            (
                "demo_in_flight",
                "gauge",
                "Requests being worked on or queued.",
                self.in_flight,
            ),
        ];
        for (name, kind, help, value) in scalars {
            writeln!(
                page,
                "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}"
            )?;
        }
        let name = "demo_request_duration_seconds";
        writeln!(
            page,
            "# HELP {name} Time from request to answer.\n# TYPE {name} histogram"
        )?;
        for (count, bound) in self.buckets.iter().zip(BOUNDS_MS) {
            writeln!(
                page,
                "{name}_bucket{{le=\"{}\"}} {count}",
                f64::from(bound) / 1e3
            )?;
        }
        writeln!(page, "{name}_bucket{{le=\"+Inf\"}} {}", self.requests)?;
        writeln!(
            page,
            "{name}_sum {}\n{name}_count {}",
            self.seconds, self.requests
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_cumulative_and_agree_with_the_count() {
        let mut metrics = Metrics::default();
        for ms in [30, 52, 52, 2000] {
            metrics.answered(Duration::from_millis(ms));
        }
        metrics.looked_up(true);
        let page = metrics.page();
        for line in [
            "demo_requests_total 4",
            "demo_cache_hits_total 1",
            "demo_request_duration_seconds_bucket{le=\"0.025\"} 0",
            "demo_request_duration_seconds_bucket{le=\"0.055\"} 3",
            "demo_request_duration_seconds_bucket{le=\"1\"} 3",
            "demo_request_duration_seconds_bucket{le=\"+Inf\"} 4",
            "demo_request_duration_seconds_sum 2.134",
            "demo_request_duration_seconds_count 4",
        ] {
            assert!(
                page.lines().any(|found| found == line),
                "{line} is not in\n{page}"
            );
        }
    }
}
