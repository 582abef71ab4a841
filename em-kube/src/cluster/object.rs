//! Objects of a namespace as JSON: read, made, patched, removed.

use em_core::fault::FaultKind;
use em_core::plan::ObjectRef;
use kube::Client;
use kube::api::{
    Api, ApiResource, DeleteParams, DynamicObject, Patch, PatchParams, PostParams, Preconditions,
    PropagationPolicy, ValidationDirective,
};
use kube::core::{GroupVersionKind, Request};
use serde_json::{Value as Json, json};

use super::Cluster;
use crate::fault::KubeError;
use crate::mark::FIELD_MANAGER;

/// The objects of one kind in one namespace.
#[derive(Clone)]
pub struct Object {
    client: Client,
    api: Api<DynamicObject>,
    resource: ApiResource,
    kind: String,
    namespace: String,
}

/// How often a write is tried again because somebody else was faster.
pub const TRIES: u32 = 20;

impl std::fmt::Debug for Object {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            kind, namespace, ..
        } = self;
        write!(f, "the {kind}s of namespace {namespace}")
    }
}

/// Kinds that every cluster has.
pub fn resource_of(kind: &str) -> Option<ApiResource> {
    let (group, version, kind, plural) = match kind {
        "deployment" => ("apps", "v1", "Deployment", "deployments"),
        "statefulset" => ("apps", "v1", "StatefulSet", "statefulsets"),
        "daemonset" => ("apps", "v1", "DaemonSet", "daemonsets"),
        "replicaset" => ("apps", "v1", "ReplicaSet", "replicasets"),
        "job" => ("batch", "v1", "Job", "jobs"),
        "pod" => ("", "v1", "Pod", "pods"),
        "service" => ("", "v1", "Service", "services"),
        "configmap" => ("", "v1", "ConfigMap", "configmaps"),
        "secret" => ("", "v1", "Secret", "secrets"),
        "event" => ("", "v1", "Event", "events"),
        "lease" => ("coordination.k8s.io", "v1", "Lease", "leases"),
        "horizontalpodautoscaler" => (
            "autoscaling",
            "v2",
            "HorizontalPodAutoscaler",
            "horizontalpodautoscalers",
        ),
        _ => return None,
    };
    let gvk = GroupVersionKind::gvk(group, version, kind);
    Some(ApiResource::from_gvk_with_plural(&gvk, plural))
}

impl Cluster {
    /// The objects of a kind that every cluster has (see [`resource_of`]), in the cluster's namespace.
    ///
    /// # Panics
    /// When it is none of them.
    pub fn objects(&self, kind: &str) -> Object {
        let resource = resource_of(kind).expect("only kinds of every cluster are asked for");
        self.objects_of(&resource)
    }

    /// The objects of a resource, in the cluster's namespace.
    pub fn objects_of(&self, resource: &ApiResource) -> Object {
        Object {
            client: self.client.clone(),
            api: Api::namespaced_with(self.client.clone(), &self.namespace, resource),
            resource: resource.clone(),
            kind: resource.kind.to_ascii_lowercase(),
            namespace: self.namespace.clone(),
        }
    }

    /// The objects among which `object` is: a custom resource is looked up in the cluster.
    pub async fn objects_like(&self, object: &ObjectRef) -> Result<Object, KubeError> {
        if let Some(resource) = resource_of(&object.kind) {
            return Ok(self.objects_of(&resource));
        }
        let resource = self.custom_resource(&object.kind).await?;
        Ok(self.objects_of(&resource))
    }

    /// The resource that is written `PLURAL.GROUP`.
    async fn custom_resource(&self, name: &str) -> Result<ApiResource, KubeError> {
        let unknown = || {
            let what = format!(
                "context {} has no resource {name} (see `kubectl api-resources`)",
                self.context
            );
            KubeError::unfit(FaultKind::NotFound, what)
        };
        let (plural, group) = name.split_once('.').ok_or_else(unknown)?;
        let group = kube::discovery::group(&self.client, group)
            .await
            .map_err(|_| unknown())?;
        let found = group
            .recommended_resources()
            .into_iter()
            .find(|(resource, _)| resource.plural == plural);
        found.map(|(resource, _)| resource).ok_or_else(unknown)
    }
}

impl Object {
    fn act(&self, verb: &str, name: &str) -> String {
        format!(
            "{verb} {}/{name} in namespace {}",
            self.kind, self.namespace
        )
    }

