//! Reading pods.

use k8s_openapi::api::core::v1::{ContainerStatus, Pod, PodCondition};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;

/// A container of a pod, and whether it has to end before the others start.
#[derive(Clone, Copy)]
pub(crate) struct Container<'a> {
    pub(crate) status: &'a ContainerStatus,
    pub(crate) must_end: bool,
}

pub(crate) fn name(pod: &Pod) -> &str {
    pod.metadata.name.as_deref().unwrap_or_default()
}

/// Its identity; empty where it has none.
pub(crate) fn uid(pod: &Pod) -> &str {
    pod.metadata.uid.as_deref().unwrap_or_default()
}

pub(crate) fn node(pod: &Pod) -> Option<&str> {
    pod.spec.as_ref()?.node_name.as_deref()
}

pub(crate) fn label<'a>(pod: &'a Pod, name: &str) -> Option<&'a str> {
    let labels = pod.metadata.labels.as_ref()?;
    labels.get(name).map(String::as_str)
}

pub(crate) fn annotation<'a>(pod: &'a Pod, name: &str) -> Option<&'a str> {
    let annotations = pod.metadata.annotations.as_ref()?;
    annotations.get(name).map(String::as_str)
}

/// Who makes and removes it.
pub(crate) fn owner(pod: &Pod) -> Option<&str> {
    controller(pod.metadata.owner_references.as_deref())
}

/// The controller among owners.
pub(crate) fn controller(owners: Option<&[OwnerReference]>) -> Option<&str> {
    let owner = owners?
        .iter()
        .find(|owner| owner.controller == Some(true))?;
    Some(owner.uid.as_str()).filter(|uid| !uid.is_empty())
}

/// Whether it is being removed.
pub(crate) fn is_leaving(pod: &Pod) -> bool {
    pod.metadata.deletion_timestamp.is_some()
}

/// Whether it has ended for good.
pub(crate) fn is_finished(pod: &Pod) -> bool {
    matches!(phase(pod), "Failed" | "Succeeded")
}

pub(crate) fn phase(pod: &Pod) -> &str {
    let status = pod.status.as_ref();
    let phase = status.and_then(|status| status.phase.as_deref());
    phase.unwrap_or_default()
}

pub(crate) fn condition<'a>(pod: &'a Pod, name: &str) -> Option<&'a PodCondition> {
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    conditions.iter().find(|condition| condition.type_ == name)
}

/// The condition that says why it is or was taken away, where that is known.
pub(crate) fn disruption(pod: &Pod) -> Option<&PodCondition> {
    condition(pod, "DisruptionTarget").filter(|condition| condition.status == "True")
}

pub(crate) fn is_ready(pod: &Pod) -> bool {
    condition(pod, "Ready").is_some_and(|condition| condition.status == "True")
}

/// Whether what ended in it is started again.
pub(crate) fn restarts(pod: &Pod) -> bool {
    let spec = pod.spec.as_ref();
    let policy = spec.and_then(|spec| spec.restart_policy.as_deref());
    policy.is_none_or(|policy| policy == "Always")
}

/// Its containers as the kubelet reports them, those that prepare first.
pub(crate) fn containers(pod: &Pod) -> Vec<Container<'_>> {
    let Some(status) = &pod.status else {
        return Vec::new();
    };
    let preparing = status.init_container_statuses.iter().flatten();
    let main = status.container_statuses.iter().flatten();
    let preparing = preparing.map(|status| Container {
        status,
        must_end: !stays(pod, &status.name),
    });
    let main = main.map(|status| Container {
        status,
        must_end: false,
    });
    preparing.chain(main).collect()
}

/// Whether a preparing container runs beside the others for good.
fn stays(pod: &Pod, container: &str) -> bool {
    let spec = pod.spec.as_ref();
    let declared = spec.and_then(|spec| spec.init_containers.as_ref());
    declared
        .into_iter()
        .flatten()
        .any(|init| init.name == container && init.restart_policy.as_deref() == Some("Always"))
}
