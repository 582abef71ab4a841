//! Sources without history: looked at while it is measured, each at its own period.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::asked::asked;
use crate::engine::blame::Patience;
use crate::engine::caller::later;
use crate::engine::performer::iteration::IterationPerformer;
use crate::fault::Fault;
use crate::id::{DatasourceName, MetricName};
use crate::machine::Running;
use crate::observe::{Origin, Window};
use crate::plan::{DatasourceKind, During, Metric, Plan};
use crate::port::{Answer, Datasource, Series};

/// How often the target is asked for what it knows of itself, at the least.
const USAGE_EVERY: Duration = Duration::from_secs(1);
/// Looks in one cycle, at the least, where the file says no period.
const LOOKS_PER_CYCLE: u32 = 4;

/// Series by metric, and what of them is not in the raw store yet.
#[derive(Debug, Default)]
pub(super) struct SeriesStore {
    all: BTreeMap<MetricName, Vec<Series>>,
    fresh: Vec<(MetricName, Series)>,
    origins: BTreeMap<MetricName, Origin>,
}

impl SeriesStore {
    /// The series of a metric.
    pub(super) fn of(&self, metric: &MetricName) -> &[Series] {
        self.all.get(metric).map(Vec::as_slice).unwrap_or_default()
    }

    /// How the values of a metric were come by so far.
    pub(super) fn origin(&self, metric: &MetricName) -> Option<&Origin> {
        self.origins.get(metric)
    }

    /// Remembers how an answer was come by.
    pub(super) fn note(&mut self, metric: &MetricName, origin: Origin) {
        match self.origins.get_mut(metric) {
            Some(known) => known.join(origin),
            None => drop(self.origins.insert(metric.clone(), origin)),
        }
    }

    /// Adds points to the series with their labels. Points already known are not added twice.
    pub(super) fn add(&mut self, metric: &MetricName, answered: Vec<Series>) {
        let known = self.all.entry(metric.clone()).or_default();
        for mut series in answered {
            let same = known.iter_mut().find(|one| one.labels == series.labels);
            let Some(same) = same else {
                known.push(series.clone());
                self.fresh.push((metric.clone(), series));
                continue;
            };
            let last = same.points.last().map(|point| point.at);
            series.points.retain(|point| Some(point.at) > last);
            same.points.extend_from_slice(&series.points);
            if !series.points.is_empty() {
                self.fresh.push((metric.clone(), series));
            }
        }
    }

    pub(super) fn take_fresh(&mut self) -> Vec<(MetricName, Series)> {
        std::mem::take(&mut self.fresh)
    }
}

/// Looks at one source.
#[derive(Debug)]
pub(super) struct Sampler<'a> {
    source: Source<'a>,
    name: DatasourceName,
    metrics: Vec<&'a Metric>,
    every: Duration,
    /// A longer stretch without samples voids what it touches.
    longest_gap: Duration,
    due: Timestamp,
    /// When it last answered.
    answered: Timestamp,
}

#[derive(Debug)]
enum Source<'a> {
    Port(&'a Arc<dyn Datasource>),
    /// What the target knows of itself.
    Usage,
}

/// Two periods; where the period is ours and short, half a cycle: the machine may be busy.
fn longest_gap(plan: &Plan, asked: Option<Duration>, own: Duration) -> Duration {
    match asked {
        Some(asked) => asked * 2,
        None => (own * 2).max((plan.measurement.cycle_duration / 2).min(USAGE_EVERY * 2)),
    }
}

/// What came of a look.
#[derive(Debug, Default)]
pub(super) struct Looked {
    /// A stretch without samples.
    pub(super) void: Option<(Window, String)>,
    pub(super) warnings: Vec<String>,
}

/// Whether a datasource of the plan is the target itself.
pub(super) fn is_target(plan: &Plan, name: &DatasourceName) -> bool {
    plan.datasources
        .get(name)
        .map_or(name.as_str() == "target", |source| {
            matches!(source.kind, DatasourceKind::Target)
        })
}

impl<'a> Sampler<'a> {
    /// Samplers of all sources without history, the first look now.
    pub(super) fn all(iteration: &'a IterationPerformer, since: Timestamp) -> Vec<Self> {
        let plan: &Plan = &iteration.session.plan;
        let mut samplers: Vec<Self> = Vec::new();
        for metric in &plan.metrics {
            let name = &metric.datasource;
            if let Some(known) = samplers.iter_mut().find(|known| known.name == *name) {
                known.metrics.push(metric);
                continue;
            }
            let source = iteration.session.ports.datasources.get(name);
            let (source, own) = match source {
                _ if is_target(plan, name) => (
                    Source::Usage,
                    USAGE_EVERY.min(iteration.session.wanted.batch),
                ),
                Some(source) => match source.sampling() {
                    // A usual period longer than a cycle would see nothing of it.
                    Some(sampling) => (
                        Source::Port(source),
                        sampling
                            .every
                            .min(plan.measurement.cycle_duration / LOOKS_PER_CYCLE),
                    ),
                    None => continue,
                },
                None => continue,
            };
            let asked = plan.datasources.get(name).and_then(|spec| spec.every);
            samplers.push(Self {
                source,
                name: name.clone(),
                metrics: vec![metric],
                every: asked.unwrap_or(own).max(Duration::from_millis(10)),
                longest_gap: longest_gap(plan, asked, own),
                due: since,
                answered: since,
            });
        }
        samplers
    }

