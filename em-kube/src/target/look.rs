//! Looking at a deployment: whether it is ready, what runs, what happens to it, what it uses.

use std::collections::{BTreeMap, HashSet};
use std::sync::PoisonError;
use std::time::Duration;

use em_core::id::OpKey;
use em_core::plan::{ClusterPolicy, LoadSpec};
use em_core::port::{DeployPlan, Incident, IncidentKind, OpContext, Readiness};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use serde_json::Value as Json;

use super::reach::answers;
use super::{KubernetesTarget, copies, exec, resize};
use crate::fault::KubeError;
use crate::incidents::{self, Before};
use crate::readiness::{self, Verdict, Wanted};
use crate::scene::Scene;
use crate::usage::{Sources, usage};

/// Another look at an address that does not answer yet: nothing tells when it does.
const KNOCK: Duration = Duration::from_millis(50);

/// What is known of an iteration beyond what the cluster shows.
#[derive(Debug, Clone)]
pub(super) struct Looked {
    asked_at: Timestamp,
    /// What was there when measuring began.
    before: Option<Before>,
    /// Commands before the load have run.
    is_prepared: bool,
    /// When another look is worth it although nothing changes.
    look_again: Option<Duration>,
    /// How often anything had changed when it was looked at.
    version: u64,
}

/// The iteration as its pods carry it.
pub(super) fn iteration_of(cx: &OpContext) -> String {
    format!("{}@{}", cx.key, cx.epoch.store)
}

impl KubernetesTarget {
    fn known(&self, key: &OpKey) -> Looked {
        let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Looked {
            asked_at: self.clock.now(),
            before: None,
            is_prepared: false,
            look_again: None,
            version: 0,
        };
        looked.entry(key.clone()).or_insert_with(new).clone()
    }

    /// From now on what happens counts.
    pub(super) fn begin(&self, key: &OpKey) {
        self.known(key);
    }

    fn note(&self, key: &OpKey, change: impl FnOnce(&mut Looked)) {
        let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(looked) = looked.get_mut(key) {
            change(looked);
        }
    }

    pub(super) fn forget(&self, key: &OpKey) {
        let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        looked.remove(key);
    }

    async fn scene(&self, cx: &OpContext) -> Result<Scene, KubeError> {
        let watches = self.watches(cx).await?;
        if !self.is_copied() {
            return Ok(watches.scene(&self.spec.workload.name, None));
        }
        let name = copies::name_of(&self.spec, cx);
        Ok(watches.scene(&name, Some(&name)))
    }

    fn wanted<'a>(&'a self, iteration: &'a str, asked_at: Timestamp) -> Wanted<'a> {
        let is_rolled_out = matches!(
            self.spec.policy,
            ClusterPolicy::RollingUpdate | ClusterPolicy::NewDeployment
        );
        Wanted {
            iteration: is_rolled_out.then_some(iteration),
            settle: self.spec.settle,
            ready: self.spec.ready.as_ref(),
            asked_at,
        }
    }

    pub(super) async fn look(
        &self,
        cx: &OpContext,
        plan: &DeployPlan,
    ) -> Result<Readiness, KubeError> {
        let looked = self.known(&cx.key);
        let version = self.watches(cx).await?.version();
        let scene = self.scene(cx).await?;
        let iteration = iteration_of(cx);
        let wanted = self.wanted(&iteration, looked.asked_at);
        self.note(&cx.key, |looked| {
            looked.look_again = None;
            looked.version = version;
        });
        match readiness::judge(&scene, &wanted, self.clock.now()) {
            Verdict::Progressing { why, look_again } => {
                self.note(&cx.key, |looked| looked.look_again = look_again);
                Ok(Readiness::Progressing { why })
            }
            Verdict::Stuck {
                why,
                blame,
                logs_of,
            } => {
                let last = match logs_of {
                    Some(of) => exec::last_lines(self.cluster().await?, &of).await,
                    None => None,
                };
                let why = last.map_or_else(
                    || why.clone(),
                    |last| format!("{why}; its last lines: {last}"),
                );
                Ok(Readiness::Stuck { why, blame })
            }
            Verdict::Ready { .. } => self.ready(cx, plan, &scene, &wanted).await,
        }
    }

