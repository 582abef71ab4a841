//! Commands in pods, and what pods printed.

use em_core::fault::FaultKind;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, AttachParams, LogParams};
use tokio::io::AsyncReadExt as _;

use crate::cluster::Cluster;
use crate::fault::KubeError;
use crate::readiness::LogsOf;

/// Lines of a container that say why it ended.
const LAST_LINES: i64 = 5;
/// What of a command's complaint is told.
const MOST_CHARACTERS: usize = 500;

/// The last lines of a container, in one line. None: they cannot be had.
pub(super) async fn last_lines(cluster: &Cluster, of: &LogsOf) -> Option<String> {
    let pods: Api<Pod> = Api::namespaced(cluster.client(), cluster.namespace());
    let params = LogParams {
        container: Some(of.container.clone()),
        previous: of.previous,
        tail_lines: Some(LAST_LINES),
        ..LogParams::default()
    };
    let text = pods.logs(&of.pod, &params).await.ok()?;
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    if lines.is_empty() {
        return None;
    }
    Some(lines.join(" | ").chars().take(MOST_CHARACTERS).collect())
}

/// Runs a command in a pod, to its end; an exit code other than 0 is an error.
pub(super) async fn run(
    cluster: &Cluster,
    pod: &str,
    container: Option<&str>,
    command: &[String],
) -> Result<(), KubeError> {
    let shown = command.first().map_or("", String::as_str);
    let act = format!("run {shown} in pod/{pod}");
    let pods: Api<Pod> = Api::namespaced(cluster.client(), cluster.namespace());
    let mut params = AttachParams::default().stdout(false).stderr(true);
    if let Some(container) = container {
        params = params.container(container);
    }
    let attached = pods.exec(pod, command.to_vec(), &params).await;
    let mut attached = attached.map_err(KubeError::of(act.clone()))?;
    let mut complaint = String::new();
    if let Some(stderr) = attached.stderr() {
        let most = u64::try_from(MOST_CHARACTERS).unwrap_or(u64::MAX);
        drop(stderr.take(most).read_to_string(&mut complaint).await);
    }
    let status = match attached.take_status() {
        Some(status) => status.await,
        None => None,
    };
    let is_done = status
        .as_ref()
        .is_some_and(|status| status.status.as_deref() == Some("Success"));
    if is_done {
        return Ok(());
    }
    let why = status.and_then(|status| status.message).unwrap_or_default();
    let what = format!("failed to {act}: {why} {}", complaint.trim());
    Err(KubeError::unfit(FaultKind::Invalid, what.trim().to_owned()))
}
