//! Every change tried on the server without being made.

use em_core::fault::{Fault, FaultKind};
use em_core::plan::ObjectRef;
use em_core::port::Finding;
use em_core::value::Quantity;
use serde_json::{Map, Value as Json};

use super::finding::{error, name_of, text_at, warning};
use super::subject::Subject;
use crate::cluster::{Cluster, Object, resource_of};
use crate::fault::KubeError;
use crate::place::Place;

/// What the server makes of every wanted object, and what it refuses. `seen` are the live objects.
pub(super) async fn rehearse(
    cluster: &Cluster,
    subject: &Subject<'_>,
    seen: &[(ObjectRef, Json)],
    wanted: &[(String, Json)],
) -> Result<Vec<Finding>, Fault> {
    let mut findings = Vec::new();
    for (what, wanted) in wanted {
        let Some(objects) = objects_of(cluster, subject, wanted).await? else {
            continue;
        };
        let live = seen
            .iter()
            .map(|(_, live)| live)
            .find(|live| is_same(live, wanted));
        let answer = match live.filter(|_| subject.is_in_place()) {
            Some(live) => {
                objects
                    .rehearse_change(live, &on_top_of(live, wanted))
                    .await
            }
            None => objects.rehearse_create(wanted).await,
        };
        match answer {
            Ok(answer) => findings.extend(changed_by_the_server(what, live, wanted, &answer)),
            Err(refusal) => findings.push(refused(what, refusal)?),
        }
    }
    Ok(findings)
}

async fn objects_of(
    cluster: &Cluster,
    subject: &Subject<'_>,
    wanted: &Json,
) -> Result<Option<Object>, KubeError> {
    if is_same_kind(subject.object, wanted) {
        return Ok(Some(cluster.objects_like(&subject.spec.workload).await?));
    }
    let kind = text_at(wanted, "/kind")
        .unwrap_or_default()
        .to_ascii_lowercase();
    Ok(resource_of(&kind).map(|resource| cluster.objects_of(&resource)))
}

fn is_same_kind(one: &Json, other: &Json) -> bool {
    one.get("kind") == other.get("kind") && one.get("apiVersion") == other.get("apiVersion")
}

fn is_same(one: &Json, other: &Json) -> bool {
    is_same_kind(one, other) && name_of(one) == name_of(other)
}

/// The wanted object with what the cluster itself keeps as it was last seen.
fn on_top_of(live: &Json, wanted: &Json) -> Json {
    let mut wanted = wanted.clone();
    let metadata = Place::of(["metadata"]);
    let kept = [
        "resourceVersion",
        "generation",
        "managedFields",
        "uid",
        "creationTimestamp",
    ];
    let places = kept.into_iter().map(|key| metadata.key(key));
    for place in places.chain([Place::of(["status"])]) {
        place.set(&mut wanted, place.get(live).cloned());
    }
    wanted
}

/// A refusal is a finding; a server that is not there is none.
fn refused(what: &str, refusal: KubeError) -> Result<Finding, Fault> {
    let fault = Fault::from(refusal);
    let words = fault.chain();
    if words.contains("does not support dry run") {
        return Ok(warning(
            format!("{what} could not be rehearsed: {words}"),
            "a webhook of the cluster takes no part in rehearsals; what it refuses shows in the trial",
        ));
    }
    match fault.kind {
        FaultKind::Invalid | FaultKind::Denied | FaultKind::NotFound => Ok(error(
            format!("the cluster refuses {what}: {words}"),
            "correct the tunables that are applied there (apply)",
        )),
        FaultKind::Conflict
        | FaultKind::Throttled
        | FaultKind::Unavailable
        | FaultKind::Malformed
        | FaultKind::Cancelled
        | _ => Err(fault),
    }
}

fn changed_by_the_server(
    what: &str,
    live: Option<&Json>,
    wanted: &Json,
    answer: &Json,
) -> Option<Finding> {
    let places = differences(live, wanted, answer);
    (!places.is_empty()).then(|| {
        warning(
            format!("the cluster accepts {what} and changes it at {}", places.join(", ")),
            "a webhook or a default of the cluster writes there: tune what it writes, or accept the difference (accept)",
        )
    })
}

/// Places that were to be changed and became something else, below `spec` and `data`.
fn differences(live: Option<&Json>, wanted: &Json, answer: &Json) -> Vec<String> {
    let mut places = Vec::new();
    for root in ["spec", "data"] {
        let part = |object: &'_ Json| object.get(root).cloned().unwrap_or_default();
        compare(
            &Place::of([root]),
            live.map(part).as_ref(),
            &part(wanted),
            &part(answer),
            &mut places,
        );
    }
    places
}

