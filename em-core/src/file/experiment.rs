//! The file as a whole.

use std::collections::BTreeMap;

use super::cross::{self, Surroundings};
use super::datasource;
use super::identity;
use super::load;
use super::measurement;
use super::metric::{self, ReadMetric};
use super::names::Names;
use super::objective;
use super::reader::{Keys, Reader, Unsupported};
use super::rehearsal;
use super::scene::Scene;
use super::search::{self, Space};
use super::target;
use super::tree::NodeKind;
use super::tunable;
use crate::id::{DatasourceName, Digest, ExperimentName};
use crate::plan::{
    Baseline, Budget, Constraint, DatasourceSpec, Design, Identity, Iterations, ListedTrial,
    LoadSpec, Measurement, Metric, MetricKind, Objective, PLAN_FORMAT, Plan, Retries, Search,
    SearchMethod, Suggester, TargetSpec, Timeouts, Tunable,
};

/// Keys of the file.
pub(super) const KEYS: [&str; 20] = [
    "$schema",
    "version",
    "name",
    "description",
    "labels",
    "target",
    "tunables",
    "datasources",
    "metrics",
    "objective",
    "constraints",
    "load",
    "measurement",
    "baseline",
    "trials",
    "search",
    "budget",
    "timeouts",
    "retries",
    "artifacts",
];

const NOT_YET: Unsupported = &["targets", "schedule", "report"];

/// What is read before anything is compared with anything else.
struct Parts {
    name: Option<ExperimentName>,
    description: Option<String>,
    labels: Option<BTreeMap<String, String>>,
    target: Option<TargetSpec>,
    tunables: Vec<Tunable>,
    datasources: BTreeMap<DatasourceName, DatasourceSpec>,
    metrics: Vec<Metric>,
    load: Option<LoadSpec>,
    measurement: Option<Measurement>,
    /// Whether every tunable could be read.
    is_whole: bool,
}

/// The plan; nothing where the notes hold a violation that leaves no plan.
pub(super) fn read<'a>(reader: &Reader<'a>, scene: &Scene<'a>) -> Option<Plan> {
    let keys = reader.keys(&KEYS, NOT_YET)?;
    version(&keys);
    let name = keys
        .required("name")
        .and_then(|name| experiment_name(&name));
    let target_reader = if keys.has("target") || reader.peek("targets").is_none() {
        keys.required("target")
    } else {
        None
    };
    let target = target_reader
        .as_ref()
        .and_then(|target| target::read(target, scene));
    let tunables = keys.get("tunables");
    let read_tunables = tunables
        .as_ref()
        .map_or_else(Vec::new, |list| tunable::read(list, scene));
    let written = tunables.as_ref().map_or(0, length);
    let tunables: Vec<Tunable> = typed(read_tunables.iter().map(|t| t.tunable.clone()).collect());
    let sources = keys.get("datasources");
    let datasources = datasource::read(sources.as_ref(), scene);
    let read_metrics = keys
        .get("metrics")
        .map_or_else(Vec::new, |list| metric::metrics(&list, scene));
    let broken = sources
        .and_then(|sources| sources.map_if_any().and(sources.any_map()))
        .unwrap_or_default();
    let broken: Vec<String> = broken.into_iter().map(|(key, _)| key.to_owned()).collect();
    metric::check(&read_metrics, &datasources, &broken);
    let load = match keys.get("load") {
        Some(load) => load::read(&load, scene, target.as_ref()),
        None => Some(LoadSpec::None),
    };
    let parts = Parts {
        name,
        description: keys.get("description").map_or_else(
            || Some(String::new()),
            |description| description.text().map(str::to_owned),
        ),
        labels: labels(&keys),
        metrics: rehearsal::metrics(target.as_ref(), &read_metrics),
        target,
        is_whole: read_tunables.len() == written,
        tunables,
        datasources,
        load,
        measurement: keys
            .get("measurement")
            .map_or_else(|| Some(measurement::usual()), |m| measurement::read(&m)),
    };
    let around = Surroundings {
        target: parts.target.as_ref(),
        tunables: &parts.tunables,
        files: file_names(target_reader.as_ref()),
        is_whole: parts.is_whole,
    };
    cross::templates(scene, &around);
    cross::tunables(&read_tunables, scene, &around);
    if let Some(target) = &target_reader {
        cross::model(target, &around);
    }
    finish(&keys, scene, parts, &read_metrics)
}

/// The conditions' values with the kinds of the tunables that they are about.
fn typed(mut tunables: Vec<Tunable>) -> Vec<Tunable> {
    let domains: BTreeMap<_, _> = tunables
        .iter()
        .map(|tunable| (tunable.name.clone(), tunable.domain.clone()))
        .collect();
    for condition in tunables.iter_mut().flat_map(|tunable| &mut tunable.when) {
        if let Some(domain) = domains.get(&condition.tunable) {
            for value in &mut condition.is {
                *value = domain.typed(value);
            }
        }
    }
    tunables
}

