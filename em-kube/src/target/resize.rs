//! CPU and memory of running pods, changed without starting them again.

use std::time::Duration;

use em_core::fault::FaultKind;
use em_core::journal::Blame;
use em_core::plan::KubernetesSpec;
use em_core::port::{Clock as _, DeployPlan, OpContext, Readiness, SystemClock};
use em_core::value::Quantity;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::api::Patch;
use serde_json::{Value as Json, json};

use super::fault_of_change;
use crate::change::{self, Beside, Container, Original};
use crate::cluster::Cluster;
use crate::fault::KubeError;
use crate::hold::{Annotation, UndoBody};
use crate::readiness::{self, Wanted};
use crate::scene::Scene;
use crate::watch::selector_of;

/// Between two looks whether pods have what they were given.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// Asks for the resources of the configuration on every pod of the workload.
pub(super) async fn deploy(
    cluster: &Cluster,
    cx: &OpContext,
    plan: &DeployPlan,
    spec: &KubernetesSpec,
) -> Result<(), KubeError> {
    let undo = UndoBody::of(&plan.undo)?;
    let workload = cluster
        .objects_like(&spec.workload)
        .await?
        .need(&spec.workload.name)
        .await?;
    let owner = Annotation::of(&workload).and_then(|annotation| annotation.owner());
    if owner.is_none_or(|owner| owner.epoch != cx.epoch) {
        let what = format!("{} is not marked as ours any more", spec.workload);
        return Err(KubeError::unfit(FaultKind::Conflict, what));
    }
    let (container, resources) = asked(plan, spec, &undo)?;
    resize_all(cluster, &workload, &container, &resources).await
}

/// The resources of the original on every pod of the workload, whichever containers were changed. Returns when their
/// kubelets show it.
pub(super) async fn put_pods_back(
    cluster: &Cluster,
    undo: &UndoBody,
    deadline: Timestamp,
) -> Result<(), KubeError> {
    let Some(original) = undo.originals.first() else {
        return Ok(());
    };
    let containers = change::template().key("spec").key("containers");
    let containers = containers.get(&original.body).and_then(Json::as_array);
    for container in containers.into_iter().flatten() {
        let name = container["name"].as_str().unwrap_or_default();
        let resources = &container["resources"];
        if resources.as_object().is_some_and(|map| !map.is_empty()) {
            let container = Container::named(name);
            resize_all(cluster, &original.body, &container, resources).await?;
            let shown = until_shown(cluster, &original.body, name, resources);
            let left = deadline.duration_since(SystemClock.now());
            let left = Duration::try_from(left).unwrap_or_default();
            tokio::time::timeout(left, shown).await.map_err(|_| {
                let what = format!(
                    "the resources of container {name} are written back, and a kubelet has not given them to a pod of {} yet (see kubectl describe pod)",
                    original.object
                );
                KubeError::unfit(FaultKind::Unavailable, what)
            })??;
        }
    }
    Ok(())
}

