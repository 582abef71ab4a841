//! The loop: decide, journal, start what follows, wait.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc;

use super::fleet::{Barrier, Ended, Fleet};
use super::passage::Passage;
use crate::engine::caller::{between, later};
use crate::engine::control::Control;
use crate::engine::driver::Driven;
use crate::engine::error::EngineError;
use crate::engine::notice::Notice;
use crate::engine::session::Session;
use crate::engine::stream::StreamWriter;
use crate::experiment::Experiment;
use crate::fault::Fault;
use crate::journal::ExperimentEvent;
use crate::machine::{HoldState, IterationState};
use crate::port::{Entry, StreamId};
use crate::report::Report;
use crate::schedule::{self, Step, View};

/// How often the inbox is looked at.
const REQUESTS_EVERY: Duration = Duration::from_secs(1);

/// One run of one experiment.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) session: Arc<Session>,
    pub(super) experiment: Experiment,
    pub(super) fleet: Fleet,
    pub(super) control: Control,
    pub(super) writer: StreamWriter,
    /// Events that are decided, and from which nothing has followed yet.
    decided: Vec<ExperimentEvent>,
    notices: mpsc::Receiver<Notice>,
    /// When the inbox is looked at next.
    inbox_due: Timestamp,
    pub(super) is_interrupted: bool,
    pub(super) report: Option<Report>,
    /// Leave to measure, where leave is needed.
    pub(super) passage: Option<Passage>,
}

impl Run {
    pub(super) fn new(
        session: Arc<Session>,
        experiment: Experiment,
        control: Control,
        notices: mpsc::Receiver<Notice>,
    ) -> Self {
        let stream = StreamId::Experiment(session.plan.name.clone());
        Self {
            writer: session.writer(stream, experiment.next_seq()),
            fleet: Fleet::new(Arc::clone(&session)),
            experiment,
            control,
            decided: Vec::new(),
            notices,
            inbox_due: Timestamp::MIN,
            is_interrupted: false,
            report: None,
            passage: None,
            session,
        }
    }

    pub(super) async fn start_and_drive(
        &mut self,
        streams: &[(StreamId, Vec<Entry>)],
    ) -> Result<Report, EngineError> {
        self.decide(ExperimentEvent::Started {
            epoch: self.session.epoch.clone(),
        })?;
        self.settle().await?;
        self.recover(streams).await?;
        // Asked to leave before it began: it puts back what an earlier owner has left, no more.
        self.is_interrupted = self.control.interrupt.is_cancelled();
        loop {
            self.take_requests().await?;
            let until = if self.is_interrupted {
                self.back_out()?;
                Timestamp::MAX
            } else {
                self.take_steps().await?
            };
            self.settle().await?;
            self.let_others_in();
            if let Some(report) = self.end().await? {
                return Ok(report);
            }
            self.wait(until).await?;
        }
    }

