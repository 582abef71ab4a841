//! Everything that the checks judge, read once.

use em_core::plan::{Apply, ObjectRef, Plan};
use kube::api::{Api, ApiResource, DynamicObject, ListParams};
use kube::core::GroupVersionKind;
use serde_json::{Value as Json, json};

use super::autoscalers::Autoscalers;
use super::features::Features;
use super::keeper::{Keeper, keeper};
use super::references::{Presence, Reference, references};
use super::subject::Subject;
use crate::cluster::{Cluster, Object, resource_of};
use crate::fault::KubeError;
use crate::hold::lease_name;

/// Namespace in which Argo CD keeps its Applications unless told otherwise.
const ARGO_NAMESPACE: &str = "argocd";

/// What is around the workload. None: not there, or not to be seen.
#[derive(Debug, Clone, Default)]
pub(super) struct Surroundings {
    /// Other objects that tunables change.
    pub(super) others: Vec<(ObjectRef, Option<Json>)>,
    pub(super) service: Option<Json>,
    pub(super) lease: Option<Json>,
    pub(super) pods: Option<Vec<Json>>,
    pub(super) pods_everywhere: Option<Vec<Json>>,
    pub(super) nodes: Option<Vec<Json>>,
    pub(super) limits: Option<Vec<Json>>,
    pub(super) quotas: Option<Vec<Json>>,
    pub(super) budgets: Option<Vec<Json>>,
    pub(super) autoscalers: Autoscalers,
    pub(super) references: Vec<(Reference, Presence)>,
    pub(super) claims: Vec<Json>,
    /// Whether the tool that deploys the workload was seen to be at rest.
    pub(super) is_suspended: bool,
}

/// Looks around the workload.
pub(super) async fn around(
    cluster: &Cluster,
    subject: &Subject<'_>,
    features: &Features,
) -> Result<Surroundings, KubeError> {
    let spec = subject.spec;
    let mut seen = Surroundings::default();
    for object in others(subject.plan, &spec.workload) {
        let found = cluster.objects_like(&object).await?.get(&object.name).await;
        seen.others.push((object, allowed(found)?.flatten()));
    }
    if let Some(service) = &spec.service {
        let found = cluster.objects("service").get(&service.name).await;
        seen.service = allowed(found)?.flatten();
    }
    if spec.policy.is_in_place() {
        let lease = cluster
            .objects("lease")
            .get(&lease_name(&spec.workload))
            .await;
        seen.lease = allowed(lease)?.flatten();
    }
    let list = async |object: Object| allowed(object.list("").await);
    seen.pods = list(cluster.objects("pod")).await?;
    seen.limits =
        list(cluster.objects_of(&resource("", "v1", "LimitRange", "limitranges"))).await?;
    seen.quotas =
        list(cluster.objects_of(&resource("", "v1", "ResourceQuota", "resourcequotas"))).await?;
    if features.has("policy/v1") {
        let budgets = resource(
            "policy",
            "v1",
            "PodDisruptionBudget",
            "poddisruptionbudgets",
        );
        seen.budgets = list(cluster.objects_of(&budgets)).await?;
    }
    seen.autoscalers = autoscalers(cluster, features).await?;
    let nodes = resource("", "v1", "Node", "nodes");
    seen.nodes = everywhere(cluster, &nodes, &ListParams::default()).await?;
    let running = ListParams::default().fields("status.phase!=Succeeded,status.phase!=Failed");
    if let (Some(pods), true) = (resource_of("pod"), seen.nodes.is_some()) {
        seen.pods_everywhere = everywhere(cluster, &pods, &running).await?;
    }
    (seen.references, seen.claims) = referred(cluster, subject).await?;
    seen.is_suspended = is_suspended(cluster, subject.object).await?;
    Ok(seen)
}

/// Objects beside the workload that tunables change.
fn others(plan: &Plan, workload: &ObjectRef) -> Vec<ObjectRef> {
    let applied = plan.tunables.iter().flat_map(|tunable| &tunable.apply);
    let mut others: Vec<ObjectRef> = applied
        .filter_map(|apply| match apply {
            Apply::Patch { object, .. } => object.clone(),
            Apply::Env { .. }
            | Apply::Arg { .. }
            | Apply::Resource { .. }
            | Apply::Replicas
            | Apply::Image { .. }
            | _ => None,
        })
        .filter(|object| object != workload)
        .collect();
    others.sort();
    others.dedup();
    others
}

fn resource(group: &str, version: &str, kind: &str, plural: &str) -> ApiResource {
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural)
}

/// What may not be seen, or does not exist, is none; all else that fails is an error.
fn allowed<T>(answer: Result<T, KubeError>) -> Result<Option<T>, KubeError> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(error) if matches!(error.code(), Some(403..=405)) => Ok(None),
        Err(error) => Err(error),
    }
}

