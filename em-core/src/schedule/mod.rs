//! What to do next: a pure function of what is known.
//!
//! [`next`] looks at the experiment as its events tell it, at the holds and at the time, and
//! answers the steps to take now. The engine takes them in order, journals what was decided, and
//! asks again. Nothing here waits, draws from an unseeded source or touches the outside.

mod conclude;
mod history;
mod order;
mod place;
mod search;

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use crate::experiment::{Experiment, Phase};
use crate::id::{IterationNo, SlotId, TrialId};
use crate::journal::{ExperimentEvent, Origin, Stopped};
use crate::plan::Baseline;
use crate::port::{Analyst, Severity};

pub use conclude::{Standing, final_history, standings};
pub use history::{histories, trial_history};
pub use search::past_trials;

/// What the engine knows of an open hold from the hold's own stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HoldView {
    /// The slot is being locked.
    Acquiring,
    /// Iterations may be placed.
    Held,
    /// The original is being put back.
    Closing,
    /// The original could not be put back.
    Stranded {
        /// Why.
        why: String,
    },
}

/// Everything that a decision depends on.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// The experiment as its events tell it.
    pub experiment: &'a Experiment,
    /// Open holds by slot.
    pub holds: &'a BTreeMap<SlotId, HoldView>,
    /// Iterations that could not be taken down, with the reason.
    pub stranded: &'a BTreeMap<(TrialId, IterationNo), String>,
    /// The mathematics.
    pub analyst: &'a dyn Analyst,
    /// The time.
    pub now: Timestamp,
}

/// One step to take.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Journal this event, apply it, and start what follows from it.
    Append(ExperimentEvent),
    /// Look at the target and append `Surveyed`.
    Survey,
    /// Ask the recommender and append `Asked`.
    Ask {
        /// Configurations wanted.
        wanted: u32,
    },
    /// Tell the driver of a hold to put the original back.
    CloseHold {
        /// The slot.
        slot: SlotId,
        /// Which hold.
        n: u32,
        /// Why.
        why: String,
    },
    /// Tell the driver of an iteration that it is called off.
    CancelIteration {
        /// Its trial.
        trial: TrialId,
        /// Its number.
        iteration: IterationNo,
    },
    /// Write the report, keep it, and append `ReportDue`.
    Report,
    /// Nothing to do before this time, unless something happens.
    WaitUntil(Timestamp),
}

/// The steps to take now; none = wait until something happens.
pub fn next(view: &View<'_>) -> Vec<Step> {
    if let Some(why) = call_for_a_person(view) {
        return vec![Step::Append(ExperimentEvent::Paused { why, request: None })];
    }
    match view.experiment.phase() {
        Phase::Finished { .. } => Vec::new(),
        Phase::Paused { .. } => close_when_quiet(view, "paused"),
        Phase::Closing { .. } => conclude::closing(view),
        Phase::Running | Phase::Verifying { .. } => running(view),
    }
}

/// Why a person is needed, where the experiment is not paused for it yet.
fn call_for_a_person(view: &View<'_>) -> Option<String> {
    let experiment = view.experiment;
    if matches!(
        experiment.phase(),
        Phase::Paused { .. } | Phase::Finished { .. }
    ) {
        return None;
    }
    let stranded_hold = view.holds.iter().find_map(|(slot, hold)| match hold {
        HoldView::Stranded { why } => Some(format!("slot {slot} could not be put back: {why}")),
        HoldView::Acquiring | HoldView::Held | HoldView::Closing => None,
    });
    let stranded_iteration = || {
        let ((trial, iteration), why) = view.stranded.first_key_value()?;
        Some(format!(
            "iteration {trial}/{iteration} could not be taken down: {why}"
        ))
    };
    let refused = || {
        if matches!(experiment.phase(), Phase::Closing { .. }) {
            return None;
        }
        let (slot, why) = experiment
            .holds()
            .iter()
            .find_map(|(slot, hold)| Some((slot, hold.refused.as_ref()?)))?;
        Some(format!("slot {slot} cannot be held: {why}"))
    };
    stranded_hold.or_else(stranded_iteration).or_else(refused)
}

