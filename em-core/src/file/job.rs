//! `load` of kind `job`: pods of a cluster that run any image.

use std::collections::BTreeMap;

use super::output;
use super::process::optional;
use super::reader::{Keys, Reader};
use super::scene::{Place, Scene};
use super::target::environment;
use crate::id::MetricName;
use crate::plan::{
    AcrossWorkers, JobLoad, MetricKind, OutputRules, PodResources, RunMode, TargetSpec, is_dns_name,
};
use crate::template::Template;

/// Keys of `kind: job`.
pub(super) const KEYS: [&str; 16] = [
    "kind",
    "context",
    "namespace",
    "image",
    "command",
    "args",
    "env",
    "workers",
    "run",
    "output",
    "across",
    "resources",
    "pod",
    "container",
    "success_exit_codes",
    "timeout",
];

/// What is not merged into a pod, because it is ours to say.
const OWN_OF_POD: [&str; 4] = [
    "containers",
    "restartPolicy",
    "activeDeadlineSeconds",
    "terminationGracePeriodSeconds",
];

/// What is not merged into its container, because it has a key of its own.
const OWN_OF_CONTAINER: [&str; 6] = ["name", "image", "command", "args", "env", "resources"];

pub(super) fn read<'a>(
    keys: &Keys<'a>,
    scene: &Scene<'a>,
    target: Option<&TargetSpec>,
) -> Option<JobLoad> {
    let home = home(keys, target);
    let image = keys.required("image").and_then(|reader| image(&reader));
    let (command, args) = (words(keys, "command", scene), words(keys, "args", scene));
    let env = environment(keys, scene, Place::Load);
    let workers = optional(keys, "workers", |reader| reader.count(1..=1000));
    let run = optional(keys, "run", run_mode);
    let output = keys.required("output").and_then(|reader| printed(&reader));
    let workers = workers?.unwrap_or(1);
    let across = across(keys, workers, output.as_ref());
    let resources = optional(keys, "resources", resources);
    let pod = optional(keys, "pod", |reader| merged(reader, &OWN_OF_POD));
    let container = optional(keys, "container", |reader| {
        merged(reader, &OWN_OF_CONTAINER)
    });
    let codes = optional(keys, "success_exit_codes", exit_codes);
    let timeout = optional(keys, "timeout", Reader::some_time);
    let (context, namespace) = home?;
    Some(JobLoad {
        context,
        namespace,
        image: image?,
        command: command?,
        args: args?,
        env: env?,
        workers,
        run: run?.unwrap_or_default(),
        output: output?,
        across: across?,
        resources: resources?.unwrap_or_default(),
        pod: pod?,
        container: container?,
        success_exit_codes: codes?.unwrap_or_else(|| vec![0]),
        timeout: timeout?,
    })
}

/// Whether one run is one cycle, or all of them.
pub(super) fn run_mode(reader: &Reader<'_>) -> Option<RunMode> {
    reader.one_of(&[("per-cycle", RunMode::PerCycle), ("whole", RunMode::Whole)])
}

/// A list of exit codes.
pub(super) fn exit_codes(reader: &Reader<'_>) -> Option<Vec<i32>> {
    let entries = reader.filled_list()?;
    let codes = entries.iter().map(|entry| entry.count(0..=255));
    let codes: Option<Vec<u32>> = codes.collect();
    codes?
        .into_iter()
        .map(|code| i32::try_from(code).ok())
        .collect()
}

/// Context and namespace: its own, else those of the target. A namespace of the target is one of its context.
fn home(keys: &Keys<'_>, target: Option<&TargetSpec>) -> Option<(String, Option<String>)> {
    let text = |reader: &Reader<'_>| reader.text().map(str::to_owned);
    let context = optional(keys, "context", text);
    let namespace = optional(keys, "namespace", |reader| {
        let name = reader.text()?;
        if !is_dns_name(name) || name.len() > 63 || name.contains('.') {
            reader.refuse(format!("{name:?} cannot be the name of a namespace"));
            return None;
        }
        Some(name.to_owned())
    });
    let (context, namespace) = (context?, namespace?);
    let of_target = match target? {
        TargetSpec::Kubernetes(kubernetes) => Some(kubernetes),
        TargetSpec::Process(_)
        | TargetSpec::Command(_)
        | TargetSpec::Observe
        | TargetSpec::Simulated(_)
        | TargetSpec::Custom(_) => None,
    };
    match (context, of_target) {
        (None, None) => {
            keys.reader.refuse_with(
                "nobody says in which cluster the job runs",
                "give \"context\": a context of the kubeconfig, or in-cluster",
            );
            None
        }
        (Some(context), Some(target)) if context == target.context => {
            Some((context, namespace.or_else(|| target.namespace.clone())))
        }
        (Some(context), _) => Some((context, namespace)),
        (None, Some(target)) => Some((
            target.context.clone(),
            namespace.or_else(|| target.namespace.clone()),
        )),
    }
}

