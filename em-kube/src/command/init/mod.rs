//! A commented experiment file from a live workload: a first guess that is worth reading, and runs.

mod amounts;
mod runtime;
mod service;
mod variables;

use em_core::fault::FaultKind;
use em_core::plan::ObjectRef;
use serde_json::Value as Json;

use crate::change::template;
use crate::cluster::Cluster;
use crate::fault::KubeError;
use crate::place::Place;

/// A workload as it is found, and what surrounds it.
#[derive(Debug, Clone, Copy)]
pub struct Found<'a> {
    /// Context by which it was found.
    pub context: &'a str,
    /// Its namespace.
    pub namespace: &'a str,
    /// What it is called.
    pub object: &'a ObjectRef,
    /// The object.
    pub workload: &'a Json,
    /// All Services of the namespace.
    pub services: &'a [Json],
}

/// A file for a workload of the cluster.
pub async fn init(cluster: &Cluster, object: &ObjectRef) -> Result<String, KubeError> {
    let objects = cluster.objects_like(object).await?;
    let workload = objects.need(&object.name).await?;
    let services = cluster.objects("service").list("").await?;
    render(Found {
        context: cluster.context(),
        namespace: cluster.namespace(),
        object,
        workload: &workload,
        services: &services,
    })
}

/// The file as text.
pub fn render(found: Found<'_>) -> Result<String, KubeError> {
    let container = Container::of(found.workload).ok_or_else(|| {
        let what = format!(
            "{} has no pod template with a container, so nothing can be guessed (write its experiment with patches: docs/kubernetes.md)",
            found.object
        );
        KubeError::unfit(FaultKind::Invalid, what)
    })?;
    let service = service::of(found.workload, found.services);
    let mut text = head(found, &container, service.as_ref());
    text.push_str(&tunables(found.workload, &container));
    text.push_str(if service.is_some() { HTTP } else { NO_LOAD });
    text.push_str(REST);
    Ok(text)
}

/// The container that tunables mean.
struct Container<'a> {
    name: String,
    body: &'a Json,
    others: Vec<String>,
}

impl<'a> Container<'a> {
    /// The default one, else the first.
    fn of(workload: &'a Json) -> Option<Self> {
        let containers = template().key("spec").key("containers");
        let all = containers.get(workload)?.as_array()?;
        let annotations = template().key("metadata").key("annotations");
        let default = annotations
            .key("kubectl.kubernetes.io/default-container")
            .get(workload)
            .and_then(Json::as_str);
        let named = |name: &str| all.iter().find(|one| one["name"] == name);
        let body = default.and_then(named).or_else(|| all.first())?;
        let name = |one: &Json| Some(one["name"].as_str()?.to_owned());
        let own = name(body)?;
        let others = all.iter().filter_map(name).filter(|one| *one != own);
        Some(Self {
            others: others.collect(),
            name: own,
            body,
        })
    }

    /// The literal value of a variable; none where it is not set, or comes from elsewhere.
    fn variable(&self, name: &str) -> Option<&'a str> {
        self.variables()
            .find(|(known, _)| *known == name)
            .and_then(|(_, value)| value)
    }

    /// Names of all variables, with those values that stand there.
    fn variables(&self) -> impl Iterator<Item = (&'a str, Option<&'a str>)> {
        let all = self.body["env"].as_array();
        let entry = |one: &'a Json| Some((one["name"].as_str()?, one["value"].as_str()));
        all.into_iter().flatten().filter_map(entry)
    }

    /// Words of its command line, as far as the object says them.
    fn words(&self) -> impl Iterator<Item = &'a str> {
        let lists = ["command", "args"].map(|key| self.body[key].as_array());
        lists
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(Json::as_str)
    }
}

