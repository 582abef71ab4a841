//! Steps that look outside or speak to drivers.

use std::sync::Arc;

use futures::future::BoxFuture;

use super::decide::Run;
use super::sources;
use crate::engine::blame::Patience;
use crate::engine::error::EngineError;
use crate::fault::Fault;
use crate::id::OpKey;
use crate::journal::{Blame, ExperimentEvent};
use crate::machine::{HoldEvent, IterationEvent};
use crate::report::Report;
use crate::schedule::{self, Step, View};

impl Run {
    /// Takes a step outside the journal; answers whether anything came of it.
    pub(super) async fn take_step(&mut self, step: Step) -> Result<bool, EngineError> {
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
        let all = async {
            let mut survey = look.await.map_err(|fault| ("the target", fault))?;
            let sources = sources::survey(&session, &caller).await;
            let sources = sources.map_err(|fault| ("a datasource", fault))?;
            survey.findings.extend(sources);
            Ok(survey)
        };
        let Some(found) = self.unless_told_to_leave(Box::pin(all)).await? else {
            return Ok(false);
        };
        self.decide(match found {
            Ok(survey) => ExperimentEvent::Surveyed { survey },
            Err((what, fault)) => paused(&format!("{what} cannot be looked at"), &fault),
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
    pub(super) async fn unless_told_to_leave<T>(
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
}

fn paused(what: &str, fault: &Fault) -> ExperimentEvent {
    ExperimentEvent::Paused {
        why: format!("{what}: {}", fault.chain()),
        request: None,
    }
}
