//! What hits the whole cluster: its node and its API server. Nothing else runs meanwhile.

use super::case::{After, CASE, Case, Cause, Expected, When, spoiled};

/// A trial that works, in a cluster that is hit.
const HIT: Case = Case {
    value: "good",
    cycle: "6s",
    is_alone: true,
    cause: Cause::Act,
    ..CASE
};

/// Of every kind one.
pub(super) const CASES: &[Case] = &[
    Case {
        name: "cordoned",
        act: "kubectl cordon --selector=kubernetes.io/os=linux",
        when: When::Held,
        clean: "kubectl uncordon --selector=kubernetes.io/os=linux",
        cause: Cause::Pod("Unschedulable"),
        expected: spoiled(&["were unschedulable"]),
        ..HIT
    },
    Case {
        name: "node-tainted",
        act: "kubectl taint nodes --all test=now:NoExecute; sleep 3; kubectl taint nodes --all test-",
        clean: "kubectl taint nodes --all test- || true",
        expected: spoiled(&["failed in collect, blame cluster: pod"]),
        ..HIT
    },
    Case {
        name: "api-server-restarted",
        act: r#"source "$CLUSTER/lib.sh"; select_cluster "$(basename "$STATE")"
pid=$(pid_of apiserver)
mapfile -d '' -t command <"/proc/$pid/cmdline"
kill -9 "$pid"
start apiserver "${command[@]}"
until kubectl get --raw /readyz >/dev/null 2>&1; do sleep 0.2; done"#,
        expected: Expected {
            code: Some(0),
            outcome: Some("measured"),
            words: &["t1 joins"],
        },
        ..HIT
    },
    Case {
        name: "node-not-ready",
        act: "kill -STOP $(cat $STATE/pids/kubelet); (sleep 60; kill -CONT $(cat $STATE/pids/kubelet)) >/dev/null 2>&1 &",
        cycle: "58s",
        clean: "kill -CONT $(cat $STATE/pids/kubelet); kubectl wait --for=condition=Ready node --all --timeout=60s",
        cause: Cause::Node("NodeStatusUnknown"),
        expected: spoiled(&["not ready"]),
        after: After::Same,
        ..HIT
    },
];
