//! Others that act on the workload, and its own state.

use em_core::port::Severity::{Error, Note, Warning};
use jiff::Timestamp;

use super::super::autoscalers::Autoscalers;
use super::super::{autoscalers, keeper, lock, rollout, undo};
use super::*;

fn scene(more: &Json, object: &Json) -> Scene {
    Scene::new(more, &[], with(deployment(), object))
}

#[test]
fn a_healthy_workload_has_no_findings() {
    let scene = scene(&json!({}), &json!({}));
    assert_eq!(rollout::check(&scene.subject()), []);
    assert_eq!(keeper::check(&scene.subject(), false), []);
    assert_eq!(undo::check(&scene.subject(), &[]), []);
    assert_eq!(
        autoscalers::check(&scene.subject(), &Autoscalers::default()),
        []
    );
}

#[test]
fn a_rollout_that_stands_is_named() {
    let found = |more: &Json, object: &Json| rollout::check(&scene(more, object).subject());
    let paused = json!({"spec": {"paused": true}});
    assert_one(
        &found(&json!({}), &paused),
        Error,
        "kubectl rollout resume deployment/checkout",
    );
    let clones = json!({"policy": "new-deployment"});
    assert_eq!(found(&clones, &paused), []);
    let sick = json!({"status": {"availableReplicas": 1, "conditions": [
        {"type": "Progressing", "status": "False", "message": "ReplicaSet has timed out progressing."},
    ]}});
    assert_one(
        &found(&json!({}), &sick),
        Error,
        "1 of 3 pods are available",
    );
    assert_one(
        &found(&json!({}), &sick),
        Error,
        "has timed out progressing",
    );
    assert_one(&found(&clones, &sick), Warning, "1 of 3");
    let unseen = json!({"metadata": {"generation": 3}});
    assert_one(&found(&json!({}), &unseen), Error, "is not whole");
    let none = json!({"spec": {"replicas": 0}});
    assert_one(&found(&json!({}), &none), Error, "scale it up first");
    assert_eq!(
        found(
            &json!({"policy": "new-deployment", "clones": {"replicas": 1}}),
            &none
        ),
        []
    );
}

#[test]
fn a_strategy_that_rolls_nothing_out_is_named() {
    let on_delete = json!({"spec": {"updateStrategy": {"type": "OnDelete"}}});
    let partition = json!({"spec": {"updateStrategy": {"rollingUpdate": {"partition": 2}}}});
    for (object, part) in [(on_delete, "OnDelete"), (partition, "below number 2")] {
        let found = rollout::check(&scene(&json!({}), &object).subject());
        assert_one(&found, Error, part);
    }
}

fn scaler(kind: &str, name: &str) -> Vec<Json> {
    vec![
        json!({"metadata": {"name": "s"}, "spec": {"scaleTargetRef": {"kind": kind, "name": name}}}),
    ]
}

#[test]
fn autoscalers_of_the_workload_are_refused_pinned_or_allowed() {
    let found = |more: &Json, seen: &Autoscalers| {
        autoscalers::check(&scene(more, &json!({})).subject(), seen)
    };
    let horizontal = |kind, name| Autoscalers {
        horizontal: Some(scaler(kind, name)),
        ..Autoscalers::default()
    };
    let own = horizontal("Deployment", "checkout");
    assert_one(
        &found(&json!({}), &own),
        Error,
        "HorizontalPodAutoscaler s acts on deployment/checkout",
    );
    assert_one(
        &found(&json!({"autoscaler": "pin"}), &own),
        Note,
        "is pinned",
    );
    assert_one(
        &found(&json!({"autoscaler": "allow"}), &own),
        Note,
        "is reported",
    );
    assert_one(
        &found(&json!({"policy": "new-deployment"}), &own),
        Note,
        "not on its clones",
    );
    for (kind, name) in [("Deployment", "cart"), ("StatefulSet", "checkout")] {
        assert_eq!(found(&json!({}), &horizontal(kind, name)), []);
    }
    let keda = Autoscalers {
        scaled: Some(scaler("Deployment", "checkout")),
        ..Autoscalers::default()
    };
    assert_one(
        &found(&json!({"autoscaler": "pin"}), &keda),
        Error,
        "cannot be pinned",
    );
    let vertical = |mode: &str| Autoscalers {
        vertical: Some(vec![json!({"metadata": {"name": "v"}, "spec": {
            "targetRef": {"kind": "Deployment", "name": "checkout"}, "updatePolicy": {"updateMode": mode},
        }})]),
        ..Autoscalers::default()
    };
    assert_one(
        &found(&json!({}), &vertical("Auto")),
        Error,
        "updateMode to Off",
    );
    assert_one(
        &found(&json!({}), &vertical("Off")),
        Note,
        "only recommends",
    );
}

