//! The loop: decide, journal, start what follows, wait.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use jiff::Timestamp;
use tokio::sync::mpsc;

use super::fleet::{Barrier, Ended, Fleet};
use crate::engine::blame::Patience;
use crate::engine::caller::{between, later};
use crate::engine::control::{Control, WhenPaused};
use crate::engine::driver::Driven;
use crate::engine::error::EngineError;
use crate::engine::notice::Notice;
use crate::engine::session::Session;
use crate::engine::stream::StreamWriter;
use crate::experiment::{Experiment, Phase};
use crate::fault::Fault;
use crate::id::OpKey;
use crate::journal::{Blame, ExperimentEvent, InterruptCause};
use crate::machine::{HoldEvent, HoldState, IterationEvent, IterationState};
use crate::port::{Entry, StreamId};
use crate::report::Report;
use crate::schedule::{self, HoldView, Step, View};

/// How often the inbox is looked at.
const REQUESTS_EVERY: Duration = Duration::from_secs(1);

/// One run of one experiment.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) session: Arc<Session>,
    pub(super) experiment: Experiment,
    pub(super) fleet: Fleet,
    pub(super) control: Control,
    writer: StreamWriter,
    /// Events that are decided, and from which nothing has followed yet.
    decided: Vec<ExperimentEvent>,
    notices: mpsc::Receiver<Notice>,
    /// When the inbox is looked at next.
    inbox_due: Timestamp,
    is_interrupted: bool,
    report: Option<Report>,
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
        loop {
            self.take_requests().await?;
            let until = if self.is_interrupted {
                self.back_out()?;
                Timestamp::MAX
            } else {
                self.take_steps().await?
            };
            self.settle().await?;
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

    /// Takes a step outside the journal; answers whether anything came of it.
    async fn take_step(&mut self, step: Step) -> Result<bool, EngineError> {
        match step {
            Step::Survey => self.survey().await,
            Step::Ask { wanted } => self.ask(wanted).await,
            Step::Report => self.write_report().await,
            Step::CloseHold { slot, why, .. } => {
                Ok(self.fleet.close(slot, HoldEvent::Close { why }))
            }
            Step::CancelIteration { trial, iteration } => {
                let key = (trial, iteration);
                Ok(self.fleet.call_off(key, IterationEvent::Cancel))
            }
            Step::Append(_) | Step::WaitUntil(_) => Ok(false),
        }
    }

    async fn survey(&mut self) -> Result<bool, EngineError> {
        let session = Arc::clone(&self.session);
        let patience = Patience::look(&session.plan);
        let caller = session.caller(self.act());
        let (ports, plan) = (&session.ports, &session.plan);
        let look = caller.call("look at the target", patience, |cx| async move {
            ports.target.survey(&cx, plan).await
        });
        let Some(found) = self.unless_told_to_leave(Box::pin(look)).await? else {
            return Ok(false);
        };
        self.decide(match found {
            Ok(survey) => ExperimentEvent::Surveyed { survey },
            Err(fault) => paused("the target cannot be looked at", &fault),
        })?;
        Ok(true)
    }

    async fn ask(&mut self, wanted: u32) -> Result<bool, EngineError> {
        let session = Arc::clone(&self.session);
        let Some(recommender) = &session.ports.recommender else {
            let what = "a recommender".to_owned();
            return Err(EngineError::Missing { what });
        };
        let past = &schedule::past_trials(&View {
            experiment: &self.experiment,
            holds: &self.fleet.views,
            stranded: &self.fleet.stranded,
            analyst: session.ports.analyst.as_ref(),
            now: self.now(),
        });
        let plan = &session.plan;
        let patience = Patience::with(plan, Blame::Recommender, plan.timeouts.call * 10);
        let caller = session.caller(self.act());
        let ask = caller.call("ask the recommender", patience, |cx| async move {
            recommender.suggest(&cx, plan, past, wanted).await
        });
        let Some(answer) = self.unless_told_to_leave(Box::pin(ask)).await? else {
            return Ok(false);
        };
        self.decide(match answer {
            Ok(answer) => ExperimentEvent::Asked { answer },
            Err(fault) => paused("the recommender does not answer", &fault),
        })?;
        Ok(true)
    }

    async fn write_report(&mut self) -> Result<bool, EngineError> {
        let report = Report::of(&self.experiment, self.session.ports.analyst.as_ref());
        let bytes = serde_json::to_vec(&report).expect("reports hold only finite numbers and text");
        let digest = self.session.ports.store.put(&bytes).await;
        let digest = digest.map_err(EngineError::failed("keep the report"))?;
        self.report = Some(report);
        self.decide(ExperimentEvent::ReportDue { digest })?;
        Ok(true)
    }

    /// The key of an act that will become the next event.
    pub(super) fn act(&self) -> OpKey {
        OpKey::Experiment {
            experiment: self.session.plan.name.clone(),
            seq: self.writer.next(),
        }
    }

    /// The answer, unless somebody asks to leave before it comes.
    async fn unless_told_to_leave<T>(
        &mut self,
        work: BoxFuture<'_, T>,
    ) -> Result<Option<T>, EngineError> {
        tokio::select! {
            biased;
            () = self.control.stop.cancelled() => Err(EngineError::Stopped),
            () = self.control.interrupt.cancelled(), if !self.is_interrupted => {
                self.is_interrupted = true;
                Ok(None)
            }
            done = work => Ok(Some(done)),
        }
    }

    /// Breaks off what runs, then puts back what is held.
    fn back_out(&mut self) -> Result<(), EngineError> {
        let keys: Vec<_> = self.fleet.iterations.keys().copied().collect();
        for key in &keys {
            let cause = InterruptCause::Asked;
            self.fleet
                .call_off(*key, IterationEvent::Interrupt { cause });
        }
        if keys.iter().all(|key| self.fleet.stranded.contains_key(key)) {
            let slots: Vec<_> = self.fleet.holds.keys().copied().collect();
            for slot in slots {
                self.fleet.close(slot, HoldEvent::Interrupt);
            }
        }
        let is_stuck = |view: &HoldView| matches!(view, HoldView::Stranded { .. });
        if self.fleet.views.values().all(is_stuck) && self.only_stranded_iterations() {
            return Err(self.stranded().unwrap_or(EngineError::Interrupted));
        }
        Ok(())
    }

    fn only_stranded_iterations(&self) -> bool {
        let mut keys = self.fleet.iterations.keys();
        keys.all(|key| self.fleet.stranded.contains_key(key))
    }

    /// The error that says what could not be put back.
    fn stranded(&self) -> Option<EngineError> {
        let name = self.session.plan.name.clone();
        let hold = self.fleet.views.iter().find_map(|(slot, view)| match view {
            HoldView::Stranded { why } => Some((*slot, why.clone())),
            HoldView::Acquiring | HoldView::Held | HoldView::Closing => None,
        });
        let iteration = || {
            let (key, why) = self.fleet.stranded.first_key_value()?;
            let slot = self.experiment.active().get(key)?.slot;
            Some((slot, why.clone()))
        };
        let (slot, why) = hold.or_else(iteration)?;
        Some(EngineError::Stranded { name, slot, why })
    }

    /// The report once all is over, or the reason to leave without one.
    async fn end(&mut self) -> Result<Option<Report>, EngineError> {
        match self.experiment.phase() {
            Phase::Finished { .. } => {}
            Phase::Paused { why, .. } if self.control.when_paused == WhenPaused::Leave => {
                let is_stuck = |view: &HoldView| matches!(view, HoldView::Stranded { .. });
                let is_quiet =
                    self.fleet.views.values().all(is_stuck) && self.only_stranded_iterations();
                let why = why.clone();
                return if is_quiet {
                    Err(self.stranded().unwrap_or(EngineError::Paused { why }))
                } else {
                    Ok(None)
                };
            }
            Phase::Running
            | Phase::Verifying { .. }
            | Phase::Closing { .. }
            | Phase::Paused { .. } => return Ok(None),
        }
        if let Some(report) = self.report.take() {
            return Ok(Some(report));
        }
        let digest = *self
            .experiment
            .report()
            .expect("an experiment is finished only after its report");
        let bytes = self.session.ports.store.get(&digest).await;
        let bytes = bytes.map_err(EngineError::failed("read the report"))?;
        let report = serde_json::from_slice(&bytes).map_err(|source| {
            let fault = Fault::new(crate::fault::FaultKind::Malformed, "it is no report");
            EngineError::failed("read the report")(fault.caused_by(source))
        })?;
        Ok(Some(report))
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

fn paused(what: &str, fault: &Fault) -> ExperimentEvent {
    ExperimentEvent::Paused {
        why: format!("{what}: {}", fault.chain()),
        request: None,
    }
}

/// A driver never panics by design; where one does, the run ends and the journal is kept.
fn panicked(error: tokio::task::JoinError) -> EngineError {
    let kind = crate::fault::FaultKind::Unavailable;
    let fault = Fault::new(kind, "a driver ended by a panic").caused_by(error);
    EngineError::failed("drive the experiment")(fault)
}
