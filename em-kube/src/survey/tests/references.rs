//! What is named and is not there.

use em_core::port::Severity::{Error, Note};

use super::super::references::{
    Presence, Reference, changed, container, copied, pods_find, references, service,
};
use super::*;

fn named(pod: &Json) -> Json {
    with(deployment(), &json!({"spec": {"template": {"spec": pod}}}))
}

#[test]
fn everything_that_pods_name_is_found_once() {
    let object = named(&json!({
        "volumes": [
            {"name": "a", "configMap": {"name": "conf"}},
            {"name": "b", "secret": {"secretName": "tls", "optional": true}},
            {"name": "c", "persistentVolumeClaim": {"claimName": "data"}},
            {"name": "d", "projected": {"sources": [{"secret": {"name": "token"}}, {"configMap": {"name": "conf"}}]}},
        ],
        "initContainers": [{"name": "i", "envFrom": [{"secretRef": {"name": "tls"}}]}],
        "containers": [{"name": "app", "env": [
            {"name": "X", "valueFrom": {"configMapKeyRef": {"name": "more", "key": "x"}}},
        ]}],
    }));
    let found: Vec<String> = references(&object)
        .into_iter()
        .map(|one| format!("{}/{} {}", one.kind, one.name, one.is_optional))
        .collect();
    assert_eq!(
        found,
        [
            "configmap/conf false",
            "configmap/more false",
            "persistentvolumeclaim/data false",
            "secret/tls false",
            "secret/token false",
        ]
    );
}

#[test]
fn what_is_absent_is_an_error_and_what_is_hidden_is_said() {
    let scene = Scene::new(&json!({}), &[], deployment());
    let one = |is_optional| Reference {
        kind: "secret",
        name: "tls".to_owned(),
        is_optional,
    };
    let found = |optional, presence| pods_find(&scene.subject(), &[(one(optional), presence)]);
    assert_one(
        &found(false, Presence::Absent),
        Error,
        "names secret/tls, which is not there",
    );
    assert_eq!(found(true, Presence::Absent), []);
    assert_eq!(found(false, Presence::There), []);
    assert_one(
        &found(false, Presence::Hidden),
        Note,
        "secret/tls is there was not looked at",
    );
    let own = ["configmap/conf", "statefulset/db"].map(|one| one.parse().unwrap());
    let clones = Scene::new(&json!({"policy": "new-deployment"}), &[], deployment());
    assert_one(
        &copied(&clones.subject(), &own),
        Error,
        "changes statefulset/db",
    );
    assert_eq!(copied(&scene.subject(), &own), []);
    let patched = changed(
        &scene.subject(),
        &[("configmap/conf".to_owned(), Presence::Absent)],
    );
    assert_one(
        &patched,
        Error,
        "configmap/conf, which is not in namespace shop",
    );
}

#[test]
fn several_containers_have_to_be_told_apart() {
    let two = named(&json!({"containers": [{"name": "app"}, {"name": "proxy"}]}));
    let found = |more: &Json| container(&Scene::new(more, &[], two.clone()).subject());
    assert_one(&found(&json!({})), Error, "app, proxy");
    assert_eq!(found(&json!({"container": "proxy"})), []);
    assert_one(
        &found(&json!({"container": "web"})),
        Error,
        "has no container \"web\"",
    );
    let custom = Scene::new(&json!({}), &[], json!({"spec": {}}));
    assert_one(&container(&custom.subject()), Note, "only patches apply");
}

#[test]
fn a_service_has_the_port_and_leads_to_the_workload() {
    let live =
        |selector: &Json, ports: &Json| json!({"spec": {"selector": selector, "ports": ports}});
    let ports = json!([{"name": "http", "port": 80}, {"name": "admin", "port": 9000}]);
    let own = json!({"app": "checkout"});
    let found = |port: Option<&str>, seen: Option<&Json>| {
        let more = json!({"service": {"name": "checkout", "port": port}});
        service(&Scene::new(&more, &[], deployment()).subject(), seen)
    };
    let fine = live(&own, &ports);
    assert_eq!(found(Some("http"), Some(&fine)), []);
    assert_eq!(found(Some("9000"), Some(&fine)), []);
    assert_one(
        &found(None, Some(&fine)),
        Error,
        "the ports http 80, admin 9000",
    );
    assert_one(&found(Some("grpc"), Some(&fine)), Error, "has no port grpc");
    assert_one(&found(None, None), Error, "there is no Service checkout");
    let other = live(&json!({"app": "cart"}), &json!([{"port": 80}]));
    assert_one(
        &found(None, Some(&other)),
        Error,
        "does not lead to the pods",
    );
    let bare = live(&json!({}), &json!([{"port": 80}]));
    assert_one(&found(None, Some(&bare)), Note, "has no selector");
}
