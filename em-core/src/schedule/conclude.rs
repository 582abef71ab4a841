//! Standings, outcomes and the answer.

use std::collections::BTreeMap;

use super::history::{histories, trial_history};
use super::{Step, View, close_when_quiet};
use crate::experiment::{Experiment, Phase, Place, Trial};
use crate::id::TrialId;
use crate::journal::{Answer, Blame, ExperimentEvent, Failure, Outcome, Purpose, Stopped};
use crate::observe::{
    Comparison, ConstraintState, History, Judgement, TrialLevel, Verdict, VerdictKind,
};
use crate::plan::Direction;

/// How one trial stands by the objective.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Standing {
    /// The trial.
    pub trial: TrialId,
    /// Geometric mean over its blocks of its value over the same block's baseline, or the mean of
    /// its values where there is no baseline or values can be <= 0.
    pub score: f64,
    /// Standard error of the score over blocks; none with fewer than two.
    pub standard_error: Option<f64>,
    /// Interval of the mean of its values: lower and upper end.
    pub interval: Option<(Option<f64>, Option<f64>)>,
    /// The worst state of its constraints.
    pub constraints: ConstraintState,
    /// Blocks behind it.
    pub blocks: u32,
}

/// Screened trials by the objective, the best first.
pub(super) fn screened(view: &View<'_>) -> Vec<Standing> {
    screening_of(view, &with_numbers(view.experiment))
}

/// The same, the baseline among them.
pub(super) fn screened_and_baseline(view: &View<'_>) -> Vec<Standing> {
    let baseline = view
        .experiment
        .trial(TrialId::BASELINE)
        .map(|known| known.id);
    let trials = baseline.into_iter().chain(with_numbers(view.experiment));
    screening_of(view, &trials.collect::<Vec<_>>())
}

fn with_numbers(experiment: &Experiment) -> Vec<TrialId> {
    let has_numbers =
        |trial: &&Trial| trial.round().is_some() && trial.measured > 0 && trial.dropped.is_none();
    experiment
        .trials()
        .filter(has_numbers)
        .map(|trial| trial.id)
        .collect()
}

fn screening_of(view: &View<'_>, trials: &[TrialId]) -> Vec<Standing> {
    let history = histories(view.experiment, trials);
    standings(view.experiment, &history, &view.analyst.compare(&history))
}

/// Trials of a history by its first quantity, the best first. Ties keep the order of numbers.
pub fn standings(
    experiment: &Experiment,
    history: &History,
    judgement: &Judgement,
) -> Vec<Standing> {
    let Some(comparison) = history.comparisons.first() else {
        return Vec::new();
    };
    // There may be very many trials: each list is walked once, not once per trial.
    let scores = scores(comparison);
    let mut levels = BTreeMap::new();
    let of_quantity = |level: &&TrialLevel| level.quantity == comparison.quantity.name;
    for level in judgement.levels.iter().filter(of_quantity) {
        levels.entry(level.trial).or_insert(level);
    }
    let mut constraints = BTreeMap::<TrialId, ConstraintState>::new();
    for one in &judgement.constraints {
        let known = constraints
            .entry(one.trial)
            .or_insert(ConstraintState::Holds);
        *known = worse(*known, one.state);
    }
    let standing = |trial: &TrialId| {
        let (score, standard_error, blocks) = *scores.get(trial)?;
        let level = levels.get(trial);
        Some(Standing {
            trial: *trial,
            score,
            standard_error,
            interval: level
                .and_then(|level| level.interval.as_ref())
                .map(|interval| (interval.low, interval.high)),
            constraints: constraints
                .get(trial)
                .copied()
                .unwrap_or(ConstraintState::Holds),
            blocks,
        })
    };
    let mut all: Vec<_> = history.competing.iter().filter_map(standing).collect();
    let maximize = experiment
        .plan()
        .objective
        .as_ref()
        .map(|objective| objective.direction)
        == Some(Direction::Maximize);
    all.sort_by(|a, b| {
        let order = a.score.total_cmp(&b.score);
        if maximize { order.reverse() } else { order }
    });
    all
}

