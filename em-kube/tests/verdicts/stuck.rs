use std::time::Duration;

use em_core::journal::Blame;
use serde_json::json;

use crate::recorded::recorded;
use crate::said::{ready, stuck, stuck_in_a_moment, waits};

#[test]
fn memory_that_ran_out_is_named() {
    let logs = stuck(
        &recorded("oom"),
        Blame::Configuration,
        &["OOMKilled", "raise its memory"],
    );
    assert!(!logs.unwrap().previous);
    let running = recorded("oom").with(
        "/pods/0/status/containerStatuses/0/state",
        json!({"running": {"startedAt": "2026-11-25T00:02:39Z"}}),
    );
    let logs = stuck(
        &running,
        Blame::Configuration,
        &["OOMKilled", "container app of pod oom-"],
    );
    assert!(logs.unwrap().previous);
}

#[test]
fn what_ended_before_it_was_asked_does_not_count() {
    let mut scene = recorded("crash-once")
        .any_iteration()
        .later(Duration::from_secs(20));
    let place = "/pods/0/status/containerStatuses/0/lastState/terminated/reason";
    scene = scene.with(place, json!("OOMKilled"));
    stuck(&scene, Blame::Configuration, &["OOMKilled"]);
    scene.asked_at = scene.now;
    ready(&scene);
}

#[test]
fn a_kill_without_a_reason_is_named_as_such() {
    let place = "/pods/0/status/containerStatuses/0/lastState/terminated/exitCode";
    let scene = recorded("crash-once").with(place, json!(137));
    stuck(
        &scene,
        Blame::Configuration,
        &["exit code 137", "does not say"],
    );
}

#[test]
fn a_crash_loop_has_its_exit_code_and_its_last_lines() {
    let parts = [
        "exit code 3",
        "again and again",
        "container app of pod crash-",
    ];
    let logs = stuck(&recorded("crash-loop"), Blame::Configuration, &parts).unwrap();
    assert_eq!((logs.container.as_str(), logs.previous), ("app", true));
    stuck(
        &recorded("crash-loop").any_iteration(),
        Blame::Configuration,
        &parts,
    );
}

#[test]
fn one_crash_is_no_loop() {
    let scene = recorded("crash-once");
    let not_ready = json!({"type": "Ready", "status": "False"});
    let starting = scene
        .clone()
        .condition("/pods/0/status/conditions", not_ready);
    waits(&starting, "ended with exit code 3 and is started again");
    let place = "/pods/0/status/containerStatuses/0/restartCount";
    let again = scene.clone().with(place, json!(2));
    stuck(
        &again,
        Blame::Configuration,
        &["exit code 3 again and again (restarts: 2)"],
    );
    ready(&scene);
}

#[test]
fn images_that_cannot_be_had() {
    let parts = [
        "localhost/nope:1",
        "connection refused",
        "registry cannot be reached",
    ];
    let scene = recorded("image-unreachable");
    stuck(&scene, Blame::Cluster, &parts);
    // Between two tries older kubelets do not say why: the event does.
    let waiting = json!({"waiting": {"reason": "ImagePullBackOff",
        "message": "Back-off pulling image \"localhost/nope:1\""}});
    stuck(
        &scene
            .clone()
            .with("/pods/0/status/containerStatuses/0/state", waiting),
        Blame::Cluster,
        &parts,
    );
    let absent = json!({"waiting": {"reason": "ErrImagePull",
        "message": "failed to resolve reference \"localhost/nope:1\": localhost/nope:1: not found"}});
    let scene = scene.with("/pods/0/status/containerStatuses/0/state", absent);
    stuck(
        &scene,
        Blame::Configuration,
        &["not found", "correct the name, tag or digest"],
    );
    stuck(
        &recorded("invalid-image-name"),
        Blame::Configuration,
        &["invalid reference format"],
    );
}

