//! An experiment as rows: one per iteration and statistic of a metric, then one per verdict.

use anyhow::Result;
use em_core::experiment::{DrawnBlock, Experiment, PlacedIteration, Trial};
use em_core::id::ExperimentName;
use em_core::journal::{IterationEnd, Purpose};
use em_core::observe::{Estimate, Interval, MetricSummary, Verdict, VerdictKind};
use em_core::report::Report;
use serde::Serialize;

/// One row. What does not belong to its kind, or is not known, is absent.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Row {
    /// `statistic`, `verdict`, or `none`: an iteration without a result.
    pub kind: &'static str,
    /// The experiment.
    pub experiment: String,
    /// The trial, as a number.
    pub trial: u32,
    /// Its name for people.
    pub label: String,
    /// Its values, `name=value` with spaces in between.
    pub configuration: Option<String>,
    /// What the block was for: `measuring`, `screening`, `verifying`.
    pub purpose: Option<&'static str>,
    /// The block.
    pub block: Option<u32>,
    /// The iteration of the trial.
    pub iteration: Option<u32>,
    /// Why an iteration has no result.
    pub why: Option<String>,
    /// The metric, or the compared quantity.
    pub metric: Option<String>,
    /// The statistic; `ratio` or `difference` in a verdict.
    pub statistic: Option<String>,
    /// The number.
    pub value: Option<f64>,
    /// Its unit.
    pub unit: Option<String>,
    /// Lower end of its interval.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
    /// Share of such intervals that hold the true value.
    pub level: Option<f64>,
    /// How the interval was made.
    pub method: Option<String>,
    /// How the number was made.
    pub estimator: Option<String>,
    /// Values behind it; blocks, in a verdict.
    pub n: Option<u64>,
    /// Independent values it is worth.
    pub effective_n: Option<f64>,
    /// What was repeated.
    pub replication: Option<String>,
    /// `better`, `worse`, `equivalent`, `undecided`.
    pub verdict: Option<&'static str>,
    /// p of the sign-flip test.
    pub p: Option<f64>,
    /// The same after Holm's correction.
    pub p_adjusted: Option<f64>,
    /// Smallest relative effect that this many blocks could have seen with 80 % power.
    pub smallest_effect: Option<f64>,
}

/// All rows of an experiment: iterations in the order of their blocks, then the report's verdicts.
pub fn rows(experiment: &Experiment, report: &Report) -> Vec<Row> {
    let mut rows = Vec::new();
    for block in experiment.blocks() {
        for (trial, place) in &block.places {
            let Some(trial) = experiment.trial(*trial) else {
                continue;
            };
            for iteration in &place.iterations {
                of_iteration(&row_of(experiment, trial), block, iteration, &mut rows);
            }
        }
    }
    for trial in &report.trials {
        let Some(known) = experiment.trial(trial.trial) else {
            continue;
        };
        let base = row_of(experiment, known);
        let verdicts = trial.verdicts.iter();
        rows.extend(verdicts.map(|verdict| of_verdict(base.clone(), verdict)));
    }
    rows
}

fn row_of(experiment: &Experiment, trial: &Trial) -> Row {
    let configuration = trial.configuration.as_deref();
    Row {
        experiment: experiment.plan().name.to_string(),
        trial: trial.id.0,
        label: trial.label.clone(),
        configuration: configuration.map(ToString::to_string),
        ..Row::default()
    }
}

fn of_iteration(base: &Row, block: &DrawnBlock, iteration: &PlacedIteration, rows: &mut Vec<Row>) {
    let base = Row {
        purpose: Some(match block.purpose {
            Purpose::Measuring => "measuring",
            Purpose::Screening { .. } => "screening",
            Purpose::Verifying => "verifying",
        }),
        block: Some(block.number.0),
        iteration: Some(iteration.iteration.0),
        ..base.clone()
    };
    let why = match &iteration.end {
        Some(IterationEnd::Done(result)) => {
            for (metric, summary) in &result.summary {
                of_metric(&base, metric.as_str(), summary, rows);
            }
            return;
        }
        Some(IterationEnd::Failed(failure)) => failure.message.clone(),
        Some(IterationEnd::Interrupted { .. }) => "interrupted".to_owned(),
        None => "it runs".to_owned(),
    };
    rows.push(Row {
        kind: "none",
        why: Some(why),
        ..base
    });
}

fn of_metric(base: &Row, metric: &str, summary: &MetricSummary, rows: &mut Vec<Row>) {
    let base = Row {
        kind: "statistic",
        metric: Some(metric.to_owned()),
        ..base.clone()
    };
    if summary.estimates.is_empty() {
        rows.push(Row {
            kind: "none",
            why: Some(summary.problems.join("; ")),
            ..base
        });
        return;
    }
    for (statistic, estimate) in &summary.estimates {
        rows.push(of_estimate(base.clone(), statistic, estimate, summary));
    }
}

fn of_estimate(base: Row, statistic: &str, estimate: &Estimate, summary: &MetricSummary) -> Row {
    let row = Row {
        statistic: Some(statistic.to_owned()),
        value: Some(estimate.value),
        unit: Some(summary.unit.to_string()),
        estimator: Some(estimate.estimator.clone()),
        n: Some(estimate.n),
        effective_n: estimate.effective_n,
        replication: Some(estimate.replication.to_string()),
        ..base
    };
    with_interval(row, estimate.interval.as_ref())
}

fn of_verdict(base: Row, verdict: &Verdict) -> Row {
    let (statistic, value, interval) = match verdict.ratio {
        Some(ratio) => ("ratio", Some(ratio), &verdict.ratio_interval),
        None => (
            "difference",
            verdict.difference,
            &verdict.difference_interval,
        ),
    };
    let (kind, why) = match &verdict.kind {
        VerdictKind::Better => ("better", None),
        VerdictKind::Worse => ("worse", None),
        VerdictKind::Equivalent => ("equivalent", None),
        VerdictKind::Undecided { why } => ("undecided", Some(why.clone())),
    };
    let row = Row {
        kind: "verdict",
        why,
        metric: Some(verdict.quantity.clone()),
        statistic: Some(statistic.to_owned()),
        value,
        n: Some(u64::from(verdict.blocks)),
        replication: Some(verdict.replication.to_string()),
        verdict: Some(kind),
        p: verdict.p,
        p_adjusted: verdict.p_adjusted,
        smallest_effect: verdict.smallest_effect,
        ..base
    };
    with_interval(row, interval.as_ref())
}

fn with_interval(row: Row, interval: Option<&Interval>) -> Row {
    let Some(interval) = interval else {
        return row;
    };
    Row {
        low: interval.low,
        high: interval.high,
        level: Some(interval.level),
        method: Some(interval.method.clone()),
        ..row
    }
}

/// A header and one line per row; what is absent is an empty field.
pub fn csv(rows: &[Row]) -> Result<String> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in rows {
        writer.serialize(row)?;
    }
    Ok(String::from_utf8(writer.into_inner()?)?)
}

/// The rows as objects without what is absent.
pub fn json(name: &ExperimentName, rows: &[Row]) -> Result<String> {
    let mut objects = Vec::with_capacity(rows.len());
    for row in rows {
        let mut object = serde_json::to_value(row)?;
        if let Some(fields) = object.as_object_mut() {
            fields.retain(|_, value| !value.is_null());
        }
        objects.push(object);
    }
    let whole = serde_json::json!({ "format": 1, "experiment": name, "rows": objects });
    Ok(format!("{whole:#}\n"))
}
