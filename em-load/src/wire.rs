//! The JSON form of a report, format `em-load/1`.
//!
//! Times are seconds, histograms are compressed HDR V2 in base64 with nanoseconds as values.
//! Percentiles and checks are written for the reader and recomputed when read back.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::batch::Times;
use crate::checks::SelfChecks;
use crate::counts::Counts;
use crate::outcome::ErrorClass;
use crate::recording::{Exact, Recording, RecordingError};
use crate::report::{Report, RunFacts, Stretch};
use crate::schedule::Arrivals;

const FORMAT: &str = "em-load/1";

/// Why a text is not a report.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// Not the JSON of a report.
    #[error("failed to read a load report: it is not what `em-load --json` writes")]
    Json(#[source] serde_json::Error),
    /// Another version.
    #[error("failed to read a load report: its format is {found:?}, this program reads {FORMAT:?}")]
    Format {
        /// What was found.
        found: String,
    },
    /// A histogram inside cannot be read.
    #[error("failed to read a load report: the histogram of {name} is broken")]
    Histogram {
        /// Which distribution.
        name: &'static str,
        /// What is wrong with it.
        #[source]
        source: RecordingError,
    },
}

impl Report {
    /// Writes the report as JSON, one line.
    ///
    /// ```
    /// # fn show(report: &em_load::Report) -> Result<(), em_load::ReportError> {
    /// assert_eq!(&em_load::Report::from_json(&report.to_json())?, report);
    /// # Ok(())
    /// # }
    /// ```
    pub fn to_json(&self) -> String {
        // Cannot fail: numbers, texts and lists only.
        let written = serde_json::to_string(&ReportWire::of(self));
        debug_assert!(written.is_ok());
        written.unwrap_or_default()
    }

    /// Reads a report back.
    pub fn from_json(text: &str) -> Result<Self, ReportError> {
        let wire: ReportWire = serde_json::from_str(text).map_err(ReportError::Json)?;
        if wire.format != FORMAT {
            return Err(ReportError::Format { found: wire.format });
        }
        let counts = wire.counts.counts();
        let times = Times {
            response_time: wire.response_time.recording("response_time")?,
            service_time: wire.service_time.recording("service_time")?,
            send_lag: wire.send_lag.recording("send_lag")?,
        };
        let runs = wire.runs.into_iter().map(RunWire::facts).collect();
        Ok(Self {
            runs,
            steady: Stretch { counts, times },
        })
    }
}

#[derive(Serialize, Deserialize)]
struct ReportWire {
    format: String,
    runs: Vec<RunWire>,
    counts: CountsWire,
    response_time: TimesWire,
    service_time: TimesWire,
    send_lag: TimesWire,
    #[serde(default, skip_deserializing)]
    checks: Option<ChecksWire>,
    #[serde(default, skip_deserializing)]
    problems: Vec<String>,
    #[serde(default, skip_deserializing)]
    notes: Vec<String>,
}

impl ReportWire {
    fn of(report: &Report) -> Self {
        let Stretch { counts, times } = &report.steady;
        let checks = report.steady.checks();
        Self {
            format: FORMAT.to_owned(),
            runs: report.runs.iter().map(RunWire::of).collect(),
            counts: CountsWire::of(counts),
            response_time: TimesWire::of(&times.response_time),
            service_time: TimesWire::of(&times.service_time),
            send_lag: TimesWire::of(&times.send_lag),
            problems: checks.problems(),
            notes: checks.notes(),
            checks: Some(ChecksWire::of(&checks)),
        }
    }
}

#[derive(Serialize, Deserialize)]
struct RunWire {
    url: String,
    rate_per_second: f64,
    arrivals: ArrivalsWire,
    seed: u64,
    connections: u32,
    in_flight: u32,
    timeout_seconds: f64,
    started: Timestamp,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ArrivalsWire {
    Constant,
    Poisson,
}

impl RunWire {
    fn of(facts: &RunFacts) -> Self {
        Self {
            url: facts.url.clone(),
            rate_per_second: facts.rate,
            arrivals: match facts.arrivals {
                Arrivals::Constant => ArrivalsWire::Constant,
                Arrivals::Poisson => ArrivalsWire::Poisson,
            },
            seed: facts.seed,
            connections: facts.connections,
            in_flight: facts.in_flight,
            timeout_seconds: facts.timeout.as_secs_f64(),
            started: facts.started,
        }
    }

