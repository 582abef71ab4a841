//! Copies of the workload: made, removed, owned by the Lease of their slot.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use em_core::fault::FaultKind;
use em_core::id::{OpKey, SlotId};
use em_core::plan::{ClusterPolicy, KubernetesSpec, ObjectRef, Plan};
use em_core::port::{Clock, DeployPlan, OpContext};
use serde_json::Value as Json;

use super::fault_of_change;
use crate::change::{self, Beside, Original};
use crate::clone::{self, CloneOf, Source};
use crate::cluster::Cluster;
use crate::fault::KubeError;
use crate::hold::{Lease, Owner, Renewal, UndoBody};
use crate::mark;

/// Between two looks whether something that was removed is gone.
const GOING: Duration = Duration::from_millis(100);

/// The Lease of a slot, and what its copies are made of.
pub(super) async fn acquire(
    cluster: &Cluster,
    clock: &Arc<dyn Clock>,
    cx: &OpContext,
    plan: &Plan,
    spec: &KubernetesSpec,
    source: &Source,
) -> Result<(UndoBody, Renewal), KubeError> {
    let owner = Owner::of(cx);
    let lease = Lease::new(cluster, &slot_lease(&owner), owner);
    lease.take(&**clock).await?;
    let renewal = Renewal::of(lease, Arc::clone(clock));
    let body = UndoBody {
        context: cluster.context().to_owned(),
        namespace: cluster.namespace().to_owned(),
        workload: spec.workload.clone(),
        originals: Vec::new(),
        source: Some(source.clone()),
        resized: false,
    };
    // A plan that does not fit the workload is refused before anything is made.
    for (object, original) in all(spec, source) {
        change::touched(plan, spec, object, original).map_err(fault_of_change)?;
    }
    Ok((body, renewal))
}

/// The name of a slot's Lease.
pub(super) fn slot_lease(owner: &Owner) -> String {
    let (slot, n) = match &owner.key {
        OpKey::Hold { slot, n, .. } => (*slot, *n),
        OpKey::Experiment { .. } | OpKey::Iteration { .. } => (SlotId(0), 0),
    };
    let experiment = owner.key.experiment();
    let store = mark::short_digest(&owner.epoch.store);
    mark::object_name(&format!("em-{experiment}-{store}-s{}-{n}", slot.0), 60)
}

/// Everything that copies are made of, as it is now.
pub(super) async fn source(
    cluster: &Cluster,
    plan: &Plan,
    spec: &KubernetesSpec,
) -> Result<Source, KubeError> {
    let workload = cluster
        .objects_like(&spec.workload)
        .await?
        .need(&spec.workload.name)
        .await?;
    let service = match &spec.service {
        Some(service) => Some(cluster.objects("service").need(&service.name).await?),
        None => None,
    };
    let mut others = Vec::new();
    for object in change::objects(plan, spec) {
        if object != spec.workload {
            let body = cluster
                .objects_like(&object)
                .await?
                .need(&object.name)
                .await?;
            others.push((object, change::bare(&body)));
        }
    }
    // Whoever changes the live object needs no other labels, and need not be allowed to list Services.
    let selectors = if spec.policy == ClusterPolicy::NewDeployment {
        selectors(cluster, &workload).await?
    } else {
        Vec::new()
    };
    Ok(Source {
        selectors,
        service: service.map(|service| change::bare(&service)),
        workload: change::bare(&workload),
        others,
    })
}

/// Selectors that match pods of the workload, or might.
async fn selectors(
    cluster: &Cluster,
    workload: &Json,
) -> Result<Vec<BTreeMap<String, String>>, KubeError> {
    let services = cluster.objects("service").list("").await?;
    let of_services = services
        .iter()
        .filter_map(|one| labels(one.pointer("/spec/selector")?));
    let own = workload
        .pointer("/spec/selector/matchLabels")
        .and_then(labels);
    let all = of_services.chain(own);
    Ok(all.filter(|selector| !selector.is_empty()).collect())
}

fn labels(value: &Json) -> Option<BTreeMap<String, String>> {
    serde_json::from_value(value.clone()).ok()
}

fn all<'a>(
    spec: &'a KubernetesSpec,
    source: &'a Source,
) -> impl Iterator<Item = (&'a ObjectRef, &'a Json)> {
    let workload = std::iter::once((&spec.workload, &source.workload));
    workload.chain(source.others.iter().map(|(object, body)| (object, body)))
}

/// Makes the copy of an iteration; what is there already is its own.
pub(super) async fn deploy(
    cluster: &Cluster,
    cx: &OpContext,
    plan: &DeployPlan,
    spec: &KubernetesSpec,
    lease: &Lease,
    iteration: &str,
) -> Result<(), KubeError> {
    let source = source_of(&UndoBody::of(&plan.undo)?)?;
    let beside = Beside {
        iteration,
        environment: &plan.environment,
    };
    let mut applied = Vec::new();
    for (object, body) in all(spec, &source) {
        let original = Original {
            object: object.clone(),
            body: body.clone(),
            touched: std::collections::BTreeSet::new(),
        };
        let body = change::applied(&plan.plan, spec, &original, &plan.values, beside);
        applied.push((object.clone(), body.map_err(fault_of_change)?));
    }
    let seen = lease.seen().await?;
    let ours = seen.filter(|seen| lease.is_ours(seen));
    let uid = ours
        .as_ref()
        .and_then(|seen| seen.pointer("/metadata/uid")?.as_str());
    let Some(uid) = uid else {
        let what = format!("Lease {} is not ours any more", lease.name());
        return Err(KubeError::unfit(FaultKind::Conflict, what));
    };
    let owner = Owner::of(cx);
    let of = CloneOf {
        name: &name_of(spec, cx),
        owner: &owner,
        lease: (lease.name(), uid),
    };
    let objects = clone::objects(spec, &source, &applied, of).map_err(fault_of_change)?;
    for object in objects {
        let kind = object["kind"]
            .as_str()
            .unwrap_or_default()
            .to_ascii_lowercase();
        cluster.objects(&kind).create(&object).await?;
    }
    Ok(())
}

/// What copies of a hold are made of.
pub(super) fn source_of(undo: &UndoBody) -> Result<Source, KubeError> {
    undo.source.clone().ok_or_else(|| {
        let what = "the undo does not say what copies are made of (it is of a hold in place)";
        KubeError::unfit(FaultKind::Malformed, what)
    })
}

/// The name of an iteration's copy.
pub(super) fn name_of(spec: &KubernetesSpec, cx: &OpContext) -> String {
    clone::clone_name(&spec.workload, &cx.key, &cx.epoch.store)
}

/// Removes the copy of an iteration and waits until nothing of it is left.
pub(super) async fn withdraw(
    cluster: &Cluster,
    spec: &KubernetesSpec,
    name: &str,
) -> Result<(), KubeError> {
    let own = format!("{}={name}", mark::CLONE);
    cluster
        .objects(&spec.workload.kind)
        .remove(name, None)
        .await?;
    cluster.objects("service").remove(name, None).await?;
    let copied = cluster.objects("configmap").list(&own).await?;
    for object in copied
        .iter()
        .filter_map(|object| object["metadata"]["name"].as_str())
    {
        cluster.objects("configmap").remove(object, None).await?;
    }
    loop {
        let workload = cluster.objects(&spec.workload.kind).get(name).await?;
        if workload.is_none() && cluster.objects("pod").list(&own).await?.is_empty() {
            return Ok(());
        }
        tokio::time::sleep(GOING).await;
    }
}
