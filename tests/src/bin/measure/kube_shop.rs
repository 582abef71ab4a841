//! The quickstart's service as a Deployment, and what may not have happened to it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use em_core::report::Report;
use serde_json::Value as Json;

use crate::cluster;
use crate::em::{Em, read_report};
use crate::kube_demo;
use crate::stopwatch::Stopwatch;
use crate::stored::Stored;

/// Kinds of which a run may leave nothing more than there was.
const KINDS: &str = "deployments,services,leases,secrets,configmaps,jobs";
/// How long a new Service may take to lead anywhere.
const PATIENCE: Duration = Duration::from_secs(30);

/// The Deployment in its namespace.
#[derive(Debug)]
pub(crate) struct Shop {
    before: Json,
    names: BTreeSet<String>,
}

impl Shop {
    /// Opens it in the cluster, and remembers what is there.
    pub(crate) fn open() -> Result<Self> {
        kube_demo::prepare()?;
        answers()?;
        let (before, names) = (kube_demo::live()?, names()?);
        Ok(Self { before, names })
    }

    /// What is not as it was before, in words. Empty: all is.
    pub(crate) fn differences(&self) -> Result<Vec<String>> {
        let mut found = kube_demo::left(&kube_demo::original(&self.before))?;
        let names = names()?;
        let more = names.symmetric_difference(&self.names);
        found.extend(more.map(|name| format!("{name} is left or gone")));
        Ok(found)
    }

    /// Whether nobody changed what the live object asks for since it was opened, not even in between.
    pub(crate) fn is_untouched(&self) -> Result<bool> {
        let generation = |object: &Json| object.pointer("/metadata/generation").cloned();
        Ok(generation(&kube_demo::live()?) == generation(&self.before))
    }
}

/// One run of a file.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) report: Report,
    pub(crate) stored: Stored,
}

impl Run {
    /// Runs `shop.yaml` with this text to its report.
    pub(crate) fn of(em: &Em, data: &str, file: &str, seed: u32) -> Result<Self> {
        em.write("shop.yaml", file)?;
        let set = format!("measurement.seed={seed}");
        let arguments = [
            "run",
            "shop.yaml",
            "--yes",
            "--set",
            &set,
            "--output",
            "json",
        ];
        let output = em.command(data, &arguments).output();
        let report = read_report(&output.context("failed to start em")?)?;
        let stored = Stored::read(&em.folder().join(data), "shop")?;
        Ok(Self { report, stored })
    }

    /// Pods that more than one iteration measured, or a word of why that is not known.
    pub(crate) fn shared_pods(&self) -> Vec<String> {
        let mut iterations: BTreeMap<&str, u32> = BTreeMap::new();
        let mut found = Vec::new();
        for collection in &self.stored.collected {
            let uid = collection.facts.iter().find(|fact| fact.name == "pods.uid");
            let Some(uids) = uid.and_then(|fact| fact.seen.as_deref()) else {
                found.push("an iteration without pods.uid".to_owned());
                continue;
            };
            for uid in uids.split(' ') {
                *iterations.entry(uid).or_default() += 1;
            }
        }
        let shared = iterations.iter().filter(|(_, count)| **count > 1);
        found.extend(shared.map(|(uid, count)| format!("pod {uid} in {count} iterations")));
        found
    }
}

/// A search of the known best: an environment variable, an argument, replicas and the CPU limit. The median, because a
/// node that shares its cores with its own control plane has a tail of its own.
pub(crate) fn search(policy: &str, slots: u32) -> String {
    let target = target(policy, slots);
    format!(
        "\
{target}
tunables:
  - {{ name: workers, range: [2, 8], step: 2, default: 2, apply: {{ env: WORKERS }} }}
  - {{ name: cache, choices: [lru, none], default: lru, apply: {{ arg: '--cache={{{{value}}}}', replaces: '^--cache=.*' }} }}
  - {{ name: replicas, range: [1, 2], default: 1, apply: {{ replicas: true }} }}
  - {{ name: cpu, range: [400m, 500m], step: 100m, default: 500m, apply: {{ resource: cpu, of: limit }} }}
search: {{ parallel: 4, blocks: 1, verify: 2 }}
budget: {{ trials: 12 }}
measurement: {{ warmup: 500ms, cycles: 1, cycle_duration: 1s, iterations: {{ max: 7 }} }}
"
    )
}

/// Waits until the Service, which was made just now, leads to the pod.
fn answers() -> Result<()> {
    let service = cluster::get(&["-n", "shop", "service", "demo"])?;
    let host = service["spec"]["clusterIP"].as_str();
    let host = host.context("the Service has no address")?;
    let watch = Stopwatch::start();
    while std::net::TcpStream::connect((host, 80)).is_err() {
        if watch.elapsed() > PATIENCE {
            bail!("the Service demo does not answer");
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

/// The best number of workers beside the baseline, in so many blocks.
pub(crate) fn listed(policy: &str, slots: u32, blocks: u32) -> String {
    let target = target(policy, slots);
    format!(
        "\
{target}
tunables: [{{ name: workers, range: [1, 8], default: 2, apply: {{ env: WORKERS }} }}]
trials: [{{ id: listed, values: {{ workers: 4 }} }}]
measurement: {{ warmup: 500ms, cycles: 1, cycle_duration: 1s, iterations: {{ min: {blocks}, max: {blocks} }} }}
"
    )
}

/// Another CPU limit in the pods that run.
pub(crate) fn resized() -> String {
    let target = target("resize", 1);
    format!(
        "\
{target}
tunables: [{{ name: cpu, range: [400m, 500m], step: 100m, default: 500m, apply: {{ resource: cpu, of: limit }} }}]
trials: [{{ id: less, values: {{ cpu: 400m }} }}]
measurement: {{ warmup: 500ms, cycles: 1, cycle_duration: 1s, iterations: {{ min: 2, max: 2 }} }}
"
    )
}

fn target(policy: &str, slots: u32) -> String {
    format!(
        "\
name: shop
target: {{ kind: kubernetes, context: em-test, namespace: shop, workload: deployment/demo, policy: {policy}, service: demo, slots: {slots} }}
load: {{ kind: http, url: 'http://{{{{address}}}}/', rate: 40 }}
objective: {{ minimize: load.response_time.median }}"
    )
}

/// Objects of the namespace, as `KIND/NAME`.
fn names() -> Result<BTreeSet<String>> {
    let text = cluster::kubectl(&["-n", "shop", "get", KINDS, "-o", "name"])?;
    Ok(text.lines().map(str::to_owned).collect())
}
