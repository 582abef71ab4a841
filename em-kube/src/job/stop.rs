//! Ending a load: its Jobs, its pods, its Secret.

use std::time::Duration;

use em_core::fault::{Fault, FaultKind};
use kube::api::DeleteParams;
use serde_json::Value as Json;

use super::blueprint::Names;
use super::pod;
use crate::cluster::{Cluster, Object};
use crate::fault::KubeError;

const AGAIN: Duration = Duration::from_millis(100);
/// How long pods may take to go; each has a second to end.
const GONE_WITHIN: Duration = Duration::from_secs(20);

/// Removes everything of a load, and waits until none of its pods runs any more. Nothing there = done.
pub(super) async fn stop(cluster: &Cluster, names: &Names) -> Result<(), Fault> {
    let (jobs, pods) = (cluster.objects("job"), cluster.objects("pod"));
    let all = names.all();
    for job in jobs.list(&all).await? {
        remove_job(&jobs, pod::name(&job)).await?;
    }
    // A Job takes its pods along, but in its own time.
    for one in pods.list(&all).await? {
        pods.remove(pod::name(&one), None).await?;
    }
    // Only a load with secrets has one, and only it may need the right to remove one.
    match cluster.objects("secret").remove(&names.base, None).await {
        Err(error) if error.code() != Some(403) => return Err(error.into()),
        Ok(()) | Err(_) => {}
    }
    let gone = async {
        loop {
            let left = running(&pods.list(&all).await?);
            if left.is_empty() {
                return Ok::<_, Fault>(());
            }
            tokio::time::sleep(AGAIN).await;
        }
    };
    if let Ok(gone) = tokio::time::timeout(GONE_WITHIN, gone).await {
        return gone;
    }
    let left = running(&pods.list(&all).await?).join(", ");
    let seconds = GONE_WITHIN.as_secs();
    let message = format!(
        "load pods still run {seconds} s after their end was asked for: {left} (is their node gone?)"
    );
    Err(Fault::new(FaultKind::Unavailable, message))
}

/// Removes a Job without waiting for its pods, which are removed by us.
async fn remove_job(jobs: &Object, name: &str) -> Result<(), KubeError> {
    let removed = jobs.api().delete(name, &DeleteParams::background()).await;
    let removed = removed.map_err(KubeError::of(format!("remove job/{name}")));
    match removed {
        Err(error) if !error.is_not_found() => Err(error),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Names and nodes of the pods that may still make load.
fn running(pods: &[Json]) -> Vec<String> {
    let phase = |pod: &Json| pod.pointer("/status/phase").cloned();
    let is_over = |pod: &&Json| {
        let phase = phase(pod);
        matches!(
            phase.as_ref().and_then(Json::as_str),
            Some("Succeeded" | "Failed")
        )
    };
    let left = pods.iter().filter(|pod| !is_over(pod));
    let named = left.map(|one| {
        let node = one.pointer("/spec/nodeName").and_then(Json::as_str);
        format!("{} on {}", pod::name(one), node.unwrap_or("no node"))
    });
    named.collect()
}
