//! What the names of an expression mean in this experiment.

use std::collections::BTreeMap;

use crate::assign;
use crate::expression::{Meaning, Name, closest};
use crate::observe::Statistic;
use crate::plan::{LoadSpec, MetricKind, TargetSpec, Tunable};
use crate::value::Unit;

/// One metric that can be named.
#[derive(Debug, Clone)]
struct Known {
    kind: MetricKind,
    unit: Unit,
    /// Statistics that a registered summarizer adds.
    more: Vec<String>,
}

/// Everything that can be named.
#[derive(Debug)]
pub(super) struct Names<'t> {
    metrics: BTreeMap<String, Known>,
    tunables: &'t [Tunable],
    load: Option<&'t LoadSpec>,
    has_baseline: bool,
}

impl<'t> Names<'t> {
    pub(super) fn new(
        tunables: &'t [Tunable],
        load: Option<&'t LoadSpec>,
        target: Option<&TargetSpec>,
        has_baseline: bool,
    ) -> Self {
        let mut names = Self {
            metrics: BTreeMap::new(),
            tunables,
            load,
            has_baseline,
        };
        for metric in load.map(LoadSpec::metrics).unwrap_or_default() {
            names.add(metric.name.as_str(), metric.kind, metric.unit, Vec::new());
        }
        if let Some(TargetSpec::Simulated(simulated)) = target {
            let makes_load = !matches!(load, Some(LoadSpec::None | LoadSpec::External(_)) | None);
            for name in simulated.model.keys() {
                // The load's own metrics are there only where there is load.
                if name.as_str().starts_with("load.") && !makes_load {
                    continue;
                }
                // A simulated target reports a number where a real one would have a distribution.
                let usual = LoadSpec::usual_metric(name);
                let (kind, unit) = usual.map_or((MetricKind::Gauge, Unit::Dimensionless), |m| {
                    (m.kind, m.unit)
                });
                if !names.metrics.contains_key(name.as_str()) {
                    names.add(name.as_str(), kind, unit, Vec::new());
                }
            }
        }
        names
    }

    pub(super) fn add(&mut self, name: &str, kind: MetricKind, unit: Unit, more: Vec<String>) {
        let known = Known { kind, unit, more };
        self.metrics.insert(name.to_owned(), known);
    }

    pub(super) fn has_metric(&self, name: &str) -> bool {
        self.metrics.contains_key(name)
    }

    /// What a name means, or why it means nothing.
    pub(super) fn meaning(&self, name: &Name) -> Result<Meaning, String> {
        let (of_baseline, metric, statistic) = match name {
            Name::Tunable(_) => return assign::meaning_of(name, self.tunables),
            Name::Metric {
                of_baseline,
                metric,
                statistic,
            } => (*of_baseline, metric, statistic),
        };
        if of_baseline && !self.has_baseline {
            return Err(format!("{name} needs a baseline, and there is none"));
        }
        let known = self
            .metrics
            .get(metric)
            .ok_or_else(|| self.no_metric(metric))?;
        let statistic = match statistic {
            None => known.kind.implied().ok_or_else(|| {
                format!("{name} is a distribution: name a statistic of it, such as {name}.p99 or {name}.mean")
            })?,
            Some(text) => known.statistic(name, metric, text)?,
        };
        Ok(Meaning::Number(statistic.unit(&known.unit)))
    }

    fn no_metric(&self, metric: &str) -> String {
        if metric == "load.capacity" {
            return "load.capacity is not supported yet".into();
        }
        let is_load = metric.starts_with("load.");
        if is_load && let Some(LoadSpec::None | LoadSpec::External(_)) = self.load {
            return format!("there is no {metric}: the manager makes no load here");
        }
        let names = self.metrics.keys().map(String::as_str);
        if let Some(near) = closest(metric, names.clone()) {
            return format!("there is no metric {metric} (did you mean {near:?}?)");
        }
        // A metric of the load written without `load.`.
        let full = format!("load.{metric}");
        if self.metrics.contains_key(&full) {
            return format!("there is no metric {metric} (did you mean {full:?}?)");
        }
        if self.tunables.iter().any(|t| t.name.as_str() == metric) {
            return format!("there is no metric {metric} (the tunable is \"values.{metric}\")");
        }
        let known: Vec<&str> = names
            .filter(|name| name.starts_with("load.") == is_load)
            .collect();
        if known.is_empty() && is_load {
            return format!("there is no metric {metric} (no rule of the load's output gives it)");
        }
        if known.is_empty() {
            let hint = "those of the load start with \"load.\", others are defined under metrics";
            return format!("there is no metric {metric} ({hint})");
        }
        format!(
            "there is no metric {metric} (known are {})",
            known.join(", ")
        )
    }
}

impl Known {
    fn statistic(&self, name: &Name, metric: &str, text: &str) -> Result<Statistic, String> {
        if self.more.iter().any(|known| known == text) {
            return Ok(Statistic::Custom(text.to_owned()));
        }
        let all = self.kind.statistics().join(", ");
        let Ok(statistic) = text.parse::<Statistic>() else {
            let mut known: Vec<&str> = self.kind.statistics().to_vec();
            known.retain(|known| *known != "pQ");
            known.extend(self.more.iter().map(String::as_str));
            let hint = match closest(text, known) {
                Some(near) => format!("did you mean \"{metric}.{near}\"?"),
                None => format!("it has {all}"),
            };
            return Err(format!("{text:?} is no statistic of {metric} ({hint})"));
        };
        if self.kind.has(&statistic) {
            return Ok(statistic);
        }
        if self.kind == MetricKind::Value {
            return Err(format!(
                "{name}: already a statistic; give the _bucket metric with as: histogram"
            ));
        }
        let noun = match self.kind {
            MetricKind::Counter => "a counter",
            MetricKind::Gauge => "a gauge",
            MetricKind::Histogram => "a histogram",
            MetricKind::Value => "a value",
        };
        Err(format!(
            "{metric} is {noun} and has no {text} (it has {all})"
        ))
    }
}
