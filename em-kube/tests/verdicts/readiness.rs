use std::time::Duration;

use em_core::journal::Blame;
use em_core::plan::ReadyWhen;
use em_kube::mark;
use em_kube::readiness::current_pods;
use serde_json::json;

use crate::recorded::recorded;
use crate::said::{ready, stuck, stuck_in_a_moment, waits};

#[test]
fn what_is_there_is_ready() {
    for name in ["ready", "statefulset-ready", "daemonset-ready"] {
        let scene = recorded(name);
        let pods = ready(&scene);
        assert_eq!(pods.len(), 1, "{name}");
        let current = scene.scene();
        let current = current_pods(&current, &scene.wanted());
        assert_eq!(current[0].metadata.name.as_ref(), pods.first(), "{name}");
        assert_eq!(ready(&scene.any_iteration()), pods, "{name}");
    }
}

#[test]
fn ready_has_to_last() {
    let scene = recorded("ready").settle(Duration::from_secs(20));
    let again = waits(&scene, "20s").expect("time alone changes this verdict");
    waits(
        &scene
            .clone()
            .later(again.saturating_sub(Duration::from_millis(1))),
        "20s",
    );
    ready(&scene.later(again));
}

#[test]
fn an_older_generation_counts_for_nothing() {
    for name in ["ready", "statefulset-ready", "daemonset-ready"] {
        let scene = recorded(name).with("/workload/metadata/generation", json!(9));
        waits(&scene, "is at generation 9");
    }
}

#[test]
fn every_count_has_to_be_right() {
    let counts = [
        "updatedReplicas",
        "replicas",
        "readyReplicas",
        "availableReplicas",
    ];
    let pods = ["updatedNumberScheduled", "numberReady", "numberAvailable"];
    let rows = [
        ("ready", &counts[..]),
        ("statefulset-ready", &counts),
        ("daemonset-ready", &pods),
    ];
    for (name, counts) in rows {
        for count in counts {
            let place = format!("/workload/status/{count}");
            waits(
                &recorded(name).with(&place, json!(0)),
                &format!("0 of 1 pods in {count}"),
            );
        }
    }
}

#[test]
fn pods_of_another_iteration_are_not_those_of_this_one() {
    let mut scene = recorded("ready");
    scene.iteration = Some("1.2".to_owned());
    waits(&scene, "says 1.1");
    assert!(current_pods(&scene.scene(), &scene.wanted()).is_empty());
}

#[test]
fn former_pods_have_to_be_gone() {
    let scene = recorded("former-leaving");
    waits(&scene, "of a former roll-out is still there");
    assert_eq!(current_pods(&scene.scene(), &scene.wanted()).len(), 1);
    waits(
        &scene.any_iteration(),
        "of a former roll-out is still there",
    );
}

#[test]
fn a_pod_with_the_same_labels_is_not_its_own() {
    let mut scene = recorded("ready");
    let mut other = scene.json["pods"][0].clone();
    other["metadata"]["name"] = json!("stranger");
    other["metadata"]["uid"] = json!("stranger");
    other["metadata"]["ownerReferences"] = json!([]);
    scene = scene.and("/pods", other);
    assert_eq!(ready(&scene).len(), 1);
}

#[test]
fn workloads_that_do_not_go_on() {
    stuck(
        &recorded("paused"),
        Blame::Target,
        &["are paused", "kubectl rollout resume"],
    );
    let removed = recorded("ready").with(
        "/workload/metadata/deletionTimestamp",
        json!("2026-11-25T00:02:36Z"),
    );
    stuck(&removed, Blame::Cluster, &["is being removed"]);
    stuck_in_a_moment(
        recorded("ready").with("/workload/spec/replicas", json!(0)),
        Blame::Configuration,
        &["wants no pods"],
    );
    stuck_in_a_moment(
        recorded("statefulset-partition"),
        Blame::Target,
        &["partition", "set it to 0"],
    );
    stuck(
        &recorded("statefulset-blocked"),
        Blame::Target,
        &["kubectl delete pod db-0"],
    );
}

#[test]
fn sets_that_replace_no_pod_by_themselves() {
    let keeps = recorded("statefulset-partition")
        .with("/workload/spec/updateStrategy", json!({"type": "OnDelete"}));
    stuck_in_a_moment(keeps, Blame::Target, &["keeps the template", "OnDelete"]);
    let mut keeps = recorded("daemonset-ready")
        .with("/workload/spec/updateStrategy", json!({"type": "OnDelete"}))
        .with(
            "/workload/spec/template/metadata/annotations",
            json!({mark::ITERATION: "1.2"}),
        );
    keeps.iteration = Some("1.2".to_owned());
    stuck_in_a_moment(keeps, Blame::Target, &["keeps the template", "OnDelete"]);
    let nowhere =
        recorded("daemonset-ready").with("/workload/status/desiredNumberScheduled", json!(0));
    stuck_in_a_moment(nowhere, Blame::Target, &["wants no pods", "fit a node"]);
}

#[test]
fn a_template_that_is_changed_back_is_noticed() {
    let place = "/workload/spec/template/metadata/annotations";
    let scene = recorded("ready").with(place, json!({}));
    stuck_in_a_moment(
        scene,
        Blame::Cluster,
        &["somebody else changed it back", "GitOps"],
    );
    // Nothing of this iteration was ever seen: it may be on its way, for some seconds.
    let mut never = recorded("ready");
    never.iteration = Some("9.9".to_owned());
    let again = waits(&never, "changed it back").expect("time alone changes this verdict");
    stuck(&never.later(again), Blame::Cluster, &["not 9.9"]);
}

#[test]
fn a_workload_that_is_not_there_is_awaited_for_some_seconds() {
    let mut scene = recorded("ready").with("/workload", json!(null));
    let again = waits(&scene, "is not there").expect("time alone changes this verdict");
    assert!(again <= Duration::from_secs(10));
    scene = scene.later(again);
    stuck(&scene, Blame::Cluster, &["somebody removed it"]);
}

#[test]
fn any_workload_shows_a_condition_or_a_value() {
    let mut scene = recorded("ready")
        .with("/workload/apiVersion", json!("example.org/v1"))
        .with("/workload/kind", json!("Shop"))
        .with(
            "/workload/status",
            json!({"phase": "Starting", "conditions": [
            {"type": "Up", "status": "False", "message": "no leader"}]}),
        );
    assert_eq!(
        ready(&scene).len(),
        1,
        "without a rule its pods are all there is"
    );
    scene.ready = Some(ReadyWhen::Condition("Up".to_owned()));
    waits(&scene, "condition Up of shop/shop is False; no leader");
    ready(
        &scene
            .clone()
            .with("/workload/status/conditions/0/status", json!("True")),
    );
    let path = "$.status.phase".to_owned();
    scene.ready = Some(ReadyWhen::Path {
        path,
        is: "Running".to_owned(),
    });
    waits(
        &scene,
        "$.status.phase of shop/shop is Starting, not Running",
    );
    let running = scene.with("/workload/status/phase", json!("Running"));
    ready(&running);
    let behind = running.with("/workload/status/observedGeneration", json!(0));
    waits(&behind, "has seen 0");
}