fn image(reader: &Reader<'_>) -> Option<String> {
    let text = reader.text()?;
    if text.is_empty() || text.contains(|c: char| c.is_whitespace() || c == '{') {
        reader.refuse_with(
            format!("{text:?} is no image"),
            "write its name as it is pulled, such as grafana/k6:1.4.0",
        );
        return None;
    }
    Some(text.to_owned())
}

/// Words of a command line in an image: no path of them lies on this machine.
fn words<'a>(keys: &Keys<'a>, key: &str, scene: &Scene<'a>) -> Option<Vec<Template>> {
    let Some(reader) = keys.get(key) else {
        return Some(Vec::new());
    };
    if reader.text_if_any().is_some() {
        reader.refuse_with(
            "this is a list of words, not one text",
            "write [program, argument], or [sh, -c, \"...\"] for a line of shell",
        );
        return None;
    }
    let entries = reader.filled_list()?;
    let read: Vec<Option<Template>> = entries.iter().map(|entry| word(entry, scene)).collect();
    read.into_iter().collect()
}

fn word<'a>(reader: &Reader<'a>, scene: &Scene<'a>) -> Option<Template> {
    let template = scene.template(reader, Place::Load)?;
    if template.names().any(|name| name == "em") {
        reader.refuse_with(
            "{{em}} is a program of this machine, not of the image",
            "write the program as the image has it",
        );
        return None;
    }
    Some(template)
}

fn printed(reader: &Reader<'_>) -> Option<OutputRules> {
    let rules = output::read(reader)?;
    if let Some(samples) = reader.peek("samples")
        && !rules.samples.is_empty()
    {
        samples.refuse_with(
            "files of a pod are gone with it",
            "let the tool print its lines, and read them with patterns",
        );
        return None;
    }
    Some(rules)
}

fn across(
    keys: &Keys<'_>,
    workers: u32,
    rules: Option<&OutputRules>,
) -> Option<BTreeMap<MetricName, AcrossWorkers>> {
    let rules = rules?;
    let mut across = BTreeMap::new();
    let mut is_whole = true;
    if let Some(reader) = keys.get("across") {
        for (name, reader) in reader.any_map()? {
            let way = way_across(name, &reader, rules);
            is_whole &= way.is_some();
            across.extend(way);
        }
    }
    let printed = rules.patterns.keys().chain(rules.json.keys());
    let missing: Vec<String> = printed
        .filter(|metric| !across.contains_key(*metric))
        .map(ToString::to_string)
        .collect();
    if workers > 1 && is_whole && !missing.is_empty() {
        keys.reader.refuse_with(
            format!(
                "{workers} workers each print {}, and nobody says how their values become one",
                missing.join(", ")
            ),
            "write across: {METRIC: sum}, or mean, min, max, all",
        );
        return None;
    }
    is_whole.then_some(across)
}

fn way_across(
    name: &str,
    reader: &Reader<'_>,
    rules: &OutputRules,
) -> Option<(MetricName, AcrossWorkers)> {
    let known = rules.patterns.iter().chain(&rules.json);
    let rule = known
        .into_iter()
        .find(|(metric, _)| metric.as_str() == name);
    let Some((metric, rule)) = rule else {
        reader.refuse(format!("no rule of the output gives {name}"));
        return None;
    };
    let way = reader.one_of(&AcrossWorkers::ALL)?;
    if way == AcrossWorkers::All && rule.kind == MetricKind::Value {
        reader.refuse_with(
            format!("{name} is already a statistic: several of it are no distribution"),
            "write sum, mean, min or max",
        );
        return None;
    }
    Some((metric.clone(), way))
}

fn resources(reader: &Reader<'_>) -> Option<PodResources> {
    let keys = reader.keys(&["requests", "limits"], &[])?;
    let side = |key: &str| {
        optional(&keys, key, |reader| {
            let entries = reader.any_map()?.into_iter();
            let read: Vec<_> = entries
                .map(|(name, reader)| Some((name.to_owned(), reader.quantity()?)))
                .collect();
            read.into_iter().collect::<Option<BTreeMap<_, _>>>()
        })
    };
    let (requests, limits) = (side("requests"), side("limits"));
    Some(PodResources {
        requests: requests?.unwrap_or_default(),
        limits: limits?.unwrap_or_default(),
    })
}

/// A map that is merged into an object of the cluster, which alone knows all its keys.
fn merged(reader: &Reader<'_>, own: &[&str]) -> Option<serde_json::Value> {
    for (key, entry) in reader.any_map()? {
        if own.contains(&key) {
            entry.refuse_with(
                format!("{key:?} cannot be merged: it is written by the manager"),
                "the load has keys of its own for what may be said of it",
            );
            return None;
        }
    }
    let text = reader.json_or_text()?;
    serde_json::from_str(&text)
        .map_err(|error| reader.refuse(error))
        .ok()
}