    fn facts(self) -> RunFacts {
        RunFacts {
            url: self.url,
            rate: self.rate_per_second,
            arrivals: match self.arrivals {
                ArrivalsWire::Constant => Arrivals::Constant,
                ArrivalsWire::Poisson => Arrivals::Poisson,
            },
            seed: self.seed,
            connections: self.connections,
            in_flight: self.in_flight,
            timeout: duration(self.timeout_seconds),
            started: self.started,
        }
    }
}

#[derive(Serialize, Deserialize)]
struct CountsWire {
    span_seconds: f64,
    offered: u64,
    answered: u64,
    errors: BTreeMap<String, u64>,
    dropped: u64,
    unfinished: u64,
    achieved: u64,
    throughput: u64,
    in_flight_peak: u64,
    in_flight_seconds: f64,
    service_seconds: f64,
    client_cpu_seconds: f64,
}

impl CountsWire {
    fn of(counts: &Counts) -> Self {
        let errors =
            ErrorClass::ALL.map(|class| (class.name().to_owned(), counts.errors_of(class)));
        Self {
            span_seconds: counts.span.as_secs_f64(),
            offered: counts.offered,
            answered: counts.answered,
            errors: errors.into_iter().filter(|(_, count)| *count > 0).collect(),
            dropped: counts.dropped,
            unfinished: counts.unfinished,
            achieved: counts.achieved,
            throughput: counts.throughput,
            in_flight_peak: counts.in_flight_peak,
            in_flight_seconds: counts.in_flight_time.as_secs_f64(),
            service_seconds: counts.service_time.as_secs_f64(),
            client_cpu_seconds: counts.client_cpu.as_secs_f64(),
        }
    }

    fn counts(&self) -> Counts {
        let errors = ErrorClass::ALL.map(|class| self.errors.get(class.name()).copied());
        Counts {
            span: duration(self.span_seconds),
            offered: self.offered,
            answered: self.answered,
            errors: errors.map(Option::unwrap_or_default),
            dropped: self.dropped,
            unfinished: self.unfinished,
            achieved: self.achieved,
            throughput: self.throughput,
            in_flight_peak: self.in_flight_peak,
            in_flight_time: duration(self.in_flight_seconds),
            service_time: duration(self.service_seconds),
            client_cpu: duration(self.client_cpu_seconds),
        }
    }
}

#[derive(Serialize, Deserialize)]
struct TimesWire {
    count: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    exact: Option<ExactWire>,
    #[serde(
        default,
        skip_deserializing,
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    percentiles_seconds: BTreeMap<&'static str, f64>,
    histogram: String,
}

#[derive(Serialize, Deserialize)]
struct ExactWire {
    min_seconds: f64,
    mean_seconds: f64,
    max_seconds: f64,
    sum_seconds: f64,
    /// Text, because JSON numbers are doubles to many readers.
    sum_of_squares_ns2: String,
}

impl TimesWire {
    fn of(recording: &Recording) -> Self {
        let quantiles = [
            ("p50", 0.5),
            ("p75", 0.75),
            ("p90", 0.9),
            ("p95", 0.95),
            ("p99", 0.99),
            ("p99.9", 0.999),
        ];
        let percentiles = quantiles.into_iter().filter_map(|(name, quantile)| {
            Some((name, recording.quantile(quantile)?.as_secs_f64()))
        });
        let exact = recording
            .exact()
            .zip(recording.mean())
            .map(|(exact, mean)| ExactWire {
                min_seconds: exact.min.as_secs_f64(),
                mean_seconds: mean.as_secs_f64(),
                max_seconds: exact.max.as_secs_f64(),
                sum_seconds: exact.sum.as_secs_f64(),
                sum_of_squares_ns2: exact.sum_of_squares.to_string(),
            });
        Self {
            count: recording.count(),
            exact,
            percentiles_seconds: percentiles.collect(),
            histogram: recording.to_base64(),
        }
    }

