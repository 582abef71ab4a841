//! What follows on a complete block: another one, another round, verification, the end.

use jiff::SignedDuration;

use super::conclude::{self, Standing};
use super::history::{self, trial_history};
use super::{Step, View, iteration_time, order, place};
use crate::experiment::{Experiment, Phase, Trial};
use crate::id::{BlockNo, TrialId};
use crate::journal::{ExperimentEvent, Origin, Outcome, Purpose, Stopped};
use crate::observe::{ConstraintState, Enough};
use crate::plan::{Design, Direction, Iterations, Search};
use crate::port::{PastTrial, Suggestion};

/// What to do while no block is open.
pub(super) fn after_block(view: &View<'_>) -> Vec<Step> {
    let experiment = view.experiment;
    let finished = hopeless_places(experiment);
    if !finished.is_empty() {
        return finished;
    }
    if let Phase::Verifying { stopped } = experiment.phase() {
        return verify(view, *stopped);
    }
    let listed = match experiment.plan().measurement.design {
        Design::RandomizedBlocks => competing(experiment, |trial| trial.round().is_none()),
        // Only the next ones matter, and there may be very many.
        Design::Sequential => {
            let slots = place::slots(experiment).count().max(1);
            of_kind(experiment, |trial| trial.round().is_none())
                .take(slots)
                .collect()
        }
    };
    if !listed.is_empty() || experiment.plan().search.is_none() {
        return measure(view, &listed);
    }
    match &experiment.plan().search {
        Some(search) => screen(view, search),
        None => Vec::new(),
    }
}

/// Trials that compete: not the baseline, without an outcome, and of the wanted kind.
fn competing(experiment: &Experiment, wanted: impl Fn(&Trial) -> bool) -> Vec<TrialId> {
    of_kind(experiment, wanted).collect()
}

fn of_kind(
    experiment: &Experiment,
    wanted: impl Fn(&Trial) -> bool,
) -> impl Iterator<Item = TrialId> {
    let unfinished = experiment
        .unfinished()
        .iter()
        .filter_map(|id| experiment.trial(*id));
    unfinished
        .filter(move |trial| !trial.is_baseline() && wanted(trial))
        .map(|trial| trial.id)
}

/// Ends trials whose places were lost: no value at all, or lost twice.
fn hopeless_places(experiment: &Experiment) -> Vec<Step> {
    let Some(block) = experiment.blocks().last() else {
        return Vec::new();
    };
    let mut steps = Vec::new();
    for (trial, place) in &block.places {
        let Some(known) = experiment.trial(*trial) else {
            continue;
        };
        if known.outcome.is_some() || known.is_baseline() {
            continue;
        }
        let Some(failure) = place.loss() else {
            continue;
        };
        if known.measured > 0 && known.lost < 2 {
            continue;
        }
        let outcome = conclude::outcome_of(&failure);
        steps.push(Step::Append(ExperimentEvent::TrialFinished {
            trial: *trial,
            outcome,
        }));
    }
    steps
}

/// Listed or observed trials: blocks until the analyst has enough.
fn measure(view: &View<'_>, listed: &[TrialId]) -> Vec<Step> {
    let experiment = view.experiment;
    if listed.is_empty() {
        return conclude::conclude(view, Stopped::AllMeasured);
    }
    if let Some(stopped) = out_of_budget(view, 0) {
        return conclude::conclude(view, stopped);
    }
    if experiment.plan().measurement.design == Design::Sequential {
        return one_after_the_other(view, listed);
    }
    let history = trial_history(experiment, listed, Purpose::Measuring);
    let done = history::blocks_of(experiment, listed, Purpose::Measuring).count();
    if done > 0 {
        let dropped = view.analyst.hopeless(&history);
        let still = listed.iter().filter(|trial| {
            experiment
                .trial(**trial)
                .is_some_and(|known| known.dropped.is_none())
        });
        let newly: Vec<_> = still.filter(|trial| dropped.contains(trial)).collect();
        if !newly.is_empty() {
            return newly
                .into_iter()
                .flat_map(|trial| drop_trial(*trial))
                .collect();
        }
    }
    let most = experiment.plan().measurement.iterations.max as usize;
    if done >= most || (done > 0 && matches!(view.analyst.enough(&history), Enough::Stop { .. })) {
        return conclude::conclude(view, Stopped::AllMeasured);
    }
    draw(view, listed, Purpose::Measuring)
}

