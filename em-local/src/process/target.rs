//! The port.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use em_core::fault::{Fault, FaultKind};
use em_core::id::{OpKey, SlotId};
use em_core::plan::Plan;
use em_core::port::{DeployPlan, Incident, OpContext, Readiness, Remnant, Survey, Target, Undo};
use jiff::Timestamp;
use tokio::sync::Mutex;

use super::deployment::Deployment;
use super::error::ProcessError;
use super::hold::{self, Hold};
use super::site::{Site, spec_of};
use super::survey::survey;
use crate::fault::blocking;
use crate::held::Held;
use crate::remnants;
use crate::surroundings::{Surroundings, mark_of};

/// Between two looks at a deployment that gave no sign.
const TICK: Duration = Duration::from_millis(25);

/// A command per iteration, on this machine.
#[derive(Debug)]
pub struct ProcessTarget {
    surroundings: Surroundings,
    slots: Held<Hold>,
    iterations: Held<Deployment>,
    /// Locked while a folder is made: that goes on when the deployment that wanted it is dropped.
    making: Held<()>,
}

impl ProcessTarget {
    /// A target in these surroundings.
    pub fn new(surroundings: Surroundings) -> Self {
        Self {
            surroundings,
            slots: Held::new(),
            iterations: Held::new(),
            making: Held::new(),
        }
    }

    /// The hold of an iteration's slot, where this process has it.
    async fn hold_of(&self, cx: &OpContext, slot: SlotId) -> Option<Arc<Mutex<Option<Hold>>>> {
        for (key, cell) in self.slots.all() {
            let same = matches!(&key, OpKey::Hold { experiment, slot: held, .. }
                if experiment == cx.key.experiment() && *held == slot);
            if same && cell.lock().await.is_some() {
                return Some(cell);
            }
        }
        None
    }

    async fn deploy_fresh(
        &self,
        cx: &OpContext,
        plan: &DeployPlan,
    ) -> Result<Deployment, ProcessError> {
        let spec = spec_of(&plan.plan)?;
        let hold = self.hold_of(cx, plan.slot).await;
        let hold = hold.ok_or_else(|| ProcessError::NotDeployed {
            key: format!("the hold of {}", cx.key),
        })?;
        let cpus = {
            let mut hold = hold.lock().await;
            let hold = hold.as_mut().ok_or_else(|| ProcessError::NotDeployed {
                key: cx.key.to_string(),
            })?;
            hold::set_up(&self.surroundings, cx, spec, hold).await?;
            hold.cpus.clone()
        };
        let surroundings = &self.surroundings;
        Site {
            surroundings,
            cx,
            plan,
            spec,
            cpus: &cpus,
            making: self.making.cell(&cx.key),
        }
        .deploy()
        .await
    }
}

fn not_deployed(cx: &OpContext) -> Fault {
    ProcessError::NotDeployed {
        key: cx.key.to_string(),
    }
    .into()
}

#[async_trait]
impl Target for ProcessTarget {
    async fn survey(&self, _cx: &OpContext, plan: &Plan) -> Result<Survey, Fault> {
        Ok(survey(&self.surroundings, plan, spec_of(plan)?))
    }

    async fn acquire(&self, cx: &OpContext, plan: &Plan, slot: SlotId) -> Result<Undo, Fault> {
        let spec = spec_of(plan)?;
        let cell = self.slots.cell(&cx.key);
        let mut held = cell.lock().await;
        if let Some(hold) = &*held {
            return Ok(hold.undo.clone());
        }
        let hold = hold::acquire(&self.surroundings, cx, spec, slot).await?;
        Ok(held.insert(hold).undo.clone())
    }

    async fn deploy(&self, cx: &OpContext, plan: &DeployPlan) -> Result<(), Fault> {
        let cell = self.iterations.cell(&cx.key);
        let mut deployed = cell.lock().await;
        if deployed.is_none() {
            // What an earlier process started under this key died with it; its folders may be left.
            *deployed = Some(self.deploy_fresh(cx, plan).await?);
        }
        Ok(())
    }

    async fn readiness(&self, cx: &OpContext, _plan: &DeployPlan) -> Result<Readiness, Fault> {
        let cell = self.iterations.cell(&cx.key);
        let deployed = cell.lock().await;
        let deployment = deployed.as_ref().ok_or_else(|| not_deployed(cx))?;
        Ok(deployment.readiness().await?)
    }

    async fn health(&self, cx: &OpContext, since: Timestamp) -> Result<Vec<Incident>, Fault> {
        let cell = self.iterations.cell(&cx.key);
        let deployed = cell.lock().await;
        let deployment = deployed.as_ref().ok_or_else(|| not_deployed(cx))?;
        Ok(deployment.health(since, self.surroundings.clock.now()))
    }

    async fn withdraw(&self, cx: &OpContext) -> Result<(), Fault> {
        let cell = self.iterations.cell(&cx.key);
        let deployed = cell.lock().await.take();
        self.iterations.forget(&cx.key);
        let ended = match deployed {
            Some(deployment) => deployment.withdraw().await,
            None => Ok(()),
        };
        // A copy that was under way when its deployment was broken off: it ends before it is removed.
        drop(self.making.cell(&cx.key).lock().await);
        self.making.forget(&cx.key);
        // Also what escaped a guard that was killed, and what an earlier process left.
        let (mark, root) = (mark_of(cx), self.surroundings.work_root());
        let left = blocking(move || remnants::end_all_of(&mark, &root)).await;
        let resisted = |why| ProcessError::Resisted {
            key: cx.key.to_string(),
            why,
        };
        Ok(ended.and_then(|()| left.map_err(resisted))?)
    }

    async fn restore(&self, cx: &OpContext, undo: Option<Undo>) -> Result<(), Fault> {
        let OpKey::Hold { slot, .. } = &cx.key else {
            let message = format!("{} names no hold, so there is nothing to restore", cx.key);
            return Err(Fault::new(FaultKind::Invalid, message));
        };
        let cell = self.slots.cell(&cx.key);
        let mut held = cell.lock().await;
        hold::restore(&self.surroundings, cx, *slot, &mut held, undo.as_ref()).await?;
        self.slots.forget(&cx.key);
        Ok(())
    }

    async fn remnants(&self, _cx: &OpContext) -> Result<Vec<Remnant>, Fault> {
        let root = self.surroundings.work_root();
        Ok(blocking(move || remnants::find(&root)).await)
    }

    async fn end_remnant(&self, _cx: &OpContext, remnant: &Remnant) -> Result<(), Fault> {
        remnants::end_one(remnant).await
    }

    async fn changed(&self, cx: &OpContext) {
        let watch = {
            let cell = self.iterations.cell(&cx.key);
            let deployed = cell.lock().await;
            deployed
                .as_ref()
                .map(|deployment| deployment.running.watch())
        };
        let Some(mut watch) = watch else {
            return tokio::time::sleep(TICK).await;
        };
        tokio::select! {
            biased;
            _ = watch.changed() => {}
            () = tokio::time::sleep(TICK) => {}
        }
    }

    async fn usage(&self, cx: &OpContext) -> Result<BTreeMap<String, f64>, Fault> {
        let cell = self.iterations.cell(&cx.key);
        let deployed = cell.lock().await;
        Ok(deployed.as_ref().map(Deployment::usage).unwrap_or_default())
    }
}
