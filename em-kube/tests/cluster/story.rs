//! What happens to a workload that is held.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use em_core::configuration::Configuration;
use em_core::fault::FaultKind;
use em_core::id::{Epoch, OpKey, SlotId};
use em_core::plan::{ClusterPolicy, KubernetesSpec, Plan};
use em_core::port::{Clock as _, DeployPlan, OpContext, Readiness, SystemClock, Target as _, Undo};
use em_core::testkit::a_plan;
use em_core::value::Value;
use em_kube::hold::{Lease, Owner, Taken, lease_name};
use em_kube::mark;
use em_kube::place::Place;
use em_kube::target::KubernetesTarget;
use serde_json::{Value as Json, json};
use tokio_util::sync::CancellationToken;

use crate::room::Room;

/// One manager with its own store.
pub(crate) struct Manager {
    target: KubernetesTarget,
    plan: Arc<Plan>,
    epoch: Epoch,
}

impl Manager {
    pub(crate) fn of(room: &Room, policy: ClusterPolicy, store: &str, counter: u64) -> Self {
        let spec = room.spec(policy);
        Self {
            target: KubernetesTarget::new(spec.clone(), Arc::new(SystemClock)),
            plan: Arc::new(a_plan().workload(spec).build()),
            epoch: Epoch {
                store: store.to_owned(),
                counter,
            },
        }
    }

    /// The same with another workload, and a plan that is changed.
    pub(crate) fn with(self, spec: KubernetesSpec, change: impl FnOnce(&mut Plan)) -> Self {
        Self {
            target: KubernetesTarget::new(spec.clone(), Arc::new(SystemClock)),
            plan: Arc::new(a_plan().workload(spec).with(change).build()),
            epoch: self.epoch,
        }
    }

    /// Why the deployment will never be ready.
    pub(crate) async fn until_stuck(&self, plan: &DeployPlan) -> String {
        let cx = self.iteration();
        let looks = async {
            loop {
                match self.target.readiness(&cx, plan).await.unwrap() {
                    Readiness::Stuck { why, .. } => return why,
                    Readiness::Progressing { .. } => self.target.changed(&cx).await,
                    Readiness::Ready { .. } => panic!("it is ready"),
                }
            }
        };
        tokio::time::timeout(Duration::from_mins(1), looks)
            .await
            .unwrap()
    }

    pub(crate) async fn restore(&self, undo: Undo) {
        self.target.restore(&self.hold(), Some(undo)).await.unwrap();
    }

    fn cx(&self, key: Json) -> OpContext {
        let key: OpKey = serde_json::from_value(key).unwrap();
        let deadline = SystemClock.now() + Duration::from_mins(1);
        OpContext::new(key, self.epoch.clone(), deadline, CancellationToken::new())
    }

    fn hold(&self) -> OpContext {
        self.cx(json!({"hold": {"experiment": "a", "slot": 0, "n": 1}}))
    }

    fn iteration(&self) -> OpContext {
        self.cx(json!({"iteration": {"experiment": "a", "trial": 1, "iteration": 1}}))
    }

    pub(crate) async fn acquire(&self) -> Result<Undo, em_core::fault::Fault> {
        self.target
            .acquire(&self.hold(), &self.plan, SlotId(0))
            .await
    }

    pub(crate) async fn deploy(
        &self,
        undo: &Undo,
        workers: i64,
    ) -> Result<DeployPlan, em_core::fault::Fault> {
        let values = BTreeMap::from([("workers".parse().unwrap(), Value::Integer(workers))]);
        let configuration: Configuration = values.clone().into_iter().collect();
        let plan = DeployPlan::new(
            Arc::clone(&self.plan),
            SlotId(0),
            Arc::new(configuration),
            Arc::new(values),
            Arc::new(undo.clone()),
        );
        self.target.deploy(&self.iteration(), &plan).await?;
        Ok(plan)
    }

    pub(crate) async fn until_ready(&self, plan: &DeployPlan) {
        let cx = self.iteration();
        let looks = async {
            loop {
                let look = self.target.readiness(&cx, plan).await.unwrap();
                match look {
                    Readiness::Ready { .. } => return,
                    Readiness::Progressing { .. } => self.target.changed(&cx).await,
                    Readiness::Stuck { why, .. } => panic!("{why}"),
                }
            }
        };
        tokio::time::timeout(Duration::from_mins(1), looks)
            .await
            .unwrap();
    }
}