fn head(found: Found<'_>, container: &Container<'_>, service: Option<&service::Guess>) -> String {
    let object = found.object;
    let name: String = object.name.replace('.', "-").chars().take(50).collect();
    let others = if container.others.is_empty() {
        String::new()
    } else {
        format!(" (also: {})", container.others.join(", "))
    };
    let policy = policy(found);
    let policies = em_core::plan::ClusterPolicy::ALL
        .map(|(_, word, meaning)| format!("  #   {word}: {meaning}"))
        .join("\n");
    let service = service.map_or_else(
        || "  # No Service selects its pods.\n".to_owned(),
        service::Guess::line,
    );
    format!(
        "\
# An experiment: which configuration of {kind}/{own} is best, and is that proven?
# Written from what runs today. `em check FILE` says what would be done, and changes nothing.
name: {name}

target:
  kind: kubernetes
  context: {context}
  namespace: {namespace}
  workload: {object}
  # Which container the tunables mean{others}.
  container: {container}
  # What may be done to it:
{policies}
  policy: {policy}
{service}",
        name = quoted(&name),
        context = quoted(found.context),
        namespace = quoted(found.namespace),
        kind = object.kind,
        own = object.name,
        object = quoted(&object.to_string()),
        container = quoted(&container.name),
    )
}

/// Copies leave the live object alone; what has an identity or belongs to each node is not copied lightly.
fn policy(found: Found<'_>) -> &'static str {
    let volumes = template().key("spec").key("volumes");
    let volumes = volumes.get(found.workload).and_then(Json::as_array);
    let has_claim = volumes
        .into_iter()
        .flatten()
        .any(|volume| volume.get("persistentVolumeClaim").is_some());
    if found.object.kind == "deployment" && !has_claim {
        "new-deployment"
    } else {
        "rolling-update"
    }
}

fn tunables(workload: &Json, container: &Container<'_>) -> String {
    let mut text = TUNABLES.to_owned();
    let resources = amounts::lines(container);
    let has_memory = amounts::today(container, "memory").is_some();
    let mut lines = resources;
    lines.extend(runtime::lines(container, has_memory));
    lines.extend(variables::lines(container));
    if !lines.iter().any(|line| line.starts_with("  - ")) {
        lines.extend(amounts::without_any());
    }
    if let Some(replicas) = Place::of(["spec", "replicas"])
        .get(workload)
        .and_then(Json::as_u64)
    {
        let most = replicas.max(1).saturating_mul(2);
        lines.push(format!(
            "  # {replicas} today. More replicas hide what one of them can do:"
        ));
        lines.push(format!(
            "  # - {{ name: replicas, range: [1, {most}], apply: replicas }}"
        ));
    }
    for line in lines {
        text.push_str(&line);
        text.push('\n');
    }
    text
}

/// Text as JSON has it, which YAML reads, whatever is in it.
fn quoted(text: &str) -> String {
    Json::from(text).to_string()
}

const TUNABLES: &str = "
# What may change, with ranges around today's values. Also: `choices: [a, b]`, arguments
# (`apply: { arg: \"--threads={{value}}\" }`), images, and patches of any object (docs/kubernetes.md).
tunables:
";

const HTTP: &str = "
# Requests that arrive on their own schedule, whatever the program does, from where `em` runs: it has to
# reach the Service. Else: `kind: job`, an image that makes load inside the cluster. Without a rate: 60 %
# of what the baseline sustains, which is found once.
load: { kind: http, url: \"http://{{address}}/\" }

# What is best. Also: `maximize`, and other statistics such as `.mean` or `.p99.9`. What may grow and costs
# nothing will grow: `constraints`, or a cost as the objective, hold it.
objective: { minimize: load.response_time.p99 }
";

const NO_LOAD: &str = "
# Nothing makes load: the program works on its own. Also: `kind: job`, an image that makes load inside
# the cluster.
load: { kind: none }

# What is measured: here the CPU that the pods take, as the kubelet tells it.
metrics:
  - { name: cpu, datasource: target, query: cpu_seconds, as: counter, unit: s }
objective: { minimize: cpu.rate }
";

const REST: &str = "
# How it is measured: windows of each deployment that count, and how long one is.
measurement: { cycles: 3, cycle_duration: 30s }

# When the search ends at the latest.
budget: { trials: 20 }
";

#[cfg(test)]
mod tests;
