//! A StatefulSet waits for a pod that will never be ready, and does not replace it by one of a better template.

use em_core::plan::ObjectRef;
use serde_json::Value as Json;

use crate::cluster::Cluster;
use crate::fault::KubeError;
use crate::mark;
use crate::watch::selector_of;

/// Removes pods of a former template that are not ready, after another template was written: nobody else does.
/// `iteration`: the mark of the new one, none for the original.
pub(super) async fn unblock(
    cluster: &Cluster,
    object: &ObjectRef,
    written: &Json,
    iteration: Option<&str>,
) -> Result<(), KubeError> {
    let selector = selector_of(written);
    if object.kind != "statefulset" || selector.is_empty() {
        return Ok(());
    }
    let pods = cluster.objects("pod");
    for pod in pods.list(&selector).await? {
        if !is_former(&pod, object, iteration) || is_ready(&pod) {
            continue;
        }
        let text = |key: &str| pod["metadata"][key].as_str();
        if let Some(name) = text("name") {
            pods.remove(name, text("uid")).await?;
        }
    }
    Ok(())
}

fn is_former(pod: &Json, object: &ObjectRef, iteration: Option<&str>) -> bool {
    let owners = pod["metadata"]["ownerReferences"]
        .as_array()
        .into_iter()
        .flatten();
    let mut owners = owners.filter(|owner| owner["kind"] == "StatefulSet");
    let is_its = owners.any(|owner| owner["name"] == object.name.as_str());
    let mark = pod["metadata"]["annotations"][mark::ITERATION].as_str();
    is_its && mark != iteration && pod["metadata"].get("deletionTimestamp").is_none()
}

fn is_ready(pod: &Json) -> bool {
    let conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
    let mut ready = conditions.filter(|one| one["type"] == "Ready");
    ready.any(|one| one["status"] == "True")
}