fn compare(
    at: &Place,
    live: Option<&Json>,
    wanted: &Json,
    answer: &Json,
    places: &mut Vec<String>,
) {
    if live == Some(wanted) {
        return;
    }
    match (wanted, answer) {
        (Json::Object(wanted), Json::Object(answer)) => {
            compare_maps(at, live.and_then(Json::as_object), wanted, answer, places);
        }
        (Json::Array(wanted), Json::Array(answer)) if is_named(wanted) => {
            for entry in wanted {
                let name = name_of(entry);
                let find = |list: &[Json]| list.iter().find(|one| name_of(one) == name).cloned();
                let live = live.and_then(Json::as_array).and_then(|list| find(list));
                let answer = find(answer).unwrap_or_default();
                compare(&at.named(name), live.as_ref(), entry, &answer, places);
            }
        }
        (wanted, answer) if is_equal(wanted, answer) => {}
        _ => places.push(at.to_string()),
    }
}

fn compare_maps(
    at: &Place,
    live: Option<&Map<String, Json>>,
    wanted: &Map<String, Json>,
    answer: &Map<String, Json>,
    places: &mut Vec<String>,
) {
    for (key, value) in wanted {
        let answer = answer.get(key).unwrap_or(&Json::Null);
        let live = live.and_then(|live| live.get(key));
        compare(&at.key(key), live, value, answer, places);
    }
    let gone = live
        .into_iter()
        .flatten()
        .map(|(key, _)| key)
        .filter(|key| !wanted.contains_key(*key));
    let still_there = gone.filter(|key| answer.contains_key(*key));
    places.extend(still_there.map(|key| at.key(key).to_string()));
}

fn is_named(list: &[Json]) -> bool {
    !list.is_empty() && list.iter().all(|entry| entry.get("name").is_some())
}

/// `1000m` is `1`; an empty list or text is nothing.
fn is_equal(wanted: &Json, answer: &Json) -> bool {
    let amount = |value: &Json| match value {
        Json::String(text) => text.parse::<Quantity>().ok(),
        Json::Number(number) => number.to_string().parse().ok(),
        Json::Null | Json::Bool(_) | Json::Array(_) | Json::Object(_) => None,
    };
    let is_nothing = |value: &Json| match value {
        Json::Null => true,
        Json::String(text) => text.is_empty(),
        Json::Array(list) => list.is_empty(),
        Json::Object(map) => map.is_empty(),
        Json::Bool(_) | Json::Number(_) => false,
    };
    wanted == answer
        || (is_nothing(wanted) && is_nothing(answer))
        || amount(wanted)
            .zip(amount(answer))
            .is_some_and(|(one, other)| one == other)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn deployment(cpu: &str, env: &Json) -> Json {
        json!({"spec": {"replicas": 1, "containers": [
            {"name": "app", "resources": {"limits": {"cpu": cpu}}, "env": env},
        ]}})
    }

    #[test]
    fn only_what_was_to_be_changed_counts() {
        let live = deployment("1", &json!([{"name": "A", "value": "1"}]));
        let wanted = deployment("1500m", &json!([{"name": "A", "value": "2"}]));
        // A sidecar, a default, and another way to write an amount: none of our business.
        let mut answer = deployment(
            "1.5",
            &json!([{"name": "A", "value": "2"}, {"name": "B", "value": "x"}]),
        );
        answer["spec"]["containers"][0]["image"] = json!("defaulted");
        let sidecar = json!({"name": "proxy"});
        answer["spec"]["containers"]
            .as_array_mut()
            .unwrap()
            .insert(0, sidecar);
        answer["spec"]["replicas"] = json!(7);
        assert_eq!(
            differences(Some(&live), &wanted, &answer),
            Vec::<String>::new()
        );
        let capped = deployment("1", &json!([]));
        assert_eq!(
            differences(Some(&live), &wanted, &capped),
            [
                "spec.containers[app].resources.limits.cpu",
                "spec.containers[app].env[A]",
            ]
        );
    }

    #[test]
    fn what_was_to_go_has_to_go() {
        let live = json!({"data": {"a": "1", "b": "2"}});
        let wanted = json!({"data": {"a": "1"}});
        assert_eq!(differences(Some(&live), &wanted, &live), ["data.b"]);
        assert_eq!(
            differences(Some(&live), &wanted, &wanted),
            Vec::<String>::new()
        );
    }

    #[test]
    fn a_copy_is_compared_as_a_whole() {
        let wanted = deployment("1", &json!([]));
        assert_eq!(differences(None, &wanted, &wanted), Vec::<String>::new());
        let answer = deployment("2", &json!([]));
        assert_eq!(
            differences(None, &wanted, &answer),
            ["spec.containers[app].resources.limits.cpu"]
        );
    }
}
