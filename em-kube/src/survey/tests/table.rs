//! The table of permissions, and the Role that is made of it.

use em_core::plan::ClusterPolicy;

use super::super::permissions::{Permission, needs};
use super::*;
use crate::rbac::manifest;

fn table(more: &Json) -> Vec<Permission> {
    let spec = spec(more);
    let patch = json!({"patch": {"kind": "merge", "object": "configmap/conf", "body": {"data": {"x": "{{value}}"}}}});
    let plan = plan(&spec, &[knob("x", &integers(1, 9), &patch)]);
    needs(&spec, &plan)
}

fn shown(one: &Permission) -> String {
    let name = one
        .name
        .as_deref()
        .map_or_else(String::new, |name| format!(" {name}"));
    format!("{} {}{name}", one.verb, one.resource_path())
}

fn needed(more: &Json) -> Vec<String> {
    table(more)
        .iter()
        .filter(|one| one.is_needed())
        .map(shown)
        .collect()
}

#[test]
fn who_observes_only_reads() {
    for one in table(&json!({"policy": "observe"})) {
        assert!(["get", "list", "watch"].contains(&one.verb), "{one:?}");
        assert_ne!(
            one.subresource,
            Some("exec"),
            "a command in a pod is more than a look"
        );
    }
}

#[test]
fn in_place_only_the_named_objects_are_changed() {
    let needed = needed(&json!({}));
    for permission in [
        "patch deployments checkout",
        "get configmaps conf",
        "patch configmaps conf",
        "patch leases em-deployment-checkout",
        "create leases",
        "create secrets",
    ] {
        assert!(
            needed.iter().any(|one| one == permission),
            "{permission}: {needed:?}"
        );
    }
    for permission in [
        "patch deployments",
        "create deployments",
        "delete deployments checkout",
        "list secrets",
        "get secrets sealed",
    ] {
        assert!(!needed.iter().any(|one| one == permission), "{permission}");
    }
}

#[test]
fn each_policy_asks_for_its_own_writes() {
    let resize = needed(&json!({"policy": "resize"}));
    assert!(resize.contains(&"patch pods/resize".to_owned()));
    let clones = needed(&json!({"policy": "new-deployment"}));
    for permission in [
        "create deployments",
        "delete deployments",
        "create services",
        "delete leases",
    ] {
        assert!(clones.contains(&permission.to_owned()), "{permission}");
    }
    assert!(
        !clones.iter().any(|one| one.contains("secrets")),
        "clones have no original to keep"
    );
    let pinned = needed(&json!({"autoscaler": "pin"}));
    assert!(pinned.contains(&"patch horizontalpodautoscalers".to_owned()));
    let hooks = needed(&json!({"hooks": {"before": [["true"]]}}));
    assert!(hooks.contains(&"create pods/exec".to_owned()));
    assert!(!needed(&json!({})).contains(&"create pods/exec".to_owned()));
}

#[test]
fn custom_resources_are_asked_for_by_their_group() {
    let table = table(&json!({"workload": "kafkas.kafka.strimzi.io/main"}));
    let patch = table
        .iter()
        .find(|one| one.verb == "patch" && one.name.as_deref() == Some("main"));
    let patch = patch.unwrap();
    assert_eq!(
        (patch.group.as_str(), patch.resource.as_str()),
        ("kafka.strimzi.io", "kafkas")
    );
}

#[test]
fn nothing_is_asked_twice() {
    for (policy, word, _) in ClusterPolicy::ALL {
        let table = table(&json!({"policy": word, "autoscaler": "pin"}));
        let mut seen = std::collections::BTreeSet::new();
        for one in &table {
            assert!(
                seen.insert((shown(one), one.group.clone(), one.is_cluster_wide)),
                "{policy:?}: {one:?}"
            );
        }
    }
}

#[test]
fn the_role_is_as_it_was_read_last() {
    let spec = spec(&json!({"service": {"name": "checkout", "port": null}}));
    let plan = plan(&spec, &[]);
    insta::assert_snapshot!(manifest(&spec, &plan, "shop", "em"));
}