    /// Typed access to the same objects, for watches.
    pub fn api(&self) -> &Api<DynamicObject> {
        &self.api
    }

    /// What kind they are.
    pub fn resource(&self) -> ApiResource {
        self.resource.clone()
    }

    /// The object as the cluster has it; none where there is no such one.
    pub async fn get(&self, name: &str) -> Result<Option<Json>, KubeError> {
        let found = self.api.get_opt(name).await;
        let found = found.map_err(KubeError::of(self.act("read", name)))?;
        Ok(found.map(to_json))
    }

    /// The object, or an error that says that it is not there.
    pub async fn need(&self, name: &str) -> Result<Json, KubeError> {
        let found = self.get(name).await?;
        found.ok_or_else(|| {
            let what = format!(
                "there is no {}/{name} in namespace {}",
                self.kind, self.namespace
            );
            KubeError::unfit(FaultKind::NotFound, what)
        })
    }

    /// All with these labels, as a selector: `a=b,c`.
    pub async fn list(&self, labels: &str) -> Result<Vec<Json>, KubeError> {
        let params = kube::api::ListParams::default().labels(labels);
        let found = self.api.list(&params).await;
        let act = format!("list {}s in namespace {}", self.kind, self.namespace);
        let found = found.map_err(KubeError::of(act))?;
        Ok(found.items.into_iter().map(to_json).collect())
    }

