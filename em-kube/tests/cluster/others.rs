//! Objects other than workloads: custom resources, what a workload reads, autoscalers.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use em_core::plan::{Autoscaler, ClusterPolicy, KubernetesSpec, ReadyWhen};
use em_kube::mark;
use em_kube::place::Place;
use kube::api::{ApiResource, Patch, PatchParams};
use kube::core::GroupVersionKind;
use serde_json::{Value as Json, json};

use crate::room::Room;
use crate::story::Manager;

fn widgets() -> ApiResource {
    let gvk = GroupVersionKind::gvk("tests.experiment-manager.io", "v1", "Widget");
    ApiResource::from_gvk_with_plural(&gvk, "widgets")
}

/// The kind `Widget`, which has a size and a status.
async fn define_widgets(room: &Room) {
    let gvk = GroupVersionKind::gvk("apiextensions.k8s.io", "v1", "CustomResourceDefinition");
    let resource = ApiResource::from_gvk_with_plural(&gvk, "customresourcedefinitions");
    let definitions: kube::Api<kube::api::DynamicObject> =
        kube::Api::all_with(room.cluster.client(), &resource);
    let open = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.tests.experiment-manager.io"},
        "spec": {
            "group": "tests.experiment-manager.io", "scope": "Namespaced",
            "names": {"kind": "Widget", "plural": "widgets"},
            "versions": [{
                "name": "v1", "served": true, "storage": true, "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {
                    "spec": {"type": "object", "properties": {"size": {"type": "integer"}, "name": {"type": "string"}}},
                    "status": open,
                }}},
            }],
        },
    });
    let params = PatchParams::apply("tests").force();
    definitions
        .patch(
            "widgets.tests.experiment-manager.io",
            &params,
            &Patch::Apply(definition),
        )
        .await
        .unwrap();
    let widgets = room.cluster.objects_of(&widgets());
    while widgets.list("").await.is_err() {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}

