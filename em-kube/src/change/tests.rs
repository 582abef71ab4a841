//! What configurations make of objects.

use em_core::plan::{ClusterPolicy, TargetSpec};
use serde_json::json;

use super::*;

fn deployment() -> Json {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "shop", "namespace": "test", "resourceVersion": "7", "uid": "u1"},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"app": "shop"}},
            "template": {
                "metadata": {"labels": {"app": "shop"}},
                "spec": {"containers": [
                    {"name": "proxy", "image": "proxy:1"},
                    {"name": "app", "image": "shop:1", "args": ["demo", "--cache=none"],
                     "env": [{"name": "JAVA", "value": "-Xmx1g -Dx=1"},
                             {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}],
                     "resources": {"limits": {"memory": "1Gi"}}},
                ]},
            },
        },
        "status": {"replicas": 2},
    })
}

fn plan(tunables: &Json) -> (Plan, KubernetesSpec) {
    let spec: KubernetesSpec = serde_json::from_value(json!({
        "context": "test", "namespace": null, "workload": "deployment/shop", "container": "app",
        "policy": "rolling-update", "service": null, "ready": null, "settle": {"secs": 1, "nanos": 0},
        "prices": null, "slots": 1,
    }))
    .unwrap();
    assert_eq!(spec.policy, ClusterPolicy::RollingUpdate);
    let mut plan = em_core::testkit::a_plan().build();
    plan.tunables = serde_json::from_value(tunables.clone()).unwrap();
    plan.target = TargetSpec::Kubernetes(Box::new(spec.clone()));
    (plan, spec)
}

fn knob(name: &str, apply: &Json) -> Json {
    json!({
        "name": name, "domain": {"type": "integer", "low": 1, "high": 16, "step": 1}, "default": null, "prior": null,
        "apply": [apply],
    })
}

fn original(plan: &Plan, spec: &KubernetesSpec) -> Original {
    let live = deployment();
    Original {
        object: spec.workload.clone(),
        touched: touched(plan, spec, &spec.workload, &live).unwrap(),
        body: bare(&live),
    }
}

fn applied_with(
    plan: &Plan,
    spec: &KubernetesSpec,
    values: &[(&str, Value)],
) -> Result<Json, ChangeError> {
    let values = values
        .iter()
        .map(|(name, value)| (name.parse().unwrap(), value.clone()));
    let beside = Beside {
        iteration: "demo/t1/i1",
        environment: &BTreeMap::new(),
    };
    applied(plan, spec, &original(plan, spec), &values.collect(), beside)
}

#[test]
fn every_way_to_apply_reaches_its_place_and_leaves_the_rest() {
    let (plan, spec) = plan(&json!([
        knob(
            "workers",
            &json!({"env": {"name": "WORKERS", "piece": null, "replaces": null}})
        ),
        knob(
            "heap",
            &json!({"env": {"name": "JAVA", "piece": {"text": "-Xmx{{value}}m"}, "replaces": "-Xmx\\S+"}})
        ),
        knob(
            "cache",
            &json!({"arg": {"text": {"text": "--cache={{value}}"}, "replaces": "^--cache=.*"}})
        ),
        knob(
            "cpu",
            &json!({"resource": {"resource": "cpu", "of": "both"}})
        ),
        knob("copies", &json!("replicas")),
        knob(
            "tag",
            &json!({"image": {"reference": {"text": "shop:{{value}}"}}})
        ),
        knob(
            "grace",
            &json!({"patch": {"kind": "merge", "object": null, "body":
            {"spec": {"template": {"spec": {"terminationGracePeriodSeconds": "{{value}}"}}}}}})
        ),
    ]));
    let quantity = Value::Quantity("250m".parse().unwrap());
    let values = [
        ("workers", Value::Integer(4)),
        ("heap", Value::Integer(512)),
        ("cache", Value::from("lru")),
        ("cpu", quantity),
        ("copies", Value::Integer(3)),
        ("tag", Value::from("2")),
        ("grace", Value::Integer(5)),
    ];
    let body = applied_with(&plan, &spec, &values).unwrap();
    let container = &body["spec"]["template"]["spec"]["containers"][1];
    assert_eq!(container["env"][0]["value"], "-Dx=1 -Xmx512m");
    assert_eq!(
        container["env"][2],
        json!({"name": "WORKERS", "value": "4"})
    );
    assert_eq!(container["args"], json!(["demo", "--cache=lru"]));
    let resources =
        json!({"limits": {"memory": "1Gi", "cpu": "250m"}, "requests": {"cpu": "250m"}});
    assert_eq!(container["resources"], resources);
    assert_eq!(container["image"], "shop:2");
    assert_eq!(body["spec"]["replicas"], 3);
    assert_eq!(
        body["spec"]["template"]["spec"]["terminationGracePeriodSeconds"],
        5
    );
    let annotations = &body["spec"]["template"]["metadata"]["annotations"];
    assert_eq!(annotations[mark::ITERATION], "demo/t1/i1");

    // Back: every touched place as it was, so nothing is left.
    let original = original(&plan, &spec);
    let live = wanted(&deployment(), &body, &original.touched);
    let back = wanted(&live, &original.body, &original.touched);
    assert_eq!(back, deployment());
}

