//! What others do in mid-trial.

use super::case::{After, CASE, Case, Cause, Expected, When, ends, fails, spoiled};

/// A trial that works, until somebody does something.
const MIDWAY: Case = Case {
    value: "good",
    cycle: "4s",
    cause: Cause::Act,
    ..CASE
};

/// Of every kind one.
pub(super) const CASES: &[Case] = &[
    Case {
        name: "reverted",
        tunable: "range: [1, 9], apply: { env: LEVEL }",
        value: "7",
        act: r#"kubectl -n $NS patch deployment demo -p '{"spec":{"template":{"spec":{"containers":[{"name":"demo","env":[{"name":"LEVEL","value":"1"}]}]}}}}'"#,
        expected: spoiled(&["somebody else changed"]),
        after: After::Theirs,
        ..MIDWAY
    },
    Case {
        name: "pod-deleted",
        act: "kubectl -n $NS delete pod -l app=demo --wait=false",
        expected: spoiled(&["failed in collect, blame cluster: pod"]),
        ..MIDWAY
    },
    Case {
        name: "pod-evicted",
        act: r#"pod=$(kubectl -n $NS get pod -l app=demo -o name | head -1 | cut -d/ -f2)
echo "{\"apiVersion\":\"policy/v1\",\"kind\":\"Eviction\",\"metadata\":{\"name\":\"$pod\",\"namespace\":\"$NS\"}}" |
    kubectl create --raw /api/v1/namespaces/$NS/pods/$pod/eviction -f -"#,
        expected: spoiled(&["failed in collect, blame cluster: pod"]),
        ..MIDWAY
    },
    Case {
        name: "oom-in-window",
        bad: "httpd -p 8080 -h /tmp; until [ -e /tmp/go ]; do sleep 0.1; done; exec tail /dev/zero",
        value: "bad",
        act: "kubectl -n $NS exec deployment/demo -- touch /tmp/go",
        cause: Cause::Pod("OOMKilled"),
        expected: spoiled(&["OOM"]),
        ..MIDWAY
    },
    Case {
        name: "crash-in-window",
        bad: "httpd -p 8080 -h /tmp; until [ -e /tmp/go ]; do sleep 0.1; done; exit 7",
        value: "bad",
        act: "kubectl -n $NS exec deployment/demo -- touch /tmp/go",
        cause: Cause::Pod("\"exitCode\":7"),
        expected: spoiled(&["exit code 7"]),
        ..MIDWAY
    },
    Case {
        name: "scaled",
        act: "kubectl -n $NS scale deployment demo --replicas=2",
        expected: spoiled(&["changed the replicas"]),
        after: After::Theirs,
        ..MIDWAY
    },
    Case {
        name: "rolled-out-again",
        act: "kubectl -n $NS rollout restart deployment demo",
        expected: spoiled(&["somebody else changed"]),
        after: After::Theirs,
        ..MIDWAY
    },
    Case {
        name: "workload-deleted",
        act: "kubectl -n $NS delete deployment demo --wait=false",
        expected: fails("failed target", &["gone"]),
        after: After::Gone,
        ..MIDWAY
    },
    Case {
        name: "lease-stolen",
        act: r"epoch=fedcba9876543210.9
kubectl -n $NS annotate lease em-deployment-demo --overwrite experiment-manager.io/epoch=$epoch
kubectl -n $NS annotate deployment demo --overwrite experiment-manager.io/taken=by-somebody",
        expected: fails("failed cluster", &["taken over"]),
        after: After::Foreign,
        ..MIDWAY
    },
    Case {
        name: "quota-in-mid-trial",
        act: "kubectl -n $NS create quota small --hard=pods=1; (sleep 25; kubectl -n $NS delete quota small) >/dev/null 2>&1 &",
        cycle: "1s",
        when: When::Ready,
        cause: Cause::Event("exceeded quota"),
        expected: ends("infeasible", &["exceeded quota"]),
        ..MIDWAY
    },
    Case {
        name: "limits-changed",
        prepare: r#"kubectl apply -f - <<Y
apiVersion: v1
kind: LimitRange
metadata: { name: bounds, namespace: $NS }
spec: { limits: [{ type: Container, default: { cpu: 200m } }] }
Y
kubectl -n $NS patch deployment demo --type=json -p '[{"op":"remove","path":"/spec/template/spec/containers/0/resources/limits/cpu"}]'
kubectl -n $NS rollout status deployment demo --timeout=30s"#,
        cycle: "1s",
        cause: Cause::Before,
        expected: Expected {
            code: Some(0),
            outcome: Some("measured"),
            words: &["t1 joins"],
        },
        ..MIDWAY
    },
];
