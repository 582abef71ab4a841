//! Taking events: what may come next, and what follows from it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::block::{self, BlockState, DrawnBlock, Place, PlaceState, PlacedIteration};
use super::{Consequence, Experiment, Phase, Placing, Trial};
use crate::id::{BlockNo, Digest, IterationNo, TrialId};
use crate::journal::{ExperimentEvent, IterationEnd, Origin};
use crate::machine::IllegalTransition;
use crate::port::Suggestion;

impl Experiment {
    /// The experiment that its first event tells of.
    pub fn created(at: Timestamp, event: &ExperimentEvent) -> Result<Self, IllegalTransition> {
        let ExperimentEvent::Created { plan } = event else {
            return Err(illegal("Nothing", event));
        };
        Ok(Self {
            plan: Arc::new((**plan).clone()),
            phase: Phase::Running,
            entries: 1,
            started: None,
            last: at,
            survey: None,
            calibration: None,
            trials: BTreeMap::new(),
            unfinished: BTreeSet::new(),
            listed: 0,
            configurations: HashMap::new(),
            blocks: Vec::new(),
            open_block: None,
            voided_in_a_row: 0,
            calibrating: Vec::new(),
            active: BTreeMap::new(),
            holds: BTreeMap::new(),
            rounds: 0,
            asked: None,
            pending: Vec::new(),
            proposed: 0,
            failures: 0,
            requests_taken: 0,
            report: None,
            stopped_before: None,
            iteration_time: Duration::ZERO,
            iterations_timed: 0,
        })
    }

    /// Whether the event may be the next one. Nothing is journaled that fails this.
    pub fn check(&self, event: &ExperimentEvent) -> Result<(), IllegalTransition> {
        let possible = match event {
            ExperimentEvent::Created { .. } => false,
            ExperimentEvent::TrialAdded { trial, .. } => {
                !self.trials.contains_key(trial) && trial.0 == self.next_trial(event).0
            }
            ExperimentEvent::BlockDrawn { block, .. } => {
                self.open_block.is_none() && block.0 as usize == self.blocks.len() + 1
            }
            ExperimentEvent::BlockVoided { block, .. } => {
                self.open_block == Some(*block) && self.active.is_empty()
            }
            ExperimentEvent::HoldOpened { slot, n } => {
                let hold = self.holds.get(slot);
                hold.is_none_or(|hold| !hold.open) && *n == hold.map_or(0, |hold| hold.n) + 1
            }
            ExperimentEvent::HoldClosed { slot, n, .. } => self
                .holds
                .get(slot)
                .is_some_and(|hold| hold.open && hold.n == *n),
            ExperimentEvent::Placed {
                trial,
                iteration,
                block,
                ..
            } => {
                self.trials
                    .get(trial)
                    .is_some_and(|known| iteration.0 <= known.placed + 1)
                    && *block == block.and(self.open_block)
            }
            ExperimentEvent::IterationEnded {
                trial, iteration, ..
            } => self.active.contains_key(&(*trial, *iteration)),
            ExperimentEvent::TrialFinished { trial, .. }
            | ExperimentEvent::Dropped { trial, .. } => self.unfinished.contains(trial),
            ExperimentEvent::ReportDue { .. } => self.report.is_none(),
            ExperimentEvent::Started { .. }
            | ExperimentEvent::Surveyed { .. }
            | ExperimentEvent::Calibrated { .. }
            | ExperimentEvent::Asked { .. }
            | ExperimentEvent::VerificationBegun { .. }
            | ExperimentEvent::Paused { .. }
            | ExperimentEvent::Resumed { .. }
            | ExperimentEvent::Cancelled { .. }
            | ExperimentEvent::RequestTaken { .. }
            | ExperimentEvent::Concluded { .. }
            | ExperimentEvent::Finished => true,
            ExperimentEvent::Amended { plan, .. } => {
                plan.name == self.plan.name && plan.identity == self.plan.identity
            }
        };
        if possible {
            self.phase.clone().on(event).map(drop)
        } else {
            Err(illegal(self.phase.name(), event))
        }
    }

    /// Takes the next event.
    pub fn apply(
        &mut self,
        at: Timestamp,
        event: &ExperimentEvent,
    ) -> Result<(), IllegalTransition> {
        self.check(event)?;
        if let (ExperimentEvent::Amended { consequence, .. }, Phase::Finished { conclusion }) =
            (event, &self.phase)
        {
            // Judging anew what is stored does not change why nothing more was measured.
            self.stopped_before =
                (*consequence == Consequence::Judged).then_some(conclusion.stopped);
        }
        self.phase = self.phase.clone().on(event)?;
        self.take(at, event);
        self.entries += 1;
        self.last = at;
        Ok(())
    }