fn drop_trial(trial: TrialId) -> [Step; 2] {
    let why = "cannot win any more".to_owned();
    [
        Step::Append(ExperimentEvent::Dropped { trial, why }),
        Step::Append(ExperimentEvent::TrialFinished {
            trial,
            outcome: Outcome::Measured,
        }),
    ]
}

/// The sequential design: each trial has all its iterations before the next one begins.
fn one_after_the_other(view: &View<'_>, listed: &[TrialId]) -> Vec<Step> {
    let experiment = view.experiment;
    let wanted = experiment.plan().measurement.iterations.least(1);
    let baseline = experiment
        .trial(TrialId::BASELINE)
        .filter(|known| known.measured < wanted);
    if baseline.is_some() && experiment.voided_in_a_row() == 0 {
        return draw_exactly(view, vec![TrialId::BASELINE], Purpose::Measuring);
    }
    let Some(first) = listed.first() else {
        return Vec::new();
    };
    let measured = experiment.trial(*first).map_or(0, |known| known.measured);
    if measured >= wanted {
        let event = ExperimentEvent::TrialFinished {
            trial: *first,
            outcome: Outcome::Measured,
        };
        return vec![Step::Append(event)];
    }
    let slots = place::slots(experiment).count().max(1);
    draw_exactly(
        view,
        listed.iter().copied().take(slots).collect(),
        Purpose::Measuring,
    )
}

/// Proposed trials: rounds of screening, then verification of the best.
fn screen(view: &View<'_>, search: &Search) -> Vec<Step> {
    let experiment = view.experiment;
    let round = experiment.rounds();
    if !experiment.pending().is_empty() {
        return join(experiment);
    }
    let of_round = competing(experiment, |trial| trial.round() == Some(round));
    let blocks = experiment
        .complete_blocks(Purpose::Screening { round })
        .count();
    if !of_round.is_empty() && blocks < search.blocks as usize {
        let mut trials = of_round;
        trials.extend(incumbent(view).filter(|best| !trials.contains(best)));
        return draw(view, &trials, Purpose::Screening { round });
    }
    let earlier = past_their_round(view, round);
    if !earlier.is_empty() {
        return earlier;
    }
    if let Some(stopped) = out_of_budget(view, search.verify) {
        return begin_verification(view, stopped);
    }
    if goal_is_reached(view) {
        return begin_verification(view, Stopped::Goal);
    }
    ask(view, search)
}

/// The baseline and the incumbent stay; the other trials of a finished round are done.
fn past_their_round(view: &View<'_>, round: u32) -> Vec<Step> {
    let best = incumbent(view);
    let done = competing(view.experiment, |trial| {
        trial.round().is_some_and(|of| of <= round) && Some(trial.id) != best && trial.measured > 0
    });
    let finished = |trial| {
        Step::Append(ExperimentEvent::TrialFinished {
            trial,
            outcome: Outcome::Measured,
        })
    };
    done.into_iter().map(finished).collect()
}

/// Proposed configurations become trials; those that are known already do not.
fn join(experiment: &Experiment) -> Vec<Step> {
    let origin = Origin::Proposed {
        round: experiment.rounds(),
    };
    let mut trial = experiment.next_trial_id();
    let mut steps = Vec::new();
    for configuration in experiment.pending() {
        let added = ExperimentEvent::TrialAdded {
            trial,
            label: trial.to_string(),
            configuration: Some(configuration.clone()),
            origin: origin.clone(),
        };
        steps.push(Step::Append(added));
        trial.0 += 1;
    }
    steps
}

