//! One block: an iteration of each of its trials, in random order.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use crate::id::{BlockNo, IterationNo, SlotId, TrialId};
use crate::journal::{
    Blame, Failure, InterruptCause, IterationEnd, IterationResult, Purpose, Stage,
};

/// How often the manager may die in the same stage of one place.
const DEATHS_PER_STAGE: usize = 3;

/// One block.
#[derive(Debug, Clone, PartialEq)]
pub struct DrawnBlock {
    /// Its number.
    pub number: BlockNo,
    /// What it is for.
    pub purpose: Purpose,
    /// Its trials in waves.
    pub waves: Vec<Vec<TrialId>>,
    /// Where each trial stands in it.
    pub places: BTreeMap<TrialId, Place>,
    /// Whether it counts.
    pub state: BlockState,
    /// When it was drawn.
    pub drawn_at: Timestamp,
    /// How long nobody worked on it.
    pub stood_still: Duration,
    unsettled: usize,
    /// Of all waves before this one every place was taken once.
    begun: usize,
}

/// Whether a block counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BlockState {
    /// It is being run.
    Open,
    /// Each place has a value, or never will.
    Complete,
    /// It does not count.
    Voided {
        /// Why.
        why: String,
    },
}

impl DrawnBlock {
    pub(super) fn new(
        number: BlockNo,
        purpose: Purpose,
        waves: Vec<Vec<TrialId>>,
        drawn_at: Timestamp,
    ) -> Self {
        let places: BTreeMap<_, _> = waves
            .iter()
            .flatten()
            .map(|trial| (*trial, Place::default()))
            .collect();
        let unsettled = places.len();
        Self {
            number,
            purpose,
            waves,
            places,
            state: BlockState::Open,
            drawn_at,
            stood_still: Duration::ZERO,
            unsettled,
            begun: 0,
        }
    }

    pub(super) fn place(&mut self, trial: TrialId, iteration: PlacedIteration) {
        self.places
            .entry(trial)
            .or_default()
            .iterations
            .push(iteration);
        while self
            .waves
            .get(self.begun)
            .is_some_and(|wave| self.untaken(wave).next().is_none())
        {
            self.begun += 1;
        }
    }

    /// The trials of the first wave in which a place was never taken, those of them whose it is; none
    /// where all were.
    pub fn fresh_wave(&self) -> Option<Vec<TrialId>> {
        let wave = self.waves.get(self.begun)?;
        Some(self.untaken(wave).collect())
    }

    fn untaken<'a>(&'a self, wave: &'a [TrialId]) -> impl Iterator<Item = TrialId> {
        let is_untaken = |trial: &TrialId| {
            let place = self.places.get(trial);
            place.is_some_and(|place| place.iterations.is_empty())
        };
        wave.iter().copied().filter(is_untaken)
    }

    pub(super) fn end(&mut self, trial: TrialId, number: IterationNo, end: &IterationEnd) {
        let Some(place) = self.places.get_mut(&trial) else {
            return;
        };
        if let Some(known) = place
            .iterations
            .iter_mut()
            .find(|known| known.iteration == number)
        {
            known.end = Some(end.clone());
        }
        if place.is_settled() {
            self.unsettled -= 1;
        }
    }

    pub(super) fn void(&mut self, why: &str) {
        self.state = BlockState::Voided {
            why: why.to_owned(),
        };
    }

    /// Whether each place has a value, or never will.
    pub fn is_complete(&self) -> bool {
        self.unsettled == 0
    }

    /// The result of a trial in it.
    pub fn result(&self, trial: TrialId) -> Option<&IterationResult> {
        self.places.get(&trial).and_then(Place::result)
    }
}

/// Where one trial stands in one block.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Place {
    /// Its iterations, repetitions included.
    pub iterations: Vec<PlacedIteration>,
}

