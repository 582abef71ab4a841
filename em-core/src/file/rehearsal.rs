//! What a simulated target's model measures, without being written under `metrics`.

use std::time::Duration;

use super::datasource;
use super::metric::{BUILT_IN, ReadMetric};
use crate::id::MetricName;
use crate::plan::{
    Compare, During, Fold, Lag, Metric, MetricKind, Query, SimulatedSpec, TargetSpec, WhenMissing,
};
use crate::template::Template;
use crate::value::Unit;

/// The metrics of the plan: those of the file, then those that only the model names. A metric that
/// the model names is the target's to tell, whatever source the file has for the real system.
pub(super) fn metrics(target: Option<&TargetSpec>, read: &[ReadMetric<'_>]) -> Vec<Metric> {
    let Some(TargetSpec::Simulated(simulated)) = target else {
        return read.iter().map(|one| one.metric.clone()).collect();
    };
    let written = read.iter().map(|one| rehearsed(simulated, one));
    let mut metrics: Vec<Metric> = written.collect();
    for name in simulated.model.keys().filter(|name| is_own(name)) {
        if !metrics.iter().any(|metric| metric.name == *name) {
            metrics.push(told_by_target(name));
        }
    }
    metrics
}

/// The load's metrics are the load driver's to report.
fn is_own(name: &MetricName) -> bool {
    !name.as_str().starts_with("load.")
}

fn rehearsed(simulated: &SimulatedSpec, read: &ReadMetric<'_>) -> Metric {
    let ReadMetric { metric, reader } = read;
    if !simulated.model.contains_key(&metric.name) {
        return metric.clone();
    }
    if matches!(metric.kind, MetricKind::Counter | MetricKind::Histogram) {
        let place = reader.peek("as").unwrap_or_else(|| reader.clone());
        place.refuse_with(
            format!("the model gives {} one level at a time", metric.name),
            "for the rehearsal write as: gauge or as: value",
        );
    }
    let Metric {
        datasource, query, ..
    } = told_by_target(&metric.name);
    Metric {
        datasource,
        query,
        // Formulas are written in base units.
        scale: 1.0,
        ..metric.clone()
    }
}

fn told_by_target(name: &MetricName) -> Metric {
    Metric {
        name: name.clone(),
        datasource: datasource::name(datasource::TARGET),
        query: Query {
            text: Template::parse(name.as_str()).expect("names of metrics hold no placeholder"),
        },
        kind: MetricKind::Gauge,
        unit: Unit::Dimensionless,
        scale: 1.0,
        fold: Fold::Single,
        during: During::Measure,
        on_empty: WhenMissing::Fail,
        on_nan: WhenMissing::Fail,
        valid: None,
        required: true,
        timeout: Duration::from_secs(10),
        attempts: 3,
        lag: Lag::Auto,
        compare: Compare::Neither,
        summarizer: BUILT_IN.to_owned(),
    }
}
