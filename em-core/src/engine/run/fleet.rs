//! The drivers of one run.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::engine::driver::{Driven, Driver, Machine, Perform};
use crate::engine::error::EngineError;
use crate::engine::notice::{HoldNotice, IterationNotice, Notice};
use crate::engine::performer::{HoldPerformer, IterationPerformer, Job};
use crate::engine::session::Session;
use crate::engine::stream::StreamWriter;
use crate::id::{IterationNo, SlotId, TrialId};
use crate::journal::Stage;
use crate::machine::{HoldEvent, HoldState, IterationEvent, IterationState};
use crate::port::{StreamId, Undo};
use crate::schedule::HoldView;

/// Commands that may wait for a driver; it is told a handful in its life.
const COMMANDS: usize = 16;

/// An iteration of a trial.
pub(super) type IterationKey = (TrialId, IterationNo);

/// All drivers of one run, and what they said last.
#[derive(Debug)]
pub(super) struct Fleet {
    session: Arc<Session>,
    pub(super) tasks: JoinSet<Ended>,
    pub(super) holds: BTreeMap<SlotId, HoldRun>,
    pub(super) iterations: BTreeMap<IterationKey, IterationRun>,
    /// What the scheduler sees of the holds.
    pub(super) views: BTreeMap<SlotId, HoldView>,
    /// Iterations that could not be taken down.
    pub(super) stranded: BTreeMap<IterationKey, String>,
}

/// A hold on its way.
#[derive(Debug)]
pub(super) struct HoldRun {
    commands: mpsc::Sender<HoldEvent>,
    n: u32,
    pub(super) undo: Option<Arc<Undo>>,
    pub(super) refused: Option<String>,
    was_told_to_close: bool,
}

/// An iteration on its way.
#[derive(Debug)]
pub(super) struct IterationRun {
    commands: mpsc::Sender<IterationEvent>,
    pub(super) barrier: Barrier,
    was_called_off: bool,
}

/// Where an iteration stands to the barrier of its wave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Barrier {
    Before,
    At,
    Behind,
}

/// A driver that has ended.
#[derive(Debug)]
pub(super) enum Ended {
    Hold {
        slot: SlotId,
        n: u32,
        how: Result<Driven<HoldState>, EngineError>,
    },
    Iteration {
        key: IterationKey,
        how: Result<Driven<IterationState>, EngineError>,
    },
}

impl Fleet {
    pub(super) fn new(session: Arc<Session>) -> Self {
        Self {
            session,
            tasks: JoinSet::new(),
            holds: BTreeMap::new(),
            iterations: BTreeMap::new(),
            views: BTreeMap::new(),
            stranded: BTreeMap::new(),
        }
    }

    /// Starts the driver of a hold whose stream leads to `state`.
    pub(super) fn hold(&mut self, slot: SlotId, n: u32, state: HoldState, entries: u64) {
        let stream = StreamId::Hold(self.session.plan.name.clone(), slot, n);
        let mut performer = HoldPerformer::new(&self.session, slot, n);
        let (view, undo) = match &state {
            HoldState::Acquiring => (HoldView::Acquiring, None),
            HoldState::Held { undo } => (HoldView::Held, Some(Arc::new(undo.clone()))),
            HoldState::Restoring { .. } | HoldState::Released { .. } => (HoldView::Closing, None),
            HoldState::Stranded { undo, why } => {
                let view = HoldView::Stranded { why: why.clone() };
                (view, undo.clone().map(Arc::new))
            }
        };
        let refused = performer.refused_before(&state);
        self.views.insert(slot, view);
        let writer = self.session.writer(stream, entries);
        let (driver, commands) = self.driver(state, writer, performer);
        let run = HoldRun {
            commands,
            n,
            undo,
            refused,
            was_told_to_close: false,
        };
        self.holds.insert(slot, run);
        self.tasks.spawn(async move {
            let how = driver.run().await;
            Ended::Hold { slot, n, how }
        });
    }

    /// Starts the driver of an iteration.
    pub(super) fn iteration(
        &mut self,
        state: IterationState,
        writer: StreamWriter,
        performer: IterationPerformer,
        job: &Job,
    ) {
        let key = (job.trial, job.iteration);
        let barrier = match &state {
            IterationState::Queued | IterationState::Deploying | IterationState::Verifying => {
                Barrier::Before
            }
            IterationState::AtBarrier(_) => Barrier::At,
            IterationState::Loading(_)
            | IterationState::Collecting { .. }
            | IterationState::Withdrawing { .. }
            | IterationState::Stranded { .. }
            | IterationState::Ended { .. } => Barrier::Behind,
        };
        if let IterationState::Stranded { why, .. } = &state {
            self.stranded.insert(key, why.clone());
        }
        let (driver, commands) = self.driver(state, writer, performer);
        let run = IterationRun {
            commands,
            barrier,
            was_called_off: false,
        };
        self.iterations.insert(key, run);
        self.tasks.spawn(async move {
            let how = driver.run().await;
            Ended::Iteration { key, how }
        });
    }