/// What a place waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlaceState {
    /// For a slot: nothing runs, and it has no value yet.
    Waiting,
    /// For its iteration.
    Running,
    /// Nothing: it has a value.
    Done,
    /// Nothing: it will never have one.
    Lost,
}

impl Place {
    /// What it waits for.
    pub fn state(&self) -> PlaceState {
        if self.result().is_some() {
            return PlaceState::Done;
        }
        match self.iterations.last() {
            None => PlaceState::Waiting,
            Some(PlacedIteration { end: None, .. }) => PlaceState::Running,
            Some(_) if self.may_be_repeated() => PlaceState::Waiting,
            Some(_) => PlaceState::Lost,
        }
    }

    fn is_settled(&self) -> bool {
        matches!(self.state(), PlaceState::Done | PlaceState::Lost)
    }

    /// The value.
    pub fn result(&self) -> Option<&IterationResult> {
        match self.iterations.last().and_then(|last| last.end.as_ref()) {
            Some(IterationEnd::Done(result)) => Some(result),
            Some(IterationEnd::Failed(_) | IterationEnd::Interrupted { .. }) | None => None,
        }
    }

    /// The iteration that the next one repeats.
    pub fn repeats(&self) -> Option<IterationNo> {
        self.iterations.last().map(|last| last.iteration)
    }

    /// A failure is repeated once, an interruption always, the manager's death twice per stage.
    fn may_be_repeated(&self) -> bool {
        let called_off = self.iterations.iter().any(|known| {
            matches!(
                known.end,
                Some(IterationEnd::Interrupted {
                    cause: InterruptCause::CalledOff | InterruptCause::BlockVoid,
                    ..
                })
            )
        });
        !called_off && self.failures().count() < 2 && self.fatal_stage().is_none()
    }

    /// The stage in which the manager died once too often.
    fn fatal_stage(&self) -> Option<Stage> {
        let died_in = |known: &PlacedIteration| match &known.end {
            Some(IterationEnd::Interrupted {
                stage,
                cause: InterruptCause::ManagerDied,
            }) => *stage,
            Some(_) | None => None,
        };
        let stage = self.iterations.last().and_then(died_in)?;
        let deaths = self
            .iterations
            .iter()
            .filter(|known| died_in(known) == Some(stage))
            .count();
        (deaths >= DEATHS_PER_STAGE).then_some(stage)
    }

    fn failures(&self) -> impl DoubleEndedIterator<Item = &Failure> {
        self.iterations.iter().filter_map(|known| match &known.end {
            Some(IterationEnd::Failed(failure)) => Some(failure),
            Some(IterationEnd::Done(_) | IterationEnd::Interrupted { .. }) | None => None,
        })
    }

    /// Why it will never have a value.
    pub fn loss(&self) -> Option<Failure> {
        if self.state() != PlaceState::Lost {
            return None;
        }
        let died = self.fatal_stage().map(|stage| Failure {
            stage,
            blame: Blame::Manager,
            fault: None,
            message: format!("the manager died {DEATHS_PER_STAGE} times in stage {stage}"),
        });
        died.or_else(|| self.failures().next_back().cloned())
    }
}

/// An iteration of one place.
#[derive(Debug, Clone, PartialEq)]
pub struct PlacedIteration {
    /// Its number within the trial.
    pub iteration: IterationNo,
    /// Its slot.
    pub slot: SlotId,
    /// The iteration that it repeats.
    pub repeats: Option<IterationNo>,
    /// How it ended.
    pub end: Option<IterationEnd>,
}

impl PlacedIteration {
    pub(super) fn new(iteration: IterationNo, slot: SlotId, repeats: Option<IterationNo>) -> Self {
        Self {
            iteration,
            slot,
            repeats,
            end: None,
        }
    }
}

/// A span between two stamps, never negative: the system's clock may be set back.
pub(super) fn between(start: Timestamp, end: Timestamp) -> Duration {
    Duration::try_from(end.duration_since(start)).unwrap_or_default()
}
