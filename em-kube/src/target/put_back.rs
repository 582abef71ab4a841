//! Putting originals back: what we changed, and nothing that somebody else changed meanwhile.

use std::collections::BTreeMap;
use std::time::Duration;

use em_core::fault::FaultKind;
use em_core::port::{Clock as _, SystemClock};
use jiff::Timestamp;
use kube::api::DynamicObject;
use kube::runtime::wait;
use serde_json::Value as Json;

use super::history;
use super::in_place::digest_at;
use super::resize::put_pods_back;
use super::unblock::unblock;
use crate::change::Original;
use crate::cluster::{Cluster, Object};
use crate::fault::KubeError;
use crate::hold::{Annotation, UndoBody};
use crate::mark;
use crate::place::Place;

/// Puts every object of the undo back that still carries its mark; `undo` is the name of the copy. Returns when the
/// cluster shows it, with what was left alone because somebody else changed it.
pub async fn put_back(
    cluster: &Cluster,
    body: &UndoBody,
    undo: &str,
    deadline: Timestamp,
) -> Result<Vec<String>, KubeError> {
    if body.resized {
        put_pods_back(cluster, body, deadline).await?;
    }
    let mut left = Vec::new();
    // The workload last: the pods of its roll-out read the others.
    for original in body.originals.iter().rev() {
        let objects = cluster.objects_like(&original.object).await?;
        let Some(written) = write_back(&objects, original, undo, &mut left).await? else {
            continue;
        };
        unblock(cluster, &original.object, &written, None).await?;
        if original.object == body.workload {
            shown(&objects, original, &written, deadline).await?;
        }
        unmark(&objects, original, undo).await?;
    }
    // Also where an earlier call did the rest: it may have been broken off here.
    history::unmark(cluster, &body.workload, undo).await?;
    Ok(left)
}

/// The original values back at every place that is as we left it. None: the object is not ours, so it is put back.
async fn write_back(
    objects: &Object,
    original: &Original,
    undo: &str,
    left: &mut Vec<String>,
) -> Result<Option<Json>, KubeError> {
    let name = &original.object.name;
    let (mut alone, mut is_there) = (Vec::new(), false);
    let back = |seen: &Json| {
        is_there = true;
        let annotation = Annotation::of(seen).filter(|annotation| annotation.undo == undo);
        annotation.map(|_| {
            let (wanted, others) = restored(seen, original);
            alone = others;
            wanted
        })
    };
    let written = objects.edit(name, back).await?;
    if !is_there {
        left.push(format!("{} is gone", original.object));
    }
    left.extend(alone);
    Ok(written)
}

/// The object with its original values where it has those that we applied, and what is left alone.
fn restored(seen: &Json, original: &Original) -> (Json, Vec<String>) {
    let digests = Place::of(["metadata", "annotations"]).key(mark::APPLIED);
    let digests = digests.get(seen).and_then(Json::as_str);
    let digests: BTreeMap<String, String> = digests
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default();
    // Our own mark on the pods is ours in any case: nobody else writes it.
    let is_ours = |place: &Place| {
        place.to_string().contains(mark::ITERATION)
            || digests.get(&place.to_string()) == Some(&digest_at(place, seen))
    };
    let mut wanted = seen.clone();
    let mut alone = Vec::new();
    for place in &original.touched {
        let was = place.get(&original.body);
        if place.get(seen) == was {
            continue;
        }
        // What was added goes as a whole or not at all.
        let added = place.missing_in(&original.body);
        let others = original.touched.iter();
        let mut with_it = others.filter(|other| {
            *other == place || added.as_ref().is_some_and(|added| other.is_within(added))
        });
        if with_it.all(is_ours) {
            place.copy(&mut wanted, &original.body);
        } else {
            alone.push(format!(
                "{place} of {} was changed by somebody else meanwhile and is left as it is",
                original.object
            ));
        }
    }
    // Variables that datasources wanted have no place in the original.
    for text in digests.keys() {
        if let Some(place) = added_variable(text, original) {
            place.set(&mut wanted, None);
        }
    }
    (wanted, alone)
}

/// A variable that was added beside the places of the plan.
fn added_variable(text: &str, original: &Original) -> Option<Place> {
    let is_known = original
        .touched
        .iter()
        .any(|place| place.to_string() == text);
    if is_known {
        return None;
    }
    let rest = text.strip_prefix("spec.template.spec.containers[")?;
    let (container, rest) = rest.split_once("].env[")?;
    let name = rest.strip_suffix(']')?;
    let containers = crate::change::template().key("spec").key("containers");
    Some(containers.named(container).key("env").named(name))
}