async fn until_shown(
    cluster: &Cluster,
    workload: &Json,
    container: &str,
    resources: &Json,
) -> Result<(), KubeError> {
    let pods = cluster.objects("pod");
    loop {
        let all = pods.list(&selector_of(workload)).await?;
        if all.iter().all(|pod| shows(pod, container, resources)) {
            return Ok(());
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// Whether the kubelet has given the container these resources. A pod that goes does not matter any more.
fn shows(pod: &Json, container: &str, resources: &Json) -> bool {
    if pod.pointer("/metadata/deletionTimestamp").is_some() {
        return true;
    }
    let statuses = pod
        .pointer("/status/containerStatuses")
        .and_then(Json::as_array);
    let mut own = statuses
        .into_iter()
        .flatten()
        .filter(|one| one["name"] == container);
    own.any(|own| has(&own["resources"], resources))
}

fn has(actual: &Json, asked: &Json) -> bool {
    ["limits", "requests"].iter().all(|side| {
        let mut asked = asked[side].as_object().into_iter().flatten();
        asked.all(|(key, asked)| is_same(asked, &actual[side][key]))
    })
}

async fn resize_all(
    cluster: &Cluster,
    workload: &Json,
    container: &Container,
    resources: &Json,
) -> Result<(), KubeError> {
    let pods = cluster.objects("pod");
    let patch =
        json!({ "spec": { "containers": [{ "name": container.name(), "resources": resources }] } });
    for pod in pods.list(&selector_of(workload)).await? {
        let is_going = pod.pointer("/metadata/deletionTimestamp").is_some();
        let name = pod.pointer("/metadata/name").and_then(Json::as_str);
        let Some(name) = name.filter(|_| !is_going) else {
            continue;
        };
        let resized = pods
            .patch_subresource("resize", name, &Patch::Strategic(patch.clone()))
            .await;
        match resized {
            Err(error) if error.is_not_found() => {}
            done => drop(done?),
        }
    }
    Ok(())
}

/// The container, and the resources that it is to have.
fn asked(
    plan: &DeployPlan,
    spec: &KubernetesSpec,
    undo: &UndoBody,
) -> Result<(Container, Json), KubeError> {
    let original = undo.originals.first().cloned().unwrap_or(Original {
        object: spec.workload.clone(),
        body: Json::Null,
        touched: std::collections::BTreeSet::new(),
    });
    let beside = Beside {
        iteration: "",
        environment: &plan.environment,
    };
    let applied = change::applied(&plan.plan, spec, &original, &plan.values, beside);
    let applied = applied.map_err(fault_of_change)?;
    let container = Container::of(&applied, spec).map_err(fault_of_change)?;
    let resources = container.place().key("resources").get(&applied).cloned();
    Ok((container, resources.unwrap_or_else(|| json!({}))))
}

/// What is missing until every pod has what was asked, as its kubelet says. None: nothing.
pub(super) fn not_yet(
    scene: &Scene,
    wanted: &Wanted<'_>,
    plan: &DeployPlan,
    spec: &KubernetesSpec,
) -> Result<Option<Readiness>, KubeError> {
    let (container, resources) = asked(plan, spec, &UndoBody::of(&plan.undo)?)?;
    let pods = readiness::current_pods(scene, wanted);
    Ok(pods
        .iter()
        .find_map(|pod| missing(pod, container.name(), &resources)))
}

fn missing(pod: &Pod, container: &str, resources: &Json) -> Option<Readiness> {
    let name = pod.metadata.name.as_deref().unwrap_or_default();
    let status = pod.status.as_ref();
    let conditions = status.and_then(|status| status.conditions.as_ref());
    let pending = conditions
        .into_iter()
        .flatten()
        .find(|condition| condition.type_ == "PodResizePending" && condition.status == "True");
    if let Some(pending) = pending {
        let words = pending.message.as_deref().unwrap_or_default();
        let reason = pending.reason.as_deref().unwrap_or_default();
        let why = format!("the resize of pod/{name} is {reason}: {words}");
        return Some(if reason == "Infeasible" {
            Readiness::Stuck {
                why,
                blame: Blame::Configuration,
            }
        } else {
            Readiness::Progressing { why }
        });
    }
    let statuses = status.and_then(|status| status.container_statuses.as_ref());
    let own = statuses
        .into_iter()
        .flatten()
        .find(|one| one.name == container);
    let actual = own.and_then(|own| serde_json::to_value(own.resources.as_ref()?).ok());
    let actual = actual.unwrap_or_default();
    if has(&actual, resources) {
        return None;
    }
    let why = format!("pod/{name} does not have its new resources yet");
    Some(Readiness::Progressing { why })
}

fn is_same(asked: &Json, actual: &Json) -> bool {
    let quantity = |value: &Json| value.as_str()?.parse::<Quantity>().ok();
    quantity(asked).is_some() && quantity(asked) == quantity(actual)
}
