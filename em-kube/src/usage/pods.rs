//! Numbers of the pods themselves.

use em_core::plan::Prices;
use em_core::value::Quantity;
use jiff::Timestamp;
use serde_json::Value as Json;

use super::{Numbers, Sources, seconds, sum, text, time};

const GIB: f64 = 1_073_741_824.0;

pub(super) fn numbers(sources: &Sources<'_>, now: Timestamp, numbers: &mut Numbers) {
    let pods = sources.pods;
    let ready = pods.iter().filter(|pod| ready_since(pod).is_some());
    numbers.set("pods", count(pods.len()));
    numbers.set("pods_ready", count(ready.count()));
    if pods.is_empty() {
        return;
    }
    let age = |pod: &Json| Some(seconds(time(pod, "/status/startTime")?, now).max(0.0));
    numbers.set("pod_seconds", sum(pods, age));
    numbers.set("restarts", sum(pods, restarts));
    numbers.set("startup_seconds", startup(pods));
    let requests = |name| sum(pods, |pod| amount(pod, "requests", name));
    let limits = |name| sum(pods, |pod| amount(pod, "limits", name));
    let (cores, memory) = (requests("cpu"), requests("memory"));
    numbers.set("requests_cpu_cores", cores);
    numbers.set("requests_memory_bytes", memory);
    numbers.set("limits_cpu_cores", limits("cpu"));
    numbers.set("limits_memory_bytes", limits("memory"));
    let cost = sources
        .prices
        .and_then(|prices| cost(prices, cores, memory));
    numbers.set("cost_per_hour", cost);
}

fn count(number: usize) -> Option<f64> {
    u32::try_from(number).ok().map(f64::from)
}

/// Since when a pod is ready; none where it is not.
fn ready_since(pod: &Json) -> Option<Timestamp> {
    let conditions = pod.pointer("/status/conditions")?.as_array()?;
    let ready = conditions
        .iter()
        .find(|condition| text(condition, "/type") == Some("Ready"))?;
    let is_true = text(ready, "/status") == Some("True");
    is_true
        .then(|| time(ready, "/lastTransitionTime"))
        .flatten()
}

/// Of the slowest pod; none while one of them is not ready.
fn startup(pods: &[Json]) -> Option<f64> {
    let took = pods.iter().map(|pod| {
        let made = time(pod, "/metadata/creationTimestamp")?;
        Some(seconds(made, ready_since(pod)?))
    });
    let took: Option<Vec<f64>> = took.collect();
    took?.into_iter().reduce(f64::max)
}

fn restarts(pod: &Json) -> Option<f64> {
    let statuses = pod.pointer("/status/containerStatuses")?.as_array()?;
    let restarts = statuses
        .iter()
        .map(|status| status.get("restartCount")?.as_f64());
    restarts.sum()
}

/// The amount of a pod: of its containers, of those that start before and stay beside them, and what the runtime
/// takes for itself. A container without a limit has no end, so the pod has none; one without a request has
/// nothing set aside. A pod of which no container says anything has no amount.
fn amount(pod: &Json, side: &str, name: &str) -> Option<f64> {
    let list = |key: &str| {
        let list = pod.pointer(key).and_then(Json::as_array);
        list.into_iter().flatten()
    };
    let stays = |container: &&Json| text(container, "/restartPolicy") == Some("Always");
    let containers = list("/spec/containers").chain(list("/spec/initContainers").filter(stays));
    let mut total = None;
    for container in containers {
        let own = container.pointer(&format!("/resources/{side}/{name}"));
        match own.and_then(number) {
            Some(own) => total = Some(total.unwrap_or(0.0) + own),
            None if side == "limits" => return None,
            None => {}
        }
    }
    let overhead = pod.pointer(&format!("/spec/overhead/{name}"));
    Some(total? + overhead.and_then(number).unwrap_or(0.0))
}

/// An amount as Kubernetes writes it.
pub(super) fn number(value: &Json) -> Option<f64> {
    match value {
        Json::String(text) => Some(text.parse::<Quantity>().ok()?.to_f64()),
        Json::Number(number) => number.as_f64(),
        Json::Null | Json::Bool(_) | Json::Array(_) | Json::Object(_) => None,
    }
}

/// None where something that has a price is not known.
fn cost(prices: Prices, cores: Option<f64>, memory: Option<f64>) -> Option<f64> {
    let part = |price: f64, amount: Option<f64>| {
        if price == 0.0 {
            Some(0.0)
        } else {
            amount.map(|amount| price * amount)
        }
    };
    Some(part(prices.core_hour, cores)? + part(prices.gib_hour, memory.map(|it| it / GIB))?)
}