/// Waits until the cluster shows the roll-out of what was written.
async fn shown(
    objects: &Object,
    original: &Original,
    written: &Json,
    deadline: Timestamp,
) -> Result<(), KubeError> {
    let generation = written
        .pointer("/metadata/generation")
        .and_then(Json::as_i64);
    let generation = generation.unwrap_or_default();
    let name = &original.object.name;
    loop {
        let left =
            Duration::try_from(deadline.duration_since(SystemClock.now())).unwrap_or_default();
        let condition = |object: Option<&DynamicObject>| {
            let object = object.and_then(|object| serde_json::to_value(object).ok());
            object.is_none_or(|object| is_rolled_out(&object, generation))
        };
        let waiting = wait::await_condition(objects.api().clone(), name, condition);
        match tokio::time::timeout(left, waiting).await {
            Ok(Ok(_)) => return Ok(()),
            // A watch that breaks off is begun anew.
            Ok(Err(_)) => tokio::time::sleep(Duration::from_millis(200)).await,
            Err(_) => {
                let what = format!(
                    "the original of {} is written, and its roll-out has not come to its end (see kubectl describe)",
                    original.object
                );
                return Err(KubeError::unfit(FaultKind::Unavailable, what));
            }
        }
    }
}

/// Whether the controller has seen this generation and all pods are of it.
fn is_rolled_out(object: &Json, generation: i64) -> bool {
    let status = &object["status"];
    let number = |key: &str| status[key].as_i64().unwrap_or_default();
    let has = |key: &str| status.get(key).is_some();
    if has("observedGeneration") && number("observedGeneration") < generation {
        return false;
    }
    if has("desiredNumberScheduled") {
        let wanted = number("desiredNumberScheduled");
        return number("updatedNumberScheduled") == wanted && number("numberReady") == wanted;
    }
    let Some(wanted) = object.pointer("/spec/replicas").and_then(Json::as_i64) else {
        return true;
    };
    if object.pointer("/spec/template").is_none() {
        return true;
    }
    let updated = number("updatedReplicas") == wanted || status.get("updateRevision").is_some();
    let revised =
        status["updateRevision"].is_null() || status["currentRevision"] == status["updateRevision"];
    has("observedGeneration")
        && updated
        && revised
        && number("replicas") == wanted
        && number("readyReplicas") == wanted
}

/// Takes our mark off.
async fn unmark(objects: &Object, original: &Original, undo: &str) -> Result<(), KubeError> {
    let off = |seen: &Json| {
        let mut wanted = seen.clone();
        Annotation::off(&mut wanted);
        let annotation = Annotation::of(seen).filter(|annotation| annotation.undo == undo);
        annotation.map(|_| wanted)
    };
    objects.edit(&original.object.name, off).await.map(drop)
}

/// Places of an undo that are not as they were.
pub(crate) async fn differences(
    cluster: &Cluster,
    body: &UndoBody,
) -> Result<Vec<String>, KubeError> {
    let mut differences = Vec::new();
    for original in &body.originals {
        let objects = cluster.objects_like(&original.object).await?;
        let Some(seen) = objects.get(&original.object.name).await? else {
            differences.push(format!("{} is gone", original.object));
            continue;
        };
        let places = original.touched.iter();
        let other = places.filter(|place| place.get(&seen) != place.get(&original.body));
        differences.extend(other.map(|place| format!("{place} of {}", original.object)));
    }
    Ok(differences)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::*;

    fn held() -> (Original, Json) {
        let workers = Place::of(["spec", "workers"]);
        let cache = Place::of(["spec", "cache"]);
        let original = Original {
            object: "deployment/shop".parse().unwrap(),
            body: json!({"spec": {"workers": 2}}),
            touched: BTreeSet::from([workers.clone(), cache.clone()]),
        };
        let mut seen =
            json!({"metadata": {"annotations": {}}, "spec": {"workers": 8, "cache": "lru"}});
        let digests = BTreeMap::from([
            (workers.to_string(), digest_at(&workers, &seen)),
            (cache.to_string(), digest_at(&cache, &seen)),
        ]);
        let applied = Place::of(["metadata", "annotations"]).key(mark::APPLIED);
        applied.set(
            &mut seen,
            Some(json!(serde_json::to_string(&digests).unwrap())),
        );
        (original, seen)
    }

    #[test]
    fn what_we_applied_goes_and_what_others_wrote_stays() {
        let (original, seen) = held();
        let (wanted, alone) = restored(&seen, &original);
        assert_eq!(wanted["spec"], json!({"workers": 2}));
        assert!(alone.is_empty());

        let (original, mut seen) = held();
        seen["spec"]["workers"] = json!(5);
        let (wanted, alone) = restored(&seen, &original);
        assert_eq!(wanted["spec"], json!({"workers": 5}));
        assert_eq!(alone.len(), 1);
        assert!(
            alone[0].starts_with("spec.workers of deployment/shop was changed"),
            "{alone:?}"
        );
    }

    #[test]
    fn a_roll_out_is_over_when_all_pods_are_of_the_generation_that_was_seen() {
        let object =
            |status: Json| json!({"spec": {"replicas": 2, "template": {}}, "status": status});
        let whole = json!({"observedGeneration": 4, "replicas": 2, "updatedReplicas": 2, "readyReplicas": 2});
        assert!(is_rolled_out(&object(whole.clone()), 4));
        assert!(!is_rolled_out(&object(whole), 5), "an old status");
        let surging = json!({"observedGeneration": 4, "replicas": 3, "updatedReplicas": 2, "readyReplicas": 2});
        assert!(!is_rolled_out(&object(surging), 4));
        assert!(!is_rolled_out(&object(json!({})), 1));
        assert!(
            is_rolled_out(&json!({"spec": {"x": 1}}), 3),
            "nothing rolls out"
        );
    }
}
