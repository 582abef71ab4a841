//! A look into a container, by a `cat` that is run in it.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, AttachParams, AttachedProcess};
use serde_json::Value as Json;
use tokio::io::AsyncReadExt as _;

use super::page;
use super::seen::ProcessSeen;
use crate::cluster::Cluster;
use crate::fault::KubeError;

/// How long a look may take.
const LIMIT: Duration = Duration::from_secs(5);
/// The most that is read.
const MOST_BYTES: u64 = 1 << 20;
/// How much may wait for its reader.
const BUFFER: usize = 64 * 1024;

/// What runs in a container of a pod. It always answers: where nothing can be read, it says why.
pub async fn read(cluster: &Cluster, pod: &Json, container: &str) -> ProcessSeen {
    let look = tokio::time::timeout(LIMIT, look(cluster, pod, container));
    let looked = look.await.unwrap_or_else(|_| {
        let limit = LIMIT.as_secs();
        Err(format!("the container did not answer within {limit} s"))
    });
    looked.unwrap_or_else(ProcessSeen::unread)
}

async fn look(cluster: &Cluster, pod: &Json, container: &str) -> Result<ProcessSeen, String> {
    let text = |pointer: &str| pod.pointer(pointer).and_then(Json::as_str);
    let name = text("/metadata/name").ok_or("the pod has no name")?;
    let namespace = text("/metadata/namespace").unwrap_or_else(|| cluster.namespace());
    let pods: Api<Pod> = Api::namespaced(cluster.client(), namespace);
    let params = AttachParams::default()
        .container(container)
        .stderr(false)
        .max_stdout_buf_size(BUFFER);
    let command = page::command(has_own_processes(pod));
    let attached = pods.exec(name, command, &params).await;
    let act = format!("exec in pod/{name} in namespace {namespace}");
    let mut attached = attached.map_err(|error| refused(&KubeError::of(act)(error)))?;
    let printed = output(&mut attached).await?;
    match page::parse(&printed) {
        Some(seen) => Ok(seen),
        None => Err(why_not(&mut attached).await),
    }
}

/// Whether the first process is the container's own.
fn has_own_processes(pod: &Json) -> bool {
    let is_set = |key: &str| pod.pointer(key).and_then(Json::as_bool) == Some(true);
    !is_set("/spec/shareProcessNamespace") && !is_set("/spec/hostPID")
}

async fn output(attached: &mut AttachedProcess) -> Result<Vec<u8>, String> {
    let stdout = attached.stdout().ok_or("the container has no output")?;
    let mut printed = Vec::new();
    let read = stdout.take(MOST_BYTES + 1).read_to_end(&mut printed).await;
    read.map_err(|error| format!("the answer of the container broke off: {error}"))?;
    if u64::try_from(printed.len()).is_ok_and(|length| length > MOST_BYTES) {
        return Err("the container answered more than 1 MiB".to_owned());
    }
    Ok(printed)
}

/// Why there was no page, as the cluster says.
async fn why_not(attached: &mut AttachedProcess) -> String {
    let status = match attached.take_status() {
        Some(status) => status.await,
        None => None,
    };
    let said = status.and_then(|status| status.message).unwrap_or_default();
    without_page(&said)
}

fn without_page(said: &str) -> String {
    let is_missing = ["not found", "no such file"]
        .iter()
        .any(|words| said.contains(words));
    if is_missing {
        return "the image has no cat".to_owned();
    }
    if said.is_empty() {
        return "the container answered nothing that can be read".to_owned();
    }
    format!("cat failed in the container: {said}")
}

fn refused(error: &KubeError) -> String {
    if error.code() == Some(403) {
        return "exec is not allowed (it takes the verbs get and create on pods/exec)".to_owned();
    }
    let source = std::error::Error::source(error);
    match source {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_pod_that_shares_its_processes_has_another_first_one() {
        assert!(has_own_processes(&json!({"spec": {"hostPID": false}})));
        let sharing = json!({"spec": {"shareProcessNamespace": true}});
        assert!(!has_own_processes(&sharing));
        assert!(!has_own_processes(&json!({"spec": {"hostPID": true}})));
    }

    #[test]
    fn reasons_say_what_is_missing() {
        let said = r#"exec: "cat": executable file not found in $PATH: unknown"#;
        assert_eq!(without_page(said), "the image has no cat");
        assert!(without_page("gone").ends_with("container: gone"));
        assert!(!without_page("").is_empty());
    }
}