    fn take(&mut self, at: Timestamp, event: &ExperimentEvent) {
        match event {
            ExperimentEvent::Created { .. } => {}
            ExperimentEvent::Started { .. } => {
                self.started.get_or_insert(at);
                self.note_standstill(at);
            }
            ExperimentEvent::Surveyed { survey } => self.survey = Some(Arc::new(survey.clone())),
            ExperimentEvent::Calibrated { capacity, rate } => {
                self.calibration = Some((capacity.clone(), *rate));
            }
            ExperimentEvent::Asked { answer } => self.take_suggestion(at, answer),
            ExperimentEvent::TrialAdded { .. } => self.add_trial(event),
            ExperimentEvent::BlockDrawn {
                block,
                purpose,
                waves,
            } => {
                self.open_block = Some(*block);
                self.blocks
                    .push(DrawnBlock::new(*block, *purpose, waves.clone(), at));
            }
            ExperimentEvent::BlockVoided { block, why } => {
                self.open_block = None;
                self.voided_in_a_row += 1;
                self.block_mut(*block).void(why);
            }
            ExperimentEvent::HoldOpened { slot, n } => {
                self.holds.entry(*slot).or_default().open(*n, at);
            }
            ExperimentEvent::HoldClosed { slot, refused, .. } => {
                self.holds.entry(*slot).or_default().close(refused.clone());
            }
            ExperimentEvent::Placed {
                trial,
                iteration,
                block,
                slot,
                repeats,
            } => {
                let placed = PlacedIteration::new(*iteration, *slot, *repeats);
                self.place(
                    *trial,
                    placed,
                    Placing {
                        block: *block,
                        slot: *slot,
                        at,
                    },
                );
            }
            ExperimentEvent::IterationEnded {
                trial,
                iteration,
                end,
            } => {
                self.end_iteration(*trial, *iteration, end, at);
            }
            ExperimentEvent::TrialFinished { trial, outcome } => {
                self.unfinished.remove(trial);
                if outcome.is_failure() {
                    self.failures += 1;
                }
                if let Some(trial) = self.trials.get_mut(trial) {
                    trial.outcome = Some(outcome.clone());
                }
            }
            ExperimentEvent::Dropped { trial, why } => {
                if let Some(trial) = self.trials.get_mut(trial) {
                    trial.dropped = Some(why.clone());
                }
            }
            ExperimentEvent::Paused { request, .. } => self.take_request(*request),
            ExperimentEvent::Resumed { request } => {
                self.take_request(*request);
                for hold in self.holds.values_mut() {
                    hold.refused = None;
                }
                self.note_standstill(at);
            }
            ExperimentEvent::Cancelled { request, .. } => {
                self.stopped_before = None;
                self.take_request(*request);
            }
            ExperimentEvent::RequestTaken { request, .. } => self.take_request(Some(*request)),
            ExperimentEvent::ReportDue { digest } => self.report = Some(*digest),
            ExperimentEvent::VerificationBegun { .. } => self.voided_in_a_row = 0,
            ExperimentEvent::Amended { plan, .. } => {
                self.plan = Arc::new((**plan).clone());
                // Whoever proposes has not seen the new plan; whatever it said is about the old one.
                self.asked = None;
                if !matches!(self.phase, Phase::Finished { .. }) {
                    self.report = None;
                }
            }
            ExperimentEvent::Concluded { .. } | ExperimentEvent::Finished => {}
        }
    }

    fn take_request(&mut self, request: Option<u64>) {
        self.requests_taken = self.requests_taken.max(request.unwrap_or(0));
    }

    fn take_suggestion(&mut self, at: Timestamp, answer: &Suggestion) {
        if let Suggestion::Try(configurations) = answer {
            self.rounds += 1;
            // What is known already is not measured again under another number.
            let mut seen: BTreeSet<Digest> = BTreeSet::new();
            let typed = configurations
                .iter()
                .map(|some| some.typed(&self.plan.tunables));
            self.pending = typed
                .filter(|some| {
                    let digest = some.digest();
                    !self.configurations.contains_key(&digest) && seen.insert(digest)
                })
                .collect();
        }
        self.asked = Some((at, answer.clone()));
    }

