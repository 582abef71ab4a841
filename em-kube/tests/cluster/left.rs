//! What a manager that is gone left behind: listed, put back and removed by what the cluster alone knows.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use em_core::id::{Epoch, IterationNo, OpKey, SlotId, TrialId};
use em_core::plan::{ClusterPolicy, Plan};
use em_core::port::{Clock as _, DeployPlan, OpContext, SystemClock, Target as _};
use em_core::testkit::a_plan;
use em_core::value::Value;
use em_kube::command::things::{What, look};
use em_kube::command::{clean, restore};
use em_kube::hold::Annotation;
use em_kube::target::KubernetesTarget;
use serde_json::{Value as Json, json};
use tokio_util::sync::CancellationToken;

use crate::room::Room;

fn plan(room: &Room, policy: ClusterPolicy) -> Arc<Plan> {
    let knob = |plan: &mut Plan| {
        let tunable = plan.tunables.first_mut().unwrap();
        let apply = json!([{"env": {"name": "LEVEL", "piece": null, "replaces": null}}]);
        tunable.apply = serde_json::from_value(apply).unwrap();
    };
    let built = a_plan().workload(room.spec(policy)).with(knob).build();
    Arc::new(built)
}

fn context(key: OpKey) -> OpContext {
    let epoch = Epoch {
        store: "0123456789abcdef".into(),
        counter: 1,
    };
    let deadline = SystemClock.now() + Duration::from_mins(2);
    OpContext::new(key, epoch, deadline, CancellationToken::new())
}

/// A manager that has changed its target; dropping it is its death.
async fn manager(room: &Room, policy: ClusterPolicy) -> KubernetesTarget {
    let plan = plan(room, policy);
    let target = KubernetesTarget::new(room.spec(policy), Arc::new(SystemClock));
    let experiment = plan.name.clone();
    let hold = OpKey::Hold {
        experiment: experiment.clone(),
        slot: SlotId(0),
        n: 1,
    };
    let undo = target
        .acquire(&context(hold), &plan, SlotId(0))
        .await
        .unwrap();
    let name = plan.tunables.first().unwrap().name.clone();
    let values = BTreeMap::from([(name, Value::Integer(7))]);
    let configuration = Arc::new(values.clone().into_iter().collect());
    let deploy = DeployPlan::new(
        plan,
        SlotId(0),
        configuration,
        Arc::new(values),
        Arc::new(undo),
    );
    let iteration = OpKey::Iteration {
        experiment,
        trial: TrialId(1),
        iteration: IterationNo(1),
    };
    target.deploy(&context(iteration), &deploy).await.unwrap();
    target
}

fn level(live: &Json) -> &Json {
    &live["spec"]["template"]["spec"]["containers"][0]["env"][0]["value"]
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: tests/run cluster"]
async fn a_held_object_is_put_back_without_a_store() {
    let room = Room::enter().await;
    room.shop(1).await;
    let shop = "deployment/shop".parse().unwrap();
    assert!(restore::look(&room.cluster, &shop).await.unwrap().is_none());
    let manager = manager(&room, ClusterPolicy::RollingUpdate).await;
    assert_eq!(level(&room.live().await), "7");

    let held = restore::look(&room.cluster, &shop).await.unwrap().unwrap();
    assert!(
        held.is_owned(&room.cluster, &SystemClock).await.unwrap(),
        "its manager is alive"
    );
    drop(manager);
    tokio::time::sleep(Duration::from_secs(17)).await;
    assert!(!held.is_owned(&room.cluster, &SystemClock).await.unwrap());

    let cleaning = clean::plan(&room.cluster, &SystemClock).await.unwrap();
    assert!(
        cleaning.remove.is_empty(),
        "it is still changed: {cleaning:?}"
    );
    let deadline = SystemClock.now() + Duration::from_mins(1);
    let restored = held.put_back(&room.cluster, deadline).await.unwrap();
    assert!(restored.left.is_empty(), "{restored:?}");
    assert!(
        restored
            .back
            .iter()
            .any(|place| place.contains("env[LEVEL]")),
        "{restored:?}"
    );
    let live = room.live().await;
    assert_eq!(level(&live), "1");
    assert!(!Annotation::is_on(&live));
    let left = look(&room.cluster, false, &SystemClock).await.unwrap();
    assert_eq!(left.things, [], "{left:?}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: tests/run cluster"]
async fn copies_of_a_manager_that_is_gone_are_removed() {
    let room = Room::enter().await;
    room.shop(1).await;
    let manager = manager(&room, ClusterPolicy::NewDeployment).await;
    let alive = clean::plan(&room.cluster, &SystemClock).await.unwrap();
    assert!(alive.remove.is_empty(), "{alive:?}");
    drop(manager);
    tokio::time::sleep(Duration::from_secs(17)).await;

    let cleaning = clean::plan(&room.cluster, &SystemClock).await.unwrap();
    let removed = cleaning.remove.iter().map(|thing| thing.what);
    assert_eq!(removed.collect::<Vec<_>>(), [What::Lease], "{cleaning:?}");
    assert!(
        cleaning.along.len() >= 2,
        "the copy and its Service: {cleaning:?}"
    );
    let failed = clean::carry_out(&room.cluster, &cleaning).await;
    assert_eq!(failed, [""; 0]);
    let gone = async {
        while !look(&room.cluster, false, &SystemClock)
            .await
            .unwrap()
            .things
            .is_empty()
        {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), gone)
        .await
        .unwrap();
    assert_eq!(level(&room.live().await), "1");
}
