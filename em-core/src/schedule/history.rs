//! Blocks as numbers for the analyst.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::assign::assign;
use crate::experiment::{
    BlockState, DrawnBlock, Experiment, Numbers, Place, Trial, evaluate, margin,
};
use crate::expression::Constraint as ConstraintExpression;
use crate::id::{MetricName, TrialId, TunableName};
use crate::journal::Purpose;
use crate::observe::{
    Block, Comparison, ConstraintHistory, History, Quantity, Replication, Statistic,
};
use crate::plan::{Compare, Constraint, Design, Direction, Redeploy};
use crate::value::Value;

/// Complete blocks of a purpose in which one of these trials has a place: an amended experiment has
/// others, too.
pub(super) fn blocks_of<'e>(
    experiment: &'e Experiment,
    trials: &[TrialId],
    purpose: Purpose,
) -> impl Iterator<Item = &'e DrawnBlock> {
    let trials: BTreeSet<_> = trials.iter().copied().collect();
    experiment
        .complete_blocks(purpose)
        .filter(move |block| block.places.keys().any(|trial| trials.contains(trial)))
}

/// History of the trials that compete in blocks of the purpose the experiment is at.
pub fn trial_history(experiment: &Experiment, competing: &[TrialId], purpose: Purpose) -> History {
    let blocks: Vec<_> = blocks_of(experiment, competing, purpose).collect();
    let screening = matches!(purpose, Purpose::Screening { .. });
    History {
        earlier: judged_earlier(experiment, competing, purpose),
        ..history(experiment, competing, &blocks, screening)
    }
}

/// Measured trials beside these that the answer will judge with them: those of a file before it was
/// changed, and those that were dropped on the way.
fn judged_earlier(experiment: &Experiment, competing: &[TrialId], purpose: Purpose) -> u32 {
    let is_of_purpose = |trial: &Trial| match purpose {
        Purpose::Measuring => trial.round().is_none() && trial.verifies().is_none(),
        Purpose::Verifying => trial.verifies().is_some(),
        Purpose::Screening { .. } => false,
    };
    let competing: BTreeSet<_> = competing.iter().copied().collect();
    let earlier = experiment.trials().filter(|trial| {
        is_of_purpose(trial)
            && !trial.is_baseline()
            && trial.measured > 0
            && !competing.contains(&trial.id)
    });
    u32::try_from(earlier.count()).unwrap_or(u32::MAX)
}

/// History of all trials over all blocks of any round of screening.
pub fn histories(experiment: &Experiment, competing: &[TrialId]) -> History {
    let blocks: Vec<_> = experiment
        .blocks()
        .iter()
        .filter(|block| block.state == BlockState::Complete)
        .filter(|block| matches!(block.purpose, Purpose::Screening { .. }))
        .collect();
    history(experiment, competing, &blocks, true)
}

fn history(
    experiment: &Experiment,
    competing: &[TrialId],
    blocks: &[&DrawnBlock],
    screening: bool,
) -> History {
    let plan = experiment.plan();
    let values = Assigned::of(experiment, competing);
    let deployed_afresh =
        plan.measurement.redeploy == Redeploy::Always && plan.target.deploys_afresh();
    History {
        comparisons: comparisons(experiment, competing, blocks, &values),
        constraints: constraints(experiment, competing, blocks, &values),
        competing: competing.to_vec(),
        earlier: 0,
        iterations: plan.measurement.iterations,
        replication: if deployed_afresh {
            Replication::Deployment
        } else {
            Replication::Window
        },
        randomized: plan.measurement.design == Design::RandomizedBlocks,
        screening,
    }
}

/// Values of each trial, derived ones included, worked out once.
struct Assigned(BTreeMap<TrialId, Arc<BTreeMap<TunableName, Value>>>);

impl Assigned {
    fn of(experiment: &Experiment, competing: &[TrialId]) -> Self {
        let trials = competing.iter().copied().chain([TrialId::BASELINE]);
        let values_of = |trial| {
            let configuration = experiment.trial(trial)?.configuration.as_ref()?;
            assign(experiment.plan(), configuration).ok().map(Arc::new)
        };
        Self(
            trials
                .map(|trial| (trial, values_of(trial).unwrap_or_default()))
                .collect(),
        )
    }

    fn numbers<'a>(&'a self, block: &'a DrawnBlock, trial: TrialId) -> Option<Numbers<'a>> {
        Some(Numbers {
            result: block.result(trial)?,
            baseline: block.result(TrialId::BASELINE),
            values: self.0.get(&trial)?,
        })
    }
}