    /// All pods are ready: whether it can be reached, and what really runs.
    async fn ready(
        &self,
        cx: &OpContext,
        plan: &DeployPlan,
        scene: &Scene,
        wanted: &Wanted<'_>,
    ) -> Result<Readiness, KubeError> {
        if self.spec.policy == ClusterPolicy::Resize
            && let Some(not_yet) = resize::not_yet(scene, wanted, plan, &self.spec)?
        {
            return Ok(not_yet);
        }
        let pods = readiness::current_pods(scene, wanted);
        let addresses = self.addresses(cx, &pods).await?;
        if let LoadSpec::Http(_) = plan.plan.load
            && let Some(address) = addresses.first()
            && !answers(&address.authority).await
        {
            self.note(&cx.key, |looked| looked.look_again = Some(KNOCK));
            let why = format!(
                "all pods are ready, and {} does not answer yet",
                address.authority
            );
            return Ok(Readiness::Progressing { why });
        }
        if !self.known(&cx.key).is_prepared {
            self.run_hooks(&self.spec.hooks.before, &pods).await?;
            self.note(&cx.key, |looked| looked.is_prepared = true);
        }
        let facts = self.facts(plan, scene, &pods).await?;
        let before = incidents::before(scene, wanted);
        self.note(&cx.key, |looked| looked.before = Some(before));
        Ok(Readiness::Ready { facts, addresses })
    }

    pub(super) async fn incidents(
        &self,
        cx: &OpContext,
        since: Timestamp,
    ) -> Result<Vec<Incident>, KubeError> {
        let looked = self.known(&cx.key);
        let version = self.watches(cx).await?.version();
        self.note(&cx.key, |looked| looked.version = version);
        let scene = self.scene(cx).await?;
        let iteration = iteration_of(cx);
        let wanted = self.wanted(&iteration, looked.asked_at);
        // A manager that came back in mid-measurement compares with what it finds.
        let before = looked.before.unwrap_or_else(|| {
            let before = incidents::before(&scene, &wanted);
            self.note(&cx.key, |looked| looked.before = Some(before.clone()));
            before
        });
        let at = self.clock.now();
        let mut found = incidents::incidents(&before, &scene, since, at);
        found.extend(self.lost_hold());
        if self.is_copied() {
            let others = self.watches(cx).await?.pods();
            found.extend(incidents::neighbours(&before, &others, at));
        }
        Ok(found)
    }

    /// A target that belongs to somebody else now is not measured any more.
    fn lost_hold(&self) -> Option<Incident> {
        let holds = self.holds.lock().unwrap_or_else(PoisonError::into_inner);
        let lost = holds.values().find_map(|renewal| renewal.check().err())?;
        Some(Incident {
            at: self.clock.now(),
            kind: IncidentKind::Changed,
            what: lost.to_string(),
            fatal: true,
        })
    }

    pub(super) async fn numbers(&self, cx: &OpContext) -> Result<BTreeMap<String, f64>, KubeError> {
        let cluster = self.cluster().await?;
        let looked = self.known(&cx.key);
        let scene = self.scene(cx).await?;
        let iteration = iteration_of(cx);
        let wanted = self.wanted(&iteration, looked.asked_at);
        let pods = readiness::current_pods(&scene, &wanted);
        let names = pods
            .iter()
            .filter_map(|pod| pod.spec.as_ref()?.node_name.clone());
        let nodes: HashSet<String> = names.collect();
        let mut summaries = Vec::new();
        let mut containers = Vec::new();
        for node in &nodes {
            // What may not be read is absent.
            summaries.extend(cluster.node_summary(node).await.ok());
            containers.extend(cluster.node_containers(node).await.ok());
        }
        let pods: Vec<Json> = pods
            .iter()
            .filter_map(|pod| serde_json::to_value(pod).ok())
            .collect();
        let sources = Sources {
            pods: &pods,
            summaries: &summaries,
            containers: &containers,
            prices: self.spec.prices,
        };
        Ok(usage(&sources, self.clock.now()))
    }

    pub(super) async fn until_changed(&self, cx: &OpContext) {
        let Looked {
            look_again,
            version,
            ..
        } = self.known(&cx.key);
        let changed = async {
            match self.watches(cx).await {
                Ok(watches) => watches.changed_since(version).await,
                Err(_) => tokio::time::sleep(Duration::from_secs(1)).await,
            }
        };
        match look_again {
            Some(wait) => drop(tokio::time::timeout(wait, changed).await),
            None => changed.await,
        }
    }

    pub(super) async fn run_hooks(
        &self,
        commands: &[Vec<String>],
        pods: &[&Pod],
    ) -> Result<(), KubeError> {
        let first = pods.first().and_then(|pod| pod.metadata.name.as_deref());
        let (Some(pod), false) = (first, commands.is_empty()) else {
            return Ok(());
        };
        for command in commands {
            exec::run(
                self.cluster().await?,
                pod,
                self.spec.container.as_deref(),
                command,
            )
            .await?;
        }
        Ok(())
    }

    /// The commands after the load; a deployment that never came needs none.
    pub(super) async fn run_after(&self, cx: &OpContext) -> Result<(), KubeError> {
        let looked = self.known(&cx.key);
        if self.spec.hooks.after.is_empty() || !looked.is_prepared {
            return Ok(());
        }
        let scene = self.scene(cx).await?;
        let iteration = iteration_of(cx);
        let pods = readiness::current_pods(&scene, &self.wanted(&iteration, looked.asked_at));
        self.run_hooks(&self.spec.hooks.after, &pods).await
    }
}