fn ask(view: &View<'_>, search: &Search) -> Vec<Step> {
    let experiment = view.experiment;
    let left = experiment
        .plan()
        .budget
        .trials
        .map_or(search.parallel, |most| {
            most.saturating_sub(experiment.proposed())
        });
    match experiment.asked() {
        Some((_, Suggestion::Done { .. })) => begin_verification(view, Stopped::AllMeasured),
        // A round of nothing but known configurations: the recommender runs in circles.
        Some((_, Suggestion::Try(_))) if is_empty_round(experiment) => {
            begin_verification(view, Stopped::NoProgress)
        }
        Some((at, Suggestion::Wait { again_after })) => {
            let wait = SignedDuration::try_from(*again_after).unwrap_or(SignedDuration::MAX);
            let again = at.saturating_add(wait).unwrap_or(jiff::Timestamp::MAX);
            if view.now < again {
                wait_idle(view, again)
            } else {
                vec![Step::Ask {
                    wanted: left.min(search.parallel),
                }]
            }
        }
        Some(_) | None => vec![Step::Ask {
            wanted: left.min(search.parallel),
        }],
    }
}

fn is_empty_round(experiment: &Experiment) -> bool {
    let round = experiment.rounds();
    !experiment
        .trials()
        .rev()
        .any(|trial| trial.round() == Some(round))
}

/// Waits; a hold in which nothing could be placed for long enough is closed meanwhile.
fn wait_idle(view: &View<'_>, until: jiff::Timestamp) -> Vec<Step> {
    let idle = view.experiment.plan().timeouts.idle_hold;
    let idle = SignedDuration::try_from(idle).unwrap_or(SignedDuration::MAX);
    let mut steps = Vec::new();
    let mut earliest = until;
    for (slot, hold) in view.holds {
        let Some(record) = view.experiment.holds().get(slot) else {
            continue;
        };
        if *hold != super::HoldView::Held {
            continue;
        }
        let end = record
            .idle_since
            .saturating_add(idle)
            .unwrap_or(jiff::Timestamp::MAX);
        if end <= view.now {
            steps.push(place::close(
                view.experiment,
                *slot,
                "nothing could be placed in it",
            ));
        } else {
            earliest = earliest.min(end);
        }
    }
    steps.push(Step::WaitUntil(earliest));
    steps
}

/// The best screened trial so far.
fn incumbent(view: &View<'_>) -> Option<TrialId> {
    conclude::screened(view).first().map(|best| best.trial)
}

fn goal_is_reached(view: &View<'_>) -> bool {
    let plan = view.experiment.plan();
    let Some((objective, goal)) = plan
        .objective
        .as_ref()
        .and_then(|objective| Some((objective, objective.goal?)))
    else {
        return false;
    };
    let Some(best) = conclude::screened(view).into_iter().next() else {
        return false;
    };
    match (objective.direction, best.interval) {
        (Direction::Minimize, Some((_, Some(high)))) => high <= goal.value,
        (Direction::Maximize, Some((Some(low), _))) => low >= goal.value,
        (Direction::Minimize | Direction::Maximize, Some(_) | None) => false,
    }
}

/// Why nothing more may be searched; `verify` trials still have to be verified in the time left.
fn out_of_budget(view: &View<'_>, verify: u32) -> Option<Stopped> {
    let experiment = view.experiment;
    let budget = &experiment.plan().budget;
    if budget
        .failures
        .is_some_and(|most| experiment.failures() >= most)
    {
        return Some(Stopped::Failed);
    }
    let searching = experiment.plan().search.is_some() && experiment.plan().trials.is_empty();
    if searching
        && budget
            .trials
            .is_some_and(|most| experiment.proposed() >= most)
    {
        return Some(Stopped::Budget);
    }
    let (started, time) = experiment.first_started().zip(budget.time)?;
    let blocks = if verify == 0 {
        1
    } else {
        Iterations::needed(verify)
    };
    let iterations = (verify + 1).saturating_mul(blocks);
    let slots = u32::try_from(place::slots(experiment).count().max(1)).unwrap_or(1);
    let reserve = iteration_time(experiment).saturating_mul(iterations.div_ceil(slots));
    let spent = std::time::Duration::try_from(view.now.duration_since(started)).unwrap_or_default();
    (spent + reserve >= time).then_some(Stopped::Budget)
}

