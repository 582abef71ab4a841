//! The live object, changed and put back.

use std::collections::BTreeMap;
use std::sync::Arc;

use em_core::fault::FaultKind;
use em_core::plan::{Autoscaler, ClusterPolicy, KubernetesSpec, ObjectRef, Plan};
use em_core::port::{Clock, DeployPlan, OpContext};
use serde_json::{Value as Json, json};

use crate::change::{self, Beside, Original};
use crate::cluster::{Cluster, TRIES};
use crate::fault::KubeError;
use crate::hold::{Annotation, Lease, Owner, Renewal, Taken, UndoBody, UndoCopy, lease_name};
use crate::mark;
use crate::place::Place;

use super::put_back::put_back;
use super::unblock::unblock;
use super::{event, fault_of_change};

/// Autoscalers, as the file would write their kind.
const AUTOSCALERS: &str = "horizontalpodautoscalers.autoscaling";

/// Locks the workload, records how it is put back, and marks it.
pub(super) async fn acquire(
    cluster: &Cluster,
    clock: &Arc<dyn Clock>,
    cx: &OpContext,
    plan: &Plan,
    spec: &KubernetesSpec,
) -> Result<(UndoBody, Renewal), KubeError> {
    let owner = Owner::of(cx);
    let lease = Lease::new(cluster, &lease_name(&spec.workload), owner.clone());
    let taken = lease.take(&**clock).await?;
    let renewal = Renewal::of(lease.clone(), Arc::clone(clock));
    let copy = UndoCopy::of(cluster, &owner);
    if let Taken::From(former) = &taken {
        take_over(cluster, cx, &lease, former).await?;
    }
    let live = cluster
        .objects_like(&spec.workload)
        .await?
        .need(&spec.workload.name)
        .await?;
    if let Some(annotation) = Annotation::of(&live) {
        let body = adopt(cluster, &owner, &annotation, &copy, &spec.workload).await?;
        return Ok((body, renewal));
    }
    let body = originals(cluster, plan, spec, live).await?;
    copy.write(&owner, &body).await?;
    let annotation = Annotation::new(
        &owner,
        copy.name(),
        lease.name(),
        &spec.workload.to_string(),
    );
    for original in &body.originals {
        announce(cluster, &original.object, &annotation).await?;
    }
    if let Some(original) = body.originals.first() {
        let message =
            format!("{owner} changes this object from now on, and puts it back at its end");
        event::tell(
            cluster,
            &**clock,
            &original.body,
            "ExperimentBegan",
            &message,
        )
        .await;
    }
    Ok((body, renewal))
}

/// Another owner let its Lease expire: its original first. Until that is through the Lease says whose it was.
async fn take_over(
    cluster: &Cluster,
    cx: &OpContext,
    lease: &Lease,
    former: &Owner,
) -> Result<(), KubeError> {
    let copy = UndoCopy::of(cluster, former);
    if let Some(body) = copy.read().await? {
        tracing::warn!(%former, workload = %body.workload, "puts back what an owner left that is gone");
        put_back(cluster, &body, copy.name(), cx.deadline).await?;
        copy.remove().await?;
    }
    lease.forget_former().await
}

/// The hold is there already: the same one under an earlier owner, else somebody else's.
async fn adopt(
    cluster: &Cluster,
    owner: &Owner,
    annotation: &Annotation,
    copy: &UndoCopy,
    workload: &ObjectRef,
) -> Result<UndoBody, KubeError> {
    let is_ours = annotation
        .owner()
        .is_some_and(|former| former.is_same_hold(owner));
    if !is_ours {
        let what = format!(
            "{workload} is still changed by experiment {}, whose lock is gone (put it back first: em kube restore {workload})",
            annotation.experiment
        );
        return Err(KubeError::unfit(FaultKind::Conflict, what));
    }
    let body = copy.read().await?.ok_or_else(|| {
        let what = format!(
            "{workload} is marked as held, and its undo (Secret {}) is gone",
            copy.name()
        );
        KubeError::unfit(FaultKind::NotFound, what)
    })?;
    let marked = Annotation {
        epoch: owner.epoch.to_string(),
        ..annotation.clone()
    };
    for original in &body.originals {
        announce(cluster, &original.object, &marked).await?;
    }
    copy.remark(&owner.epoch).await?;
    Ok(body)
}

