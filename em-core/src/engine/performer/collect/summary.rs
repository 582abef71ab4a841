//! From the kept cycles to statistics of every metric.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::collector::Collector;
use super::history;
use super::sampling::is_target;
use crate::engine::blame::failed;
use crate::engine::ports::BUILT_IN;
use crate::fold::{self, Stretch};
use crate::id::{CycleNo, MetricName};
use crate::journal::{Blame, Failure, Stage};
use crate::observe::{Cycle, Kept, Labelled, MetricSummary, Observations, Summary, Window};
use crate::plan::{DatasourceKind, During, Metric, MetricKind, Plan};
use crate::port::Series;

/// Statistics of every metric. A required metric without them is a failure.
pub(super) async fn summarize(
    collector: &mut Collector<'_>,
    labelled: &Labelled,
) -> Result<Summary, Failure> {
    let mut summary = of_load(collector, labelled);
    let kept: Vec<Cycle> = labelled.kept().cloned().collect();
    if kept.is_empty() {
        return Ok(summary);
    }
    let plan = Arc::clone(&collector.iteration.session.plan);
    for metric in &plan.metrics {
        let mut one = match observe(collector, &plan, metric, &kept).await {
            Ok(seen) => statistics(collector, metric, seen),
            Err(why) if metric.required => {
                let message = format!("metric {}: {why}", metric.name);
                return Err(failed(Stage::Collect, Blame::Datasource, message));
            }
            Err(why) => MetricSummary::missing(metric.unit.clone(), why),
        };
        one.origin = collector.series.origin(&metric.name).cloned().map(Box::new);
        summary.insert(metric.name.clone(), one);
    }
    Ok(summary)
}

/// What was seen of one metric in the kept cycles, and values left out of it.
#[derive(Default)]
struct Seen {
    kept: Vec<Kept>,
    non_finite: u64,
}

async fn observe(
    collector: &mut Collector<'_>,
    plan: &Plan,
    metric: &Metric,
    kept: &[Cycle],
) -> Result<Seen, String> {
    let cycles = cycles_of(collector, metric, kept)?;
    let whole = Window {
        start: cycles
            .first()
            .map_or(kept[0].window.start, |first| first.1.window.start),
        end: cycles
            .last()
            .map_or(kept[0].window.end, |last| last.1.window.end),
    };
    let has_history = !is_target(plan, &metric.datasource)
        && collector
            .iteration
            .session
            .ports
            .datasources
            .get(&metric.datasource)
            .is_some_and(|source| source.sampling().is_none());
    if has_history && metric.kind == MetricKind::Value && metric.during == During::Measure {
        // One number per cycle: each is asked at the end of its own.
        let mut seen = Seen::default();
        for (index, cycle) in (0..).zip(&cycles) {
            let series = history::query(collector, metric, cycle.1.window).await;
            let series = series.map_err(|fault| fault.chain())?;
            let one = folded(metric, &series, std::slice::from_ref(cycle))?;
            seen.non_finite += one.non_finite;
            let kept = one.kept.into_iter();
            seen.kept.extend(kept.map(|kept| Kept {
                batch: index,
                ..kept
            }));
        }
        return Ok(seen);
    }
    if has_history {
        let series = history::query(collector, metric, whole).await;
        let series = series.map_err(|fault| fault.chain())?;
        return folded(metric, &series, &cycles);
    }
    folded(metric, collector.series.of(&metric.name), &cycles)
}

/// The stretches over which a metric is wanted.
fn cycles_of(
    collector: &Collector<'_>,
    metric: &Metric,
    kept: &[Cycle],
) -> Result<Vec<(CycleNo, Stretch)>, String> {
    let stamps = &collector.iteration.stamps;
    let whole = |start, end| vec![(CycleNo(0), Stretch::alone(Window { start, end }))];
    let begun = stamps
        .begun
        .ok_or("it is not known when the deployment began");
    match metric.during {
        During::Measure if is_read_as_a_whole(collector, metric) => {
            let (first, last) = (kept.first(), kept.last());
            let ends = first.zip(last).ok_or("there are no cycles")?;
            Ok(whole(ends.0.window.start, ends.1.window.end))
        }
        During::Measure => Ok(stretches(kept)),
        During::Deploy => {
            // A source without history is looked at once, when it is ready.
            let has_point = collector.series.of(&metric.name).first();
            let looked = has_point.and_then(|series| series.points.last());
            let ready = stamps.verified.ok_or("it is not known when it was ready")?;
            let end = looked.map_or(ready, |point| point.at.max(ready));
            let instant = std::time::Duration::from_nanos(1);
            Ok(whole(begun?, crate::engine::caller::later(end, instant)))
        }
        During::Iteration => {
            let end = kept.last().map_or(begun?, |last| last.window.end);
            Ok(whole(begun?, end))
        }
    }
}