/// Whether every value of a comparison can be seen relative to its block's baseline. Decided once
/// for all trials: ratios and values in their own unit do not stand in one ranking.
fn is_relative(comparison: &Comparison) -> bool {
    comparison.blocks.iter().all(|block| {
        let positive = block.values.values().all(|value| *value > 0.0);
        positive && block.baseline.is_some_and(|baseline| baseline > 0.0)
    })
}

/// Mean score, its standard error and the number of blocks of each trial that has a value.
fn scores(comparison: &Comparison) -> BTreeMap<TrialId, (f64, Option<f64>, u32)> {
    let relative = is_relative(comparison);
    let mut seen = BTreeMap::<TrialId, Vec<f64>>::new();
    for block in &comparison.blocks {
        for (trial, value) in &block.values {
            let value = match block.baseline {
                Some(baseline) if relative => (value / baseline).ln(),
                Some(_) | None => *value,
            };
            seen.entry(*trial).or_default().push(value);
        }
    }
    let score = |(trial, seen): (TrialId, Vec<f64>)| {
        let blocks = u32::try_from(seen.len()).ok()?;
        let (mean, error) = mean_and_error(&seen);
        Some(if relative {
            let error = error.map(|error| error * mean.exp());
            (trial, (mean.exp(), error, blocks))
        } else {
            (trial, (mean, error, blocks))
        })
    };
    seen.into_iter().filter_map(score).collect()
}

fn mean_and_error(values: &[f64]) -> (f64, Option<f64>) {
    #[expect(clippy::cast_precision_loss, reason = "blocks are few")]
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (
        mean,
        (values.len() > 1).then(|| (squares / (n - 1.0) / n).sqrt()),
    )
}

fn worse(one: ConstraintState, other: ConstraintState) -> ConstraintState {
    match (one, other) {
        (ConstraintState::Broken, _) | (_, ConstraintState::Broken) => ConstraintState::Broken,
        (ConstraintState::Undecided, _) | (_, ConstraintState::Undecided) => {
            ConstraintState::Undecided
        }
        (ConstraintState::Holds, ConstraintState::Holds) => ConstraintState::Holds,
    }
}

/// How a trial ends whose place was lost for this reason.
pub(super) fn outcome_of(failure: &Failure) -> Outcome {
    let why = failure.message.clone();
    match failure.blame {
        Blame::Configuration => Outcome::Infeasible { why },
        Blame::Load | Blame::Datasource => Outcome::Invalid { why },
        Blame::Target | Blame::Recommender | Blame::Cluster | Blame::Manager => Outcome::Failed {
            blame: failure.blame,
            why,
        },
    }
}

/// Ends the experiment: what still runs as a trial is finished, then the answer is fixed.
pub(super) fn conclude(view: &View<'_>, stopped: Stopped) -> Vec<Step> {
    let experiment = view.experiment;
    let mut steps: Vec<Step> = experiment
        .unfinished()
        .iter()
        .filter_map(|id| experiment.trial(*id))
        .map(|trial| {
            let outcome = if trial.measured > 0 {
                Outcome::Measured
            } else {
                last_loss(experiment, trial.id).unwrap_or(Outcome::Cancelled)
            };
            Step::Append(ExperimentEvent::TrialFinished {
                trial: trial.id,
                outcome,
            })
        })
        .collect();
    let (answer, winner) = answer(view);
    steps.push(Step::Append(ExperimentEvent::Concluded {
        stopped,
        answer,
        winner,
    }));
    steps
}

fn last_loss(experiment: &Experiment, trial: TrialId) -> Option<Outcome> {
    let mut places = experiment
        .blocks()
        .iter()
        .rev()
        .filter_map(|block| block.places.get(&trial));
    places
        .find_map(Place::loss)
        .map(|failure| outcome_of(&failure))
}