fn env(object: &Json, name: &str) -> Option<String> {
    let containers = Place::of(["spec", "template", "spec", "containers"]);
    let place = containers.named("app").key("env").named(name).key("value");
    Some(place.get(object)?.as_str()?.to_owned())
}

/// What has to be as it was.
fn own(object: &Json) -> (Json, Json, Json) {
    let mut annotations = object["metadata"]["annotations"].clone();
    if let Some(map) = annotations.as_object_mut() {
        map.shift_remove("deployment.kubernetes.io/revision");
    }
    (
        object["spec"].clone(),
        object["metadata"]["labels"].clone(),
        annotations,
    )
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: tests/run cluster"]
async fn the_original_comes_back_exactly_and_nothing_is_left() {
    let room = Room::enter().await;
    room.shop(2).await;
    let before = own(&room.live().await);
    let manager = Manager::of(&room, ClusterPolicy::RollingUpdate, "0123456789abcdef", 1);
    let undo = manager.acquire().await.unwrap();
    let plan = manager.deploy(&undo, 7).await.unwrap();
    manager.until_ready(&plan).await;
    assert_eq!(env(&room.live().await, "WORKERS").as_deref(), Some("7"));
    manager.target.withdraw(&manager.iteration()).await.unwrap();
    manager
        .target
        .restore(&manager.hold(), Some(undo))
        .await
        .unwrap();
    assert_eq!(own(&room.live().await), before);
    for kind in ["lease", "secret"] {
        let left = room.cluster.objects(kind).list(mark::STORE).await.unwrap();
        assert!(left.is_empty(), "{kind}: {left:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: tests/run cluster"]
async fn what_somebody_else_changes_meanwhile_stays_as_they_have_it() {
    let room = Room::enter().await;
    room.shop(1).await;
    let manager = Manager::of(&room, ClusterPolicy::RollingUpdate, "0123456789abcdef", 1);
    let undo = manager.acquire().await.unwrap();
    let plan = manager.deploy(&undo, 7).await.unwrap();
    manager.until_ready(&plan).await;
    let seen = room.live().await;
    let mut theirs = seen.clone();
    let containers = Place::of(["spec", "template", "spec", "containers"]).named("app");
    containers
        .key("env")
        .named("LEVEL")
        .key("value")
        .set(&mut theirs, Some(json!("9")));
    containers
        .key("env")
        .named("WORKERS")
        .key("value")
        .set(&mut theirs, Some(json!("3")));
    room.cluster
        .objects("deployment")
        .change(&seen, &theirs)
        .await
        .unwrap();
    manager
        .target
        .restore(&manager.hold(), Some(undo))
        .await
        .unwrap();
    let live = room.live().await;
    assert_eq!(
        env(&live, "LEVEL").as_deref(),
        Some("9"),
        "not ours to touch"
    );
    assert_eq!(
        env(&live, "WORKERS").as_deref(),
        Some("3"),
        "ours once, theirs now"
    );
    assert!(
        Place::of(["metadata", "annotations"])
            .key(mark::HOLD)
            .get(&live)
            .is_none()
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: tests/run cluster"]
async fn a_manager_that_comes_back_goes_on_with_its_hold() {
    let room = Room::enter().await;
    room.shop(1).await;
    let before = own(&room.live().await);
    let first = Manager::of(&room, ClusterPolicy::RollingUpdate, "0123456789abcdef", 1);
    let undo = first.acquire().await.unwrap();
    first.deploy(&undo, 7).await.unwrap();
    drop(first);
    let second = Manager::of(&room, ClusterPolicy::RollingUpdate, "0123456789abcdef", 2);
    assert_eq!(
        second.acquire().await.unwrap(),
        undo,
        "a changed target is no original"
    );
    second
        .target
        .restore(&second.hold(), Some(undo))
        .await
        .unwrap();
    assert_eq!(own(&room.live().await), before);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: tests/run cluster"]
async fn an_expired_hold_is_put_back_before_it_is_taken_and_its_owner_touches_nothing_more() {
    let room = Room::enter().await;
    room.shop(1).await;
    let before = own(&room.live().await);
    let first = Manager::of(&room, ClusterPolicy::RollingUpdate, "aaaaaaaaaaaaaaaa", 1);
    let undo = first.acquire().await.unwrap();
    first.deploy(&undo, 7).await.unwrap();
    let Manager {
        target,
        plan,
        epoch,
    } = first;
    // Nobody renews it any more.
    drop(target);
    let second = Manager::of(&room, ClusterPolicy::RollingUpdate, "bbbbbbbbbbbbbbbb", 1);
    let refused = second.acquire().await.unwrap_err();
    assert_eq!(refused.kind, FaultKind::Conflict);
    tokio::time::sleep(Duration::from_secs(16)).await;
    let own_undo = second.acquire().await.unwrap();
    let (spec, labels, _) = own(&room.live().await);
    assert_eq!(
        (spec, labels),
        (before.0.clone(), before.1.clone()),
        "put back before it was taken"
    );

    let back = Manager {
        target: KubernetesTarget::new(
            room.spec(ClusterPolicy::RollingUpdate),
            Arc::new(SystemClock),
        ),
        plan,
        epoch,
    };
    // A controller may still write the status.
    let version = |object: &Json| (object["metadata"]["generation"].clone(), own(object));
    let seen = version(&room.live().await);
    assert_eq!(back.acquire().await.unwrap_err().kind, FaultKind::Conflict);
    back.target.restore(&back.hold(), Some(undo)).await.unwrap();
    assert_eq!(
        version(&room.live().await),
        seen,
        "who lost the object touches nothing"
    );
    second
        .target
        .restore(&second.hold(), Some(own_undo))
        .await
        .unwrap();
    assert_eq!(own(&room.live().await), before);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: tests/run cluster"]
async fn who_ended_while_taking_over_puts_the_former_original_back_all_the_same() {
    let room = Room::enter().await;
    room.shop(1).await;
    let before = own(&room.live().await);
    let first = Manager::of(&room, ClusterPolicy::RollingUpdate, "aaaaaaaaaaaaaaaa", 1);
    let undo = first.acquire().await.unwrap();
    first.deploy(&undo, 7).await.unwrap();
    drop(first);
    tokio::time::sleep(Duration::from_secs(16)).await;

    let second = Manager::of(&room, ClusterPolicy::RollingUpdate, "bbbbbbbbbbbbbbbb", 1);
    let name = lease_name(&"deployment/shop".parse().unwrap());
    let lease = Lease::new(&room.cluster, &name, Owner::of(&second.hold()));
    let taken = lease.take(&SystemClock).await.unwrap();
    assert!(matches!(taken, Taken::From(_)), "{taken:?}");
    assert_eq!(
        env(&room.live().await, "WORKERS").as_deref(),
        Some("7"),
        "nothing is put back yet"
    );

    let again = second.acquire().await.unwrap();
    assert_eq!(env(&room.live().await, "WORKERS"), None);
    let taken = lease.take(&SystemClock).await.unwrap();
    assert_eq!(taken, Taken::Again, "it is put back once");
    second.restore(again).await;
    assert_eq!(own(&room.live().await), before);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: tests/run cluster"]
async fn a_lease_that_was_removed_by_hand_leaves_nothing_changed() {
    let room = Room::enter().await;
    room.shop(1).await;
    let before = own(&room.live().await);
    let manager = Manager::of(&room, ClusterPolicy::RollingUpdate, "0123456789abcdef", 1);
    let undo = manager.acquire().await.unwrap();
    manager.deploy(&undo, 7).await.unwrap();
    let name = lease_name(&"deployment/shop".parse().unwrap());
    room.cluster
        .objects("lease")
        .remove(&name, None)
        .await
        .unwrap();
    manager.restore(undo).await;
    assert_eq!(own(&room.live().await), before);
    let secrets = room
        .cluster
        .objects("secret")
        .list(mark::STORE)
        .await
        .unwrap();
    assert!(secrets.is_empty(), "{secrets:?}");
}
