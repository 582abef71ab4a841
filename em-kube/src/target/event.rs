//! Events on a workload: what people see who look at it, not at us.

use em_core::port::Clock;
use serde_json::{Value as Json, json};

use crate::cluster::Cluster;
use crate::mark;

/// Characters that the message of an event may have.
const LONGEST: usize = 1000;

/// Tells what was done to an object, where that is allowed; the experiment goes on without it.
pub(super) async fn tell(
    cluster: &Cluster,
    clock: &dyn Clock,
    object: &Json,
    reason: &str,
    message: &str,
) {
    let text = |pointer: &str| {
        object
            .pointer(pointer)
            .and_then(Json::as_str)
            .unwrap_or_default()
    };
    let (name, now) = (text("/metadata/name"), clock.now());
    let unique = mark::short_digest(&format!("{name} {reason} {now}"));
    let message: String = message.chars().take(LONGEST).collect();
    let event = json!({
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": { "name": format!("{}.{unique}", mark::object_name(name, 200)) },
        "involvedObject": {
            "apiVersion": text("/apiVersion"),
            "kind": text("/kind"),
            "name": name,
            "namespace": cluster.namespace(),
            "uid": text("/metadata/uid"),
        },
        "reason": reason,
        "message": message,
        "type": "Normal",
        "source": { "component": mark::FIELD_MANAGER },
        "firstTimestamp": format!("{now:.0}"),
        "lastTimestamp": format!("{now:.0}"),
        "count": 1,
    });
    if let Err(error) = cluster.objects("event").create(&event).await {
        tracing::debug!(%error, reason, "no event was written");
    }
}
