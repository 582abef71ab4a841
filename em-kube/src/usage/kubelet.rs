//! Numbers of the kubelet's stats summary.

use jiff::Timestamp;
use serde_json::Value as Json;

use super::{Numbers, Sources, seconds, sum, text, time};

const NANOS: f64 = 1e9;

pub(super) fn numbers(sources: &Sources<'_>, now: Timestamp, numbers: &mut Numbers) {
    let number = |pointer: &'static str| {
        sum(sources.pods, |pod| {
            stats(sources, pod)?.pointer(pointer)?.as_f64()
        })
    };
    // The pod's own cgroup: it goes on counting where a container starts again.
    let cpu = number("/cpu/usageCoreNanoSeconds");
    numbers.set("cpu_seconds", cpu.map(|nanos| nanos / NANOS));
    numbers.set("memory_bytes", number("/memory/rssBytes"));
    numbers.set(
        "memory_working_set_bytes",
        number("/memory/workingSetBytes"),
    );
    numbers.set("usage_age_seconds", age(sources, now));
}

/// What the summaries say of a pod.
fn stats<'a>(sources: &Sources<'a>, pod: &Json) -> Option<&'a Json> {
    let uid = text(pod, "/metadata/uid")?;
    let pods = sources.summaries.iter();
    let mut pods = pods.filter_map(|summary| summary.get("pods")?.as_array());
    pods.find_map(|pods| {
        pods.iter()
            .find(|pod| text(pod, "/podRef/uid") == Some(uid))
    })
}

/// Age of the oldest number; none where a pod has none.
fn age(sources: &Sources<'_>, now: Timestamp) -> Option<f64> {
    let mut oldest: Option<f64> = None;
    for pod in sources.pods {
        let stats = stats(sources, pod)?;
        for pointer in ["/cpu/time", "/memory/time"] {
            let age = seconds(time(stats, pointer)?, now).max(0.0);
            oldest = Some(oldest.map_or(age, |oldest| oldest.max(age)));
        }
    }
    oldest
}