    /// Makes the object; whether it was made. False: it was there already.
    pub async fn create(&self, object: &Json) -> Result<bool, KubeError> {
        match self.try_create(object, false).await {
            Ok(_) => Ok(true),
            Err(error) if error.is_conflict() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// What the object would become, and what would be refused, without making it.
    pub async fn rehearse_create(&self, object: &Json) -> Result<Json, KubeError> {
        self.try_create(object, true).await
    }

    async fn try_create(&self, object: &Json, dry_run: bool) -> Result<Json, KubeError> {
        let name = object.pointer("/metadata/name").and_then(Json::as_str);
        let name = name.unwrap_or_default();
        let act = self.act("make", name);
        let params = PostParams {
            dry_run,
            field_manager: Some(FIELD_MANAGER.to_owned()),
        };
        let unfit = |error: &dyn std::fmt::Display| {
            KubeError::unfit(FaultKind::Invalid, format!("failed to {act}: {error}"))
        };
        let body = serde_json::to_vec(object).map_err(|error| unfit(&error))?;
        let request = Request::new(self.api.resource_url())
            .create(&params, body)
            .map_err(|error| unfit(&error))?;
        let request = strict(request).map_err(|error| unfit(&error))?;
        let made = self.client.request::<DynamicObject>(request).await;
        made.map(to_json).map_err(KubeError::of(act.clone()))
    }

    /// Reads, edits and writes the object until nobody else is faster. `edit` answers the whole object as it is to be;
    /// none leaves it alone. Answers the object as it then is; none: it is not there, or was left alone.
    pub async fn edit(
        &self,
        name: &str,
        mut edit: impl FnMut(&Json) -> Option<Json>,
    ) -> Result<Option<Json>, KubeError> {
        for _ in 0..TRIES {
            let Some(seen) = self.get(name).await? else {
                return Ok(None);
            };
            let Some(wanted) = edit(&seen) else {
                return Ok(None);
            };
            if wanted == seen {
                return Ok(Some(seen));
            }
            match self.change(&seen, &wanted).await {
                Err(error) if error.is_conflict() => {}
                done => return done.map(Some),
            }
        }
        Err(self.too_busy(name))
    }

    /// Somebody else was faster every time.
    pub fn too_busy(&self, name: &str) -> KubeError {
        let what = format!(
            "{}/{name} in namespace {} is changed by others all the time: {TRIES} writes were too late (see who, in its managedFields)",
            self.kind, self.namespace
        );
        KubeError::unfit(FaultKind::Unavailable, what)
    }

    /// Patches the object as `seen`, which tells its version: who changed it meanwhile makes this a conflict.
    /// `wanted` is the whole object as it is to be. Answers it as it then is.
    pub async fn change(&self, seen: &Json, wanted: &Json) -> Result<Json, KubeError> {
        self.change_with(seen, wanted, false).await
    }

    /// What a change would make of the object, and what would be refused, without changing it.
    pub async fn rehearse_change(&self, seen: &Json, wanted: &Json) -> Result<Json, KubeError> {
        self.change_with(seen, wanted, true).await
    }

    async fn change_with(
        &self,
        seen: &Json,
        wanted: &Json,
        dry_run: bool,
    ) -> Result<Json, KubeError> {
        let name = seen.pointer("/metadata/name").and_then(Json::as_str);
        let name = name.unwrap_or_default();
        let act = self.act("change", name);
        let patch = versioned(seen, wanted)
            .map_err(|error| KubeError::unfit(FaultKind::Malformed, format!("{act}: {error}")))?;
        let changed = self
            .api
            .patch(name, &params(dry_run), &Patch::<()>::Json(patch))
            .await;
        changed.map(to_json).map_err(KubeError::of(act))
    }

    /// Patches the object whatever version it has.
    pub async fn patch(
        &self,
        name: &str,
        patch: &Patch<Json>,
        dry_run: bool,
    ) -> Result<Json, KubeError> {
        let patched = self.api.patch(name, &params(dry_run), patch).await;
        patched
            .map(to_json)
            .map_err(KubeError::of(self.act("change", name)))
    }

    /// The same for one of its subresources, such as `resize`.
    pub async fn patch_subresource(
        &self,
        subresource: &str,
        name: &str,
        patch: &Patch<Json>,
    ) -> Result<Json, KubeError> {
        let patched = self
            .api
            .patch_subresource(subresource, name, &params(false), patch)
            .await;
        let act = self.act(&format!("{subresource} of"), name);
        patched.map(to_json).map_err(KubeError::of(act))
    }

    /// Removes the object with all that it owns, where it still is as it was seen. Not there = done.
    pub async fn remove_as(&self, name: &str, uid: &str, version: &str) -> Result<(), KubeError> {
        self.remove_where(
            name,
            Preconditions {
                uid: Some(uid.to_owned()),
                resource_version: Some(version.to_owned()),
            },
        )
        .await
    }

    /// Removes the object with all that it owns, where it still is the one with this UID. Not there = done.
    pub async fn remove(&self, name: &str, uid: Option<&str>) -> Result<(), KubeError> {
        let only = Preconditions {
            uid: uid.map(str::to_owned),
            resource_version: None,
        };
        self.remove_where(name, only).await
    }

    async fn remove_where(&self, name: &str, only: Preconditions) -> Result<(), KubeError> {
        let is_bound = only.uid.is_some() || only.resource_version.is_some();
        let params = DeleteParams {
            propagation_policy: Some(PropagationPolicy::Foreground),
            preconditions: is_bound.then_some(only),
            ..DeleteParams::default()
        };
        let removed = self.api.delete(name, &params).await;
        match removed.map_err(KubeError::of(self.act("remove", name))) {
            Ok(_) => Ok(()),
            Err(error) if error.is_not_found() => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// The same request with fields that the cluster does not know refused, which the parameters of a creation cannot say.
fn strict(request: http::Request<Vec<u8>>) -> Result<http::Request<Vec<u8>>, http::Error> {
    let (mut parts, body) = request.into_parts();
    let uri = parts.uri.to_string();
    let joint = if uri.contains('?') { '&' } else { '?' };
    parts.uri = format!("{uri}{joint}fieldValidation=Strict").parse()?;
    Ok(http::Request::from_parts(parts, body))
}

fn params(dry_run: bool) -> PatchParams {
    PatchParams {
        dry_run,
        field_manager: Some(FIELD_MANAGER.to_owned()),
        field_validation: Some(ValidationDirective::Strict),
        ..PatchParams::default()
    }
}

fn to_json(object: DynamicObject) -> Json {
    serde_json::to_value(object).unwrap_or_else(|_| json!({}))
}

/// The difference, bound to the version in which it was seen.
fn versioned(seen: &Json, wanted: &Json) -> Result<json_patch::Patch, serde_json::Error> {
    let mut patch = json_patch::diff(seen, wanted);
    if let Some(version) = seen.pointer("/metadata/resourceVersion") {
        let binding = json!([{
            "op": "replace", "path": "/metadata/resourceVersion", "value": version,
        }]);
        let binding: json_patch::Patch = serde_json::from_value(binding)?;
        patch.0.splice(0..0, binding.0);
    }
    Ok(patch)
}
