//! What the checks find in objects.

mod access;
mod conflicts;
mod references;
mod room;
mod sharing;
mod table;
mod today;

use em_core::plan::{KubernetesSpec, Plan, TargetSpec};
use em_core::port::{Finding, Severity};
use serde_json::{Value as Json, json};

use super::subject::Subject;

/// A Deployment with three healthy pods.
fn deployment() -> Json {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "checkout", "namespace": "shop", "generation": 2},
        "spec": {
            "replicas": 3,
            "selector": {"matchLabels": {"app": "checkout"}},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": 0}},
            "template": {
                "metadata": {"labels": {"app": "checkout", "tier": "web"}},
                "spec": {"containers": [{
                    "name": "app", "image": "registry.example/shop:1.4",
                    "args": ["serve", "--threads=8"],
                    "env": [{"name": "WORKERS", "value": "4"}, {"name": "JAVA", "value": "-Xmx512m -XX:+UseG1GC -Dx=1"}],
                    "resources": {"requests": {"cpu": "500m", "memory": "1Gi"}, "limits": {"cpu": "1", "memory": "1Gi"}},
                }]},
            },
        },
        "status": {"observedGeneration": 2, "replicas": 3, "updatedReplicas": 3, "availableReplicas": 3},
    })
}

/// The object with something merged over it.
fn with(mut object: Json, more: &Json) -> Json {
    json_patch::merge(&mut object, more);
    object
}

fn spec(more: &Json) -> KubernetesSpec {
    let spec = json!({
        "context": "test", "namespace": "shop", "workload": "deployment/checkout", "container": null,
        "policy": "rolling-update", "service": null, "ready": null, "settle": {"secs": 1, "nanos": 0},
        "prices": null, "slots": 1,
    });
    serde_json::from_value(with(spec, more)).unwrap()
}

fn knob(name: &str, domain: &Json, apply: &Json) -> Json {
    json!({ "name": name, "domain": domain, "default": null, "prior": null, "apply": [apply] })
}

fn range(low: &str, high: &str) -> Json {
    json!({"type": "quantity", "low": low, "high": high, "step": null})
}

fn integers(low: i64, high: i64) -> Json {
    json!({"type": "integer", "low": low, "high": high, "step": 1})
}

fn plan(spec: &KubernetesSpec, tunables: &[Json]) -> Plan {
    let mut plan = em_core::testkit::a_plan().build();
    plan.tunables = serde_json::from_value(json!(tunables)).unwrap();
    plan.baseline = em_core::plan::Baseline::Live;
    plan.target = TargetSpec::Kubernetes(Box::new(spec.clone()));
    plan
}

/// A check of one object under one specification.
struct Scene {
    spec: KubernetesSpec,
    plan: Plan,
    object: Json,
}

impl Scene {
    fn new(more: &Json, tunables: &[Json], object: Json) -> Self {
        let spec = spec(more);
        let plan = plan(&spec, tunables);
        Self { spec, plan, object }
    }

    fn subject(&self) -> Subject<'_> {
        Subject {
            spec: &self.spec,
            plan: &self.plan,
            namespace: "shop",
            object: &self.object,
        }
    }
}

/// The only finding: its severity, and a part of its sentence.
fn assert_one(findings: &[Finding], severity: Severity, part: &str) {
    let [finding] = findings else {
        panic!("not one finding: {findings:?}");
    };
    assert_eq!(finding.severity, severity, "{finding:?}");
    assert!(
        finding.sentence().contains(part),
        "{:?} has no {part:?}",
        finding.sentence()
    );
}
