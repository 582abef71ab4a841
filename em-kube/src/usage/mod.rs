//! Numbers that a cluster knows of the pods of a deployment: from the kubelet, from the pods, from prices.
//!
//! [`usage`] is pure. All numbers are of the pods together, with all their containers: that is what the deployment
//! uses and costs. A number to which one pod contributes nothing is left out: part of a sum is no sum.
//!
//! | name | unit | what it is |
//! |---|---|---|
//! | `cpu_seconds` | s | CPU time used, a total |
//! | `memory_bytes` | B | memory that processes hold |
//! | `memory_working_set_bytes` | B | memory that counts against limits and is not given back under pressure |
//! | `memory_peak_bytes` | B | the most that each container ever used, added up |
//! | `memory_limit_kills` | | kills by the memory limit, a total |
//! | `periods`, `throttled_periods` | | scheduling periods of limited containers, and those in which the CPU limit held them back; totals |
//! | `throttled_seconds` | s | time held back by the CPU limit, a total |
//! | `usage_age_seconds` | s | how old the oldest of the kubelet's numbers is: it looks every 10 to 20 seconds |
//! | `pods`, `pods_ready` | | number of pods |
//! | `pod_seconds` | s | time since each pod was given a node, a total |
//! | `restarts` | | restarts of containers, a total |
//! | `startup_seconds` | s | from the making of a pod until it was last found ready; of the slowest pod |
//! | `requests_cpu_cores`, `requests_memory_bytes` | | what is set aside |
//! | `limits_cpu_cores`, `limits_memory_bytes` | | what may be used; absent where a container has no limit |
//! | `cost_per_hour` | the prices' own | what is set aside, by the prices of the file |
//!
//! Totals begin anew when a pod is replaced.

mod cadvisor;
mod fetch;
mod kubelet;
mod object;
mod pods;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use em_core::plan::Prices;
use em_core::read::exposition::Exposition;
use jiff::Timestamp;
use serde_json::Value as Json;

pub use object::field;

/// What numbers are made of.
#[derive(Debug, Clone, Copy)]
pub struct Sources<'a> {
    /// The pods of the deployment as the cluster has them.
    pub pods: &'a [Json],
    /// The stats summaries of their nodes.
    pub summaries: &'a [Json],
    /// The container metrics of their nodes. None: they were not asked for.
    pub containers: &'a [Exposition],
    /// What resources cost.
    pub prices: Option<Prices>,
}

/// Every number that is known.
pub fn usage(sources: &Sources<'_>, now: Timestamp) -> BTreeMap<String, f64> {
    let mut numbers = Numbers::default();
    if !sources.pods.is_empty() {
        kubelet::numbers(sources, now, &mut numbers);
        cadvisor::numbers(sources, &mut numbers);
    }
    pods::numbers(sources, now, &mut numbers);
    numbers.0
}

/// Numbers by name.
#[derive(Debug, Default)]
struct Numbers(BTreeMap<String, f64>);

impl Numbers {
    fn set(&mut self, name: &str, value: Option<f64>) {
        if let Some(value) = value.filter(|value| value.is_finite()) {
            self.0.insert(name.to_owned(), value);
        }
    }
}

/// The sum over all pods; none where one of them has no number.
fn sum(pods: &[Json], number: impl Fn(&Json) -> Option<f64>) -> Option<f64> {
    pods.iter().map(number).sum()
}

fn text<'a>(json: &'a Json, pointer: &str) -> Option<&'a str> {
    json.pointer(pointer)?.as_str()
}

/// Seconds between two times.
fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64()
}

fn time(json: &Json, pointer: &str) -> Option<Timestamp> {
    text(json, pointer)?.parse().ok()
}