#[test]
fn who_deploys_it_is_named_with_how_to_suspend_it() {
    let argo = json!({"metadata": {"annotations": {
        "argocd.argoproj.io/tracking-id": "store:apps/Deployment:shop/checkout",
    }}});
    let flux = json!({"metadata": {"labels": {
        "kustomize.toolkit.fluxcd.io/name": "apps", "kustomize.toolkit.fluxcd.io/namespace": "flux-system",
    }}});
    let managed = json!({"metadata": {"managedFields": [{"manager": "helm-controller"}]}});
    let found =
        |more: &Json, object: &Json, rests| keeper::check(&scene(more, object).subject(), rests);
    let own = json!({});
    assert_one(
        &found(&own, &argo, false),
        Error,
        "argocd app set store --sync-policy none",
    );
    assert_one(
        &found(&own, &flux, false),
        Error,
        "flux suspend kustomization apps --namespace flux-system",
    );
    assert_one(&found(&own, &managed, false), Error, "Flux (helmrelease");
    assert_one(&found(&own, &flux, true), Note, "is at rest");
    assert_one(
        &found(&json!({"accept": ["gitops"]}), &argo, false),
        Warning,
        "Argo CD (store)",
    );
    assert_one(
        &found(&json!({"policy": "resize"}), &argo, false),
        Warning,
        "Argo CD",
    );
    assert_one(
        &found(&json!({"policy": "new-deployment"}), &argo, false),
        Note,
        "none of its business",
    );
    assert_eq!(found(&json!({"policy": "observe"}), &argo, false), []);
    let helm = json!({"metadata": {"annotations": {"meta.helm.sh/release-name": "shop"}}});
    assert_one(&found(&own, &helm, false), Warning, "Helm (release shop)");
    // A label that every chart sets says nothing.
    let label = json!({"metadata": {"labels": {"app.kubernetes.io/instance": "shop"}}});
    assert_eq!(found(&own, &label, false), []);
    let off = with(
        flux,
        &json!({"metadata": {"annotations": {"kustomize.toolkit.fluxcd.io/reconcile": "disabled"}}}),
    );
    assert_one(&found(&own, &off, false), Note, "is at rest");
}

#[test]
fn an_operators_object_is_not_changed_in_place() {
    let owned = json!({"metadata": {"ownerReferences": [{"kind": "Kafka", "name": "main", "controller": true}]}});
    let found =
        |policy: &str| keeper::check(&scene(&json!({"policy": policy}), &owned).subject(), false);
    assert_one(&found("rolling-update"), Error, "tune Kafka main itself");
    assert_one(&found("new-deployment"), Note, "its clones do not");
    let loose = json!({"metadata": {"ownerReferences": [{"kind": "Shop", "name": "x"}]}});
    assert_eq!(
        keeper::check(&scene(&json!({}), &loose).subject(), false),
        []
    );
}

#[test]
fn somebody_elses_hold_is_waited_for_or_taken_over() {
    let now: Timestamp = "2026-01-01T00:01:00Z".parse().unwrap();
    let lease = |store: &str, renewed: &str| {
        json!({
            "metadata": {"labels": {
                "experiment-manager.io/store": store, "experiment-manager.io/experiment": "latency",
            }},
            "spec": {"renewTime": renewed, "leaseDurationSeconds": 15},
        })
    };
    let found = |lease: &Json| {
        lock::check(
            &scene(&json!({}), &json!({})).subject(),
            Some(lease),
            "mine",
            now,
        )
    };
    let (fresh, old) = ("2026-01-01T00:00:55.000000Z", "2026-01-01T00:00:40.000000Z");
    assert_one(
        &found(&lease("other", fresh)),
        Error,
        "experiment latency of another store holds",
    );
    assert_one(&found(&lease("other", old)), Warning, "is taken over");
    assert_eq!(found(&lease("mine", fresh)), []);
    let marked = json!({"metadata": {"annotations": {"experiment-manager.io/hold": "{\"epoch\":\"other.3\"}"}}});
    let left = lock::check(&scene(&json!({}), &marked).subject(), None, "mine", now);
    assert_one(&left, Error, "em kube restore deployment/checkout");
    assert_eq!(
        lock::check(&scene(&json!({}), &marked).subject(), None, "other", now),
        []
    );
}

#[test]
fn an_original_that_does_not_fit_a_secret_is_refused() {
    let large = |size: usize| {
        (
            "configmap/big".to_owned(),
            json!({"data": {"x": "y".repeat(size)}}),
        )
    };
    let in_place = scene(&json!({}), &json!({}));
    assert_one(
        &undo::check(&in_place.subject(), &[large(900 * 1024)]),
        Error,
        "900 KiB",
    );
    assert_eq!(undo::check(&in_place.subject(), &[large(800 * 1024)]), []);
    // What the cluster keeps in the object is not part of the original.
    let noisy = json!({"status": {"x": "y".repeat(900 * 1024)}, "metadata": {"managedFields": ["y".repeat(900 * 1024)]}});
    assert_eq!(undo::check(&scene(&json!({}), &noisy).subject(), &[]), []);
    let clones = scene(&json!({"policy": "new-deployment"}), &json!({}));
    assert_eq!(undo::check(&clones.subject(), &[large(900 * 1024)]), []);
}
