//! The quickstart's service as a Deployment, and what an experiment leaves of it.

use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use em_tests::house;
use serde_json::{Value as Json, json};

use crate::cluster;
use crate::stopwatch::Stopwatch;

/// How long what is being removed may still be seen: the cluster removes pods and what hangs on an owner by itself.
const MERCY: Duration = Duration::from_secs(15);
/// Where it is.
pub(crate) const NAMESPACE: &str = "shop";
/// What everything of ours is marked with.
const OURS: &str = "experiment-manager.io/";
/// What may differ afterwards: the cluster counts roll-outs.
const REVISION: &str = "deployment.kubernetes.io/revision";
/// Kinds of which something may be left.
const KINDS: &str = "deployments,replicasets,statefulsets,services,configmaps,secrets,jobs,leases,pods,horizontalpodautoscalers";

/// Brings it up and waits until it answers.
pub(crate) fn prepare() -> Result<()> {
    let file = house::root().join("tests/cluster/manifests/demo.yaml");
    let file = file.to_str().context("the house has an odd path")?;
    cluster::kubectl(&["apply", "-f", file])?;
    settle()
}

/// Waits until its roll-out is through.
pub(crate) fn settle() -> Result<()> {
    cluster::kubectl(&[
        "rollout",
        "status",
        "deployment/demo",
        "-n",
        NAMESPACE,
        "--timeout=120s",
    ])?;
    Ok(())
}

/// The context that leads to the cluster.
pub(crate) fn context() -> Result<String> {
    let context = cluster::kubectl(&["config", "current-context"])?;
    Ok(context.trim().to_owned())
}

/// An experiment on it: two configurations, each rolled out `iterations` times.
pub(crate) fn file(name: &str, context: &str, policy: &str, iterations: u32) -> String {
    format!(
        "\
name: {name}
target:
  kind: kubernetes
  context: {context}
  namespace: {NAMESPACE}
  workload: deployment/demo
  policy: {policy}
  service: demo
tunables:
  - {{ name: workers, range: [1, 8], default: 2, apply: {{ env: WORKERS }} }}
load: {{ kind: http, url: 'http://{{{{address}}}}/', rate: 60 }}
objective: {{ minimize: load.response_time.p99 }}
trials: [{{ id: best, values: {{ workers: 4 }} }}]
measurement:
  warmup: 200ms
  cycles: 1
  cycle_duration: 500ms
  iterations: {{ min: {iterations}, max: {iterations} }}
"
    )
}

/// The live object.
pub(crate) fn live() -> Result<Json> {
    cluster::get(&["deployment", "demo", "-n", NAMESPACE])
}

/// Of an object, what has to be the same afterwards.
pub(crate) fn original(object: &Json) -> Json {
    let metadata = &object["metadata"];
    let mut annotations = metadata["annotations"].clone();
    if let Some(map) = annotations.as_object_mut() {
        map.remove(REVISION);
    }
    json!({
        "spec": object["spec"],
        "labels": metadata["labels"],
        "annotations": annotations,
        "ownerReferences": metadata["ownerReferences"],
    })
}

/// Whether an object says that an experiment holds it.
pub(crate) fn is_held(object: &Json) -> bool {
    object["metadata"]["annotations"][format!("{OURS}hold")].is_string()
}

/// Everything of ours in the namespace, as `Kind/name`.
pub(crate) fn ours() -> Result<Vec<String>> {
    let all = cluster::get(&[KINDS, "-n", NAMESPACE])?;
    let Some(items) = all["items"].as_array() else {
        bail!("kubectl printed no list");
    };
    let named = items.iter().filter(|object| is_ours(object)).map(|object| {
        let text = |value: &Json| value.as_str().unwrap_or("?").to_owned();
        format!(
            "{}/{}",
            text(&object["kind"]),
            text(&object["metadata"]["name"])
        )
    });
    Ok(named.collect())
}

/// What is left of an experiment once the cluster had time to remove it, and what of the object is not as it was.
pub(crate) fn left(was: &Json) -> Result<Vec<String>> {
    let watch = Stopwatch::start();
    loop {
        let mut left = ours()?;
        let live = original(&live()?);
        let parts = ["spec", "labels", "annotations", "ownerReferences"];
        let others = parts.iter().filter(|part| live[**part] != was[**part]);
        left.extend(others.map(|part| format!("another {part} of deployment/demo")));
        if left.is_empty() || watch.elapsed() > MERCY {
            return Ok(left);
        }
        thread::sleep(Duration::from_millis(200));
    }
}

/// By a mark, or by the name where marks are lost.
fn is_ours(object: &Json) -> bool {
    let metadata = &object["metadata"];
    let is_marked = |key: &str| {
        let map = metadata[key].as_object();
        map.is_some_and(|map| map.keys().any(|name| name.starts_with(OURS)))
    };
    let name = metadata["name"].as_str().unwrap_or_default();
    is_marked("labels") || is_marked("annotations") || name.starts_with("em-")
}