fn patched_by(spec: &mut KubernetesSpec, manager: Manager, apply: &Json) -> Manager {
    manager.with(spec.clone(), |plan| {
        let tunable = plan.tunables.first_mut().unwrap();
        tunable.apply = serde_json::from_value(json!([apply])).unwrap();
    })
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: tests/run cluster"]
async fn a_custom_resource_is_patched_awaited_and_put_back() {
    let room = Room::enter().await;
    define_widgets(&room).await;
    let widgets = room.cluster.objects_of(&widgets());
    let widget = json!({
        "apiVersion": "tests.experiment-manager.io/v1", "kind": "Widget",
        "metadata": {"name": "main"}, "spec": {"size": 1, "name": "a"},
    });
    widgets.create(&widget).await.unwrap();
    let mut spec = KubernetesSpec {
        workload: "widgets.tests.experiment-manager.io/main".parse().unwrap(),
        ready: Some(ReadyWhen::Path {
            path: "$.spec.size".to_owned(),
            is: "5".to_owned(),
        }),
        ..room.spec(ClusterPolicy::RollingUpdate)
    };
    let manager = Manager::of(&room, ClusterPolicy::RollingUpdate, "0123456789abcdef", 1);
    let body = json!({"spec": {"size": "{{value}}"}});
    let apply = json!({"patch": {"kind": "merge", "object": null, "body": body}});
    let manager = patched_by(&mut spec, manager, &apply);

    let undo = manager.acquire().await.unwrap();
    let plan = manager.deploy(&undo, 5).await.unwrap();
    manager.until_ready(&plan).await;
    assert_eq!(
        widgets.need("main").await.unwrap()["spec"],
        json!({"size": 5, "name": "a"})
    );
    manager.restore(undo).await;
    let live = widgets.need("main").await.unwrap();
    assert_eq!(live["spec"], widget["spec"]);
    assert!(live["metadata"].get("annotations").is_none(), "{live}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: tests/run cluster"]
async fn a_configmap_is_changed_with_its_workload_and_put_back() {
    let room = Room::enter().await;
    room.shop(1).await;
    let configs = room.cluster.objects("configmap");
    let config = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"},
        "data": {"workers": "2", "level": "info"},
    });
    configs.create(&config).await.unwrap();
    let mut spec = room.spec(ClusterPolicy::RollingUpdate);
    let manager = Manager::of(&room, ClusterPolicy::RollingUpdate, "0123456789abcdef", 1);
    let body = json!({"data": {"workers": "{{value}} threads"}});
    let apply = json!({"patch": {"kind": "merge", "object": "configmap/settings", "body": body}});
    let manager = patched_by(&mut spec, manager, &apply);

    let undo = manager.acquire().await.unwrap();
    let plan = manager.deploy(&undo, 5).await.unwrap();
    manager.until_ready(&plan).await;
    let changed = configs.need("settings").await.unwrap();
    assert_eq!(
        changed["data"],
        json!({"workers": "5 threads", "level": "info"})
    );
    manager.restore(undo).await;
    let live = configs.need("settings").await.unwrap();
    assert_eq!(live["data"], config["data"]);
    assert!(live["metadata"].get("annotations").is_none(), "{live}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: tests/run cluster"]
async fn a_pinned_autoscaler_is_held_and_set_free_again() {
    pinned(ClusterPolicy::RollingUpdate).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: tests/run cluster"]
async fn it_is_pinned_too_where_pods_are_resized() {
    pinned(ClusterPolicy::Resize).await;
}

async fn pinned(policy: ClusterPolicy) {
    let room = Room::enter().await;
    room.shop(1).await;
    let scalers = room.cluster.objects("horizontalpodautoscaler");
    let scaler = json!({
        "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "shop"},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "shop"},
            "minReplicas": 1, "maxReplicas": 4,
        },
    });
    scalers.create(&scaler).await.unwrap();
    let spec = KubernetesSpec {
        autoscaler: Autoscaler::Pin,
        ..room.spec(policy)
    };
    let manager = Manager::of(&room, policy, "0123456789abcdef", 1);
    let manager = manager.with(spec, |plan| {
        if policy == ClusterPolicy::Resize {
            let cpu = json!([{"resource": {"resource": "cpu", "of": "limit"}}]);
            plan.tunables.first_mut().unwrap().apply = serde_json::from_value(cpu).unwrap();
        }
    });
    let undo = manager.acquire().await.unwrap();
    let plan = manager.deploy(&undo, 1).await.unwrap();
    manager.until_ready(&plan).await;
    let ends = |scaler: &Json| {
        let end = |key: &str| Place::of(["spec", key]).get(scaler).and_then(Json::as_i64);
        (end("minReplicas"), end("maxReplicas"))
    };
    let held = scalers.need("shop").await.unwrap();
    assert_eq!(ends(&held), (Some(1), Some(1)));
    manager.restore(undo).await;
    let free = scalers.need("shop").await.unwrap();
    assert_eq!(ends(&free), (Some(1), Some(4)));
    let hold = Place::of(["metadata", "annotations"]).key(mark::HOLD);
    assert!(hold.get(&free).is_none());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: tests/run cluster"]
async fn a_statefulset_that_waits_for_a_broken_pod_is_put_back() {
    let room = Room::enter().await;
    let sets = room.cluster.objects("statefulset");
    let set = crate::room::stateful_set();
    sets.create(&set).await.unwrap();
    let ready = async || {
        let live = sets.need("shop").await.unwrap();
        live["status"]["readyReplicas"] == 1
    };
    while !ready().await {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    let mut spec = KubernetesSpec {
        workload: "statefulset/shop".parse().unwrap(),
        ..room.spec(ClusterPolicy::RollingUpdate)
    };
    let manager = Manager::of(&room, ClusterPolicy::RollingUpdate, "0123456789abcdef", 1);
    // No such image: the pod never becomes ready.
    let apply = json!({"image": {"reference": {"text": "localhost/nothing:{{value}}"}}});
    let manager = patched_by(&mut spec, manager, &apply);
    let undo = manager.acquire().await.unwrap();
    let plan = manager.deploy(&undo, 5).await.unwrap();
    let why = manager.until_stuck(&plan).await;
    assert!(why.contains("localhost/nothing:5"), "{why}");
    manager.restore(undo).await;
    let live = sets.need("shop").await.unwrap();
    assert_eq!(live["status"]["readyReplicas"], 1);
    let image = "/spec/template/spec/containers/0/image";
    assert_eq!(live.pointer(image), set.pointer(image));
}
