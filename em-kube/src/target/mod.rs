//! The port: a workload of a cluster, changed in place, copied, resized, or only looked at.

mod copies;
mod ending;
mod event;
mod exec;
mod history;
mod in_place;
mod look;
mod proven;
mod put_back;
mod reach;
mod rehearsed;
mod resize;
mod unblock;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use em_core::fault::{Fault, FaultKind};
use em_core::id::{OpKey, SlotId};
use em_core::plan::{ClusterPolicy, KubernetesSpec, Plan};
use em_core::port::{
    Clock, DeployPlan, Finding, Incident, OpContext, Readiness, Remnant, Severity, Survey, Target,
    Undo,
};
use jiff::Timestamp;
use serde_json::Value as Json;
use tokio::sync::OnceCell;

use crate::change::ChangeError;
use crate::clone::Source;
use crate::cluster::Cluster;
use crate::fault::KubeError;
use crate::hold::{Lease, Owner, Renewal, UndoBody, UndoCopy};
use crate::survey::{self, Asker};
use crate::watch::{Interest, Watches, selector_of};

pub(crate) use put_back::differences;
pub use put_back::put_back;

use look::Looked;

/// A workload of a cluster.
#[derive(Debug)]
pub struct KubernetesTarget {
    spec: KubernetesSpec,
    clock: Arc<dyn Clock>,
    cluster: OnceCell<Cluster>,
    watches: OnceCell<Watches>,
    source: OnceCell<Source>,
    /// What is renewed while slots are held.
    holds: Mutex<HashMap<SlotId, Renewal>>,
    /// What is known of iterations beyond what the cluster shows.
    looked: Mutex<HashMap<OpKey, Looked>>,
}

impl KubernetesTarget {
    /// The workload that `spec` names. Nothing is called yet.
    pub fn new(spec: KubernetesSpec, clock: Arc<dyn Clock>) -> Self {
        Self {
            spec,
            clock,
            cluster: OnceCell::new(),
            watches: OnceCell::new(),
            source: OnceCell::new(),
            holds: Mutex::default(),
            looked: Mutex::default(),
        }
    }

    /// The same in a cluster that is known already.
    #[must_use]
    pub fn within(self, cluster: Cluster) -> Self {
        Self {
            cluster: OnceCell::new_with(Some(cluster)),
            ..self
        }
    }

    async fn cluster(&self) -> Result<&Cluster, KubeError> {
        let namespace = self.spec.namespace.as_deref();
        let connect = || Cluster::connect(&self.spec.context, namespace);
        self.cluster.get_or_try_init(connect).await
    }

    /// Whether values get into objects, rather than into running pods or nowhere.
    fn writes_objects(&self, plan: &Plan) -> bool {
        let policy = self.spec.policy;
        policy != ClusterPolicy::Resize
            && policy != ClusterPolicy::Observe
            && !plan.tunables.is_empty()
    }

    fn is_copied(&self) -> bool {
        self.spec.policy == ClusterPolicy::NewDeployment
    }

    async fn watches(&self, cx: &OpContext) -> Result<&Watches, KubeError> {
        let begin = || async {
            let cluster = self.cluster().await?;
            let workloads = cluster.objects_like(&self.spec.workload).await?;
            let interest = if self.is_copied() {
                let selector = Owner::of(cx).selector();
                Interest::Copies { selector }
            } else {
                let live = workloads.need(&self.spec.workload.name).await?;
                Interest::Live {
                    name: self.spec.workload.name.clone(),
                    selector: selector_of(&live),
                }
            };
            Watches::begin(cluster, &workloads, &interest).await
        };
        self.watches.get_or_try_init(begin).await
    }

    /// What copies are made of: as the workload was when this was asked first.
    async fn source(&self, plan: &Plan) -> Result<&Source, KubeError> {
        let look = || async { copies::source(self.cluster().await?, plan, &self.spec).await };
        self.source.get_or_try_init(look).await
    }

    fn keep(&self, slot: SlotId, renewal: Renewal) {
        let mut holds = self.holds.lock().unwrap_or_else(PoisonError::into_inner);
        holds.insert(slot, renewal);
    }