fn begin_verification(view: &View<'_>, stopped: Stopped) -> Vec<Step> {
    let experiment = view.experiment;
    let Some(search) = &experiment.plan().search else {
        return Vec::new();
    };
    let best = best_of(view, search.verify as usize);
    if best.is_empty() || !experiment.plan().has_baseline() && search.verify == 0 {
        return conclude::conclude(view, stopped);
    }
    let mut steps = vec![Step::Append(ExperimentEvent::VerificationBegun { stopped })];
    let screened = competing(experiment, |trial| trial.round().is_some());
    steps.extend(screened.into_iter().map(|trial| {
        Step::Append(ExperimentEvent::TrialFinished {
            trial,
            outcome: Outcome::Measured,
        })
    }));
    let mut next = experiment.next_trial_id();
    for Standing { trial, .. } in best {
        let Some(known) = experiment.trial(trial) else {
            continue;
        };
        steps.push(Step::Append(ExperimentEvent::TrialAdded {
            trial: next,
            label: format!("{} again", known.label),
            configuration: known.configuration.as_deref().cloned(),
            origin: Origin::Verifies { trial },
        }));
        next.0 += 1;
    }
    steps
}

/// The best screened trials whose constraints are not broken.
fn best_of(view: &View<'_>, most: usize) -> Vec<Standing> {
    let mut standings = conclude::screened(view);
    standings.retain(|standing| standing.constraints != ConstraintState::Broken);
    standings.truncate(most);
    standings
}

/// Verification blocks until the analyst has enough.
fn verify(view: &View<'_>, stopped: Stopped) -> Vec<Step> {
    let experiment = view.experiment;
    let trials = competing(experiment, |trial| trial.verifies().is_some());
    if trials.is_empty() {
        return conclude::conclude(view, stopped);
    }
    let done = history::blocks_of(experiment, &trials, Purpose::Verifying).count();
    let history = trial_history(experiment, &trials, Purpose::Verifying);
    let most = experiment.plan().measurement.iterations.max as usize;
    if done >= most || (done > 0 && matches!(view.analyst.enough(&history), Enough::Stop { .. })) {
        return conclude::conclude(view, stopped);
    }
    draw(view, &trials, Purpose::Verifying)
}

/// Draws a block of the baseline and these trials.
fn draw(view: &View<'_>, trials: &[TrialId], purpose: Purpose) -> Vec<Step> {
    let baseline = view
        .experiment
        .trial(TrialId::BASELINE)
        .map(|known| known.id);
    let all = baseline.into_iter().chain(trials.iter().copied()).collect();
    draw_exactly(view, all, purpose)
}

fn draw_exactly(view: &View<'_>, trials: Vec<TrialId>, purpose: Purpose) -> Vec<Step> {
    let experiment = view.experiment;
    let measurement = &experiment.plan().measurement;
    let block = BlockNo(u32::try_from(experiment.blocks().len()).unwrap_or(u32::MAX - 1) + 1);
    let slots = place::slots(experiment).count();
    let waves = order::draw(trials, slots, measurement.design, measurement.seed, block);
    vec![Step::Append(ExperimentEvent::BlockDrawn {
        block,
        purpose,
        waves,
    })]
}

/// What a recommender may know of all trials but verifying ones.
pub fn past_trials(view: &View<'_>) -> Vec<PastTrial> {
    let experiment = view.experiment;
    let standings = conclude::screened_and_baseline(view);
    let of = |trial: &Trial| {
        let standing = standings.iter().find(|standing| standing.trial == trial.id);
        PastTrial {
            trial: trial.id,
            configuration: trial.configuration.as_deref().cloned(),
            outcome: trial.outcome.as_ref().map(Outcome::kind),
            objective: standing.map(|one| one.score),
            standard_error: standing.and_then(|one| one.standard_error),
            blocks: trial.measured,
            feasible: standing.map(|one| one.constraints != ConstraintState::Broken),
        }
    };
    experiment
        .trials()
        .filter(|trial| trial.verifies().is_none())
        .map(of)
        .collect()
}