/// Everything that the plan may change, as it is now.
async fn originals(
    cluster: &Cluster,
    plan: &Plan,
    spec: &KubernetesSpec,
    live: Json,
) -> Result<UndoBody, KubeError> {
    let mut originals = Vec::new();
    for object in change::objects(plan, spec) {
        let body = if object == spec.workload {
            live.clone()
        } else {
            let other = cluster
                .objects_like(&object)
                .await?
                .need(&object.name)
                .await?;
            if Annotation::is_on(&other) {
                let what = format!("{object} is held by another experiment, which changes it, too");
                return Err(KubeError::unfit(FaultKind::Conflict, what));
            }
            other
        };
        let touched = change::touched(plan, spec, &object, &body);
        originals.push(Original {
            touched: touched.map_err(fault_of_change)?,
            body: change::bare(&body),
            object,
        });
    }
    if spec.autoscaler == Autoscaler::Pin {
        originals.extend(autoscalers(cluster, &spec.workload).await?);
    }
    let resized = spec.policy == ClusterPolicy::Resize;
    if resized {
        // Pods are changed then, and the workload itself is only marked.
        let own = originals.iter_mut();
        for original in own.filter(|original| original.object == spec.workload) {
            original.touched.clear();
        }
    }
    Ok(UndoBody {
        context: cluster.context().to_owned(),
        namespace: cluster.namespace().to_owned(),
        workload: spec.workload.clone(),
        originals,
        source: None,
        resized,
    })
}

/// The autoscalers of a workload: both of their ends are set while it is held.
async fn autoscalers(cluster: &Cluster, workload: &ObjectRef) -> Result<Vec<Original>, KubeError> {
    let all = cluster.objects("horizontalpodautoscaler").list("").await?;
    let is_its = |scaler: &&Json| {
        let of = &scaler["spec"]["scaleTargetRef"];
        of["name"] == workload.name.as_str()
            && of["kind"]
                .as_str()
                .is_some_and(|kind| kind.eq_ignore_ascii_case(&workload.kind))
    };
    let original = |scaler: &Json| {
        Some(Original {
            object: ObjectRef {
                kind: AUTOSCALERS.to_owned(),
                name: scaler["metadata"]["name"].as_str()?.to_owned(),
            },
            body: change::bare(scaler),
            touched: ["minReplicas", "maxReplicas"]
                .map(|key| Place::of(["spec", key]))
                .into(),
        })
    };
    Ok(all.iter().filter(is_its).filter_map(original).collect())
}

/// Lets an object say who holds it.
async fn announce(
    cluster: &Cluster,
    object: &ObjectRef,
    annotation: &Annotation,
) -> Result<(), KubeError> {
    let objects = cluster.objects_like(object).await?;
    let mark = |seen: &Json| {
        let mut wanted = seen.clone();
        annotation.onto(&mut wanted);
        Some(wanted)
    };
    match objects.edit(&object.name, mark).await? {
        Some(_) => Ok(()),
        None => Err(KubeError::unfit(
            FaultKind::NotFound,
            format!("{object} is gone"),
        )),
    }
}

/// Changes everything that the plan changes, each object in one write.
pub(super) async fn deploy(
    cluster: &Cluster,
    cx: &OpContext,
    plan: &DeployPlan,
    spec: &KubernetesSpec,
    iteration: &str,
) -> Result<(), KubeError> {
    let undo = UndoBody::of(&plan.undo)?;
    let beside = Beside {
        iteration,
        environment: &plan.environment,
    };
    // The workload last: its roll-out reads the others.
    for original in undo.originals.iter().rev() {
        if original.object.kind == AUTOSCALERS {
            continue;
        }
        let applied = change::applied(&plan.plan, spec, original, &plan.values, beside);
        let applied = applied.map_err(fault_of_change)?;
        let deployed = change_held(cluster, cx, original, &applied, &plan.environment).await?;
        unblock(cluster, &original.object, &deployed, Some(iteration)).await?;
    }
    Ok(())
}