    fn let_go(&self, slot: SlotId) {
        let mut holds = self.holds.lock().unwrap_or_else(PoisonError::into_inner);
        holds.remove(&slot);
    }

    /// The Lease of a slot, which is still ours as far as is known.
    fn lease(&self, slot: SlotId) -> Result<Lease, KubeError> {
        let holds = self.holds.lock().unwrap_or_else(PoisonError::into_inner);
        let held = holds.get(&slot).ok_or_else(|| {
            let what = format!("slot {} is not held", slot.0);
            KubeError::unfit(FaultKind::Conflict, what)
        })?;
        held.check()?;
        Ok(held.lease().clone())
    }

    async fn acquire_in_place(
        &self,
        cx: &OpContext,
        plan: &Plan,
    ) -> Result<(UndoBody, Renewal), KubeError> {
        let cluster = self.cluster().await?;
        in_place::acquire(cluster, &self.clock, cx, plan, &self.spec).await
    }
}

/// A configuration that cannot be applied, among failed calls.
fn fault_of_change(error: ChangeError) -> KubeError {
    let fault = Fault::from(error);
    KubeError::unfit(FaultKind::Invalid, fault.chain())
}

#[async_trait]
impl Target for KubernetesTarget {
    async fn survey(&self, cx: &OpContext, plan: &Plan) -> Result<Survey, Fault> {
        let cluster = self.cluster().await?;
        // What cannot be read, or made of the values, is among the findings of the survey or is told by itself.
        let wanted = match self.source(plan).await {
            Ok(source) if self.writes_objects(plan) => {
                rehearsed::wanted(plan, &self.spec, source, self.is_copied())
            }
            Ok(_) | Err(_) => Ok(Vec::new()),
        };
        let (wanted, refused) = match wanted {
            Ok(wanted) => (wanted, None),
            Err(error) => (Vec::new(), Some(error)),
        };
        let asker = Asker {
            store: &cx.epoch.store,
            now: self.clock.now(),
            wanted: &wanted,
        };
        let mut survey = survey::survey(cluster, &self.spec, plan, &asker).await?;
        survey.findings.extend(refused.map(|error| Finding {
            severity: Severity::Error,
            what: error.to_string(),
            remedy: None,
        }));
        Ok(survey)
    }

    async fn acquire(&self, cx: &OpContext, plan: &Plan, slot: SlotId) -> Result<Undo, Fault> {
        let (body, renewal) = match self.spec.policy {
            ClusterPolicy::NewDeployment => {
                let source = self.source(plan).await?;
                let cluster = self.cluster().await?;
                copies::acquire(cluster, &self.clock, cx, plan, &self.spec, source).await?
            }
            ClusterPolicy::RollingUpdate | ClusterPolicy::Resize => {
                self.acquire_in_place(cx, plan).await?
            }
            // Nothing is written, so there is nothing to lock.
            ClusterPolicy::Observe | _ => return Ok(Undo::nothing("kubernetes")),
        };
        self.keep(slot, renewal);
        Ok(body.to_undo())
    }

    async fn deploy(&self, cx: &OpContext, plan: &DeployPlan) -> Result<(), Fault> {
        if self.spec.policy == ClusterPolicy::Observe {
            return Ok(());
        }
        let cluster = self.cluster().await?;
        let lease = self.lease(plan.slot)?;
        let iteration = look::iteration_of(cx);
        // Watches first: what happens from now on must not be missed.
        self.watches(cx).await?;
        self.begin(&cx.key);
        match self.spec.policy {
            ClusterPolicy::NewDeployment => {
                copies::deploy(cluster, cx, plan, &self.spec, &lease, &iteration).await?;
            }
            ClusterPolicy::Resize => {
                in_place::pin(cluster, cx, plan, &self.spec).await?;
                resize::deploy(cluster, cx, plan, &self.spec).await?;
            }
            ClusterPolicy::RollingUpdate | ClusterPolicy::Observe | _ => {
                in_place::pin(cluster, cx, plan, &self.spec).await?;
                in_place::deploy(cluster, cx, plan, &self.spec, &iteration).await?;
            }
        }
        Ok(())
    }

    async fn readiness(&self, cx: &OpContext, plan: &DeployPlan) -> Result<Readiness, Fault> {
        self.look(cx, plan).await.map_err(Fault::from)
    }

