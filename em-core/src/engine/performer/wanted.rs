//! What is wanted of each metric, worked out once per run.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::expression::Name;
use crate::id::MetricName;
use crate::observe::{Observed, Replication, Statistic};
use crate::plan::{LoadSpec, MetricKind, Plan, Redeploy};
use crate::port::LoadDriver;
use crate::value::Unit;

/// What is wanted of each metric.
#[derive(Debug)]
pub(in crate::engine) struct Wanted {
    /// The load as the plan has it.
    pub(in crate::engine) load: Arc<LoadSpec>,
    /// Length of one batch: a whole number of them is one cycle.
    pub(in crate::engine) batch: Duration,
    /// From steady load to its end, as planned.
    pub(in crate::engine) planned: Duration,
    /// The metric on which the warm-up is judged.
    pub(in crate::engine) leading: Option<MetricName>,
    /// What iterations repeat.
    pub(in crate::engine) replication: Replication,
    kinds: BTreeMap<MetricName, (MetricKind, Unit)>,
    units: BTreeMap<MetricName, Unit>,
    named: BTreeMap<MetricName, Vec<Statistic>>,
}

/// Batches of a cycle: few enough to be cheap, enough to tell a warm-up from what follows.
const BATCHES_PER_CYCLE: u32 = 10;
const LONGEST_BATCH: Duration = Duration::from_secs(1);
const SHORTEST_BATCH: Duration = Duration::from_millis(20);

impl Wanted {
    pub(in crate::engine) fn of(plan: &Plan, driver: &dyn LoadDriver) -> Self {
        let measurement = &plan.measurement;
        let known = plan.load.metrics();
        let mut kinds: BTreeMap<_, _> = known
            .into_iter()
            .map(|metric| (metric.name, (metric.kind, metric.unit)))
            .collect();
        let own = plan.metrics.iter();
        kinds.extend(own.map(|metric| (metric.name.clone(), (metric.kind, metric.unit.clone()))));
        let units = driver.metrics(&plan.load);
        let units = units
            .into_iter()
            .map(|(name, unit)| (of_load(&name), unit))
            .collect();
        let fresh = measurement.redeploy == Redeploy::Always && plan.target.deploys_afresh();
        Self {
            load: Arc::new(plan.load.clone()),
            batch: batch(measurement.cycle_duration),
            planned: measurement.warmup.expected()
                + measurement.cycle_duration * measurement.cycles,
            leading: leading(plan, &kinds),
            replication: if fresh {
                Replication::Deployment
            } else {
                Replication::Window
            },
            kinds,
            units,
            named: named(plan),
        }
    }

    /// The unit of a metric.
    pub(super) fn unit(&self, metric: &MetricName) -> Unit {
        let known = self.kinds.get(metric).map(|(_, unit)| unit);
        let unit = known.or_else(|| self.units.get(metric));
        unit.cloned().unwrap_or(Unit::Dimensionless)
    }

    /// The statistics of a metric that has observations of this form.
    pub(super) fn statistics(&self, metric: &MetricName, seen: &Observed) -> Vec<Statistic> {
        let kind = match (self.kinds.get(metric), seen) {
            (Some((kind, _)), _) => *kind,
            (None, Observed::Counter { .. }) => MetricKind::Counter,
            (None, Observed::Values { .. }) => MetricKind::Gauge,
            (None, Observed::Histogram(_) | Observed::Buckets { .. }) => MetricKind::Histogram,
        };
        let mut statistics = usual(kind);
        for named in self.named.get(metric).into_iter().flatten() {
            if !statistics.contains(named) {
                statistics.push(named.clone());
            }
        }
        statistics
    }
}

/// A whole share of the cycle, so that cycles begin and end with batches.
fn batch(cycle: Duration) -> Duration {
    let for_longest = cycle.as_nanos().div_ceil(LONGEST_BATCH.as_nanos());
    let for_shortest = cycle.as_nanos() / SHORTEST_BATCH.as_nanos();
    let wanted = for_longest.max(u128::from(BATCHES_PER_CYCLE));
    let batches = wanted.min(for_shortest.max(1));
    cycle / u32::try_from(batches).unwrap_or(u32::MAX).max(1)
}

fn usual(kind: MetricKind) -> Vec<Statistic> {
    let distribution = [
        Statistic::Count,
        Statistic::Min,
        Statistic::Max,
        Statistic::Mean,
        Statistic::Median,
        Statistic::Sd,
        Statistic::Cv,
        Statistic::Percentile(90.0),
        Statistic::Percentile(95.0),
        Statistic::Percentile(99.0),
    ];
    match kind {
        MetricKind::Gauge => [distribution.as_slice(), &[Statistic::Last]].concat(),
        MetricKind::Histogram => [distribution.as_slice(), &[Statistic::Percentile(99.9)]].concat(),
        MetricKind::Counter => vec![Statistic::Rate, Statistic::Total],
        MetricKind::Value => vec![Statistic::Value],
    }
}

/// Statistics that objective and constraints name.
fn named(plan: &Plan) -> BTreeMap<MetricName, Vec<Statistic>> {
    let mut named: BTreeMap<MetricName, Vec<Statistic>> = BTreeMap::new();
    for (metric, statistic) in names(plan) {
        let Ok(metric) = metric.parse() else {
            continue;
        };
        if let Some(text) = statistic {
            let statistic = text
                .parse()
                .unwrap_or_else(|_| Statistic::Custom(text.to_owned()));
            named.entry(metric).or_default().push(statistic);
        }
    }
    named
}

fn names(plan: &Plan) -> impl Iterator<Item = (&str, Option<&str>)> {
    let objective = plan.objective.iter();
    let objective = objective.flat_map(|objective| objective.expression.names());
    let constraints = plan.constraints.iter();
    let constraints = constraints.flat_map(|constraint| constraint.expression.names());
    objective.chain(constraints).filter_map(|name| match name {
        Name::Metric {
            metric, statistic, ..
        } => Some((metric.as_str(), statistic.as_deref())),
        Name::Tunable(_) => None,
    })
}

/// The objective's metric where it is a level or a distribution; else the response time; else the
/// first metric that is one.
fn leading(plan: &Plan, kinds: &BTreeMap<MetricName, (MetricKind, Unit)>) -> Option<MetricName> {
    let settles = |name: &MetricName| {
        let kind = kinds.get(name).map(|(kind, _)| *kind);
        matches!(kind, Some(MetricKind::Gauge | MetricKind::Histogram))
    };
    let of_objective = plan
        .objective
        .iter()
        .flat_map(|objective| objective.expression.names())
        .filter_map(|name| match name {
            Name::Metric { metric, .. } => metric.parse::<MetricName>().ok(),
            Name::Tunable(_) => None,
        });
    let usual = "load.response_time".parse::<MetricName>().ok();
    let mut candidates = of_objective.chain(usual).chain(kinds.keys().cloned());
    candidates.find(settles)
}

/// The name that a metric of a load driver has in the plan.
pub(super) fn of_load(name: &MetricName) -> MetricName {
    let full = format!("load.{name}");
    full.parse().unwrap_or_else(|_| name.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cycle_is_a_whole_number_of_batches() {
        let batches = [100, 1_000, 30_000, 45_500].map(|ms| {
            let cycle = Duration::from_millis(ms);
            batch(cycle).as_millis()
        });
        assert_eq!(batches, [20, 100, 1_000, 989]);
    }
}