#[test]
fn no_node_has_room_or_fits() {
    let parts = [
        "finds no node",
        "1 Insufficient memory",
        "lower the requests",
    ];
    stuck_in_a_moment(recorded("unschedulable"), Blame::Configuration, &parts);
    let parts = ["finds no node", "didn't match Pod's node affinity/selector"];
    stuck_in_a_moment(recorded("no-node-fits"), Blame::Configuration, &parts);
    let tainted = json!({"type": "PodScheduled", "status": "False", "reason": "Unschedulable",
        "lastTransitionTime": "2026-11-25T00:02:52Z", "message":
        "0/1 nodes are available: 1 node(s) had untolerated taint(s) {node.kubernetes.io/not-ready: }."});
    let scene = recorded("unschedulable").condition("/pods/0/status/conditions", tainted);
    stuck_in_a_moment(scene, Blame::Cluster, &["finds no node", "not-ready"]);
}

#[test]
fn room_that_is_being_made_is_awaited() {
    let late = recorded("unschedulable").later(Duration::from_mins(1));
    let adds = late
        .clone()
        .warning("TriggeredScaleUp", "pod triggered scale-up");
    assert_eq!(waits(&adds, "finds no node"), None);
    let displaces = late.with("/pods/0/status/nominatedNodeName", json!("em-node"));
    assert_eq!(waits(&displaces, "finds no node"), None);
}