/// Rows without a time belong to all cycles together.
fn is_read_as_a_whole(collector: &Collector<'_>, metric: &Metric) -> bool {
    let sources = &collector.iteration.session.plan.datasources;
    let kind = sources.get(&metric.datasource).map(|source| &source.kind);
    matches!(kind, Some(DatasourceKind::Csv { time: None, .. }))
}

/// Kept cycles as stretches: those without a gap between them belong together.
fn stretches(kept: &[Cycle]) -> Vec<(CycleNo, Stretch)> {
    let mut stretches: Vec<(CycleNo, Stretch)> = Vec::with_capacity(kept.len());
    for cycle in kept {
        let joined = stretches
            .last()
            .filter(|(_, before)| before.window.end == cycle.window.start);
        let reach_back = joined.map_or(cycle.window.start, |(_, before)| before.reach_back);
        let stretch = Stretch {
            window: cycle.window,
            reach_back,
        };
        stretches.push((cycle.cycle, stretch));
    }
    stretches
}

fn folded(
    metric: &Metric,
    series: &[Series],
    cycles: &[(CycleNo, Stretch)],
) -> Result<Seen, String> {
    let mut seen = Seen {
        kept: Vec::with_capacity(cycles.len()),
        non_finite: 0,
    };
    for (index, (cycle, stretch)) in (0..).zip(cycles) {
        let folded = fold::fold(metric, series, *stretch).map_err(|error| error.to_string())?;
        seen.non_finite += folded.non_finite;
        seen.kept.extend(folded.observed.map(|observed| Kept {
            cycle: *cycle,
            batch: index,
            window: stretch.window,
            observed,
        }));
    }
    Ok(seen)
}

fn statistics(collector: &Collector<'_>, metric: &Metric, seen: Seen) -> MetricSummary {
    let mut summary = of_kept(collector, &metric.name, &metric.summarizer, seen.kept);
    summary.non_finite += seen.non_finite;
    summary
}

fn of_kept(
    collector: &Collector<'_>,
    name: &MetricName,
    summarizer: &str,
    kept: Vec<Kept>,
) -> MetricSummary {
    let session = &collector.iteration.session;
    let unit = session.wanted.unit(name);
    let Some(first) = kept.first() else {
        return MetricSummary::missing(unit, "nothing was seen in the cycles that count");
    };
    let Some(port) = session.ports.summarizers.get(summarizer) else {
        let why = format!("there is no summarizer {summarizer}");
        return MetricSummary::missing(unit, why);
    };
    let mut statistics = session.wanted.statistics(name, &first.observed);
    if summarizer != BUILT_IN {
        let own = port.statistics().into_iter();
        statistics.extend(own.map(crate::observe::Statistic::Custom));
    }
    let observations = Observations {
        kept,
        replication: session.wanted.replication,
    };
    let mut summary = port.summarize(&observations, &statistics);
    summary.unit = unit;
    summary
}

/// Statistics of the load's own metrics, from the batches within kept cycles.
fn of_load(collector: &Collector<'_>, labelled: &Labelled) -> Summary {
    let mut kept: BTreeMap<MetricName, Vec<Kept>> = BTreeMap::new();
    let batches = &collector.collected.batches;
    for cycle in labelled.kept() {
        let from = batches.partition_point(|batch| batch.window.start < cycle.window.start);
        let within = batches.iter().skip(from);
        for batch in within.take_while(|batch| batch.window.within(&cycle.window)) {
            for (name, observed) in &batch.observed {
                if collector.iteration.session.plan.metric(name).is_some() {
                    continue;
                }
                kept.entry(name.clone()).or_default().push(Kept {
                    cycle: cycle.cycle,
                    batch: batch.index,
                    window: batch.window,
                    observed: observed.clone(),
                });
            }
        }
    }
    kept.into_iter()
        .map(|(name, kept)| {
            let summary = of_kept(collector, &name, BUILT_IN, kept);
            (name, summary)
        })
        .collect()
}