/// Trials that compete for the answer, and the blocks they compete in.
pub fn final_history(experiment: &Experiment) -> History {
    let with_numbers = |wanted: &dyn Fn(&Trial) -> bool| -> Vec<TrialId> {
        let all = experiment
            .trials()
            .filter(|trial| !trial.is_baseline() && trial.measured > 0);
        all.filter(|trial| wanted(trial))
            .map(|trial| trial.id)
            .collect()
    };
    let verifying = with_numbers(&|trial| trial.verifies().is_some());
    if !verifying.is_empty() {
        return trial_history(experiment, &verifying, Purpose::Verifying);
    }
    let screened = with_numbers(&|trial| trial.round().is_some());
    if !screened.is_empty() {
        return histories(experiment, &screened);
    }
    let listed = with_numbers(&|_| true);
    trial_history(experiment, &listed, Purpose::Measuring)
}

/// What the experiment answers, and who has won.
fn answer(view: &View<'_>) -> (Answer, Option<TrialId>) {
    let experiment = view.experiment;
    let history = final_history(experiment);
    let judgement = view.analyst.compare(&history);
    let standings = standings(experiment, &history, &judgement);
    if standings.is_empty() {
        let infeasible = experiment
            .trials()
            .any(|trial| matches!(trial.outcome, Some(Outcome::Infeasible { .. })));
        let answer = if infeasible {
            Answer::NoFeasible
        } else {
            Answer::NothingMeasured
        };
        return (answer, None);
    }
    let holds = |one: &&Standing| one.constraints == ConstraintState::Holds;
    if standings
        .iter()
        .all(|one| one.constraints == ConstraintState::Broken)
    {
        return (Answer::NoFeasible, None);
    }
    if history.comparisons.len() > 1 || experiment.plan().objective.is_none() {
        return (answer_without_objective(&judgement), None);
    }
    if !experiment.plan().has_baseline() {
        return match standings.iter().find(holds) {
            Some(best) => (Answer::Found, Some(best.trial)),
            None => (Answer::Undecided, None),
        };
    }
    let verdict_of = |trial| {
        judgement
            .verdicts
            .iter()
            .find(|verdict| verdict.trial == trial)
    };
    let is_better = |one: &&Standing| {
        verdict_of(one.trial).is_some_and(|verdict| verdict.kind == VerdictKind::Better)
    };
    if let Some(best) = standings.iter().filter(holds).find(is_better) {
        return (Answer::Found, Some(best.trial));
    }
    let open = |one: &Standing| {
        let undecided = verdict_of(one.trial)
            .is_none_or(|verdict| matches!(verdict.kind, VerdictKind::Undecided { .. }));
        undecided || one.constraints == ConstraintState::Undecided
    };
    let answer = if standings.iter().any(open) {
        Answer::Undecided
    } else {
        Answer::NoBetter
    };
    (answer, None)
}

fn answer_without_objective(judgement: &Judgement) -> Answer {
    let any = |wanted: &dyn Fn(&Verdict) -> bool| judgement.verdicts.iter().any(wanted);
    if any(&|verdict| verdict.kind == VerdictKind::Better) {
        Answer::Found
    } else if any(&|verdict| matches!(verdict.kind, VerdictKind::Undecided { .. })) {
        Answer::Undecided
    } else {
        Answer::NoBetter
    }
}

/// Puts everything back, then writes the report, then ends.
pub(super) fn closing(view: &View<'_>) -> Vec<Step> {
    let experiment = view.experiment;
    if !experiment.active().is_empty() {
        let cancel = |(trial, iteration): &(TrialId, _)| Step::CancelIteration {
            trial: *trial,
            iteration: *iteration,
        };
        return experiment.active().keys().map(cancel).collect();
    }
    if matches!(experiment.phase(), Phase::Closing { conclusion: None }) {
        let stopped = experiment.stopped_before();
        return conclude(view, stopped.unwrap_or(Stopped::Cancelled));
    }
    if experiment.holds().values().any(|hold| hold.open) {
        return close_when_quiet(view, "the experiment is over");
    }
    match experiment.report() {
        None => vec![Step::Report],
        Some(_) => vec![Step::Append(ExperimentEvent::Finished)],
    }
}
