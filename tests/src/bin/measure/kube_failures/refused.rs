//! What is refused before anything is done.

use super::case::{CASE, Case, Expected, Names, refused};

/// Of every kind one.
pub(super) const CASES: &[Case] = &[
    Case {
        name: "context-unknown",
        names: Names {
            context: "elsewhere",
            ..CASE.names
        },
        expected: Expected {
            code: Some(1),
            ..refused(&["there is no context \"elsewhere\"", "em-prod"])
        },
        ..CASE
    },
    Case {
        name: "namespace-unknown",
        names: Names {
            namespace: Some("nowhere"),
            ..CASE.names
        },
        expected: refused(&["nowhere"]),
        ..CASE
    },
    Case {
        name: "workload-unknown",
        names: Names {
            workload: "deployment/other",
            ..CASE.names
        },
        expected: refused(&["deployment/other"]),
        ..CASE
    },
    Case {
        name: "container-unknown",
        target: "  container: app",
        expected: refused(&["app"]),
        ..CASE
    },
    Case {
        name: "service-missing",
        names: Names {
            service: "other",
            ..CASE.names
        },
        expected: refused(&["no Service other"]),
        ..CASE
    },
    Case {
        name: "service-selects-nothing",
        prepare: r#"kubectl -n $NS patch service demo -p '{"spec":{"selector":{"app":"other"}}}'"#,
        expected: refused(&["demo"]),
        ..CASE
    },
    Case {
        name: "autoscaler",
        prepare: "kubectl -n $NS autoscale deployment demo --cpu-percent=50 --min=1 --max=3",
        tunable: "range: [1, 3], apply: { replicas: true }",
        value: "2",
        expected: refused(&["utoscaler"]),
        ..CASE
    },
    Case {
        name: "gitops-owner",
        prepare: "kubectl -n $NS label deployment demo argocd.argoproj.io/instance=shop",
        expected: refused(&["Argo CD"]),
        ..CASE
    },
    Case {
        name: "paused",
        prepare: "kubectl -n $NS rollout pause deployment demo",
        expected: refused(&["paused"]),
        ..CASE
    },
    Case {
        name: "claim-of-one-node",
        policy: "new-deployment",
        prepare: r#"kubectl apply -f - <<Y
apiVersion: v1
kind: PersistentVolumeClaim
metadata: { name: data, namespace: $NS }
spec: { accessModes: [ReadWriteOnce], storageClassName: "", resources: { requests: { storage: 1Gi } } }
Y
kubectl -n $NS patch deployment demo -p '{"spec":{"template":{"spec":{"volumes":[{"name":"data","persistentVolumeClaim":{"claimName":"data"}}]}}}}'"#,
        expected: refused(&["ReadWriteOnce"]),
        ..CASE
    },
    Case {
        name: "rights-missing",
        prepare: r#"kubectl -n $NS create serviceaccount weak
kubectl -n $NS create role weak --verb=get,list,watch --resource=deployments,pods,services,events,replicasets,leases
kubectl -n $NS create rolebinding weak --role=weak --serviceaccount=$NS:weak
token=$(kubectl -n $NS create token weak)
cp "$KUBECONFIG" "$CONFIG"
kubectl --kubeconfig="$CONFIG" config set-credentials weak --token="$token"
for context in em-test; do kubectl --kubeconfig="$CONFIG" config set-context $context --user=weak; done"#,
        expected: refused(&["patch"]),
        ..CASE
    },
    Case {
        name: "no-room",
        tunable: "range: [1, 900], apply: { resource: cpu, of: both }",
        value: "800",
        expected: refused(&["node"]),
        ..CASE
    },
    Case {
        name: "quota",
        prepare: "kubectl -n $NS create quota small --hard=limits.memory=48Mi",
        tunable: "range: [16Mi, 1Gi], apply: { resource: memory, of: both }",
        value: "512Mi",
        expected: refused(&["small"]),
        ..CASE
    },
    Case {
        name: "limit-range",
        prepare: r"kubectl apply -f - <<Y
apiVersion: v1
kind: LimitRange
metadata: { name: bounds, namespace: $NS }
spec: { limits: [{ type: Container, max: { memory: 256Mi } }] }
Y",
        tunable: "range: [16Mi, 1Gi], apply: { resource: memory, of: both }",
        value: "512Mi",
        expected: refused(&["bounds"]),
        ..CASE
    },
    Case {
        name: "held-by-another",
        prepare: r#"now=$(date -u +%Y-%m-%dT%H:%M:%S.000000Z)
kubectl apply -f - <<Y
apiVersion: coordination.k8s.io/v1
kind: Lease
metadata: { name: em-deployment-demo, namespace: $NS }
spec: { holderIdentity: somebody, leaseDurationSeconds: 3600, renewTime: "$now", acquireTime: "$now" }
Y"#,
        expected: refused(&["em-deployment-demo"]),
        ..CASE
    },
];
