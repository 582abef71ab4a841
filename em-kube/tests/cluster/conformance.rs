//! Every policy obeys the rules of the port.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::sync::Arc;

use em_core::id::Epoch;
use em_core::plan::{ClusterPolicy, Plan};
use em_core::port::SystemClock;
use em_core::testkit::a_plan;
use em_core::testkit::conformance::{TargetScene, target};
use em_kube::target::KubernetesTarget;
use serde_json::json;

use crate::room::Room;

fn a_knob(plan: &mut Plan, policy: ClusterPolicy) {
    let apply = if policy == ClusterPolicy::Resize {
        json!({"resource": {"resource": "cpu", "of": "limit"}})
    } else {
        json!({"env": {"name": "WORKERS", "piece": null, "replaces": null}})
    };
    let tunable = plan.tunables.first_mut().unwrap();
    tunable.default = Some(em_core::value::Value::Integer(1));
    tunable.apply = serde_json::from_value(json!([apply])).unwrap();
    if policy == ClusterPolicy::Observe {
        plan.tunables.clear();
    }
}

async fn scene(policy: ClusterPolicy) -> TargetScene {
    let room = Room::enter().await;
    room.shop(1).await;
    let spec = room.spec(policy);
    let plan = a_plan()
        .workload(spec.clone())
        .with(|plan| a_knob(plan, policy))
        .build();
    let clock = Arc::new(SystemClock);
    TargetScene {
        target: Arc::new(KubernetesTarget::new(spec, clock)),
        plan: Arc::new(plan),
        epoch: Epoch {
            store: "0123456789abcdef".into(),
            counter: 1,
        },
        locks: policy.is_in_place(),
        deploys: policy == ClusterPolicy::NewDeployment,
        keep: Box::new(room),
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: tests/run cluster"]
async fn rolling_update_obeys_the_rules() {
    target(async || scene(ClusterPolicy::RollingUpdate).await).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: tests/run cluster"]
async fn new_deployment_obeys_the_rules() {
    target(async || scene(ClusterPolicy::NewDeployment).await).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: tests/run cluster"]
async fn resize_obeys_the_rules() {
    target(async || scene(ClusterPolicy::Resize).await).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: tests/run cluster"]
async fn observe_obeys_the_rules() {
    target(async || scene(ClusterPolicy::Observe).await).await;
}