    /// Ends all drivers; the journal stays as it is.
    pub(super) async fn leave(&mut self) {
        self.session.stop.cancel();
        while !self.fleet.tasks.is_empty() {
            // Drivers may be waiting to tell something before they notice.
            while self.notices.try_recv().is_ok() {}
            let ended =
                tokio::time::timeout(Duration::from_millis(10), self.fleet.tasks.join_next());
            drop(ended.await);
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.session.ports.clock.now()
    }

    /// Checks an event and puts it into the next append.
    pub(super) fn decide(&mut self, event: ExperimentEvent) -> Result<(), EngineError> {
        if let Err(source) = self.experiment.check(&event) {
            return Err(self.writer.damaged(source));
        }
        let at = self.writer.push(&event);
        // The fold runs ahead of the journal by one append; if that fails, the run ends with it.
        let applied = self.experiment.apply(at, &event);
        applied.map_err(|source| self.writer.damaged(source))?;
        self.decided.push(event);
        Ok(())
    }

    /// Makes durable what was decided, then lets it have its consequences.
    pub(super) async fn settle(&mut self) -> Result<(), EngineError> {
        self.writer.flush().await?;
        for event in std::mem::take(&mut self.decided) {
            self.follow(&event);
            self.tell(&event);
        }
        self.open_barriers();
        Ok(())
    }

    /// What an event starts.
    fn follow(&mut self, event: &ExperimentEvent) {
        match event {
            ExperimentEvent::HoldOpened { slot, n } => {
                self.fleet.hold(*slot, *n, HoldState::new(), 0);
            }
            ExperimentEvent::Placed {
                trial, iteration, ..
            } => self.start_iteration((*trial, *iteration), IterationState::new(), 0, &[]),
            ExperimentEvent::Created { .. }
            | ExperimentEvent::Started { .. }
            | ExperimentEvent::Surveyed { .. }
            | ExperimentEvent::Calibrated { .. }
            | ExperimentEvent::Asked { .. }
            | ExperimentEvent::TrialAdded { .. }
            | ExperimentEvent::BlockDrawn { .. }
            | ExperimentEvent::BlockVoided { .. }
            | ExperimentEvent::HoldClosed { .. }
            | ExperimentEvent::IterationEnded { .. }
            | ExperimentEvent::TrialFinished { .. }
            | ExperimentEvent::Dropped { .. }
            | ExperimentEvent::VerificationBegun { .. }
            | ExperimentEvent::Paused { .. }
            | ExperimentEvent::Resumed { .. }
            | ExperimentEvent::Cancelled { .. }
            | ExperimentEvent::Amended { .. }
            | ExperimentEvent::RequestTaken { .. }
            | ExperimentEvent::Concluded { .. }
            | ExperimentEvent::ReportDue { .. }
            | ExperimentEvent::Finished => {}
        }
    }

    fn steps(&self) -> Vec<Step> {
        schedule::next(&View {
            experiment: &self.experiment,
            holds: &self.fleet.views,
            stranded: &self.fleet.stranded,
            analyst: self.session.ports.analyst.as_ref(),
            now: self.now(),
        })
    }

    /// Takes steps until there are none for now; answers until when, at the latest.
    async fn take_steps(&mut self) -> Result<Timestamp, EngineError> {
        loop {
            let mut until = Timestamp::MAX;
            let mut progress = false;
            for step in self.steps() {
                progress |= match step {
                    Step::Append(event) => {
                        if !self.may_decide(&event).await? {
                            return Ok(Timestamp::MAX);
                        }
                        self.decide(event)?;
                        true
                    }
                    Step::WaitUntil(at) => {
                        until = until.min(at);
                        false
                    }
                    outside @ (Step::Survey
                    | Step::Ask { .. }
                    | Step::CloseHold { .. }
                    | Step::CancelIteration { .. }
                    | Step::Report) => {
                        self.settle().await?;
                        self.take_step(outside).await?
                    }
                };
                if self.is_interrupted {
                    return Ok(Timestamp::MAX);
                }
            }
            if !progress {
                return Ok(until);
            }
        }
    }

    /// Waits until something happens, and takes it.
    async fn wait(&mut self, until: Timestamp) -> Result<(), EngineError> {
        let now = self.now();
        self.inbox_due = self.inbox_due.max(now);
        let wait = between(now, until.min(self.inbox_due));
        tokio::select! {
            biased;
            () = self.control.stop.cancelled() => return Err(EngineError::Stopped),
            () = self.control.interrupt.cancelled(), if !self.is_interrupted => {
                self.is_interrupted = true;
            }
            Some(notice) = self.notices.recv() => self.take_notice(&notice),
            Some(ended) = self.fleet.tasks.join_next() => {
                self.take_notices();
                self.take_ended(ended)?;
            }
            () = tokio::time::sleep(wait.max(Duration::from_millis(1))) => {}
        }
        self.take_notices();
        while let Some(ended) = self.fleet.tasks.try_join_next() {
            self.take_notices();
            self.take_ended(ended)?;
        }
        Ok(())
    }

    fn take_notices(&mut self) {
        while let Ok(notice) = self.notices.try_recv() {
            self.take_notice(&notice);
        }
    }

    fn take_notice(&mut self, notice: &Notice) {
        self.fleet.take(notice);
        self.tell_notice(notice);
    }

    fn take_ended(
        &mut self,
        ended: Result<Ended, tokio::task::JoinError>,
    ) -> Result<(), EngineError> {
        match ended.map_err(panicked)? {
            Ended::Hold { slot, n, how } => {
                if let Driven::Over(HoldState::Released { note }) = how? {
                    let refused = self.fleet.forget_hold(slot).and_then(|run| run.refused);
                    self.decide(ExperimentEvent::HoldClosed {
                        slot,
                        n,
                        note,
                        refused,
                    })?;
                }
            }
            Ended::Iteration { key, how } => {
                if let Driven::Over(IterationState::Ended { end }) = how? {
                    self.fleet.forget_iteration(key);
                    let (trial, iteration) = key;
                    self.decide(ExperimentEvent::IterationEnded {
                        trial,
                        iteration,
                        end,
                    })?;
                }
            }
        }
        Ok(())
    }

    /// Opens the barriers of waves in which nobody is on the way to it any more.
    fn open_barriers(&mut self) {
        let waiting: Vec<_> = self
            .fleet
            .iterations
            .iter()
            .filter(|(_, run)| run.barrier == Barrier::At)
            .map(|(key, _)| *key)
            .collect();
        for key @ (trial, iteration) in waiting {
            let wave = self.experiment.wave_of(trial, iteration);
            let on_the_way = |key| {
                let run = self.fleet.iterations.get(key);
                run.is_some_and(|run| run.barrier == Barrier::Before)
            };
            if !wave.iter().any(on_the_way) {
                self.fleet.open_barrier(key);
            }
        }
    }

    /// Time until the inbox is looked at next; never none, so that whoever waits for it does wait.
    pub(super) fn until_inbox(&self) -> Duration {
        between(self.now(), self.inbox_due).max(Duration::from_millis(1))
    }

    /// Whether the inbox is to be looked at now; notes when it is looked at next.
    pub(super) fn inbox_is_due(&mut self) -> bool {
        let now = self.now();
        let is_due = now >= self.inbox_due;
        if is_due {
            self.inbox_due = later(now, REQUESTS_EVERY);
        }
        is_due
    }
}

/// A driver never panics by design; where one does, the run ends and the journal is kept.
fn panicked(error: tokio::task::JoinError) -> EngineError {
    let kind = crate::fault::FaultKind::Unavailable;
    let fault = Fault::new(kind, "a driver ended by a panic").caused_by(error);
    EngineError::failed("drive the experiment")(fault)
}