/// Lets pinned autoscalers have the workload as it is to be.
pub(super) async fn pin(
    cluster: &Cluster,
    cx: &OpContext,
    plan: &DeployPlan,
    spec: &KubernetesSpec,
) -> Result<(), KubeError> {
    let undo = UndoBody::of(&plan.undo)?;
    let scalers = undo.originals.iter();
    for original in scalers.filter(|original| original.object.kind == AUTOSCALERS) {
        let applied = pinned(original, &undo, plan, spec)?;
        change_held(cluster, cx, original, &applied, &BTreeMap::new()).await?;
    }
    Ok(())
}

/// An autoscaler that lets the workload have the replicas of the iteration.
fn pinned(
    original: &Original,
    undo: &UndoBody,
    plan: &DeployPlan,
    spec: &KubernetesSpec,
) -> Result<Json, KubeError> {
    let mut body = original.body.clone();
    let Some(workload) = undo.originals.first() else {
        return Ok(body);
    };
    let beside = Beside {
        iteration: "",
        environment: &BTreeMap::new(),
    };
    let applied = change::applied(&plan.plan, spec, workload, &plan.values, beside);
    let applied = applied.map_err(fault_of_change)?;
    let replicas = applied
        .pointer("/spec/replicas")
        .cloned()
        .unwrap_or(json!(1));
    for place in &original.touched {
        place.set(&mut body, Some(replicas.clone()));
    }
    Ok(body)
}

/// One write, bound to a version of the object that we hold.
async fn change_held(
    cluster: &Cluster,
    cx: &OpContext,
    original: &Original,
    applied: &Json,
    environment: &BTreeMap<String, em_core::plan::Secret>,
) -> Result<Json, KubeError> {
    let objects = cluster.objects_like(&original.object).await?;
    let mut touched = original.touched.clone();
    for name in environment.keys() {
        touched.extend(variable_places(applied, name));
    }
    for _ in 0..TRIES {
        let seen = objects.need(&original.object.name).await?;
        check_held(&seen, cx, &original.object)?;
        let mut wanted = change::wanted(&seen, applied, &touched);
        // The cluster writes some values in its own way: what it makes of them is what a later look compares with.
        let answered = objects.rehearse_change(&seen, &wanted).await;
        let answered = match answered {
            Err(error) if error.is_conflict() => continue,
            answered => answered?,
        };
        let applied_place = Place::of(["metadata", "annotations"]).key(mark::APPLIED);
        applied_place.set(&mut wanted, Some(json!(digests(&answered, &touched))));
        match objects.change(&seen, &wanted).await {
            Err(error) if error.is_conflict() => {}
            done => return done,
        }
    }
    Err(objects.too_busy(&original.object.name))
}

/// Where a variable is that a datasource wants the container to have.
fn variable_places(applied: &Json, name: &str) -> Vec<Place> {
    let containers = change::template().key("spec").key("containers");
    let named = containers.get(applied).and_then(Json::as_array);
    let named = named
        .into_iter()
        .flatten()
        .filter_map(|one| one.get("name")?.as_str());
    named
        .map(|container| containers.named(container).key("env").named(name))
        .filter(|place| place.get(applied).is_some())
        .collect()
}

/// Digests of what is at these places, as one text.
fn digests(object: &Json, touched: &std::collections::BTreeSet<Place>) -> String {
    let digests: BTreeMap<String, String> = touched
        .iter()
        .map(|place| (place.to_string(), digest_at(place, object)))
        .collect();
    serde_json::to_string(&digests).unwrap_or_default()
}

/// The digest of what an object has at a place.
pub(super) fn digest_at(place: &Place, object: &Json) -> String {
    place.get(object).map_or_else(
        || "absent".to_owned(),
        |value| mark::short_digest(&value.to_string()),
    )
}

/// An error where the object is not ours (any more).
fn check_held(seen: &Json, cx: &OpContext, object: &ObjectRef) -> Result<(), KubeError> {
    let annotation = Annotation::of(seen);
    let owner = annotation.as_ref().and_then(Annotation::owner);
    let is_ours = owner.is_some_and(|owner| {
        owner.epoch == cx.epoch && owner.key.experiment() == cx.key.experiment()
    });
    if is_ours {
        return Ok(());
    }
    let what = match annotation {
        Some(other) => format!(
            "{object} belongs to experiment {} now, which took it over",
            other.experiment
        ),
        None => format!("{object} is not marked as ours any more: somebody put it back meanwhile"),
    };
    Err(KubeError::unfit(FaultKind::Conflict, what))
}