fn running(view: &View<'_>) -> Vec<Step> {
    let experiment = view.experiment;
    let Some(survey) = experiment.survey() else {
        return vec![Step::Survey];
    };
    if survey
        .findings
        .iter()
        .any(|finding| finding.severity == Severity::Error)
        || survey.slots.is_empty()
    {
        return conclude::conclude(view, Stopped::Failed);
    }
    if let Some(first) = first_trials(experiment) {
        return first;
    }
    if let Some(steps) = place::calibrate(view) {
        return steps;
    }
    let later = later_trials(experiment);
    if !later.is_empty() {
        return later;
    }
    match experiment.open_block() {
        Some(_) => place::continue_block(view),
        None => search::after_block(view),
    }
}

/// Baseline and listed trials join before anything else.
fn first_trials(experiment: &Experiment) -> Option<Vec<Step>> {
    if experiment.trials().next().is_some() {
        return None;
    }
    let plan = experiment.plan();
    let mut added = Vec::new();
    let mut add = |trial, label: String, configuration, origin| {
        added.push(Step::Append(ExperimentEvent::TrialAdded {
            trial,
            label,
            configuration,
            origin,
        }));
    };
    if plan.has_baseline() {
        let configuration = match &plan.baseline {
            Baseline::Defaults(values) | Baseline::Values(values) => Some(values.clone()),
            Baseline::Live | Baseline::None => None,
        };
        add(
            TrialId::BASELINE,
            "baseline".to_owned(),
            configuration,
            Origin::Baseline,
        );
    }
    let base = plan.baseline.configuration().cloned().unwrap_or_default();
    for (index, listed) in (1..).zip(&plan.trials) {
        let whole = listed.configuration.or(&base);
        add(
            TrialId(index),
            listed.label.clone(),
            Some(whole),
            Origin::Listed,
        );
    }
    if plan.trials.is_empty() && plan.search.is_none() {
        let is_observed = plan.target.is_observed() || !plan.has_baseline();
        if is_observed {
            add(TrialId(1), "observed".to_owned(), None, Origin::Observed);
        }
    }
    (!added.is_empty()).then_some(added)
}

/// Trials that were listed after the experiment had begun join between blocks.
fn later_trials(experiment: &Experiment) -> Vec<Step> {
    if experiment.open_block().is_some() || !matches!(experiment.phase(), Phase::Running) {
        return Vec::new();
    }
    let plan = experiment.plan();
    let known = experiment.listed();
    let base = plan.baseline.configuration().cloned().unwrap_or_default();
    let mut trial = experiment.next_trial_id();
    let mut added = Vec::new();
    for listed in plan.trials.iter().skip(known) {
        added.push(Step::Append(ExperimentEvent::TrialAdded {
            trial,
            label: listed.label.clone(),
            configuration: Some(listed.configuration.or(&base)),
            origin: Origin::Listed,
        }));
        trial.0 += 1;
    }
    added
}

/// Closes every hold once nothing runs any more.
fn close_when_quiet(view: &View<'_>, why: &str) -> Vec<Step> {
    if !view.experiment.active().is_empty() {
        return Vec::new();
    }
    let held = view
        .holds
        .iter()
        .filter(|(_, hold)| **hold == HoldView::Held);
    held.map(|(slot, _)| place::close(view.experiment, *slot, why))
        .collect()
}

/// How long one iteration is planned to take; what was seen so far counts more than the plan.
pub(crate) fn iteration_time(experiment: &Experiment) -> Duration {
    experiment.mean_iteration_time().unwrap_or_else(|| {
        let measurement = &experiment.plan().measurement;
        let windows = measurement.cycle_duration * measurement.cycles;
        measurement.warmup.expected() + windows + Duration::from_secs(1)
    })
}
