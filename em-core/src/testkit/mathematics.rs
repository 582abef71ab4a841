//! The least mathematics that moves an experiment on. The real one is em-summarize.

use std::collections::BTreeMap;

use jiff::SignedDuration;

use crate::id::{CycleNo, TrialId};
use crate::observe::{
    Collected, Cycle, CycleState, Enough, Estimate, History, Judgement, Labelled, MetricSummary,
    Observations, Observed, Replication, Statistic, Steadiness, Verdict, VerdictKind, Window,
};
use crate::plan::Direction;
use crate::port::{Analyst, Summarizer};
use crate::value::Unit;

/// Means of values; says nothing else.
#[derive(Debug, Clone, Copy, Default)]
pub struct PlainSummarizer;

impl Summarizer for PlainSummarizer {
    fn statistics(&self) -> Vec<String> {
        Vec::new()
    }

    fn summarize(&self, seen: &Observations, wanted: &[Statistic]) -> MetricSummary {
        let values: Vec<f64> = seen
            .kept
            .iter()
            .flat_map(|kept| match &kept.observed {
                Observed::Values { points } => points.iter().map(|point| point.value).collect(),
                Observed::Counter {
                    increase, seconds, ..
                } => vec![increase / seconds],
                Observed::Histogram(_) | Observed::Buckets { .. } => Vec::new(),
            })
            .collect();
        let mut summary = MetricSummary::missing(Unit::Dimensionless, "");
        summary.problems.clear();
        if wanted.contains(&Statistic::Mean) && !values.is_empty() {
            #[expect(clippy::cast_precision_loss, reason = "values are few")]
            let value = values.iter().sum::<f64>() / values.len() as f64;
            let estimate = Estimate {
                value,
                interval: None,
                estimator: "mean".to_owned(),
                quantile_type: None,
                n: values.len() as u64,
                effective_n: None,
                replication: Replication::Sample,
            };
            summary.estimates = BTreeMap::from([("mean".to_owned(), estimate)]);
        }
        let said = &summary.estimates;
        let unsaid = wanted.iter().map(Statistic::to_string);
        let unsaid = unsaid.filter(|name| !said.contains_key(name));
        let problems = unsaid.map(|name| format!("{name} is not said")).collect();
        summary.problems = problems;
        summary
    }
}

/// Fixed warm-up, cycles one after the other; a trial is better when it is so in every block.
#[derive(Debug, Clone, Copy, Default)]
pub struct PlainAnalyst;

impl Analyst for PlainAnalyst {
    fn label(&self, collected: &Collected) -> Labelled {
        let span = |length| SignedDuration::try_from(length).unwrap();
        let warmup_end = collected.steady_since + span(collected.warmup.expected());
        let seen = collected.batches.last().map(|last| last.window.end);
        let mut cycles = Vec::new();
        let mut start = warmup_end;
        let mut kept = 0;
        while kept < collected.cycles {
            let end = start + span(collected.cycle_duration);
            if seen < Some(end) {
                break;
            }
            let window = Window { start, end };
            let void = collected
                .void
                .iter()
                .find(|(void, _)| void.start < end && start < void.end);
            let state = match void {
                Some((_, why)) => CycleState::Void { why: why.clone() },
                None => CycleState::Kept,
            };
            kept += u32::from(state == CycleState::Kept);
            let cycle = CycleNo(u32::try_from(cycles.len()).unwrap());
            cycles.push(Cycle {
                cycle,
                window,
                state,
            });
            start = end;
        }
        let missing = collected.cycles - kept;
        let until = start + span(collected.cycle_duration * missing);
        Labelled {
            warmup_end,
            method: "fixed".to_owned(),
            cycles,
            steadiness: if missing == 0 {
                Steadiness::Enough
            } else {
                Steadiness::Extend { until }
            },
        }
    }

    fn enough(&self, history: &History) -> Enough {
        let blocks = history
            .comparisons
            .first()
            .map_or(0, |first| first.blocks.len());
        if blocks >= history.iterations.least(1) as usize {
            let why = "there are as many blocks as wanted".to_owned();
            Enough::Stop { why }
        } else {
            Enough::Continue
        }
    }

    fn compare(&self, history: &History) -> Judgement {
        let mut judgement = Judgement::default();
        for comparison in &history.comparisons {
            for trial in &history.competing {
                let pairs: Vec<(f64, f64)> = comparison
                    .blocks
                    .iter()
                    .filter_map(|block| Some((*block.values.get(trial)?, block.baseline?)))
                    .collect();
                let maximize = comparison.quantity.direction == Some(Direction::Maximize);
                let is_better = |(value, base): &(f64, f64)| {
                    if maximize { value > base } else { value < base }
                };
                let kind = if pairs.is_empty() {
                    let why = "there is no block".to_owned();
                    VerdictKind::Undecided { why }
                } else if pairs.iter().all(is_better) {
                    VerdictKind::Better
                } else {
                    VerdictKind::Worse
                };
                judgement.verdicts.push(Verdict {
                    trial: *trial,
                    quantity: comparison.quantity.name.clone(),
                    kind,
                    ratio: None,
                    ratio_interval: None,
                    difference: None,
                    difference_interval: None,
                    p: None,
                    p_adjusted: None,
                    blocks: u32::try_from(pairs.len()).unwrap(),
                    smallest_effect: None,
                    replication: history.replication,
                });
            }
        }
        judgement
    }

    fn hopeless(&self, _history: &History) -> Vec<TrialId> {
        Vec::new()
    }
}
