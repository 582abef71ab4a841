//! Numbers of the kubelet's page of container metrics.

use em_core::read::ReadSample;
use serde_json::Value as Json;

use super::{Numbers, Sources, sum, text};

/// Our name, and the page's.
const SERIES: [(&str, &str); 5] = [
    ("periods", "container_cpu_cfs_periods_total"),
    (
        "throttled_periods",
        "container_cpu_cfs_throttled_periods_total",
    ),
    (
        "throttled_seconds",
        "container_cpu_cfs_throttled_seconds_total",
    ),
    ("memory_limit_kills", "container_oom_events_total"),
    ("memory_peak_bytes", "container_memory_max_usage_bytes"),
];

pub(super) fn numbers(sources: &Sources<'_>, numbers: &mut Numbers) {
    for (name, series) in SERIES {
        let value = sum(sources.pods, |pod| of_pod(sources, pod, series));
        numbers.set(name, value);
    }
}

/// The sum over a pod's containers that have the series: one without a CPU limit has no periods. Samples without a
/// container are those of the pod's own cgroup and of its sandbox.
fn of_pod(sources: &Sources<'_>, pod: &Json, series: &str) -> Option<f64> {
    let name = text(pod, "/metadata/name")?;
    let namespace = text(pod, "/metadata/namespace")?;
    let is_label = |sample: &ReadSample, label: &str, value: &str| {
        sample.labels.get(label).is_some_and(|it| it == value)
    };
    let is_container = |sample: &&ReadSample| {
        let container = sample.labels.get("container");
        container.is_some_and(|name| !name.is_empty() && name != "POD")
    };
    let samples = sources.containers.iter().flat_map(|page| &page.samples);
    let values = samples
        .filter(|sample| sample.name == series)
        .filter(|sample| is_label(sample, "pod", name) && is_label(sample, "namespace", namespace))
        .filter(is_container)
        .map(|sample| sample.value);
    values.reduce(|sum, value| sum + value)
}
