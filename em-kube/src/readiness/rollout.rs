//! Which pods are of this roll-out, and which of former ones.
//!
//! Labels alone do not tell: pods of a former replica set are listed until they have ended, with the same labels.

use k8s_openapi::api::apps::v1::ReplicaSet;
use k8s_openapi::api::core::v1::Pod;

use super::Wanted;
use crate::mark;
use crate::scene::workload::{Kind, Workload};
use crate::scene::{Scene, pod};

/// Where Kubernetes counts the roll-outs of a deployment.
const REVISION: &str = "deployment.kubernetes.io/revision";
/// The revision of the template that a pod was made from.
const POD_REVISION: &str = "controller-revision-hash";

/// The pods of a workload, sorted.
#[derive(Default)]
pub(super) struct Rollout<'a> {
    /// The replica set of this roll-out, where the workload has such.
    pub(super) replica_set: Option<&'a ReplicaSet>,
    /// Of this roll-out, neither leaving nor finished; by name.
    pub(super) current: Vec<&'a Pod>,
    /// Of this roll-out, being removed.
    pub(super) leaving: Vec<&'a Pod>,
    /// Of this roll-out, ended for good.
    pub(super) finished: Vec<&'a Pod>,
    /// Of former roll-outs, as long as they are there.
    pub(super) former: Vec<&'a Pod>,
}

impl<'a> Rollout<'a> {
    pub(super) fn of(scene: &'a Scene, wanted: &Wanted<'_>) -> Self {
        let Some(workload) = scene.workload() else {
            return Self::default();
        };
        let mut rollout = Self {
            replica_set: replica_set(scene, workload, wanted),
            ..Self::default()
        };
        let mut pods: Vec<&Pod> = scene.pods.iter().collect();
        pods.sort_by_key(|each| pod::name(each));
        for each in pods
            .into_iter()
            .filter(|each| is_its(scene, workload, each))
        {
            let is_current = rollout.has(workload, wanted, each);
            match (is_current, pod::is_leaving(each), pod::is_finished(each)) {
                (true, true, _) => rollout.leaving.push(each),
                (true, false, true) => rollout.finished.push(each),
                (true, false, false) => rollout.current.push(each),
                (false, false, true) => {}
                (false, _, _) => rollout.former.push(each),
            }
        }
        rollout
    }

    fn has(&self, workload: Workload<'_>, wanted: &Wanted<'_>, each: &Pod) -> bool {
        let is_marked = |iteration| pod::annotation(each, mark::ITERATION) == Some(iteration);
        if !wanted.iteration.is_none_or(is_marked) {
            return false;
        }
        match workload.kind() {
            Kind::Deployment => {
                let owner = self.replica_set.and_then(|set| set.metadata.uid.as_deref());
                owner.is_some() && pod::owner(each) == owner
            }
            Kind::StatefulSet => {
                let revision = workload.text("/status/updateRevision");
                revision.is_some() && pod::label(each, POD_REVISION) == revision
            }
            Kind::DaemonSet => {
                let generation = workload.annotation("deprecated.daemonset.template.generation");
                let of_pod = pod::label(each, "pod-template-generation");
                wanted.iteration.is_some() || generation.is_none() || of_pod == generation
            }
            Kind::Other => true,
        }
    }
}

/// Whether a pod belongs to the workload at all, whatever its labels say.
fn is_its(scene: &Scene, workload: Workload<'_>, each: &Pod) -> bool {
    let Some(owner) = pod::owner(each) else {
        return workload.kind() == Kind::Other;
    };
    match workload.kind() {
        // The replica set of a former roll-out may be gone before its last pod is, and one without an owner is adopted.
        Kind::Deployment => scene
            .replica_sets
            .iter()
            .find(|set| set.metadata.uid.as_deref() == Some(owner))
            .and_then(|set| pod::controller(set.metadata.owner_references.as_deref()))
            .is_none_or(|owner| owner == workload.uid()),
        Kind::StatefulSet | Kind::DaemonSet => owner == workload.uid(),
        Kind::Other => true,
    }
}

fn is_owned(workload: Workload<'_>, set: &ReplicaSet) -> bool {
    let owners = set.metadata.owner_references.as_deref();
    pod::controller(owners) == Some(workload.uid())
}

fn replica_set<'a>(
    scene: &'a Scene,
    workload: Workload<'_>,
    wanted: &Wanted<'_>,
) -> Option<&'a ReplicaSet> {
    let revision = workload.annotation(REVISION)?;
    scene.replica_sets.iter().find(|set| {
        let annotations = set.metadata.annotations.as_ref();
        let its = annotations.and_then(|all| all.get(REVISION));
        let is_marked = |iteration| template_annotation(set, mark::ITERATION) == Some(iteration);
        is_owned(workload, set)
            && its.is_some_and(|its| its == revision)
            && wanted.iteration.is_none_or(is_marked)
    })
}

/// An annotation that the pods of a replica set get.
pub(super) fn template_annotation<'a>(set: &'a ReplicaSet, name: &str) -> Option<&'a str> {
    let template = set.spec.as_ref()?.template.as_ref()?;
    let annotations = template.metadata.as_ref()?.annotations.as_ref()?;
    annotations.get(name).map(String::as_str)
}
