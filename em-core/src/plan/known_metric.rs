//! What statistics a metric has, and the metrics that are there without being written in the file.

use super::load::{LoadSpec, OutputRules};
use super::metric::MetricKind;
use crate::id::MetricName;
use crate::observe::Statistic;
use crate::value::Unit;

impl MetricKind {
    /// The statistic that is meant where only the metric is named; a distribution has none.
    pub fn implied(self) -> Option<Statistic> {
        match self {
            Self::Gauge => Some(Statistic::Mean),
            Self::Counter => Some(Statistic::Rate),
            Self::Value => Some(Statistic::Value),
            Self::Histogram => None,
        }
    }

    /// The statistics that the built-in summarizer has of it, as the file writes them; `pQ` stands for every percentile.
    pub fn statistics(self) -> &'static [&'static str] {
        match self {
            Self::Gauge => &[
                "mean", "min", "max", "sd", "median", "cv", "count", "last", "pQ",
            ],
            Self::Histogram => &["mean", "min", "max", "sd", "median", "cv", "count", "pQ"],
            Self::Counter => &["rate", "total"],
            Self::Value => &["value"],
        }
    }

    /// Whether the built-in summarizer has this statistic of it.
    pub fn has(self, statistic: &Statistic) -> bool {
        let name = if let Statistic::Percentile(_) = statistic {
            "pQ".to_owned()
        } else {
            statistic.to_string()
        };
        self.statistics().contains(&name.as_str())
    }
}

impl Statistic {
    /// The unit of this statistic of a metric in `unit`.
    pub fn unit(&self, unit: &Unit) -> Unit {
        match self {
            Self::Count => Unit::Count,
            Self::Cv => Unit::Ratio,
            Self::Rate => unit.rate(),
            Self::Min
            | Self::Max
            | Self::Mean
            | Self::Median
            | Self::Sd
            | Self::Total
            | Self::Value
            | Self::Last
            | Self::Percentile(_)
            | Self::Custom(_) => unit.clone(),
        }
    }
}

/// A metric that is there without being written in the file.
#[derive(Debug, Clone, PartialEq)]
pub struct KnownMetric {
    /// Its name, `load.NAME`.
    pub name: MetricName,
    /// What its values mean.
    pub kind: MetricKind,
    /// Their unit.
    pub unit: Unit,
}

/// What the built-in open-model driver always reports.
const HTTP: [(&str, MetricKind, Unit); 11] = [
    ("load.response_time", MetricKind::Histogram, Unit::Seconds),
    ("load.service_time", MetricKind::Histogram, Unit::Seconds),
    ("load.send_lag", MetricKind::Histogram, Unit::Seconds),
    ("load.offered", MetricKind::Counter, Unit::Count),
    ("load.achieved", MetricKind::Counter, Unit::Count),
    ("load.throughput", MetricKind::Counter, Unit::Count),
    ("load.dropped", MetricKind::Counter, Unit::Count),
    ("load.errors", MetricKind::Counter, Unit::Count),
    ("load.error_share", MetricKind::Value, Unit::Ratio),
    ("load.in_flight", MetricKind::Gauge, Unit::Count),
    ("load.client_cpu", MetricKind::Counter, Unit::Seconds),
];

impl LoadSpec {
    /// The metrics that the load driver reports by itself: those of the open-model driver (also of registered drivers, which
    /// are held to the same list), or what the output rules of a command or a job name.
    pub fn metrics(&self) -> Vec<KnownMetric> {
        match self {
            Self::Http(_) | Self::Custom { .. } => HTTP.iter().map(known).collect(),
            Self::Command(command) => of_output(&command.output),
            Self::Job(job) => of_output(&job.output),
            Self::External(_) | Self::None => Vec::new(),
        }
    }

    /// The open-model driver's metric of that name, whatever the load: what a simulated target imitates.
    pub fn usual_metric(name: &MetricName) -> Option<KnownMetric> {
        let row = HTTP.iter().find(|row| row.0 == name.as_str());
        row.map(known)
    }
}

fn known((name, kind, unit): &(&str, MetricKind, Unit)) -> KnownMetric {
    KnownMetric {
        name: name.parse().expect("the table follows the rule of names"),
        kind: *kind,
        unit: unit.clone(),
    }
}

fn of_output(output: &OutputRules) -> Vec<KnownMetric> {
    let found = output.patterns.iter().chain(&output.json);
    let found = found.map(|(name, rule)| of_load(name, rule.kind, &rule.unit));
    let logs = output.samples.iter();
    let logs = logs.map(|(name, log)| of_load(name, MetricKind::Histogram, &log.unit));
    found.chain(logs).collect()
}

fn of_load(name: &MetricName, kind: MetricKind, unit: &Unit) -> KnownMetric {
    let text = name.as_str();
    let full = if text.starts_with("load.") {
        name.clone()
    } else {
        // Too long with the prefix: it cannot be named in an expression, but is reported all the same.
        format!("load.{text}")
            .parse()
            .unwrap_or_else(|_| name.clone())
    };
    KnownMetric {
        name: full,
        kind,
        unit: unit.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_already_a_statistic_and_a_counter_has_two() {
        let p99 = Statistic::Percentile(99.0);
        assert!(MetricKind::Histogram.has(&p99) && MetricKind::Gauge.has(&p99));
        assert!(!MetricKind::Value.has(&p99) && !MetricKind::Counter.has(&p99));
        assert!(MetricKind::Counter.has(&Statistic::Total));
        assert_eq!(Statistic::Rate.unit(&Unit::Count), Unit::PerSecond);
        assert_eq!(
            Statistic::Rate.unit(&Unit::Seconds),
            Unit::Dimensionless,
            "CPU seconds per second"
        );
    }
}
