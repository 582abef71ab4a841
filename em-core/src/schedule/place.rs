//! Slots for iterations: holds are opened where they are needed, waves placed when all are held.

use std::time::Duration;

use super::{HoldView, Step, View, conclude, iteration_time};
use crate::experiment::{DrawnBlock, Experiment, Place, PlaceState};
use crate::id::{IterationNo, SlotId, TrialId};
use crate::journal::{ExperimentEvent, IterationEnd, Stopped};

/// How often a block may be drawn again because its baseline was lost.
const REDRAWS: u32 = 2;

/// How often the search for the capacity is tried.
const CALIBRATIONS: usize = 3;

/// Finds the baseline's capacity, where the offered rate is a share of it. None: nothing to find.
pub(super) fn calibrate(view: &View<'_>) -> Option<Vec<Step>> {
    let experiment = view.experiment;
    let share = experiment.plan().load.of_capacity()?;
    if experiment.calibration().is_some() {
        return None;
    }
    let last = experiment.calibrating().last();
    let steps = match last.map(|last| last.end.as_ref()) {
        Some(None) => Vec::new(),
        Some(Some(IterationEnd::Done(result))) if result.capacity.is_some() => {
            let capacity = result.capacity.clone()?;
            let rate = capacity.rate * share;
            vec![Step::Append(ExperimentEvent::Calibrated { capacity, rate })]
        }
        Some(Some(IterationEnd::Failed(_) | IterationEnd::Done(_)))
            if failed_calibrations(experiment) >= CALIBRATIONS =>
        {
            conclude::conclude(view, Stopped::Failed)
        }
        Some(Some(_)) | None => place_calibration(view),
    };
    Some(steps)
}

fn failed_calibrations(experiment: &Experiment) -> usize {
    let failed = |end: &IterationEnd| !matches!(end, IterationEnd::Interrupted { .. });
    experiment
        .calibrating()
        .iter()
        .filter(|known| known.end.as_ref().is_some_and(failed))
        .count()
}

fn place_calibration(view: &View<'_>) -> Vec<Step> {
    let experiment = view.experiment;
    let trial = experiment
        .trials()
        .next()
        .map_or(TrialId::BASELINE, |first| first.id);
    let Some(slot) = slots(experiment).next() else {
        return Vec::new();
    };
    if let Some(steps) = hold_all(view, &[slot]) {
        return steps;
    }
    // Iteration 0 is the calibration; a repeated one takes the next free number.
    let iteration = match experiment.calibrating().last() {
        None => IterationNo(0),
        Some(_) => next_iteration(experiment, trial),
    };
    let repeats = experiment.calibrating().last().map(|last| last.iteration);
    vec![Step::Append(ExperimentEvent::Placed {
        trial,
        iteration,
        block: None,
        slot,
        repeats,
    })]
}

/// Goes on with the open block.
pub(super) fn continue_block(view: &View<'_>) -> Vec<Step> {
    let experiment = view.experiment;
    let Some(block) = experiment.open_block() else {
        return Vec::new();
    };
    if !experiment.active().is_empty() {
        return Vec::new();
    }
    if experiment.open_block_lost_its_baseline() {
        if experiment.voided_in_a_row() >= REDRAWS {
            return conclude::conclude(view, Stopped::Failed);
        }
        return void(block, "the baseline has no value in it");
    }
    if block.stood_still > planned(experiment, block) && has_begun(block) {
        return void(
            block,
            "it stood still for longer than it was planned to last",
        );
    }
    place_wave(view, block)
}

fn void(block: &DrawnBlock, why: &str) -> Vec<Step> {
    let event = ExperimentEvent::BlockVoided {
        block: block.number,
        why: why.to_owned(),
    };
    vec![Step::Append(event)]
}

fn has_begun(block: &DrawnBlock) -> bool {
    block
        .places
        .values()
        .any(|place| place.state() == PlaceState::Done)
}

fn planned(experiment: &Experiment, block: &DrawnBlock) -> Duration {
    let waves = u32::try_from(block.waves.len()).unwrap_or(u32::MAX);
    iteration_time(experiment).saturating_mul(waves)
}

/// The first wave with trials that wait; what was lost on the way comes again at the block's end.
fn place_wave(view: &View<'_>, block: &DrawnBlock) -> Vec<Step> {
    let waits = |trial: &&TrialId| {
        block
            .places
            .get(trial)
            .is_some_and(|place| place.state() == PlaceState::Waiting)
    };
    let wave = block.fresh_wave().unwrap_or_else(|| {
        let again = block.waves.iter().flatten().filter(waits);
        again
            .take(slots(view.experiment).count())
            .copied()
            .collect()
    });
    let slots: Vec<SlotId> = slots(view.experiment).take(wave.len()).collect();
    if let Some(steps) = hold_all(view, &slots) {
        return steps;
    }
    let pairs = wave.iter().zip(slots);
    pairs
        .map(|(trial, slot)| Step::Append(placed(view.experiment, block, *trial, slot)))
        .collect()
}

fn placed(
    experiment: &Experiment,
    block: &DrawnBlock,
    trial: TrialId,
    slot: SlotId,
) -> ExperimentEvent {
    ExperimentEvent::Placed {
        trial,
        iteration: next_iteration(experiment, trial),
        block: Some(block.number),
        slot,
        repeats: block.places.get(&trial).and_then(Place::repeats),
    }
}

fn next_iteration(experiment: &Experiment, trial: TrialId) -> IterationNo {
    IterationNo(experiment.trial(trial).map_or(0, |known| known.placed) + 1)
}

/// Steps towards holding all of these slots; none when they are held.
fn hold_all(view: &View<'_>, slots: &[SlotId]) -> Option<Vec<Step>> {
    let missing: Vec<_> = slots
        .iter()
        .filter(|slot| view.holds.get(slot) != Some(&HoldView::Held))
        .collect();
    if missing.is_empty() {
        return None;
    }
    let known = view.experiment.holds();
    let to_open = missing
        .into_iter()
        .filter(|slot| known.get(slot).is_none_or(|hold| !hold.open));
    let opened = to_open.map(|slot| {
        let n = known.get(slot).map_or(0, |hold| hold.n) + 1;
        Step::Append(ExperimentEvent::HoldOpened { slot: *slot, n })
    });
    Some(opened.collect())
}

/// The step that closes the hold of a slot.
pub(super) fn close(experiment: &Experiment, slot: SlotId, why: &str) -> Step {
    let n = experiment.holds().get(&slot).map_or(1, |hold| hold.n);
    Step::CloseHold {
        slot,
        n,
        why: why.to_owned(),
    }
}

/// The slots that the survey found, as many as the file wants.
pub(super) fn slots(experiment: &Experiment) -> impl Iterator<Item = SlotId> {
    let wanted = experiment.plan().target.slots().max(1) as usize;
    let found = experiment
        .survey()
        .map(|survey| survey.slots.as_slice())
        .unwrap_or_default();
    found.iter().map(|slot| slot.id).take(wanted)
}