async fn everywhere(
    cluster: &Cluster,
    resource: &ApiResource,
    params: &ListParams,
) -> Result<Option<Vec<Json>>, KubeError> {
    let objects: Api<DynamicObject> = Api::all_with(cluster.client(), resource);
    let act = format!("list {} of the cluster", resource.plural);
    let found = allowed(objects.list(params).await.map_err(KubeError::of(act)))?;
    Ok(found.map(|list| list.items.into_iter().map(to_json).collect()))
}

fn to_json(object: DynamicObject) -> Json {
    serde_json::to_value(object).unwrap_or_else(|_| json!({}))
}

async fn autoscalers(cluster: &Cluster, features: &Features) -> Result<Autoscalers, KubeError> {
    let list = async |group_version: &str, resource: ApiResource| {
        if !features.has(group_version) {
            return Ok(None);
        }
        allowed(cluster.objects_of(&resource).list("").await)
    };
    let (vertical, scaled) = ("autoscaling.k8s.io", "keda.sh");
    Ok(Autoscalers {
        horizontal: list(
            "autoscaling/v2",
            resource(
                "autoscaling",
                "v2",
                "HorizontalPodAutoscaler",
                "horizontalpodautoscalers",
            ),
        )
        .await?,
        vertical: list(
            "autoscaling.k8s.io/v1",
            resource(
                vertical,
                "v1",
                "VerticalPodAutoscaler",
                "verticalpodautoscalers",
            ),
        )
        .await?,
        scaled: list(
            "keda.sh/v1alpha1",
            resource(scaled, "v1alpha1", "ScaledObject", "scaledobjects"),
        )
        .await?,
    })
}

/// Whether what the pods name is there, without reading what is in it.
async fn referred(
    cluster: &Cluster,
    subject: &Subject<'_>,
) -> Result<(Vec<(Reference, Presence)>, Vec<Json>), KubeError> {
    let mut looked = Vec::new();
    let mut claims = Vec::new();
    let volumes = resource("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims");
    for reference in references(subject.object) {
        let name = &reference.name;
        let found = if reference.kind == "persistentvolumeclaim" {
            let claim = allowed(cluster.objects_of(&volumes).get(name).await)?;
            claims.extend(claim.clone().flatten());
            claim.map(|claim| claim.is_some())
        } else {
            let objects = cluster.objects(reference.kind);
            let act = format!("look for {}/{name}", reference.kind);
            let found = objects.api().get_metadata_opt(name).await;
            allowed(found.map_err(KubeError::of(act)))?.map(|found| found.is_some())
        };
        let presence = match found {
            Some(true) => Presence::There,
            Some(false) => Presence::Absent,
            None => Presence::Hidden,
        };
        looked.push((reference, presence));
    }
    Ok((looked, claims))
}

/// Whether the tool that deploys the workload says of itself that it is at rest.
async fn is_suspended(cluster: &Cluster, object: &Json) -> Result<bool, KubeError> {
    let (resource, namespace, name) = match keeper(object) {
        Some(Keeper::Flux {
            kind,
            at: Some((namespace, name)),
        }) => {
            let resource = if kind == "kustomization" {
                resource(
                    "kustomize.toolkit.fluxcd.io",
                    "v1",
                    "Kustomization",
                    "kustomizations",
                )
            } else {
                resource(
                    "helm.toolkit.fluxcd.io",
                    "v2",
                    "HelmRelease",
                    "helmreleases",
                )
            };
            (resource, namespace, name)
        }
        Some(Keeper::Argo {
            application: Some(name),
        }) => {
            let resource = resource("argoproj.io", "v1alpha1", "Application", "applications");
            (resource, ARGO_NAMESPACE.to_owned(), name)
        }
        Some(Keeper::Flux { .. } | Keeper::Argo { .. } | Keeper::Helm { .. }) | None => {
            return Ok(false);
        }
    };
    let objects: Api<DynamicObject> = Api::namespaced_with(cluster.client(), &namespace, &resource);
    let act = format!(
        "look for {}/{name} in namespace {namespace}",
        resource.plural
    );
    let found = allowed(objects.get_opt(&name).await.map_err(KubeError::of(act)))?.flatten();
    let is_at_rest = |kept: &DynamicObject| {
        if resource.plural == "applications" {
            let automated = kept.data.pointer("/spec/syncPolicy/automated");
            automated.is_none_or(|automated| automated.get("enabled") == Some(&Json::Bool(false)))
        } else {
            kept.data.pointer("/spec/suspend") == Some(&Json::Bool(true))
        }
    };
    Ok(found.as_ref().is_some_and(is_at_rest))
}