    /// When it is looked at next.
    pub(super) fn due(&self) -> Timestamp {
        self.due
    }

    /// Looks where it is due.
    pub(super) async fn look(
        &mut self,
        iteration: &IterationPerformer,
        running: &Running,
        series: &mut SeriesStore,
    ) -> Looked {
        let now = iteration.caller.now();
        if now < self.due {
            return Looked::default();
        }
        // What was missed is not made up for: one look, then on with the period.
        while self.due <= now {
            self.due = later(self.due, self.every);
        }
        let wanted = |metric: &&Metric| metric.during != During::Deploy;
        let (answered, warnings) = self.sample(iteration, running, series, wanted).await;
        Looked {
            void: if answered { self.note_gap(now) } else { None },
            warnings,
        }
    }

    /// Looks once for metrics of the deployment itself: the value when it is ready.
    pub(super) async fn look_at_deployment(
        &mut self,
        iteration: &IterationPerformer,
        running: &Running,
        series: &mut SeriesStore,
    ) {
        let wanted = |metric: &&Metric| metric.during == During::Deploy;
        // What it cannot tell is missing in the end, and is judged there.
        drop(self.sample(iteration, running, series, wanted).await);
    }

    /// The stretch without samples before this look, where it was too long.
    fn note_gap(&mut self, now: Timestamp) -> Option<(Window, String)> {
        let gap = Window {
            start: self.answered,
            end: now,
        };
        self.answered = now;
        (now > later(gap.start, self.longest_gap)).then(|| {
            let why = format!("datasource {} did not answer for {gap}", self.name);
            (gap, why)
        })
    }

    /// Answers whether anything was answered, and what is worth knowing. A metric that fails does
    /// not keep the others from being sampled.
    async fn sample(
        &self,
        iteration: &IterationPerformer,
        running: &Running,
        series: &mut SeriesStore,
        wanted: impl Fn(&&Metric) -> bool,
    ) -> (bool, Vec<String>) {
        let metrics = self.metrics.iter().copied().filter(wanted);
        let (mut answered, mut warnings) = (false, Vec::new());
        match self.source {
            Source::Usage => match self.usage(iteration, series, metrics).await {
                Ok(found) => {
                    answered = true;
                    warnings = found;
                }
                Err(fault) => warnings.push(format!("datasource {}: {}", self.name, fault.chain())),
            },
            Source::Port(source) => {
                for metric in metrics {
                    match one_look(source, iteration, running, metric).await {
                        Ok((origin, answer)) => {
                            answered = true;
                            series.note(&metric.name, origin);
                            let of_metric = |one| format!("metric {}: {one}", metric.name);
                            warnings.extend(answer.warnings.into_iter().map(of_metric));
                            series.add(&metric.name, answer.series);
                        }
                        Err(fault) => {
                            warnings.push(format!("metric {}: {}", metric.name, fault.chain()));
                        }
                    }
                }
            }
        }
        (answered, warnings)
    }

    async fn usage(
        &self,
        iteration: &IterationPerformer,
        series: &mut SeriesStore,
        metrics: impl Iterator<Item = &'a Metric>,
    ) -> Result<Vec<String>, Fault> {
        let metrics: Vec<&Metric> = metrics.collect();
        if metrics.is_empty() {
            return Ok(Vec::new());
        }
        let target = &iteration.session.ports.target;
        let patience = Patience {
            timeout: iteration.session.plan.timeouts.call,
            retries: 0,
        };
        let began = Instant::now();
        let usage = iteration
            .caller
            .call("read what the target uses", patience, |cx| async move {
                target.usage(&cx).await
            })
            .await?;
        let at = iteration.caller.now();
        let mut warnings = Vec::new();
        for metric in metrics {
            let query = metric.query.text.text();
            let Some(value) = usage.get(query) else {
                let known: Vec<&str> = usage.keys().map(String::as_str).collect();
                let known = known.join(", ");
                warnings.push(format!("the target knows no {query} (it knows {known})"));
                continue;
            };
            let answer = Answer::look(at, *value);
            let (source, window) = (&metric.datasource, answer.window);
            let origin = Origin::of(source, query, window, &answer, began.elapsed());
            series.note(&metric.name, origin);
            series.add(&metric.name, answer.series);
        }
        Ok(warnings)
    }
}

async fn one_look(
    source: &Arc<dyn Datasource>,
    iteration: &IterationPerformer,
    running: &Running,
    metric: &Metric,
) -> Result<(Origin, Answer), Fault> {
    let asked = &asked(iteration, running, metric, None)?;
    let patience = Patience {
        timeout: metric.timeout,
        retries: 0,
    };
    let (took, answer) = iteration
        .caller
        .call("sample a metric", patience, |cx| async move {
            let began = Instant::now();
            let answer = source.sample(&cx, asked).await?;
            Ok((began.elapsed(), answer))
        })
        .await?;
    let source = &metric.datasource;
    let origin = Origin::of(source, &asked.text, answer.window, &answer, took);
    Ok((origin, answer))
}
