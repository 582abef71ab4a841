use em_core::file::{self, FileContext};
use em_core::plan::{Apply, ClusterPolicy, Domain, Plan, TargetSpec};
use serde_json::json;

use super::*;

fn deployment(container: &Json) -> Json {
    json!({
        "metadata": { "name": "checkout" },
        "spec": { "replicas": 3, "template": {
            "metadata": { "labels": { "app": "checkout", "tier": "web" } },
            "spec": { "containers": [container] },
        } },
    })
}

fn services() -> Vec<Json> {
    let service = |name: &str, selector: Json, ports: Json| json!({ "metadata": { "name": name }, "spec": { "selector": selector, "ports": ports } });
    vec![
        service("all", json!({}), json!([{ "port": 80 }])),
        service("other", json!({ "app": "other" }), json!([{ "port": 80 }])),
        service(
            "checkout",
            json!({ "app": "checkout" }),
            json!([{ "name": "grpc", "port": 9000 }, { "name": "http", "port": 80 }]),
        ),
    ]
}

fn written(object: &str, workload: &Json, services: &[Json]) -> (String, Plan) {
    let object = object.parse().unwrap();
    let text = render(Found {
        context: "arn:aws:eks:eu-1:cluster/shop @ 'x'",
        namespace: "shop",
        object: &object,
        workload,
        services,
    })
    .unwrap();
    let parsed = file::parse(text.as_bytes(), &FileContext::bare());
    let parsed = parsed.unwrap_or_else(|violations| panic!("{violations}\n{text}"));
    assert_eq!(parsed.warnings, [], "{text}");
    (text, parsed.plan)
}

fn names(plan: &Plan) -> Vec<String> {
    let tunables = plan.tunables.iter();
    tunables.map(|tunable| tunable.name.to_string()).collect()
}

fn domain(plan: &Plan, name: &str) -> Domain {
    let tunable = plan.tunable(&name.parse().unwrap()).unwrap();
    tunable.domain.clone()
}

#[test]
fn a_java_service_gets_a_plan_around_what_it_has() {
    let workload = deployment(&json!({
        "name": "app",
        "env": [
            { "name": "JAVA_TOOL_OPTIONS", "value": "-Xmx512m -Dx=y" },
            { "name": "DB_POOL_SIZE", "value": "10" },
            { "name": "PORT", "value": "8080" },
        ],
        "resources": {
            "requests": { "cpu": "500m", "memory": "1Gi" }, "limits": { "cpu": "500m", "memory": "1Gi" },
        },
    }));
    let (text, plan) = written("deploy/checkout", &workload, &services());
    assert_eq!(
        names(&plan),
        ["cpu", "memory", "heap_percent", "gc", "db_pool_size"],
        "{text}"
    );
    let TargetSpec::Kubernetes(spec) = &plan.target else {
        panic!("{text}")
    };
    assert_eq!(spec.context, "arn:aws:eks:eu-1:cluster/shop @ 'x'");
    assert_eq!(spec.policy, ClusterPolicy::NewDeployment);
    let service = spec.service.as_ref().unwrap();
    assert_eq!(
        (service.name.as_str(), service.port.as_deref()),
        ("checkout", Some("http"))
    );
    let Domain::Quantity {
        low, high, step, ..
    } = domain(&plan, "cpu")
    else {
        panic!("{text}")
    };
    let ends = [low, high, step.unwrap()].map(|one| one.to_string());
    assert_eq!(ends, ["250m", "1", "50m"]);
    let heap = plan.tunable(&"heap_percent".parse().unwrap()).unwrap();
    assert!(
        matches!(&heap.apply[0], Apply::Env { name, replaces: Some(replaces), .. }
            if name == "JAVA_TOOL_OPTIONS" && replaces.contains("-Xmx")),
        "{heap:?}"
    );
    assert!(
        text.contains("# - { name: replicas, range: [1, 6]"),
        "{text}"
    );
}

#[test]
fn a_limit_is_never_below_what_is_set_aside() {
    let workload = deployment(&json!({
        "name": "app",
        "resources": { "requests": { "memory": "96Mi" }, "limits": { "memory": "128Mi" } },
    }));
    let (text, plan) = written("deploy/checkout", &workload, &services());
    let Domain::Quantity { low, high, .. } = domain(&plan, "memory") else {
        panic!("{text}")
    };
    assert_eq!([low, high].map(|one| one.to_string()), ["96Mi", "256Mi"]);
    assert!(text.contains("of: limit"), "{text}");
}

#[test]
fn node_is_recognised_by_its_command() {
    let workload = deployment(&json!({
        "name": "app",
        "command": ["/bin/sh", "-c", "exec /usr/bin/node server.js"],
        "resources": { "limits": { "memory": "512Mi" } },
    }));
    let (text, plan) = written("deploy/checkout", &workload, &services());
    assert_eq!(names(&plan), ["memory", "old_space"], "{text}");
    assert!(
        matches!(
            domain(&plan, "old_space"),
            Domain::Integer {
                low: 64,
                high: 192,
                ..
            }
        ),
        "{text}"
    );
}

#[test]
fn options_from_a_secret_are_left_alone() {
    let from = json!({ "secretKeyRef": { "name": "x", "key": "y" } });
    let workload = deployment(&json!({
        "name": "app",
        "env": [{ "name": "NODE_OPTIONS", "valueFrom": from }, { "name": "THREADS", "value": "4" }],
    }));
    let (text, plan) = written("deploy/checkout", &workload, &services());
    assert_eq!(names(&plan), ["threads"]);
    assert!(text.contains("NODE_OPTIONS comes from a Secret"), "{text}");
}

#[test]
fn what_says_nothing_of_itself_still_gets_a_plan() {
    let mut workload = deployment(&json!({ "name": "app" }));
    let (text, plan) = written("deploy/checkout", &workload, &[]);
    assert_eq!(names(&plan), ["cpu"]);
    assert!(text.contains("load: { kind: none }"), "{text}");
    workload["spec"]["template"]["spec"]["containers"] = json!([{ "name": "1" }, { "name": "on" }]);
    let (text, _) = written("sts/checkout", &workload, &[]);
    assert!(text.contains("policy: rolling-update"), "{text}");
    assert!(text.contains("(also: on)"), "{text}");
}

#[test]
fn recorded_workloads_become_files_that_can_be_read() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenes");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let scene: Json = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let workload = &scene["workload"];
        let Some(kind) = workload["kind"].as_str() else {
            continue;
        };
        let name = workload["metadata"]["name"].as_str().unwrap();
        let object = format!("{}/{name}", kind.to_ascii_lowercase());
        written(&object, workload, &[]);
        count += 1;
    }
    assert!(count > 10, "{count} recorded workloads");
}

#[test]
fn what_has_no_pods_is_refused() {
    let object = "cm/settings".parse().unwrap();
    let refused = render(Found {
        context: "x",
        namespace: "shop",
        object: &object,
        workload: &json!({ "data": {} }),
        services: &[],
    });
    assert!(refused.unwrap_err().to_string().contains("no pod template"));
}
