//! What the namespace and the nodes have room for.

use em_core::port::Severity::{Error, Note, Warning};

use super::super::nodes::Nodes;
use super::super::{budgets, limits, nodes, quota};
use super::*;

fn memory(low: &str, high: &str) -> Json {
    knob(
        "memory",
        &range(low, high),
        &json!({"resource": {"resource": "memory", "of": "both"}}),
    )
}

fn cpu(low: &str, high: &str) -> Json {
    knob(
        "cpu",
        &range(low, high),
        &json!({"resource": {"resource": "cpu", "of": "both"}}),
    )
}

fn limit(rule: &Json) -> Json {
    json!({"metadata": {"name": "bounds"}, "spec": {"limits": [rule]}})
}

#[test]
fn values_beyond_a_limit_range_are_foreseen() {
    let found = |tunable: Json, rule: &Json| {
        let scene = Scene::new(&json!({}), &[tunable], deployment());
        limits::check(&scene.subject(), &[limit(rule)])
    };
    let most = json!({"type": "Container", "max": {"memory": "2Gi"}});
    assert_eq!(found(memory("1Gi", "2Gi"), &most), []);
    let above = found(memory("1Gi", "4Gi"), &most);
    assert_eq!(above.len(), 2, "request and limit: {above:?}");
    assert_one(
        &above[..1],
        Warning,
        "refuses a request of memory above 2Gi",
    );
    let hopeless = found(memory("3Gi", "4Gi"), &most);
    assert_one(&hopeless[..1], Error, "gets 3Gi at the least");
    let least = json!({"type": "Container", "min": {"memory": "512Mi"}});
    assert_one(
        &found(memory("256Mi", "1Gi"), &least),
        Warning,
        "as little as 256Mi",
    );
    let ratio = json!({"type": "Container", "maxLimitRequestRatio": {"cpu": "4"}});
    let request = knob(
        "cpu",
        &range("100m", "1"),
        &json!({"resource": {"resource": "cpu", "of": "request"}}),
    );
    assert_one(
        &found(request, &ratio),
        Warning,
        "above 4 times its request",
    );
    let pod = json!({"type": "Pod", "max": {"cpu": "1500m"}});
    let whole = found(cpu("1", "2"), &pod);
    assert_one(&whole[..1], Warning, "a pod of deployment/checkout");
}

#[test]
fn defaults_that_pods_get_are_told() {
    let mut object = deployment();
    object["spec"]["template"]["spec"]["containers"][0]["resources"] = json!({});
    let scene = Scene::new(&json!({}), &[], object);
    let rule = json!({"type": "Container", "default": {"memory": "256Mi"}});
    assert_one(
        &limits::check(&scene.subject(), &[limit(&rule)]),
        Note,
        "gives it 256Mi",
    );
}

fn quota(key: &str, hard: &str, used: &str) -> Json {
    json!({"metadata": {"name": "team"}, "status": {"hard": {key: hard}, "used": {key: used}}})
}

#[test]
fn a_quota_has_room_for_all_clones() {
    let found = |slots: u32, quota: Json| {
        let more = json!({"policy": "new-deployment", "slots": slots, "clones": {"replicas": 2}});
        let scene = Scene::new(&more, &[cpu("500m", "1")], deployment());
        quota::check(&scene.subject(), &[quota])
    };
    assert_eq!(found(2, quota("requests.cpu", "8", "4")), []);
    assert_one(
        &found(2, quota("requests.cpu", "8", "5")),
        Warning,
        "the plan adds up to 4",
    );
    assert_one(
        &found(2, quota("requests.cpu", "8", "7")),
        Error,
        "the plan adds 2 at the least",
    );
    assert_one(
        &found(3, quota("pods", "10", "5")),
        Error,
        "room for 5 of pods",
    );
    assert_one(
        &found(2, quota("count/deployments.apps", "5", "4")),
        Error,
        "adds 2",
    );
    let mut scoped = quota("pods", "1", "1");
    scoped["spec"] = json!({"scopes": ["BestEffort"]});
    assert_one(&found(2, scoped), Note, "was not judged");
    assert_eq!(found(2, quota("count/widgets.example", "1", "1")), []);
}

#[test]
fn a_quota_has_room_for_the_surge_of_a_rollout() {
    // Three pods with 1Gi each; a quarter of three is one more while it rolls out.
    let found = |tunable: Json, quota: Json| {
        let scene = Scene::new(&json!({}), &[tunable], deployment());
        quota::check(&scene.subject(), &[quota])
    };
    assert_eq!(
        found(memory("1Gi", "1Gi"), quota("limits.memory", "4Gi", "3Gi")),
        []
    );
    assert_one(
        &found(memory("1Gi", "1Gi"), quota("limits.memory", "3Gi", "3Gi")),
        Error,
        "adds 1Gi at the least",
    );
    assert_one(
        &found(memory("1Gi", "2Gi"), quota("limits.memory", "6Gi", "3Gi")),
        Warning,
        "up to 5Gi",
    );
    assert_one(
        &found(memory("1Gi", "1Gi"), quota("pods", "3", "3")),
        Error,
        "adds 1",
    );
    let mut replicas = knob("replicas", &integers(1, 8), &json!("replicas"));
    assert_one(
        &found(replicas.clone(), quota("pods", "6", "3")),
        Warning,
        "up to 7",
    );
    replicas["domain"] = integers(1, 3);
    assert_eq!(found(replicas, quota("pods", "6", "3")), []);
}

