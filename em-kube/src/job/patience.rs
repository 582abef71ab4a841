//! How long pods are waited for, and what is said when they do not come.

use std::time::Duration;

use kube::api::ListParams;
use serde_json::Value as Json;

use super::run::Runner;
use super::sight::Sight;

/// How long pods may be missing before the cluster is asked why.
const PODS_COME_WITHIN: Duration = Duration::from_secs(3);
/// How long pods may find no node: one may be on its way.
const NODE_COMES_WITHIN: Duration = Duration::from_secs(30);
/// How long it may take otherwise until all run; shorter than the engine waits, which knows no reason.
const ALL_RUN_WITHIN: Duration = Duration::from_secs(270);

impl Runner {
    /// Whether it is still reasonable to wait for the pods.
    pub(super) async fn is_in_time(
        &self,
        run: u32,
        waited: Duration,
        sight: &Sight,
        why: Option<String>,
        asked: &mut u32,
    ) -> Result<(), String> {
        let wanted = usize::try_from(self.reading.workers).unwrap_or(usize::MAX);
        let is_short = sight.count() < wanted;
        // Asked seldom: events are many.
        if is_short && waited > PODS_COME_WITHIN * (*asked * 3 + 1) {
            *asked += 1;
            if let Some(refusal) = self.refusal(run).await {
                return Err(refusal);
            }
        }
        let has_no_node = why
            .as_ref()
            .is_some_and(|why| why.contains("finds no node"));
        let limit = if has_no_node {
            NODE_COMES_WITHIN
        } else {
            ALL_RUN_WITHIN
        };
        if waited <= limit {
            return Ok(());
        }
        let why = why.unwrap_or_else(|| "the cluster does not say why".to_owned());
        let (count, seconds) = (sight.count(), waited.as_secs());
        Err(format!(
            "not all load pods ran within {seconds} s ({count} of {wanted} there): a pod {why}"
        ))
    }

    /// Why the cluster makes no pods of a run, where it says so: a quota, an admission webhook.
    async fn refusal(&self, run: u32) -> Option<String> {
        let job = self.names.job(run);
        let fields = format!("involvedObject.name={job},reason=FailedCreate");
        let params = ListParams::default().fields(&fields);
        let events = self.cluster.objects("event");
        let found = events.api().list(&params).await.ok()?;
        let event = found.items.last()?;
        let message = event.data.get("message").and_then(Json::as_str)?;
        Some(format!("the cluster makes no pods of job/{job}: {message}"))
    }
}