fn comparisons(
    experiment: &Experiment,
    competing: &[TrialId],
    blocks: &[&DrawnBlock],
    assigned: &Assigned,
) -> Vec<Comparison> {
    let Some(objective) = &experiment.plan().objective else {
        return every_metric(experiment, competing, blocks);
    };
    let value = |block: &DrawnBlock, trial| {
        let numbers = assigned.numbers(block, trial)?;
        evaluate(&objective.expression, &numbers).ok()
    };
    let quantity = Quantity {
        name: objective.expression.text().to_owned(),
        direction: Some(objective.direction),
        equivalent_within: objective.equivalent_within,
    };
    vec![Comparison {
        quantity,
        blocks: rows(competing, blocks, &value),
    }]
}

fn rows(
    competing: &[TrialId],
    blocks: &[&DrawnBlock],
    value: &dyn Fn(&DrawnBlock, TrialId) -> Option<f64>,
) -> Vec<Block> {
    let competing: BTreeSet<_> = competing.iter().copied().collect();
    let row = |block: &&DrawnBlock| Block {
        block: block.number,
        baseline: value(block, TrialId::BASELINE),
        // Of very many trials few have a place in one block.
        values: block
            .places
            .keys()
            .filter(|trial| competing.contains(trial))
            .filter_map(|trial| Some((*trial, value(block, *trial)?)))
            .collect(),
    };
    blocks.iter().map(row).collect()
}

/// Without an objective every metric is compared: a distribution by its p99 and its mean, a
/// counter by its rate, everything else by its mean or value.
fn every_metric(
    experiment: &Experiment,
    competing: &[TrialId],
    blocks: &[&DrawnBlock],
) -> Vec<Comparison> {
    let mut names = BTreeMap::new();
    for result in blocks
        .iter()
        .flat_map(|block| block.places.values())
        .filter_map(Place::result)
    {
        for (metric, summary) in &result.summary {
            let natural = [
                Statistic::Percentile(99.0),
                Statistic::Value,
                Statistic::Rate,
                Statistic::Mean,
            ];
            if let Some(statistic) = natural.into_iter().find(|one| summary.get(one).is_some()) {
                names.insert(metric.clone(), statistic);
            }
        }
    }
    let comparison = |(metric, statistic): (MetricName, Statistic)| {
        let value = |block: &DrawnBlock, trial| {
            let metric = block.result(trial)?.summary.get(&metric)?;
            metric.get(&statistic).map(|estimate| estimate.value)
        };
        let direction = match experiment.plan().metric(&metric).map(|known| known.compare) {
            Some(Compare::LowerIsBetter) => Some(Direction::Minimize),
            Some(Compare::HigherIsBetter) => Some(Direction::Maximize),
            Some(Compare::Neither) => None,
            None => natural_direction(metric.as_str()),
        };
        let quantity = Quantity {
            name: format!("{metric}.{statistic}"),
            direction,
            equivalent_within: None,
        };
        Comparison {
            quantity,
            blocks: rows(competing, blocks, &value),
        }
    };
    names.into_iter().map(comparison).collect()
}

/// Which way is better for the metrics that every load has.
fn natural_direction(metric: &str) -> Option<Direction> {
    match metric {
        "load.response_time" | "load.service_time" | "load.errors" | "load.error_share"
        | "load.dropped" => Some(Direction::Minimize),
        "load.throughput" | "load.capacity" => Some(Direction::Maximize),
        _ => None,
    }
}

fn constraints(
    experiment: &Experiment,
    competing: &[TrialId],
    blocks: &[&DrawnBlock],
    assigned: &Assigned,
) -> Vec<ConstraintHistory> {
    let margins = |constraint: &ConstraintExpression| {
        let mut margins: BTreeMap<TrialId, Vec<f64>> =
            competing.iter().map(|trial| (*trial, Vec::new())).collect();
        for block in blocks {
            for trial in block.places.keys() {
                let numbers = assigned.numbers(block, *trial);
                if let (Some(numbers), Some(known)) = (numbers, margins.get_mut(trial)) {
                    known.extend(margin(constraint, &numbers).ok());
                }
            }
        }
        margins
    };
    let history = |constraint: &Constraint| ConstraintHistory {
        text: constraint.expression.to_string(),
        margins: margins(&constraint.expression),
    };
    experiment.plan().constraints.iter().map(history).collect()
}
