//! From the plan of a load to the objects that make it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use em_core::fault::{Fault, FaultKind};
use em_core::fill;
use em_core::id::{MetricName, OpKey, TunableName};
use em_core::plan::{AcrossWorkers, JobLoad, LoadSpec, OutputRules, RunMode};
use em_core::port::{Address, LoadPlan, OpContext};
use em_core::value::Value;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::{LOAD, READING, RUN};
use crate::mark;

/// Name of the container.
pub(super) const CONTAINER: &str = "load";
/// How long a finished Job stays where nobody removes it: a last net.
const KEPT: u32 = 3600;
/// A pod has this long to end: the load must be gone within a second or so.
pub(super) const GRACE: u32 = 1;

/// How what a load prints is read; stands in its Jobs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Reading {
    pub(super) workers: u32,
    pub(super) run: RunMode,
    pub(super) success: Vec<i32>,
    pub(super) batch: Duration,
    pub(super) output: OutputRules,
    pub(super) across: BTreeMap<MetricName, AcrossWorkers>,
}

/// The names of a load in the cluster: the same for the same act of the same store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Names {
    /// Beginning of the names of all its objects, and name of its Secret.
    pub(super) base: String,
    /// Value of the label of all its objects.
    pub(super) load: String,
}

impl Names {
    pub(super) fn of(cx: &OpContext) -> Self {
        let whole = format!("{}/{}", cx.epoch.store, mark::key(&cx.key));
        let load = mark::short_digest(&whole);
        let words = format!("em-load-{}", cx.key).replace(['/', '#'], "-");
        let words = mark::object_name(&words, 40);
        Self {
            base: format!("{words}-{load}"),
            load,
        }
    }

    pub(super) fn job(&self, run: u32) -> String {
        format!("{}-{run}", self.base)
    }

    /// Selects everything of the load.
    pub(super) fn all(&self) -> String {
        format!("{LOAD}={}", self.load)
    }

    /// Selects one run.
    pub(super) fn of_run(&self, run: u32) -> String {
        format!("{LOAD}={},{RUN}={run}", self.load)
    }
}

/// Everything that the objects of one load are made of.
#[derive(Clone)]
pub(super) struct Blueprint {
    pub(super) names: Names,
    pub(super) reading: Reading,
    marks: Marks,
    spec: Arc<LoadSpec>,
    command: Vec<String>,
    args: Vec<String>,
    env: BTreeMap<String, String>,
    secret: Vec<String>,
    lasts: Duration,
}

#[derive(Debug, Clone)]
struct Marks {
    experiment: String,
    store: String,
    key: String,
    epoch: String,
}

impl std::fmt::Debug for Blueprint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Blueprint")
            .field("names", &self.names)
            .field("reading", &self.reading)
            .finish_non_exhaustive()
    }
}

/// What the plan says, where it is one for a Job.
pub(super) fn spec_of(spec: &LoadSpec) -> Result<&JobLoad, Fault> {
    let LoadSpec::Job(job) = spec else {
        let message = format!("the plan's load is {}, not job", spec.kind());
        return Err(Fault::new(FaultKind::Invalid, message));
    };
    Ok(job)
}

impl Blueprint {
    /// Fills the plan in. Without addresses it is for a rehearsal: what is not known yet gets a stand-in.
    pub(super) fn of(
        cx: &OpContext,
        plan: &LoadPlan,
        addresses: Option<&[Address]>,
    ) -> Result<Self, Fault> {
        let spec = spec_of(&plan.spec)?;
        let lasts = match spec.run {
            RunMode::Whole => plan.duration,
            RunMode::PerCycle => plan.cycle,
        };
        let lookup = |name: &str| {
            let known = match name {
                "duration_s" => fill::seconds(lasts),
                _ => known(cx, plan, addresses.unwrap_or_default(), name),
            };
            known.or_else(|| addresses.is_none().then_some(Value::Integer(1)))
        };
        let words: Vec<_> = spec.command.iter().chain(&spec.args).cloned().collect();
        let invalid = |error: fill::FillError| {
            Fault::new(FaultKind::Invalid, "failed to fill the load in").caused_by(error)
        };
        // Together: a shell may be the command, and its script an argument.
        let mut command = fill::words("load.command and args", &words, &lookup).map_err(invalid)?;
        let args = command.split_off(spec.command.len());
        let (env, secret) = fill::environment("load.env", &spec.env, &lookup).map_err(invalid)?;
        Ok(Self {
            names: Names::of(cx),
            reading: Reading {
                workers: spec.workers,
                run: spec.run,
                success: spec.success_exit_codes.clone(),
                batch: plan.batch,
                output: spec.output.clone(),
                across: spec.across.clone(),
            },
            marks: Marks {
                experiment: mark::label(cx.key.experiment().as_str()),
                store: mark::label(&cx.epoch.store),
                key: mark::key(&cx.key),
                epoch: format!("{}.{}", cx.epoch.store, cx.epoch.counter),
            },
            spec: Arc::clone(&plan.spec),
            command,
            args,
            env,
            secret,
            lasts,
        })
    }