    fn next_trial(&self, event: &ExperimentEvent) -> TrialId {
        let is_baseline = matches!(
            event,
            ExperimentEvent::TrialAdded {
                origin: Origin::Baseline,
                ..
            }
        );
        let next = self
            .trials
            .last_key_value()
            .map_or(1, |(last, _)| last.0 + 1);
        if is_baseline {
            TrialId::BASELINE
        } else {
            TrialId(next)
        }
    }

    fn add_trial(&mut self, event: &ExperimentEvent) {
        let ExperimentEvent::TrialAdded {
            trial,
            label,
            configuration,
            origin,
        } = event
        else {
            return;
        };
        let configuration = configuration
            .as_ref()
            .map(|some| Arc::new(some.typed(&self.plan.tunables)));
        if let Some(configuration) = &configuration
            && !matches!(origin, Origin::Verifies { .. })
        {
            let digest = configuration.digest();
            self.configurations.entry(digest).or_insert(*trial);
            self.pending.retain(|pending| pending.digest() != digest);
        }
        if matches!(origin, Origin::Proposed { .. }) {
            self.proposed += 1;
        }
        self.unfinished.insert(*trial);
        self.listed += usize::from(*origin == Origin::Listed);
        let added = Trial::new(*trial, label.clone(), configuration, origin.clone());
        self.trials.insert(*trial, added);
    }

    fn place(&mut self, trial: TrialId, iteration: PlacedIteration, placing: Placing) {
        if let Some(known) = self.trials.get_mut(&trial) {
            known.placed = known.placed.max(iteration.iteration.0);
        }
        self.active.insert((trial, iteration.iteration), placing);
        match placing.block {
            Some(block) => self.block_mut(block).place(trial, iteration),
            None => self.calibrating.push(iteration),
        }
    }

    fn end_iteration(
        &mut self,
        trial: TrialId,
        iteration: IterationNo,
        end: &IterationEnd,
        at: Timestamp,
    ) {
        let Some(placing) = self.active.remove(&(trial, iteration)) else {
            return;
        };
        if let Some(hold) = self.holds.get_mut(&placing.slot) {
            hold.idle_since = at;
        }
        if matches!(end, IterationEnd::Done(_)) {
            self.iteration_time += block::between(placing.at, at);
            self.iterations_timed += 1;
        }
        match placing.block {
            None => {
                if let Some(calibrating) = self
                    .calibrating
                    .iter_mut()
                    .find(|known| known.iteration == iteration)
                {
                    calibrating.end = Some(end.clone());
                }
            }
            Some(number) => self.end_in_block(number, trial, iteration, end),
        }
    }

    fn end_in_block(
        &mut self,
        number: BlockNo,
        trial: TrialId,
        iteration: IterationNo,
        end: &IterationEnd,
    ) {
        let block = self.block_mut(number);
        block.end(trial, iteration, end);
        let state = block.places.get(&trial).map(Place::state);
        let complete = block.is_complete();
        if let (Some(state), Some(known)) = (state, self.trials.get_mut(&trial)) {
            match state {
                PlaceState::Done => known.measured += 1,
                PlaceState::Lost => known.lost += 1,
                PlaceState::Waiting | PlaceState::Running => {}
            }
        }
        // A block whose baseline is lost stays open until an event of its own voids it.
        if complete && self.open_block == Some(number) && !self.baseline_is_lost(number) {
            self.block_mut(number).state = BlockState::Complete;
            self.open_block = None;
            self.voided_in_a_row = 0;
        }
    }

    pub(super) fn baseline_is_lost(&self, number: BlockNo) -> bool {
        let place = self
            .block(number)
            .and_then(|block| block.places.get(&TrialId::BASELINE));
        place.is_some_and(|place| place.state() == PlaceState::Lost)
    }

    fn note_standstill(&mut self, at: Timestamp) {
        let idle = block::between(self.last, at);
        if let Some(number) = self.open_block {
            self.block_mut(number).stood_still += idle;
        }
    }

    fn block_mut(&mut self, number: BlockNo) -> &mut DrawnBlock {
        &mut self.blocks[number.0 as usize - 1]
    }
}

fn illegal(state: &'static str, event: &ExperimentEvent) -> IllegalTransition {
    IllegalTransition {
        machine: "experiment",
        state,
        event: event.name(),
    }
}
