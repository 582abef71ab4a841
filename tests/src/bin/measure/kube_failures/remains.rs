//! What is left of a case: the workload as it is, and what is ours.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::Value as Json;

use crate::cluster;

/// Everything that is written for an experiment is of one of these kinds. Old `ReplicaSets` are not
/// among them: they are the cluster's own history of the workload.
const KINDS: &str = "deployments,services,configmaps,secrets,leases,jobs,pods";
/// How long pods may take to go after em has ended.
const MERCY: Duration = Duration::from_secs(5);
/// Prefix of all marks of ours.
const MARK: &str = "experiment-manager.io/";

/// The workload of a case; none where it is gone.
pub(super) fn workload(namespace: &str) -> Result<Option<Json>> {
    let named = ["deployments", "-n", namespace, "--field-selector"];
    let list = cluster::get(&[&named[..], &["metadata.name=demo"]].concat())?;
    Ok(list["items"].get(0).cloned())
}

/// Where a workload is not as it was.
pub(super) fn differences(before: Option<&Json>, now: Option<&Json>) -> Vec<String> {
    let (Some(before), Some(now)) = (before, now) else {
        return match (before, now) {
            (Some(_), None) => vec!["the workload is gone".to_owned()],
            _ => Vec::new(),
        };
    };
    let parts = ["spec", "labels", "annotations", "ownerReferences"];
    let differs = parts
        .iter()
        .filter(|part| at(before, part) != at(now, part));
    differs
        .map(|part| {
            format!(
                "{part} of the workload: {}, not {}",
                at(now, part),
                at(before, part)
            )
        })
        .collect()
}

/// A part that has to be put back. The number of the roll-out is not: it only grows.
fn at(object: &Json, part: &str) -> Json {
    if part == "spec" {
        return object["spec"].clone();
    }
    let mut found = object["metadata"][part].clone();
    if let Some(map) = found.as_object_mut() {
        map.remove("deployment.kubernetes.io/revision");
    }
    found
}

/// What of ours is still there when the mercy is over.
pub(super) fn left(namespace: &str) -> Result<Vec<String>> {
    let end = Instant::now() + MERCY;
    loop {
        let list = cluster::get(&[KINDS, "-n", namespace])?;
        let items = list["items"].as_array().into_iter().flatten();
        let left: Vec<String> = items.filter(|object| is_ours(object)).map(named).collect();
        if left.is_empty() || Instant::now() > end {
            return Ok(left);
        }
        thread::sleep(Duration::from_millis(250));
    }
}

fn is_ours(object: &Json) -> bool {
    ["labels", "annotations"].iter().any(|part| {
        let marks = object["metadata"][*part].as_object();
        marks.is_some_and(|marks| marks.keys().any(|key| key.starts_with(MARK)))
    })
}

fn named(object: &Json) -> String {
    let text = |value: &Json| value.as_str().unwrap_or("?").to_owned();
    format!(
        "left behind: {} {}",
        text(&object["kind"]),
        text(&object["metadata"]["name"])
    )
}
