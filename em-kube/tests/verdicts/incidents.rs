use em_core::port::{Incident, IncidentKind};
use em_kube::incidents::{before, incidents, neighbours};
use em_kube::mark;
use serde_json::json;

use crate::recorded::{Recorded, recorded};

const STATUS: &str = "/pods/0/status/containerStatuses/0";

/// What happened between `ready` and this scene.
fn since_ready(now: &Recorded) -> Vec<Incident> {
    let was = recorded("ready");
    let before = before(&was.scene(), &was.wanted());
    incidents(&before, &now.scene(), was.now, now.now)
}

/// Exactly this one.
#[track_caller]
fn one(now: &Recorded, kind: IncidentKind, fatal: bool, part: &str) {
    let found = since_ready(now);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!((found[0].kind, found[0].fatal), (kind, fatal), "{found:#?}");
    assert!(
        found[0].what.contains(part),
        "{part:?} is not in {:?}",
        found[0].what
    );
}

fn restarted(reason: &str, code: i32, at: &str) -> Recorded {
    recorded("ready")
        .with(&format!("{STATUS}/restartCount"), json!(1))
        .with(
            &format!("{STATUS}/lastState"),
            json!({"terminated":
            {"exitCode": code, "reason": reason, "finishedAt": at, "startedAt": at}}),
        )
}

#[test]
fn nothing_happened() {
    assert_eq!(since_ready(&recorded("ready")), []);
}

#[test]
fn restarts_and_memory() {
    let later = "2026-11-25T00:02:50Z";
    one(
        &restarted("Error", 3, later),
        IncidentKind::Restarted,
        true,
        "exit code 3 and was started again",
    );
    one(
        &restarted("OOMKilled", 137, later),
        IncidentKind::OutOfMemory,
        true,
        "want of memory",
    );
    assert_eq!(
        since_ready(&restarted("Error", 3, "2026-11-24T00:00:00Z")),
        [],
        "it was before"
    );
    let bare = recorded("ready").with(&format!("{STATUS}/restartCount"), json!(1));
    one(&bare, IncidentKind::Restarted, true, "was started again");
}

#[test]
fn pods_go_and_come() {
    let mut gone = recorded("ready");
    gone.json["pods"] = json!([]);
    one(&gone, IncidentKind::Exited, true, "is gone");
    let status = json!({"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory."});
    one(
        &recorded("ready").with("/pods/0/status", status),
        IncidentKind::Exited,
        true,
        "Evicted",
    );
    let leaves = recorded("ready").with(
        "/pods/0/metadata/deletionTimestamp",
        json!("2026-11-25T00:02:40Z"),
    );
    one(&leaves, IncidentKind::Exited, true, "is being removed");
    let mut more = recorded("ready").json["pods"][0].clone();
    more["metadata"]["uid"] = json!("other");
    one(
        &recorded("ready").and("/pods", more),
        IncidentKind::Changed,
        true,
        "pods came",
    );
}

#[test]
fn pods_that_are_not_ready_any_more() {
    let not_ready = json!({"type": "Ready", "status": "False", "reason": "ContainersNotReady"});
    let place = "/pods/0/status/conditions";
    let scene = recorded("ready").condition(place, not_ready.clone());
    one(
        &scene,
        IncidentKind::Exited,
        true,
        "1 of 1 pods are not ready",
    );

    let mut was = recorded("ready");
    let mut second = was.json["pods"][0].clone();
    second["metadata"]["uid"] = json!("second");
    was = was.and("/pods", second);
    let before = before(&was.scene(), &was.wanted());
    let now = was.clone().condition(place, not_ready);
    let found = incidents(&before, &now.scene(), was.now, was.now);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(
        !found[0].fatal && found[0].what.starts_with("1 of 2"),
        "{found:#?}"
    );
}

#[test]
fn what_others_change() {
    let moved = || recorded("ready").with("/workload/metadata/generation", json!(2));
    let image = "/workload/spec/template/spec/containers/0/image";
    one(
        &moved().with(image, json!("localhost/other:1")),
        IncidentKind::Changed,
        true,
        "made from",
    );
    let limit = "/pods/0/spec/containers/0/resources/limits/memory";
    one(
        &recorded("ready").with(limit, json!("64Mi")),
        IncidentKind::Changed,
        true,
        "in place",
    );
    let history = moved().with("/workload/spec/revisionHistoryLimit", json!(3));
    one(&history, IncidentKind::Changed, false, "neither its pods");
    let gone = recorded("ready").with("/workload", json!(null));
    one(&gone, IncidentKind::Changed, true, "is gone");
}

#[test]
fn an_autoscaler_acts() {
    let scaled = recorded("ready")
        .with("/workload/metadata/generation", json!(2))
        .with("/workload/spec/replicas", json!(4));
    one(
        &scaled,
        IncidentKind::Changed,
        true,
        "somebody else changed the replicas of deployment/shop from 1 to 4",
    );
    let by = json!({"metadata": {"name": "shop-hpa"}, "status": {"desiredReplicas": 4},
        "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "shop"}}});
    one(
        &scaled.and("/autoscalers", by),
        IncidentKind::Changed,
        true,
        "autoscaler shop-hpa",
    );
}

#[test]
fn nodes_in_trouble() {
    let node = |kind: &str, status: &str| {
        let condition = json!({"type": kind, "status": status, "message": "as the kubelet says"});
        recorded("ready").condition("/nodes/0/status/conditions", condition)
    };
    one(
        &node("Ready", "Unknown"),
        IncidentKind::Neighbour,
        true,
        "not ready (Unknown)",
    );
    one(
        &node("MemoryPressure", "True"),
        IncidentKind::Neighbour,
        false,
        "runs short",
    );
    let place = "/nodes/0/metadata/name";
    one(
        &recorded("ready").with(place, json!("another")),
        IncidentKind::Neighbour,
        true,
        "is gone",
    );
    let mut unreadable = recorded("ready");
    unreadable.json["nodes"] = json!([]);
    assert_eq!(
        since_ready(&unreadable),
        [],
        "what may not be read says nothing"
    );
    let oom = json!({"reason": "SystemOOM", "message": "victim process: hog", "metadata": {},
        "lastTimestamp": "2026-11-25T00:02:50Z", "involvedObject": {"kind": "Node", "name": "em-node"}});
    one(
        &recorded("ready").and("/events", oom),
        IncidentKind::Neighbour,
        false,
        "victim process: hog",
    );
}

#[test]
fn other_trials_on_the_node_are_named() {
    let mine = json!({"app": "shop", mark::EXPERIMENT: "demo", mark::CLONE: "a"});
    let was = recorded("ready").with("/pods/0/metadata/labels", mine.clone());
    let before = before(&was.scene(), &was.wanted());
    let other = |labels, uid: &str| {
        let changed = was.clone().with("/pods/0/metadata/labels", labels);
        changed
            .with("/pods/0/metadata/uid", json!(uid))
            .scene()
            .pods
    };
    let found = |labels| neighbours(&before, &other(labels, "other"), was.now);
    let beside = found(json!({mark::EXPERIMENT: "demo", mark::CLONE: "b"}));
    assert_eq!(beside.len(), 1);
    assert!(
        !beside[0].fatal && beside[0].what.contains("experiment demo, clone b"),
        "{beside:?}"
    );
    assert_eq!(found(json!({mark::EXPERIMENT: "else"})).len(), 1);
    assert_eq!(found(mine), [], "the same clone");
    assert_eq!(found(json!({"app": "shop"})), [], "no trial");
}
