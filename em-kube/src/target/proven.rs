//! What really runs in a deployment, against what was asked of it.

use std::collections::{BTreeMap, BTreeSet};

use em_core::plan::ClusterPolicy;
use em_core::port::{DeployPlan, Fact};
use k8s_openapi::api::core::v1::Pod;
use serde_json::Value as Json;

use super::{KubernetesTarget, copies, fault_of_change};
use crate::change::{self, Beside, Container, Original};
use crate::fault::KubeError;
use crate::hold::UndoBody;
use crate::place::Place;
use crate::proof::{self, Asked, PodSeen};
use crate::scene::Scene;

/// What an iteration was deployed from.
struct Deployed {
    /// As it is to be.
    workload: Json,
    original: Json,
    touched: BTreeSet<Place>,
}

impl KubernetesTarget {
    /// What really runs, against what was asked.
    pub(super) async fn facts(
        &self,
        plan: &DeployPlan,
        scene: &Scene,
        pods: &[&Pod],
    ) -> Result<Vec<Fact>, KubeError> {
        let cluster = self.cluster().await?;
        let live = scene.workload.clone().unwrap_or_default();
        let deployed = self.deployed(plan, &live)?;
        let Ok(container) = Container::of(&live, &self.spec) else {
            return Ok(Vec::new());
        };
        let asked = Asked::of(deployed.workload, container.name())
            .touching(&deployed.touched)
            .instead_of(&deployed.original)
            .hiding(plan.environment.keys().cloned())
            .accepting(&self.spec.accept);
        let container_name = container.name();
        let looks = pods.iter().map(|pod| async move {
            let pod = serde_json::to_value(pod).unwrap_or_default();
            let node = pod.pointer("/spec/nodeName").and_then(Json::as_str);
            let node = scene
                .nodes
                .iter()
                .find(|one| one.metadata.name.as_deref() == node);
            PodSeen {
                process: proof::read(cluster, &pod, container_name).await,
                node: node.and_then(|node| serde_json::to_value(node).ok()),
                pod,
            }
        });
        let seen = futures::future::join_all(looks).await;
        Ok(proof::facts(&asked, &seen))
    }

    /// What the iteration was deployed from, worked out again: a manager that comes back knows it, too.
    fn deployed(&self, plan: &DeployPlan, live: &Json) -> Result<Deployed, KubeError> {
        let as_it_is = || Deployed {
            workload: live.clone(),
            original: live.clone(),
            touched: BTreeSet::new(),
        };
        if self.spec.policy == ClusterPolicy::Observe {
            return Ok(as_it_is());
        }
        let undo = UndoBody::of(&plan.undo)?;
        let body = match undo.originals.first() {
            Some(original) => original.body.clone(),
            None => copies::source_of(&undo)?.workload,
        };
        let touched = change::touched(&plan.plan, &self.spec, &self.spec.workload, &body);
        let mut original = Original {
            object: self.spec.workload.clone(),
            body,
            touched: touched.map_err(fault_of_change)?,
        };
        // Its mark is on the pods of this iteration already, and tells nothing about the configuration.
        original
            .touched
            .retain(|place| !place.to_string().contains(crate::mark::ITERATION));
        let beside = Beside {
            iteration: "",
            environment: &BTreeMap::new(),
        };
        let applied = change::applied(&plan.plan, &self.spec, &original, &plan.values, beside);
        let applied = applied.map_err(fault_of_change)?;
        let mut workload = change::wanted(live, &applied, &original.touched);
        if let Some(replicas) = self.spec.clones.replicas
            && self.is_copied()
        {
            Place::of(["spec", "replicas"]).set(&mut workload, Some(replicas.into()));
        }
        Ok(Deployed {
            workload,
            original: original.body,
            touched: original.touched,
        })
    }
}