    fn labels(&self) -> serde_json::Map<String, Json> {
        let labels = [
            (mark::EXPERIMENT, &self.marks.experiment),
            (mark::STORE, &self.marks.store),
            (LOAD, &self.names.load),
        ];
        let labels = labels.map(|(key, value)| (key.to_owned(), Json::from(value.as_str())));
        labels.into_iter().collect()
    }

    fn annotations(&self) -> Json {
        json!({ mark::KEY: self.marks.key, mark::EPOCH: self.marks.epoch })
    }

    /// The Job of one run.
    pub(super) fn job(&self, run: u32) -> Result<Json, Fault> {
        let spec = spec_of(&self.spec)?;
        let mut labels = self.labels();
        labels.insert(RUN.to_owned(), run.to_string().into());
        let mut annotations = self.annotations();
        annotations[READING] = serde_json::to_string(&self.reading)
            .map_err(|error| {
                Fault::new(FaultKind::Invalid, "failed to write down the output rules")
                    .caused_by(error)
            })?
            .into();
        let usual = self.lasts * 4 + Duration::from_mins(10);
        let mut job = json!({
            "completions": spec.workers,
            "parallelism": spec.workers,
            "completionMode": "Indexed",
            "activeDeadlineSeconds": spec.timeout.unwrap_or(usual).as_secs().max(1),
            "ttlSecondsAfterFinished": KEPT,
            "template": {
                "metadata": { "labels": labels, "annotations": self.annotations() },
                "spec": self.pod(spec),
            },
        });
        // A worker that ends with another code than 0 is over for the cluster: it would end the others.
        let per_worker = spec.workers > 1 && spec.success_exit_codes != [0];
        let limit = if per_worker {
            "backoffLimitPerIndex"
        } else {
            "backoffLimit"
        };
        job[limit] = 0.into();
        Ok(json!({
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": { "name": self.names.job(run), "labels": labels, "annotations": annotations },
            "spec": job,
        }))
    }

    fn pod(&self, spec: &JobLoad) -> Json {
        let mut container = json!({
            "name": CONTAINER,
            "image": spec.image,
            "resources": { "requests": spec.resources.requests, "limits": spec.resources.limits },
        });
        for (key, words) in [("command", &self.command), ("args", &self.args)] {
            if !words.is_empty() {
                container[key] = json!(words);
            }
        }
        let env: Vec<Json> = self.env.keys().map(|name| self.variable(name)).collect();
        if !env.is_empty() {
            container["env"] = env.into();
        }
        if let Some(more) = &spec.container {
            json_patch::merge(&mut container, more);
        }
        let mut pod = json!({
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": GRACE,
            "enableServiceLinks": false,
            "automountServiceAccountToken": false,
        });
        if let Some(more) = &spec.pod {
            json_patch::merge(&mut pod, more);
        }
        pod["containers"] = json!([container]);
        pod
    }

    fn variable(&self, name: &str) -> Json {
        if self.secret.iter().any(|secret| secret == name) {
            let from = json!({ "name": self.names.base, "key": name });
            return json!({ "name": name, "valueFrom": { "secretKeyRef": from } });
        }
        json!({ "name": name, "value": self.env.get(name) })
    }

    /// The Secret from which the pods take what must not stand in a Job. None: there is no such thing.
    pub(super) fn secret(&self) -> Option<Json> {
        if self.secret.is_empty() {
            return None;
        }
        let of_secret = |(name, _): &(&String, &String)| self.secret.contains(*name);
        let data: BTreeMap<_, _> = self.env.iter().filter(of_secret).collect();
        Some(json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "name": self.names.base, "labels": self.labels(), "annotations": self.annotations(),
            },
            "stringData": data,
        }))
    }
}

fn known(cx: &OpContext, plan: &LoadPlan, addresses: &[Address], name: &str) -> Option<Value> {
    let port_of = |address: &Address| {
        let port = address.authority.rsplit_once(':')?.1.parse::<u16>().ok()?;
        Some(Value::Integer(port.into()))
    };
    let named = |name: &str| addresses.iter().find(|address| address.name == name);
    let numbers = match &cx.key {
        OpKey::Iteration {
            trial, iteration, ..
        } => (trial.0, iteration.0),
        OpKey::Experiment { .. } | OpKey::Hold { .. } => (0, 0),
    };
    match name {
        "address" => addresses
            .first()
            .map(|first| Value::from(first.authority.clone())),
        "port" => addresses.first().and_then(port_of),
        "trial" => Some(Value::Integer(numbers.0.into())),
        "iteration" => Some(Value::Integer(numbers.1.into())),
        _ => {
            if let Some(port) = name.strip_prefix("ports.") {
                return named(port).and_then(port_of);
            }
            let name: TunableName = name.parse().ok()?;
            plan.values.get(&name).cloned()
        }
    }
}