fn file_names<'a>(target: Option<&Reader<'a>>) -> Vec<&'a str> {
    let files = target.and_then(|target| target.peek("files"));
    let files = files.filter(|files| files.map_if_any().is_some());
    let entries = files.and_then(|files| files.any_map()).unwrap_or_default();
    entries.into_iter().map(|(name, _)| name).collect()
}

fn length(reader: &Reader<'_>) -> usize {
    if let NodeKind::List(items) = reader.kind() {
        return items.len();
    }
    // Not a list at all: nothing that is written could be read.
    usize::MAX
}

fn version(keys: &Keys<'_>) {
    if let Some(reader) = keys.get("version")
        && let Some(version) = reader.integer(i64::MIN..=i64::MAX)
        && version != 1
    {
        reader.refuse_with(
            format!("version {version} is not one that this build reads"),
            "it reads version 1",
        );
    }
}

fn experiment_name(reader: &Reader<'_>) -> Option<ExperimentName> {
    if reader.text_if_any().is_some_and(|text| text.contains('#')) {
        reader.refuse_with(
            "a name in a file holds no '#'",
            "the manager counts repetitions itself",
        );
        return None;
    }
    reader.name()
}

fn labels(keys: &Keys<'_>) -> Option<BTreeMap<String, String>> {
    let mut labels = BTreeMap::new();
    let Some(reader) = keys.get("labels") else {
        return Some(labels);
    };
    for (key, value) in reader.any_map()? {
        labels.insert(key.to_owned(), value.word()?);
    }
    Some(labels)
}

/// What needs the rest: objective, constraints, baseline, trials, search.
struct Aims {
    objective: Option<Objective>,
    constraints: Vec<Constraint>,
    baseline: Baseline,
    trials: Vec<ListedTrial>,
    search: Option<Search>,
}

fn finish<'a>(
    keys: &Keys<'a>,
    scene: &Scene<'a>,
    parts: Parts,
    metrics: &[ReadMetric<'a>],
) -> Option<Plan> {
    let aims = aims(keys, scene, &parts, metrics);
    let budget = keys.get("budget").map_or_else(
        || Some(Budget::default()),
        |budget| measurement::budget(&budget),
    );
    let timeouts = keys.get("timeouts").map_or_else(
        || Some(Timeouts::default()),
        |timeouts| measurement::timeouts(&timeouts),
    );
    let retries = keys.get("retries").map_or_else(
        || Some(Retries::default()),
        |retries| measurement::retries(&retries),
    );
    let artifacts = artifacts(keys);
    let aims = aims?;
    let mut plan = Plan {
        format: PLAN_FORMAT,
        name: parts.name?,
        description: parts.description?,
        labels: parts.labels?,
        target: parts.target?,
        tunables: parts.tunables,
        datasources: parts.datasources,
        metrics: parts.metrics,
        objective: aims.objective,
        constraints: aims.constraints,
        load: parts.load?,
        measurement: parts.measurement?,
        baseline: aims.baseline,
        trials: aims.trials,
        search: aims.search,
        budget: budget?,
        timeouts: timeouts?,
        retries: retries?,
        artifacts: artifacts?,
        identity: Identity {
            digest: Digest::of(b""),
            parts: BTreeMap::new(),
        },
    };
    check_end(keys, &plan);
    check_blocks(keys, &plan);
    plan.identity = identity::of(&plan, scene);
    Some(plan)
}