    fn driver<M: Machine, P: Perform<M>>(
        &self,
        state: M,
        journal: StreamWriter,
        performer: P,
    ) -> (Driver<M, P>, mpsc::Sender<M::Event>) {
        let (commands, received) = mpsc::channel(COMMANDS);
        let driver = Driver {
            state,
            journal,
            performer,
            commands: received,
            notices: self.session.notices.clone(),
            stop: self.session.stop.clone(),
        };
        (driver, commands)
    }

    /// Takes what a driver said.
    pub(super) fn take(&mut self, notice: &Notice) {
        match notice {
            Notice::Hold { slot, state } => self.take_hold(*slot, state),
            Notice::Iteration {
                trial,
                iteration,
                state,
            } => self.take_iteration((*trial, *iteration), state),
        }
    }

    fn take_hold(&mut self, slot: SlotId, state: &HoldNotice) {
        let Some(run) = self.holds.get_mut(&slot) else {
            return;
        };
        let view = match state {
            HoldNotice::Acquiring => HoldView::Acquiring,
            HoldNotice::Held(undo) => {
                run.undo = Some(Arc::clone(undo));
                if run.was_told_to_close {
                    HoldView::Closing
                } else {
                    HoldView::Held
                }
            }
            HoldNotice::Closing { refused } => {
                run.refused.clone_from(refused);
                HoldView::Closing
            }
            HoldNotice::Stranded(why) => HoldView::Stranded { why: why.clone() },
        };
        self.views.insert(slot, view);
    }

    fn take_iteration(&mut self, key: IterationKey, state: &IterationNotice) {
        let Some(run) = self.iterations.get_mut(&key) else {
            return;
        };
        match state {
            IterationNotice::AtBarrier => run.barrier = Barrier::At,
            IterationNotice::In(Stage::Deploy | Stage::Verify | Stage::Barrier)
            | IterationNotice::Measuring { .. } => {}
            IterationNotice::In(Stage::Load | Stage::Collect | Stage::Withdraw) => {
                run.barrier = Barrier::Behind;
            }
            IterationNotice::Stranded(why) => {
                run.barrier = Barrier::Behind;
                self.stranded.insert(key, why.clone());
            }
        }
    }

    /// Tells a hold to put the original back; answers whether it was told for the first time.
    pub(super) fn close(&mut self, slot: SlotId, event: HoldEvent) -> bool {
        let Some(run) = self.holds.get_mut(&slot) else {
            return false;
        };
        if run.was_told_to_close || run.commands.try_send(event).is_err() {
            return false;
        }
        run.was_told_to_close = true;
        if self.views.get(&slot) == Some(&HoldView::Held) {
            self.views.insert(slot, HoldView::Closing);
        }
        true
    }

    /// Calls an iteration off; answers whether it was told for the first time.
    pub(super) fn call_off(&mut self, key: IterationKey, event: IterationEvent) -> bool {
        let Some(run) = self.iterations.get_mut(&key) else {
            return false;
        };
        if run.was_called_off || run.commands.try_send(event).is_err() {
            return false;
        }
        run.was_called_off = true;
        true
    }

    /// Opens the barrier of an iteration that waits at it.
    pub(super) fn open_barrier(&mut self, key: IterationKey) {
        if let Some(run) = self.iterations.get_mut(&key)
            && run.barrier == Barrier::At
            && run.commands.try_send(IterationEvent::BarrierOpened).is_ok()
        {
            run.barrier = Barrier::Behind;
        }
    }

    /// Holds that could not be put back, each with its number and its undo.
    pub(super) fn stranded_holds(&self) -> Vec<(SlotId, u32, Option<Arc<Undo>>)> {
        let stranded = self.views.iter().filter_map(|(slot, view)| {
            let run = self.holds.get(slot)?;
            let is_stranded = matches!(view, HoldView::Stranded { .. });
            is_stranded.then(|| (*slot, run.n, run.undo.clone()))
        });
        stranded.collect()
    }

    /// Tells everything that is stranded; answers how many were told.
    pub(super) fn tell_stranded(&mut self, hold: &HoldEvent, iteration: &IterationEvent) -> usize {
        let mut told = 0;
        for (slot, view) in &mut self.views {
            let run = self.holds.get(slot);
            if matches!(view, HoldView::Stranded { .. })
                && run.is_some_and(|run| run.commands.try_send(hold.clone()).is_ok())
            {
                *view = HoldView::Closing;
                told += 1;
            }
        }
        self.stranded.retain(|key, _| {
            let run = self.iterations.get(key);
            let sent = run.is_some_and(|run| run.commands.try_send(iteration.clone()).is_ok());
            told += usize::from(sent);
            !sent
        });
        told
    }

    /// Forgets a hold that is over.
    pub(super) fn forget_hold(&mut self, slot: SlotId) -> Option<HoldRun> {
        self.views.remove(&slot);
        self.holds.remove(&slot)
    }

    /// Forgets an iteration that is over.
    pub(super) fn forget_iteration(&mut self, key: IterationKey) {
        self.stranded.remove(&key);
        self.iterations.remove(&key);
    }
}
