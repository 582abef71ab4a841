//! From what the pods of a run printed to batches of observations.

use std::collections::BTreeMap;

use em_core::id::MetricName;
use em_core::observe::{Observed, TimedValue, Window};
use em_core::plan::{AcrossWorkers, RunMode};
use em_core::port::LoadBatch;
use em_core::read::printed::{Points, PrintedError, PrintedRule, printed_rules, short};
use jiff::Timestamp;

use super::blueprint::Reading;

/// What one run printed.
#[derive(Debug)]
pub(super) struct Seen {
    window: Window,
    /// By metric, one entry per worker.
    points: BTreeMap<MetricName, Vec<Option<Points>>>,
    across: BTreeMap<MetricName, AcrossWorkers>,
    /// What was not found.
    pub(super) missing: Vec<String>,
}

impl Seen {
    /// Reads the outputs of the workers of a run over `window`, each a list of lines with their times.
    pub(super) fn read(
        reading: &Reading,
        outputs: &[Vec<(Timestamp, String)>],
        window: Window,
    ) -> Result<Self, PrintedError> {
        let across = reading.across.iter();
        let mut seen = Self {
            window,
            points: BTreeMap::new(),
            across: across.map(|(name, way)| (short(name), *way)).collect(),
            missing: Vec::new(),
        };
        for rule in printed_rules(&reading.output)? {
            seen.take(&rule, outputs)?;
        }
        Ok(seen)
    }

    fn take(
        &mut self,
        rule: &PrintedRule,
        outputs: &[Vec<(Timestamp, String)>],
    ) -> Result<(), PrintedError> {
        let mut of_workers = Vec::with_capacity(outputs.len());
        for lines in outputs {
            let text: String = lines.iter().map(|(_, line)| line.as_str()).collect();
            of_workers.push(rule.points(&text, lines, &self.window)?);
        }
        let without = of_workers.iter().filter(|points| points.is_none()).count();
        let metric = &rule.metric;
        if without == of_workers.len() {
            self.missing
                .push(format!("the output holds nothing for {metric}"));
        } else if without > 0 {
            let all = of_workers.len();
            self.missing.push(format!(
                "the output of {without} of {all} workers holds nothing for {metric}"
            ));
        }
        self.points.insert(metric.clone(), of_workers);
        Ok(())
    }

    /// The run in batches with numbers from `index` on: one where it is one cycle.
    pub(super) fn batches(&self, reading: &Reading, index: u32) -> Vec<LoadBatch> {
        let windows = match reading.run {
            RunMode::PerCycle => vec![self.window],
            RunMode::Whole => self.window.stretches(reading.batch),
        };
        let numbered = windows.into_iter().zip(index..);
        numbered
            .map(|(window, index)| self.batch(index, window))
            .collect()
    }

    fn batch(&self, index: u32, window: Window) -> LoadBatch {
        let mut observed = BTreeMap::new();
        for (metric, of_workers) in &self.points {
            let of_workers: Vec<Vec<TimedValue>> = of_workers
                .iter()
                .map(|points| points.as_ref().map_or_else(Vec::new, |p| p.within(&window)))
                .collect();
            let way = self.across.get(metric).copied();
            let points = joined(way, of_workers, window);
            if !points.is_empty() {
                observed.insert(metric.clone(), Observed::Values { points });
            }
        }
        LoadBatch::new(index, window, observed)
    }
}

/// The values of the workers as those of the load. Without those of one worker a sum is no sum: then there are none.
fn joined(
    way: Option<AcrossWorkers>,
    mut of_workers: Vec<Vec<TimedValue>>,
    window: Window,
) -> Vec<TimedValue> {
    let way = match (way, of_workers.len()) {
        (_, 1) => return of_workers.swap_remove(0),
        (None | Some(AcrossWorkers::All), _) => {
            let mut all = of_workers.concat();
            all.sort_by_key(|point| point.at);
            return all;
        }
        (Some(way), _) => way,
    };
    let levels: Option<Vec<f64>> = of_workers.iter().map(|points| mean(points)).collect();
    let Some(levels) = levels else {
        return Vec::new();
    };
    let value = match way {
        AcrossWorkers::Sum => Some(levels.iter().sum()),
        AcrossWorkers::Min => levels.into_iter().reduce(f64::min),
        AcrossWorkers::Max => levels.into_iter().reduce(f64::max),
        AcrossWorkers::Mean | AcrossWorkers::All => average(&levels),
    };
    let at = window.start;
    value.map_or_else(Vec::new, |value| vec![TimedValue { at, value }])
}

fn mean(points: &[TimedValue]) -> Option<f64> {
    let values: Vec<f64> = points.iter().map(|point| point.value).collect();
    average(&values)
}

#[expect(clippy::cast_precision_loss, reason = "a count of printed lines")]
fn average(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}