#[test]
fn containers_that_cannot_start() {
    let parts = ["CreateContainerConfigError", "configmap \"nope\" not found"];
    stuck_in_a_moment(recorded("config-error"), Blame::Configuration, &parts);
    let parts = [
        "RunContainerError",
        "exec: \"/nope\"",
        "correct its command",
    ];
    stuck(&recorded("cannot-start"), Blame::Configuration, &parts);
    let looping = recorded("cannot-start").with(
        "/pods/0/status/containerStatuses/0/state",
        json!({"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}}),
    );
    stuck(
        &looping,
        Blame::Configuration,
        &["StartError", "exec: \"/nope\""],
    );
    let refused = recorded("config-error").with(
        "/pods/0/status/containerStatuses/0/state/waiting/reason",
        json!("CreateContainerError"),
    );
    stuck(
        &refused,
        Blame::Configuration,
        &["CreateContainerError", "refuses to make it"],
    );
}

#[test]
fn pods_that_are_not_let_in() {
    let parts = [
        "gets no pods",
        "exceeded quota: small",
        "lower requests or replicas",
    ];
    stuck_in_a_moment(recorded("quota"), Blame::Configuration, &parts);
    stuck_in_a_moment(recorded("quota-statefulset"), Blame::Configuration, &parts);
    let parts = ["maximum memory usage per Container is 8Mi", "LimitRange"];
    stuck(&recorded("limit-range"), Blame::Configuration, &parts);
    stuck(
        &recorded("pod-security"),
        Blame::Configuration,
        &["violates PodSecurity"],
    );
    let says = |words: &str| {
        recorded("quota").with("/replica_sets/0/status/conditions/0/message", json!(words))
    };
    let denied = says("admission webhook \"guard.example\" denied the request: no");
    stuck(&denied, Blame::Configuration, &["denied the request: no"]);
    let silent = says("Internal error occurred: failed calling webhook \"guard.example\": timeout");
    stuck_in_a_moment(silent, Blame::Cluster, &["failed calling webhook"]);
}

#[test]
fn a_quota_that_former_pods_give_back_is_awaited() {
    let refused = json!([{"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate",
        "lastTransitionTime": "2026-11-25T00:00:00Z", "message": "exceeded quota: small"}]);
    let scene = recorded("former-leaving");
    let index = scene.json["replica_sets"]
        .as_array()
        .unwrap()
        .iter()
        .position(|set| {
            set["spec"]["template"]["metadata"]["annotations"]["experiment-manager.io/iteration"]
                == "1.2"
        });
    let place = format!("/replica_sets/{}/status/conditions", index.unwrap());
    waits(
        &scene.with(&place, refused).later(Duration::from_mins(1)),
        "exceeded quota",
    );
}

#[test]
fn probes_that_fail() {
    waits(
        &recorded("readiness-probe"),
        "Readiness probe failed: not yet",
    );
    let parts = ["Readiness probe failed: not yet", "deadline"];
    stuck(&recorded("progress-deadline"), Blame::Configuration, &parts);
    let parts = ["Liveness probe failed: not yet", "ended by its own probe"];
    stuck(&recorded("liveness-probe"), Blame::Configuration, &parts);
}

#[test]
fn volumes_and_networks_that_do_not_come() {
    let parts = ["FailedMount", "configmap \"nope\" not found"];
    stuck_in_a_moment(recorded("failed-mount"), Blame::Configuration, &parts);
    let mut other = recorded("failed-mount");
    other.json["events"] = json!([]);
    let network = other
        .clone()
        .warning("FailedCreatePodSandBox", "plugin type=\"bridge\" failed");
    stuck_in_a_moment(
        network,
        Blame::Cluster,
        &["FailedCreatePodSandBox", "network"],
    );
    let attach = other.warning(
        "FailedAttachVolume",
        "AttachVolume.Attach failed: rpc timeout",
    );
    stuck_in_a_moment(attach, Blame::Cluster, &["FailedAttachVolume", "storage"]);
}

#[test]
fn pods_that_are_taken_away() {
    let parts = [
        "Evicted",
        "EmptyDir volume \"v\" exceeds the limit",
        "write less",
    ];
    stuck(&recorded("evicted"), Blame::Configuration, &parts);
    let ended = |reason: &str, message: &str| {
        let status = json!({"phase": "Failed", "reason": reason, "message": message});
        recorded("ready").with("/pods/0/status", status)
    };
    let disk = ended(
        "Evicted",
        "Pod ephemeral local storage usage exceeds the total limit of containers 1Mi.",
    );
    stuck(&disk, Blame::Configuration, &["write less"]);
    let short = ended("Evicted", "The node was low on resource: memory.");
    stuck(&short, Blame::Cluster, &["low on resource: memory"]);
    stuck(
        &ended("OutOfcpu", "Node didn't have enough resource"),
        Blame::Configuration,
        &["OutOfcpu"],
    );
    stuck(
        &ended("NodeShutdown", "node is going down"),
        Blame::Cluster,
        &["NodeShutdown"],
    );

    let leaves = recorded("ready").with(
        "/pods/0/metadata/deletionTimestamp",
        json!("2026-11-25T00:02:36Z"),
    );
    waits(&leaves, "is being removed (by somebody else");
    let displaced = leaves.condition("/pods/0/status/conditions", json!({"type": "DisruptionTarget",
        "status": "True", "reason": "PreemptionByScheduler", "message": "preempting to accommodate a higher priority pod"}));
    stuck(
        &displaced,
        Blame::Cluster,
        &["higher priority", "displaced"],
    );
}

#[test]
fn nodes_that_are_lost() {
    let lost = json!({"type": "Ready", "status": "Unknown", "reason": "NodeStatusUnknown",
        "message": "Kubelet stopped posting node status."});
    let scene = recorded("ready").condition("/nodes/0/status/conditions", lost);
    stuck(
        &scene,
        Blame::Cluster,
        &["em-node", "Kubelet stopped posting"],
    );
}

#[test]
fn pods_that_are_not_resized() {
    let pending = |reason: &str| {
        let pending = json!({"type": "PodResizePending", "status": "True", "reason": reason,
            "lastTransitionTime": "2026-11-25T00:02:36Z", "message": "Node didn't have enough capacity: cpu"});
        recorded("ready")
            .any_iteration()
            .condition("/pods/0/status/conditions", pending)
    };
    stuck(
        &pending("Infeasible"),
        Blame::Configuration,
        &["cannot be resized", "enough capacity: cpu"],
    );
    stuck_in_a_moment(
        pending("Deferred"),
        Blame::Configuration,
        &["cannot be resized", "free the node"],
    );
}

#[test]
fn clocks_that_differ_do_not_make_it_wait_for_ever() {
    let scene = recorded("unschedulable");
    let mut slow = scene.clone();
    slow.asked_at = "2026-11-24T00:00:00Z".parse().unwrap();
    slow.now = "2026-11-24T00:00:03Z".parse().unwrap();
    stuck(&slow, Blame::Configuration, &["Insufficient memory"]);
}