    fn recording(&self, name: &'static str) -> Result<Recording, ReportError> {
        let exact = self
            .exact
            .as_ref()
            .map_or_else(Exact::default, |exact| Exact {
                min: duration(exact.min_seconds),
                max: duration(exact.max_seconds),
                sum: duration(exact.sum_seconds),
                sum_of_squares: exact.sum_of_squares_ns2.parse().unwrap_or_default(),
            });
        Recording::from_base64(&self.histogram, exact)
            .map_err(|source| ReportError::Histogram { name, source })
    }
}

#[derive(Serialize, Deserialize)]
struct ChecksWire {
    #[serde(skip_serializing_if = "Option::is_none")]
    little_gap: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    achieved_over_offered: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_cpu_share: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lag_over_service: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lag_over_response: Option<f64>,
}

impl ChecksWire {
    fn of(checks: &SelfChecks) -> Self {
        Self {
            little_gap: checks.little_gap,
            achieved_over_offered: checks.achieved_over_offered,
            client_cpu_share: checks.client_cpu_share,
            lag_over_service: checks.lag_over_service,
            lag_over_response: checks.lag_over_response,
        }
    }
}

/// Whole nanoseconds: a double holds them exactly up to 104 days. Nonsense becomes zero.
fn duration(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(shift_us: u64) -> Report {
        let mut times = Times::default();
        for k in 1..2000 {
            let service = Duration::from_nanos(k * 997 + shift_us * 1000);
            let lag = Duration::from_nanos(20_000 + k);
            times.service_time.record(service);
            times.send_lag.record(lag);
            times.response_time.record(service + lag);
        }
        let counts = Counts {
            span: Duration::from_nanos(10_000_000_001),
            offered: 2010,
            answered: 1999,
            errors: [0, 0, 4, 0, 0, 5],
            dropped: 2,
            achieved: 2004,
            throughput: 1999,
            in_flight_peak: 3,
            in_flight_time: times.service_time.sum(),
            service_time: times.service_time.sum(),
            client_cpu: Duration::from_micros(31_415),
            unfinished: 0,
        };
        let facts = RunFacts {
            url: "http://127.0.0.1:1/".to_owned(),
            rate: 200.0,
            arrivals: Arrivals::Poisson,
            seed: 7,
            connections: 10,
            in_flight: 10,
            timeout: Duration::from_secs(5),
            started: "2026-01-02T03:04:05Z".parse().unwrap(),
        };
        Report {
            runs: vec![facts],
            steady: Stretch { counts, times },
        }
    }

    #[test]
    fn a_report_survives_the_way_through_json_to_the_nanosecond() {
        let report = report(0);
        assert_eq!(Report::from_json(&report.to_json()).unwrap(), report);
    }

    #[test]
    fn merging_what_was_read_is_the_same_as_merging_what_was_written() {
        let (mut direct, other) = (report(0), report(250));
        let mut read = Report::from_json(&direct.to_json()).unwrap();
        read.merge(&Report::from_json(&other.to_json()).unwrap());
        direct.merge(&other);
        assert_eq!(read, direct);
        assert_eq!(read.steady.counts.offered, 4020);
        assert_eq!(
            read.steady.counts.span,
            Duration::from_nanos(10_000_000_001)
        );
        assert_eq!(read.steady.times.response_time.count(), 3998);
    }

    #[test]
    fn what_is_no_report_is_refused() {
        assert!(matches!(Report::from_json("{}"), Err(ReportError::Json(_))));
        let newer = report(0).to_json().replace("em-load/1", "em-load/9");
        assert!(matches!(
            Report::from_json(&newer),
            Err(ReportError::Format { .. })
        ));
    }
}
