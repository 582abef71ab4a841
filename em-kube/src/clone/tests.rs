//! What copies are made of.

use em_core::id::Epoch;
use serde_json::json;

use super::*;
use crate::place::Place;

fn spec(more: &Json) -> KubernetesSpec {
    let mut spec = json!({
        "context": "test", "namespace": null, "workload": "deployment/shop", "container": null,
        "policy": "new-deployment", "service": null, "ready": null, "settle": {"secs": 1, "nanos": 0},
        "prices": null, "slots": 2,
    });
    json_patch::merge(&mut spec, more);
    serde_json::from_value(spec).unwrap()
}

fn source() -> Source {
    let workload = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "shop", "labels": {"app": "shop"}},
        "spec": {
            "replicas": 3,
            "selector": {"matchLabels": {"app": "shop"}},
            "template": {
                "metadata": {"labels": {"app": "shop", "team": "red", "tier": "web"}},
                "spec": {
                    "containers": [{"name": "app", "image": "shop:1", "ports": [{"containerPort": 8080}],
                                    "envFrom": [{"configMapRef": {"name": "settings"}}]}],
                    "volumes": [{"name": "v", "configMap": {"name": "settings"}},
                                {"name": "w", "configMap": {"name": "other"}}],
                },
            },
        },
    });
    let selector = |pairs: &[(&str, &str)]| {
        let pairs = pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        pairs.collect::<BTreeMap<_, _>>()
    };
    Source {
        workload,
        service: None,
        others: vec![(
            "configmap/settings".parse().unwrap(),
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"a": "1"}}),
        )],
        selectors: vec![
            selector(&[("app", "shop")]),
            selector(&[("tier", "web"), ("team", "blue")]),
        ],
    }
}

fn copies(spec: &KubernetesSpec) -> Vec<Json> {
    let owner = Owner {
        key: serde_json::from_value(
            json!({"iteration": {"experiment": "demo", "trial": 1, "iteration": 2}}),
        )
        .unwrap(),
        epoch: Epoch {
            store: "8f2c".into(),
            counter: 3,
        },
    };
    let source = source();
    let name = clone_name(&spec.workload, &owner.key, &owner.epoch.store);
    let of = CloneOf {
        name: &name,
        owner: &owner,
        lease: ("em-slot", "u9"),
    };
    let mut applied = vec![(spec.workload.clone(), source.workload.clone())];
    applied.extend(source.others.clone());
    objects(spec, &source, &applied, of).unwrap()
}

fn of_kind<'a>(objects: &'a [Json], kind: &str) -> &'a Json {
    objects
        .iter()
        .find(|object| object["kind"] == kind)
        .unwrap()
}

#[test]
fn nothing_live_takes_a_copy_for_its_own() {
    let objects = copies(&spec(&json!({})));
    let deployment = of_kind(&objects, "Deployment");
    let name = deployment["metadata"]["name"].as_str().unwrap();
    let labels = &deployment["spec"]["template"]["metadata"]["labels"];
    assert!(
        labels.get("app").is_none(),
        "the live Service would send it requests"
    );
    assert_eq!(
        labels["team"], "red",
        "a label that nobody selects by stays"
    );
    assert_eq!(labels["tier"], "web");
    assert_eq!(labels[mark::CLONE], name);
    assert_eq!(
        deployment["spec"]["selector"],
        json!({"matchLabels": {mark::CLONE: name}})
    );
}

#[test]
fn everything_is_owned_by_the_lease_of_the_slot() {
    for object in copies(&spec(&json!({}))) {
        let owners = object["metadata"]["ownerReferences"].as_array().unwrap();
        assert_eq!(owners.len(), 1);
        assert_eq!(
            (&owners[0]["kind"], &owners[0]["uid"]),
            (&json!("Lease"), &json!("u9"))
        );
        assert!(Owner::in_marks(&object).is_some(), "{object}");
    }
}

#[test]
fn what_tunables_change_is_copied_and_used() {
    let objects = copies(&spec(&json!({})));
    let copied = of_kind(&objects, "ConfigMap")["metadata"]["name"]
        .as_str()
        .unwrap();
    assert!(copied.ends_with("settings"), "{copied}");
    let pod = &of_kind(&objects, "Deployment")["spec"]["template"]["spec"];
    assert_eq!(
        pod["containers"][0]["envFrom"][0]["configMapRef"]["name"],
        copied
    );
    assert_eq!(pod["volumes"][0]["configMap"]["name"], copied);
    assert_eq!(pod["volumes"][1]["configMap"]["name"], "other");
}

#[test]
fn copies_differ_as_the_file_says() {
    let spec = spec(&json!({
        "clones": {"replicas": 1, "env": {"QUEUE": {"template": {"text": "test"}}},
                   "patch": {"spec": {"template": {"spec": {"priorityClassName": "low"}}}}},
        "place": "spread",
    }));
    let objects = copies(&spec);
    let deployment = of_kind(&objects, "Deployment");
    assert_eq!(deployment["spec"]["replicas"], 1);
    let pod = &deployment["spec"]["template"]["spec"];
    assert_eq!(pod["priorityClassName"], "low");
    let env = Place::of(["env"]).named("QUEUE").key("value");
    assert_eq!(env.get(&pod["containers"][0]), Some(&json!("test")));
    assert!(
        pod["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
            .is_array()
    );
}

#[test]
fn a_service_has_the_ports_of_the_live_one_or_of_the_container() {
    let objects = copies(&spec(&json!({})));
    let service = of_kind(&objects, "Service");
    assert_eq!(port_of(service, None), Ok(8080));
    let live = json!({"spec": {"ports": [{"name": "http", "port": 80, "targetPort": "web", "nodePort": 30080},
                                         {"name": "admin", "port": 81}]}});
    let own = service::copy(
        Some(&live),
        &source().workload,
        &Container::named("app"),
        "c",
    )
    .unwrap();
    assert!(own["spec"]["ports"][0].get("nodePort").is_none());
    let by = |port: &str| {
        let wanted = em_core::plan::ServiceRef {
            name: "shop".to_owned(),
            port: Some(port.to_owned()),
        };
        port_of(&own, Some(&wanted))
    };
    assert_eq!(by("http"), Ok(80));
    assert_eq!(by("81"), Ok(81));
    assert_eq!(
        by("web").unwrap_err(),
        "the Service has no port web (it has http 80, admin 81)"
    );
    assert!(port_of(&own, None).unwrap_err().contains("NAME:PORT"));
}