fn node(name: &str, cpu: &str, more: &Json) -> Json {
    let node = json!({
        "metadata": {"name": name, "labels": {"class": "fast"}},
        "status": {
            "allocatable": {"cpu": cpu, "memory": "16Gi", "pods": "110"},
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    });
    with(node, more)
}

fn taking(node: &str, cpu: &str, labels: &Json) -> Json {
    json!({
        "metadata": {"labels": labels},
        "spec": {"nodeName": node, "containers": [{"resources": {"requests": {"cpu": cpu}}}]},
        "status": {"phase": "Running"},
    })
}

fn clones(more: &Json) -> Scene {
    let all = json!({"policy": "new-deployment", "slots": 3, "clones": {"replicas": 1}});
    Scene::new(&with(all, more), &[cpu("500m", "1")], deployment())
}

fn on(scene: &Scene, all: &[Json], pods: &[Json]) -> Vec<Finding> {
    nodes::check(
        &scene.subject(),
        Nodes {
            all,
            pods,
            is_complete: true,
        },
    )
}

#[test]
fn nodes_have_room_for_all_clones() {
    let scene = clones(&json!({}));
    let four = [node("a", "2", &json!({})), node("b", "2", &json!({}))];
    assert_eq!(on(&scene, &four, &[]), []);
    let other = json!({"app": "other"});
    let busy = [taking("a", "1500m", &other), taking("b", "500m", &other)];
    assert_one(
        &on(&scene, &four, &busy),
        Warning,
        "the largest values (1 cores and 1Gi",
    );
    let full = [taking("a", "1500m", &other), taking("b", "1500m", &other)];
    assert_one(&on(&scene, &four, &full), Error, "2 of 3 pods");
    let over = [
        taking("a", "1500m", &other),
        with(
            taking("b", "2", &other),
            &json!({"status": {"phase": "Failed"}}),
        ),
    ];
    assert_eq!(on(&clones(&json!({"slots": 2})), &four, &over), []);
    let elastic = json!({"metadata": {"labels": {"karpenter.sh/nodepool": "x"}}});
    let elastic = [node("a", "250m", &elastic)];
    assert_one(&on(&scene, &elastic, &[]), Warning, "0 of 3 pods");
}

#[test]
fn only_nodes_that_take_the_pods_count() {
    let small = clones(&json!({"slots": 1}));
    let taint =
        json!({"spec": {"taints": [{"key": "gpu", "value": "yes", "effect": "NoSchedule"}]}});
    let unusable = [
        json!({"spec": {"unschedulable": true}}),
        json!({"status": {"conditions": [{"type": "Ready", "status": "Unknown"}]}}),
        taint.clone(),
    ];
    for more in unusable {
        assert_one(
            &on(&small, &[node("a", "8", &more)], &[]),
            Warning,
            "none of 1 nodes takes pods",
        );
    }
    let tolerant = json!({"spec": {"template": {"spec": {"tolerations": [{"key": "gpu", "operator": "Exists"}]}}}});
    let mut scene = clones(&json!({"slots": 1}));
    scene.object = with(scene.object, &tolerant);
    assert_eq!(on(&scene, &[node("a", "8", &taint)], &[]), []);
    let slow = clones(&json!({"slots": 1, "place": {"nodes": {"class": "slow"}}}));
    assert_one(
        &on(&slow, &[node("a", "8", &json!({}))], &[]),
        Warning,
        "none of 1 nodes",
    );
    let spread = clones(&json!({"slots": 2, "place": "spread"}));
    assert_one(
        &on(&spread, &[node("a", "8", &json!({}))], &[]),
        Error,
        "1 of 2 pods",
    );
}

#[test]
fn a_rollout_needs_room_for_its_surge_and_for_all_new_pods() {
    let own = json!({"app": "checkout"});
    let pods: Vec<Json> = (0..3).map(|_| taking("a", "500m", &own)).collect();
    let found = |tunable: Json, cpu: &str| {
        let scene = Scene::new(&json!({}), &[tunable], deployment());
        on(&scene, &[node("a", cpu, &json!({}))], &pods)
    };
    assert_eq!(found(cpu("500m", "500m"), "2"), []);
    assert_one(&found(cpu("500m", "500m"), "1500m"), Error, "0 of 1 pods");
    assert_one(&found(cpu("500m", "1"), "2500m"), Warning, "2 of 3 pods");
}

#[test]
fn budgets_of_the_pods_are_told() {
    let budget = |app: &str| {
        json!({"metadata": {"name": "b"}, "spec": {"selector": {"matchLabels": {"app": app}}},
            "status": {"disruptionsAllowed": 0}})
    };
    let scene = Scene::new(&json!({}), &[], deployment());
    assert_one(
        &budgets::check(&scene.subject(), &[budget("checkout")]),
        Note,
        "now 0 may be disrupted",
    );
    assert_eq!(budgets::check(&scene.subject(), &[budget("cart")]), []);
}
