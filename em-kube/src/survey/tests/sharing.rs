//! What clones share.

use em_core::port::Severity::{Error, Note, Warning};

use super::super::sharing::check;
use super::*;

fn found(more: &Json, pod: &Json, claims: &[Json]) -> Vec<Finding> {
    let more = with(json!({"policy": "new-deployment"}), more);
    let object = with(deployment(), &json!({"spec": {"template": {"spec": pod}}}));
    check(&Scene::new(&more, &[], object).subject(), claims)
}

fn claim(mode: &str) -> Json {
    json!({"metadata": {"name": "data"}, "spec": {"accessModes": [mode]}})
}

#[test]
fn a_volume_of_production_is_not_written_to() {
    let pod =
        json!({"volumes": [{"name": "store", "persistentVolumeClaim": {"claimName": "data"}}]});
    let once = [claim("ReadWriteOnce")];
    let shares = json!({"clones": {"shares": ["store"]}});
    assert_one(&found(&json!({}), &pod, &once), Error, "ReadWriteOnce");
    assert_one(&found(&shares, &pod, &once), Error, "ReadWriteOnce");
    let many = [claim("ReadWriteMany")];
    assert_one(
        &found(&json!({}), &pod, &many),
        Error,
        "clones.shares: [store]",
    );
    assert_eq!(found(&shares, &pod, &many), []);
    let patch = json!({"spec": {"template": {"spec": {"volumes": [
        {"name": "store", "persistentVolumeClaim": null, "emptyDir": {}},
    ]}}}});
    // A merge patch of this test would drop the null, so the patch is set as it is.
    let more = json!({"policy": "new-deployment"});
    let mut scene = Scene::new(
        &more,
        &[],
        with(deployment(), &json!({"spec": {"template": {"spec": pod}}})),
    );
    scene.spec.clones.patch = Some(patch);
    assert_eq!(check(&scene.subject(), &once), []);
    scene.spec.policy = em_core::plan::ClusterPolicy::RollingUpdate;
    scene.spec.clones.patch = None;
    assert_eq!(
        check(&scene.subject(), &once),
        [],
        "in place nothing is shared"
    );
}

#[test]
fn what_a_node_has_once_is_not_taken_twice() {
    let network = json!({"hostNetwork": true});
    assert_one(&found(&json!({}), &network, &[]), Error, "hostNetwork");
    let port =
        json!({"containers": [{"name": "app", "ports": [{"containerPort": 80, "hostPort": 80}]}]});
    assert_one(
        &found(&json!({}), &port, &[]),
        Error,
        "hostPort of container app",
    );
    let folder = json!({"volumes": [{"name": "logs", "hostPath": {"path": "/var/log"}}]});
    assert_one(
        &found(&json!({}), &folder, &[]),
        Warning,
        "volume logs is a hostPath",
    );
}

#[test]
fn queues_and_databases_are_listed_by_name_and_never_by_value() {
    let pod = json!({
        "initContainers": [{"name": "migrate", "env": [{"name": "MIGRATE_DSN", "value": "postgres://u:hunter2@db/shop"}]}],
        "containers": [{
            "name": "app",
            "args": ["serve", "--queue=amqp://u:hunter2@mq", "--leader-elect", "postgres://u:hunter2@db"],
            "env": [
                {"name": "WORKERS", "value": "4"},
                {"name": "CACHE", "value": "redis://u:hunter2@cache:6379"},
                {"name": "DB_URL", "valueFrom": {"secretKeyRef": {"name": "db", "key": "url"}}},
                {"name": "DB_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "db", "key": "password"}}},
                {"name": "NODE_HOST", "valueFrom": {"fieldRef": {"fieldPath": "status.hostIP"}}},
                {"name": "LISTEN_ADDR", "value": ":8080"},
            ],
            "envFrom": [{"secretRef": {"name": "more"}}],
        }],
    });
    let all = found(&json!({}), &pod, &[]);
    assert_one(
        &all,
        Error,
        "(an argument without a name), CACHE, DB_URL, MIGRATE_DSN, leader-elect, more, queue lead there",
    );
    assert!(!all[0].sentence().contains("hunter2"));
    let known = json!({"clones": {
        "env": {"DB_URL": {"template": {"text": "postgres://test"}}},
        "shares": ["CACHE", "MIGRATE_DSN", "leader-elect", "more", "queue", "(an argument without a name)"],
    }});
    assert_eq!(found(&known, &pod, &[]), []);
}

#[test]
fn clones_of_a_stateful_set_have_volumes_of_their_own() {
    let mut object = deployment();
    object["spec"]["volumeClaimTemplates"] = json!([{"metadata": {"name": "data"}}]);
    let scene = Scene::new(&json!({"policy": "new-deployment"}), &[], object);
    assert_one(
        &check(&scene.subject(), &[]),
        Note,
        "volumes of its own (data)",
    );
}
