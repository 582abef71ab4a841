//! One iteration: deployed, verified, loaded, measured, withdrawn.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use jiff::Timestamp;

use super::job::{Job, Stamps};
use super::{collect, load, verify};
use crate::engine::blame::{Patience, failed, failure};
use crate::engine::caller::Caller;
use crate::engine::driver::Perform;
use crate::engine::notice::{IterationNotice, Notice};
use crate::engine::session::Session;
use crate::fault::Fault;
use crate::id::OpKey;
use crate::journal::{Blame, Failure, Stage};
use crate::machine::{IterationEvent, IterationState};
use crate::plan::Secret;
use crate::port::DeployPlan;

/// Runs one iteration.
#[derive(Debug)]
pub(in crate::engine) struct IterationPerformer {
    pub(super) session: Arc<Session>,
    pub(super) caller: Caller,
    pub(super) job: Job,
    pub(super) stamps: Stamps,
}

impl IterationPerformer {
    pub(in crate::engine) fn new(session: &Arc<Session>, job: Job, stamps: Stamps) -> Self {
        let key = OpKey::Iteration {
            experiment: session.plan.name.clone(),
            trial: job.trial,
            iteration: job.iteration,
        };
        Self {
            caller: session.caller(key),
            session: Arc::clone(session),
            job,
            stamps,
        }
    }

    /// The deployment that the job asks for.
    fn deploy_plan(&self) -> Result<DeployPlan, Failure> {
        let values = self.job.values.clone();
        let values = values.map_err(|why| failed(Stage::Deploy, Blame::Configuration, why))?;
        Ok(DeployPlan::new(
            Arc::clone(&self.session.plan),
            self.job.slot,
            Arc::clone(&self.job.configuration),
            values,
            Arc::clone(&self.job.undo),
        ))
    }

    async fn deploy(&self) -> Result<IterationEvent, Failure> {
        let Session { ports, plan, .. } = &*self.session;
        let environment = self.environment().await;
        let environment = environment.map_err(|fault| {
            let why = fault.chain();
            failed(Stage::Deploy, Blame::Datasource, why)
        })?;
        let deploy_plan = &self.deploy_plan()?.with_environment(environment);
        let patience = Patience::with(plan, Blame::Cluster, plan.timeouts.deploy);
        let deployed = self
            .caller
            .call("deploy", patience, |cx| async move {
                ports.target.deploy(&cx, deploy_plan).await
            })
            .await;
        deployed.map_err(|fault| failure(Stage::Deploy, &fault))?;
        Ok(IterationEvent::Deployed)
    }

    /// What the workload has to know to report to its datasources.
    async fn environment(&self) -> Result<BTreeMap<String, Secret>, Fault> {
        let Session { ports, plan, .. } = &*self.session;
        let mut environment = BTreeMap::new();
        for source in ports.datasources.values() {
            let variables = self
                .caller
                .call(
                    "prepare for reports",
                    Patience::look(plan),
                    |cx| async move { source.environment(&cx).await },
                )
                .await?;
            environment.extend(variables);
        }
        Ok(environment)
    }

    async fn verify(&self) -> Result<IterationEvent, Failure> {
        let running = verify::verify(self, &self.deploy_plan()?).await?;
        Ok(IterationEvent::Verified(running))
    }

    async fn withdraw(&self) -> IterationEvent {
        let Session { ports, plan, .. } = &*self.session;
        let patience = Patience::with(plan, Blame::Cluster, plan.timeouts.withdraw);
        // The load first: nobody measures how a target answers that is going down.
        let stopped = self.stop_load().await;
        let withdrawn = self
            .caller
            .call("take the deployment down", patience, |cx| async move {
                ports.target.withdraw(&cx).await
            })
            .await;
        match stopped.and(withdrawn) {
            Ok(()) => IterationEvent::Withdrawn,
            Err(fault) => IterationEvent::WithdrawFailed { why: fault.chain() },
        }
    }

    async fn stop_load(&self) -> Result<(), Fault> {
        let Session { ports, plan, .. } = &*self.session;
        let patience = Patience::look(plan);
        self.caller
            .call("stop the load", patience, |cx| async move {
                ports.load.stop(&cx).await
            })
            .await
    }

    pub(super) fn note(&self, state: IterationNotice) -> Notice {
        Notice::Iteration {
            trial: self.job.trial,
            iteration: self.job.iteration,
            state,
        }
    }
}

impl Perform<IterationState> for IterationPerformer {
    fn perform<'a>(&'a mut self, state: &'a IterationState) -> BoxFuture<'a, IterationEvent> {
        match state {
            IterationState::Deploying => self.deploy().map(or_failed).boxed(),
            IterationState::Verifying => self.verify().map(or_failed).boxed(),
            IterationState::Loading(running) => {
                self.stamps.load_asked = Some(self.caller.now());
                load::load(self, running).map(or_failed).boxed()
            }
            IterationState::Collecting { running, since } => {
                collect::collect(self, running, *since)
                    .map(or_failed)
                    .boxed()
            }
            IterationState::Withdrawing { .. } => self.withdraw().boxed(),
            IterationState::Queued
            | IterationState::AtBarrier(_)
            | IterationState::Stranded { .. }
            | IterationState::Ended { .. } => std::future::pending().boxed(),
        }
    }

    fn foregone(&self, state: &IterationState) -> Option<IterationEvent> {
        match state {
            IterationState::Queued => Some(IterationEvent::Begun),
            IterationState::AtBarrier(_) if self.job.is_alone => {
                Some(IterationEvent::BarrierOpened)
            }
            IterationState::AtBarrier(_)
            | IterationState::Deploying
            | IterationState::Verifying
            | IterationState::Loading(_)
            | IterationState::Collecting { .. }
            | IterationState::Withdrawing { .. }
            | IterationState::Stranded { .. }
            | IterationState::Ended { .. } => None,
        }
    }

    fn adopt(&mut self, event: &IterationEvent, at: Timestamp) {
        self.stamps.note(event, at);
    }

    fn notice(&self, state: &IterationState) -> Option<Notice> {
        let notice = match state {
            IterationState::AtBarrier(_) => IterationNotice::AtBarrier,
            IterationState::Stranded { why, .. } => IterationNotice::Stranded(why.clone()),
            IterationState::Queued
            | IterationState::Deploying
            | IterationState::Verifying
            | IterationState::Loading(_)
            | IterationState::Collecting { .. }
            | IterationState::Withdrawing { .. }
            | IterationState::Ended { .. } => IterationNotice::In(state.stage()?),
        };
        Some(self.note(notice))
    }
}

fn or_failed(done: Result<IterationEvent, Failure>) -> IterationEvent {
    done.unwrap_or_else(IterationEvent::Failed)
}
