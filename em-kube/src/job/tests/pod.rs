use serde_json::{Value as Json, json};

use super::super::pod::{Stage, Verdict, judge, stage};

fn pod(name: &str, state: &Json) -> Json {
    json!({
        "metadata": { "name": name },
        "status": { "phase": "Running", "containerStatuses": [
            { "name": "sidecar", "state": { "terminated": { "exitCode": 1 } } },
            { "name": "load", "state": state },
        ] },
    })
}

fn ended(code: i32) -> Json {
    json!({ "terminated": {
        "exitCode": code, "reason": if code == 0 { "Completed" } else { "Error" },
        "startedAt": "2026-11-24T10:00:00Z", "finishedAt": "2026-11-24T10:00:09Z",
    } })
}

fn running() -> Json {
    json!({ "running": { "startedAt": "2026-11-24T10:00:00Z" } })
}

#[test]
fn every_way_to_fail_is_named() {
    let waiting = |reason: &str, message: &str| {
        pod(
            "a",
            &json!({ "waiting": { "reason": reason, "message": message } }),
        )
    };
    let mut evicted = pod("a", &json!({}));
    evicted["status"] =
        json!({ "phase": "Failed", "reason": "Evicted", "message": "node had disk pressure" });
    let mut removed = pod("a", &running());
    removed["metadata"]["deletionTimestamp"] = json!("2026-11-24T10:00:00Z");
    let mut disrupted = removed.clone();
    disrupted["status"]["conditions"] = json!([
        { "type": "DisruptionTarget", "reason": "DeletionByTaintManager", "message": "node is not ready" },
    ]);
    let killed = json!({ "terminated": { "exitCode": 137, "reason": "OOMKilled" } });
    for (pod, why) in [
        (pod("a", &ended(3)), "ended with exit code 3"),
        (pod("a", &killed), "ended with exit code 137 (OOMKilled)"),
        (evicted, "failed: Evicted: node had disk pressure"),
        (removed, "is being removed, and not by the manager"),
        (
            disrupted,
            "is being removed: DeletionByTaintManager: node is not ready",
        ),
        (
            waiting("ImagePullBackOff", "no such image"),
            "does not start: ImagePullBackOff: no such image",
        ),
        (
            waiting("CreateContainerConfigError", "secret \"x\" not found"),
            "does not start: CreateContainerConfigError: secret \"x\" not found",
        ),
    ] {
        assert_eq!(stage(&pod, &[0]), Stage::Failed(why.to_owned()));
    }
}

#[test]
fn what_may_still_come_is_waited_for_and_says_what_it_waits_for() {
    let pull = pod(
        "a",
        &json!({ "waiting": { "reason": "ErrImagePull", "message": "timeout" } }),
    );
    let said = Some("waits: ErrImagePull: timeout".to_owned());
    assert_eq!(stage(&pull, &[0]), Stage::Waiting(said));
    let unscheduled = json!({ "metadata": { "name": "a" }, "status": { "phase": "Pending", "conditions": [
        { "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "1 Insufficient cpu" },
    ] } });
    let said = Some("finds no node: Unschedulable: 1 Insufficient cpu".to_owned());
    assert_eq!(stage(&unscheduled, &[0]), Stage::Waiting(said));
    assert_eq!(stage(&json!({}), &[0]), Stage::Waiting(None));
}

#[test]
fn a_run_is_what_all_its_pods_are() {
    let of = |states: &[Json]| {
        let pods: Vec<Json> = states.iter().map(|state| pod("a", state)).collect();
        judge(&pods, 2, &[0, 99])
    };
    assert_eq!(of(&[]), Verdict::Waiting(None));
    assert_eq!(
        of(&[running()]),
        Verdict::Waiting(None),
        "one is not there yet"
    );
    assert_eq!(of(&[running(), running()]), Verdict::Running);
    assert_eq!(of(&[running(), ended(0)]), Verdict::Ending);
    assert_eq!(of(&[ended(99), ended(0)]), Verdict::Ended);
    let failed = of(&[running(), ended(1)]);
    let why = "ended with exit code 1".to_owned();
    assert_eq!(
        failed,
        Verdict::Failed {
            pod: "a".to_owned(),
            why
        }
    );
}
