//! Whether the cluster allows what the plan needs: asked beforehand, verb by verb.

use em_core::port::Finding;
use futures::{StreamExt as _, TryStreamExt as _};
use serde_json::{Value as Json, json};

use super::finding::{error, listed, text_at, warning};
use super::permissions::{Level, Permission};
use crate::cluster::Cluster;
use crate::fault::KubeError;

/// Questions on their way at a time.
const AT_ONCE: usize = 8;

const REVIEWS: &str = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";

/// Those of `needed` that the cluster does not allow, in their order.
pub(super) async fn missing(
    cluster: &Cluster,
    needed: Vec<Permission>,
) -> Result<Vec<Permission>, KubeError> {
    let asked = futures::stream::iter(needed).map(|permission| async move {
        let is_allowed = ask(cluster, &permission).await?;
        Ok::<_, KubeError>((!is_allowed).then_some(permission))
    });
    let answers: Vec<Option<Permission>> = asked.buffered(AT_ONCE).try_collect().await?;
    Ok(answers.into_iter().flatten().collect())
}

async fn ask(cluster: &Cluster, permission: &Permission) -> Result<bool, KubeError> {
    let review = review(permission, cluster.namespace());
    let act = "ask the cluster what is allowed";
    let request = http::Request::post(REVIEWS)
        .header(http::header::CONTENT_TYPE, "application/json")
        .body(review.to_string().into_bytes());
    let request = request.map_err(|error| {
        KubeError::unfit(
            em_core::fault::FaultKind::Invalid,
            format!("failed to {act}: {error}"),
        )
    })?;
    let answer = cluster.client().request::<Json>(request).await;
    let answer = answer.map_err(KubeError::of(act))?;
    Ok(answer.pointer("/status/allowed") == Some(&Json::Bool(true)))
}

/// The question as the cluster takes it.
fn review(permission: &Permission, namespace: &str) -> Json {
    let mut asked = json!({
        "verb": permission.verb,
        "group": permission.group,
        "resource": permission.resource,
    });
    let place = (!permission.is_cluster_wide).then_some(namespace);
    let more = [
        ("namespace", place),
        ("subresource", permission.subresource),
        ("name", permission.name.as_deref()),
    ];
    for (key, value) in more {
        if let Some(value) = value {
            asked[key] = json!(value);
        }
    }
    json!({
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": { "resourceAttributes": asked },
    })
}

/// What follows from what is not allowed; verbs on one thing for one purpose are one finding.
pub(super) fn findings(missing: &[Permission], namespace: &str) -> Vec<Finding> {
    let mut rest: Vec<&Permission> = missing.iter().collect();
    let mut findings = Vec::new();
    while let Some(first) = rest.first().copied() {
        let is_same = |one: &&Permission| {
            (
                one.resource_path(),
                &one.name,
                one.why,
                one.is_cluster_wide,
                one.level,
            ) == (
                first.resource_path(),
                &first.name,
                first.why,
                first.is_cluster_wide,
                first.level,
            )
        };
        let (same, others) = rest.into_iter().partition::<Vec<_>, _>(is_same);
        rest = others;
        let verbs = listed(same.iter().map(|one| one.verb));
        findings.push(finding(first, &verbs, namespace));
    }
    findings
}

fn finding(permission: &Permission, verbs: &str, namespace: &str) -> Finding {
    let mut what = permission.resource_path();
    if !permission.group.is_empty() {
        what = format!("{what} of {}", permission.group);
    }
    if let Some(name) = &permission.name {
        what = format!("{what} {name:?}");
    }
    let place = if permission.is_cluster_wide {
        "in the whole cluster".to_owned()
    } else {
        format!("in namespace {namespace}")
    };
    let why = permission.why;
    match permission.level {
        Level::Needed => error(
            format!("not permitted: {verbs} {what} {place}, needed {why}"),
            "`em kube rbac FILE` prints a Role with all that is needed",
        ),
        Level::Helpful(weaker) => warning(
            format!("not permitted: {verbs} {what} {place}, of use {why}; without it {weaker}"),
            "`em kube rbac FILE` prints a Role with it, too",
        ),
    }
}

/// Who is asking, as the cluster sees it: for the facts of the result. None: the cluster does not tell.
pub(super) async fn user(cluster: &Cluster) -> Option<String> {
    let body = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"});
    let request = http::Request::post("/apis/authentication.k8s.io/v1/selfsubjectreviews")
        .header(http::header::CONTENT_TYPE, "application/json")
        .body(body.to_string().into_bytes())
        .ok()?;
    let answer = cluster.client().request::<Json>(request).await.ok()?;
    text_at(&answer, "/status/userInfo/username").map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permission(verb: &'static str, level: Level) -> Permission {
        Permission {
            verb,
            group: "apps".to_owned(),
            resource: "deployments".to_owned(),
            subresource: None,
            name: Some("checkout".to_owned()),
            is_cluster_wide: false,
            why: "to change the workload",
            level,
        }
    }

    #[test]
    fn what_is_missing_names_verb_resource_place_and_purpose() {
        let missing = [
            permission("get", Level::Needed),
            permission("patch", Level::Needed),
            permission("watch", Level::Helpful("nothing is followed")),
        ];
        let sentences: Vec<String> = findings(&missing, "shop")
            .iter()
            .map(Finding::sentence)
            .collect();
        assert_eq!(
            sentences,
            [
                "not permitted: get, patch deployments of apps \"checkout\" in namespace shop, needed to change the workload (`em kube rbac FILE` prints a Role with all that is needed)",
                "not permitted: watch deployments of apps \"checkout\" in namespace shop, of use to change the workload; without it nothing is followed (`em kube rbac FILE` prints a Role with it, too)",
            ]
        );
    }

    #[test]
    fn a_question_names_the_namespace_only_where_there_is_one() {
        let mut asked = permission("get", Level::Needed);
        let attributes = "/spec/resourceAttributes";
        assert_eq!(
            review(&asked, "shop").pointer(attributes).unwrap(),
            &json!({"verb": "get", "group": "apps", "resource": "deployments", "namespace": "shop", "name": "checkout"})
        );
        asked.is_cluster_wide = true;
        asked.subresource = Some("proxy");
        let review = review(&asked, "shop");
        assert_eq!(review.pointer(&format!("{attributes}/namespace")), None);
        assert_eq!(
            review.pointer(&format!("{attributes}/subresource")),
            Some(&json!("proxy"))
        );
    }
}