    async fn health(&self, cx: &OpContext, since: Timestamp) -> Result<Vec<Incident>, Fault> {
        Ok(self.incidents(cx, since).await?)
    }

    async fn withdraw(&self, cx: &OpContext) -> Result<(), Fault> {
        // A command that fails after everything was measured must not keep the deployment from being taken down.
        if let Err(error) = self.run_after(cx).await {
            tracing::warn!(key = %cx.key, error = Fault::from(error).chain(), "a command of hooks.after failed");
        }
        if self.is_copied() {
            let cluster = self.cluster().await?;
            let name = copies::name_of(&self.spec, cx);
            copies::withdraw(cluster, &self.spec, &name).await?;
        }
        self.forget(&cx.key);
        Ok(())
    }

    async fn restore(&self, cx: &OpContext, undo: Option<Undo>) -> Result<(), Fault> {
        match self.spec.policy {
            ClusterPolicy::NewDeployment => self.restore_slot(cx).await?,
            ClusterPolicy::RollingUpdate | ClusterPolicy::Resize => {
                self.restore_in_place(cx, undo.as_ref()).await?;
            }
            ClusterPolicy::Observe | _ => {}
        }
        if let OpKey::Hold { slot, .. } = &cx.key {
            self.let_go(*slot);
        }
        Ok(())
    }

    async fn accept(&self, cx: &OpContext, undo: Option<Undo>) -> Result<(), Fault> {
        if self.spec.policy.is_in_place()
            && let Some(undo) = &undo
        {
            let body = UndoBody::of(undo)?;
            self.check_restored(&body).await?;
            self.unmark(cx, &body).await?;
        }
        self.restore(cx, undo).await
    }

    async fn remnants(&self, cx: &OpContext) -> Result<Vec<Remnant>, Fault> {
        if self.spec.policy == ClusterPolicy::Observe {
            return Ok(Vec::new());
        }
        let cluster = self.cluster().await?;
        let selector = format!(
            "{}={}",
            crate::mark::STORE,
            crate::mark::label(&cx.epoch.store)
        );
        let mut remnants = Vec::new();
        for kind in ["lease", self.spec.workload.kind.as_str()] {
            if crate::cluster::resource_of(kind).is_none() {
                continue;
            }
            let found = match cluster.objects(kind).list(&selector).await {
                // The survey refuses to run without this right, and says how to get it.
                Err(error) if error.is_forbidden() => {
                    tracing::warn!(kind, %error, "what an earlier run left cannot be looked for");
                    continue;
                }
                found => found?,
            };
            remnants.extend(found.iter().filter_map(|object| remnant(kind, object)));
        }
        Ok(remnants)
    }

    async fn end_remnant(&self, cx: &OpContext, remnant: &Remnant) -> Result<(), Fault> {
        let cluster = self.cluster().await?;
        let owner = Owner {
            key: remnant.key.clone(),
            epoch: remnant.epoch.clone(),
        };
        let Some((kind, name)) = remnant.handle.split_once('/') else {
            return Ok(());
        };
        if kind != "lease" {
            return Ok(cluster.objects(kind).remove(name, None).await?);
        }
        if self.spec.policy.is_in_place() {
            let copy = UndoCopy::of(cluster, &owner);
            if let Some(body) = copy.read().await? {
                put_back(cluster, &body, copy.name(), cx.deadline).await?;
                copy.remove().await?;
            }
        }
        Ok(Lease::new(cluster, name, owner).give_up().await?)
    }

    async fn changed(&self, cx: &OpContext) {
        self.until_changed(cx).await;
    }

    async fn usage(&self, cx: &OpContext) -> Result<BTreeMap<String, f64>, Fault> {
        Ok(self.numbers(cx).await?)
    }

    fn outlives_manager(&self) -> bool {
        true
    }
}

fn remnant(kind: &str, object: &Json) -> Option<Remnant> {
    let owner = Owner::in_marks(object)?;
    let name = object["metadata"]["name"].as_str()?;
    Some(Remnant {
        key: owner.key,
        epoch: owner.epoch,
        what: format!("{kind}/{name}"),
        handle: format!("{kind}/{name}"),
    })
}