#[test]
fn what_somebody_else_changed_meanwhile_stays() {
    let (plan, spec) = plan(&json!([knob(
        "workers",
        &json!({"env": {"name": "WORKERS", "piece": null, "replaces": null}})
    )]));
    let original = original(&plan, &spec);
    let body = applied_with(&plan, &spec, &[("workers", Value::Integer(4))]).unwrap();
    let mut live = wanted(&deployment(), &body, &original.touched);
    let image = Container::named("app").place().key("image");
    image.set(&mut live, Some(json!("shop:hotfix")));
    let back = wanted(&live, &original.body, &original.touched);
    assert_eq!(image.get(&back), Some(&json!("shop:hotfix")));
    image.set(&mut live, Some(json!("shop:1")));
    assert_eq!(
        wanted(&live, &original.body, &original.touched),
        deployment()
    );
}

#[test]
fn a_patch_of_named_things_touches_only_what_it_names() {
    let body = json!({"spec": {"template": {"spec": {"containers": [
        {"name": "proxy", "env": [{"name": "LEVEL", "value": "{{value}}"}]},
    ]}}}});
    let (plan, spec) = plan(&json!([knob(
        "level",
        &json!({"patch": {"kind": "strategic", "object": null, "body": body}})
    )]));
    let original = original(&plan, &spec);
    let applied = applied_with(&plan, &spec, &[("level", Value::Integer(3))]).unwrap();
    let live = wanted(&deployment(), &applied, &original.touched);
    let proxy = &live["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(proxy["env"], json!([{"name": "LEVEL", "value": 3}]));
    assert_eq!(proxy["image"], "proxy:1");
    let back = wanted(&live, &original.body, &original.touched);
    assert_eq!(
        back["spec"]["template"]["spec"]["containers"],
        deployment()["spec"]["template"]["spec"]["containers"]
    );
}

#[test]
fn operations_touch_the_whole_list_that_they_go_into() {
    let places = patch::places(
        em_core::plan::PatchKind::Json,
        &json!([{"op": "add", "path": "/spec/template/spec/containers/0/args/-", "value": "-v"},
                {"op": "add", "path": "/metadata/annotations/a~1b", "value": "x"}]),
    );
    let places: Vec<String> = places.iter().map(ToString::to_string).collect();
    assert_eq!(
        places,
        [
            "metadata.annotations[\"a/b\"]",
            "spec.template.spec.containers"
        ]
    );
}

#[test]
fn what_cannot_be_applied_says_why() {
    let refused = |apply: Json, value: Value| {
        let (plan, spec) = plan(&json!([knob("x", &apply)]));
        applied_with(&plan, &spec, &[("x", value)])
            .unwrap_err()
            .to_string()
    };
    let piece =
        json!({"env": {"name": "TOKEN", "piece": {"text": "a={{value}}"}, "replaces": null}});
    assert!(refused(piece, Value::Integer(1)).contains("comes from a Secret"));
    assert!(refused(json!("replicas"), Value::from("many")).contains("is no number of replicas"));
    let cpu = json!({"resource": {"resource": "cpu", "of": "limit"}});
    assert!(refused(cpu, Value::Integer(-1)).contains("is no amount of cpu"));

    let (plan, mut spec) = plan(&json!([]));
    spec.container = Some("web".to_owned());
    let error = Container::of(&deployment(), &spec).unwrap_err().to_string();
    assert_eq!(
        error,
        "deployment/shop has no container \"web\" (it has proxy, app)"
    );
    spec.container = None;
    assert!(
        Container::of(&deployment(), &spec)
            .unwrap_err()
            .to_string()
            .contains("target.container")
    );
    assert_eq!(objects(&plan, &spec), [spec.workload.clone()]);
}