fn aims<'a>(
    keys: &Keys<'a>,
    scene: &Scene<'a>,
    parts: &Parts,
    metrics: &[ReadMetric<'a>],
) -> Option<Aims> {
    let space = Space {
        tunables: &parts.tunables,
        target: parts.target.as_ref(),
        is_whole: parts.is_whole,
    };
    let baseline = if parts.is_whole || keys.has("baseline") {
        search::baseline(keys.get("baseline").as_ref(), &keys.reader, &space)
    } else {
        None
    };
    let has_baseline = baseline != Some(Baseline::None);
    let (tunables, load) = (&parts.tunables, parts.load.as_ref());
    let mut names = Names::new(tunables, load, parts.target.as_ref(), has_baseline);
    for ReadMetric { metric, .. } in metrics {
        let summarizers = &scene.context.summarizers;
        let more = summarizers.get(&metric.summarizer).cloned();
        let (name, unit) = (metric.name.as_str(), metric.unit.clone());
        names.add(name, metric.kind, unit, more.unwrap_or_default());
    }
    if let Some(LoadSpec::External(external)) = load
        && !names.has_metric(external.metric.as_str())
        && let Some(place) = keys.get("load").and_then(|load| load.peek("metric"))
    {
        place.refuse_with(
            format!("there is no metric {}", external.metric),
            "name the counter metric whose increase is the load",
        );
    }
    if let Some(LoadSpec::External(external)) = load
        && let Some(ReadMetric { metric, .. }) = metrics
            .iter()
            .find(|read| read.metric.name == external.metric)
        && metric.kind != MetricKind::Counter
        && let Some(place) = keys.get("load").and_then(|load| load.peek("metric"))
    {
        place.refuse_with(
            format!("metric {} is not a counter", external.metric),
            "load is the increase of a counter: write as: counter at the metric, if it is one",
        );
    }
    let is_known = parts.load.is_some() && written(keys, "metrics") == metrics.len();
    let objective = keys.get("objective").and_then(|objective| {
        let read = || objective::read(&objective, &names, load);
        // With a metric missing that could not be read, a name without a meaning says nothing.
        if is_known { read() } else { None }
    });
    let constraints = match keys.get("constraints") {
        Some(list) if is_known => objective::constraints(&list, &names),
        Some(_) | None => Vec::new(),
    };
    let trials = search::trials(keys.get("trials").as_ref(), &space, baseline.as_ref());
    let seed = parts.measurement.as_ref().map_or(1, |m| m.seed);
    let has_trials = keys.has("trials") || !trials.is_empty();
    let search = search::search(keys.get("search").as_ref(), &space, has_trials, seed);
    Some(Aims {
        objective,
        constraints,
        baseline: baseline?,
        trials,
        search: search?,
    })
}

fn written(keys: &Keys<'_>, key: &str) -> usize {
    keys.get(key).as_ref().map_or(0, length)
}

fn artifacts(keys: &Keys<'_>) -> Option<Vec<String>> {
    let Some(reader) = keys.get("artifacts") else {
        return Some(Vec::new());
    };
    let mut globs = Vec::new();
    for entry in reader.list()? {
        let text = entry.text()?;
        if text.is_empty() || text.starts_with('/') || text.split('/').any(|part| part == "..") {
            entry.refuse_with(
                format!("{text:?} leaves the working folder"),
                "globs are relative to the working folder of the iteration",
            );
            continue;
        }
        globs.push(text.to_owned());
    }
    Some(globs)
}

/// A search needs something to aim at and something that ends it; a plan needs something to measure.
fn check_end(keys: &Keys<'_>, plan: &Plan) {
    let Some(search) = &plan.search else {
        if plan.trials.is_empty() && !plan.has_baseline() {
            keys.reader.refuse_with(
                "there is nothing to measure: no baseline, no trial, no tunable to search",
                "list trials, or give tunables a range",
            );
        }
        return;
    };
    if plan.objective.is_none() && !keys.has("objective") {
        keys.reader.refuse_with(
            "a search needs an objective",
            "give an objective, or list trials to compare",
        );
    }
    let ends_itself = matches!(
        search.suggester,
        Suggester::BuiltIn {
            method: SearchMethod::Grid,
            ..
        } | Suggester::Custom { .. }
    );
    let has_budget = plan.budget.trials.is_some() || plan.budget.time.is_some();
    if !has_budget && !ends_itself {
        let place = keys.get("search").unwrap_or_else(|| keys.reader.clone());
        place.refuse_with(
            "nothing ends the search",
            "give budget.trials or budget.time",
        );
    }
}

/// Too few blocks for a verdict are said beforehand.
fn check_blocks(keys: &Keys<'_>, plan: &Plan) {
    if !plan.has_baseline() || plan.measurement.design == Design::Sequential {
        return;
    }
    let competing = match &plan.search {
        Some(search) => u64::from(search.verify),
        None => plan.trials.len() as u64,
    };
    let metrics = match plan.objective {
        Some(_) => 1,
        None => (plan.metrics.len() + plan.load.metrics().len()).max(1) as u64,
    };
    let comparisons = competing * metrics * plan.levels() as u64;
    let Ok(comparisons) = u32::try_from(comparisons) else {
        return;
    };
    let needed = Iterations::needed(comparisons);
    let max = plan.measurement.iterations.max;
    if comparisons > 0 && max < needed {
        let measurement = keys.get("measurement");
        let place = measurement.and_then(|m| m.peek("iterations"));
        place.unwrap_or_else(|| keys.reader.clone()).warn(
            format!(
                "no verdict is possible: {comparisons} comparisons need {needed} blocks, and at most {max} are measured"
            ),
            format!("give measurement.iterations a max of {needed}"),
        );
    }
}
