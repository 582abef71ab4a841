//! A plan in words: what is tuned, measured and compared. How much it will do is `design`'s to say.

use std::fmt::Write as _;

use em_core::plan::{
    Apply, Baseline, CloudWatchSpec, Compare, DatadogSpec, DatasourceKind, Direction, Domain,
    DynatraceSpec, Fold, GraphiteSpec, InfluxDbSpec, InstanaSpec, LoadSpec, Metric, MetricKind,
    NewRelicSpec, ObjectRef, PatchKind, Plan, RateSpec, ResourceKind, ResourceSide, Scale,
    TargetSpec, Tunable,
};
use em_core::template::Template;
use em_core::value::Unit;
use em_core::value::duration::spell;

use super::design::{self, Seen};
use super::section::Section;

/// Why a formatted text always reaches its string.
const NO_FAILURE: &str = "writing to a string cannot fail";

/// What a plan is and how much it will do. `seen`: what stored runs of the same thing have shown.
pub fn describe(plan: &Plan, seen: Option<&Seen>) -> String {
    let head = format!("{} ({})\n", plan.name, plan.identity.digest.short());
    let description = plan.description.lines().map(|line| format!("  {line}\n"));
    let sections = [
        question(plan),
        tunables(plan),
        metrics(plan),
        design::section(plan, seen),
    ];
    let texts = sections.iter().map(Section::text);
    [head].into_iter().chain(description).chain(texts).collect()
}

fn question(plan: &Plan) -> Section {
    let mut section = Section::new("What is asked");
    section.row("target", [target(&plan.target)]);
    section.row("load", [load(&plan.load)]);
    section.prose("objective", &objective(plan));
    for constraint in &plan.constraints {
        section.prose("constraints", &constraint.expression.to_string());
    }
    section.prose("baseline", &baseline(&plan.baseline));
    section
}

fn target(target: &TargetSpec) -> String {
    let slots = match target.slots() {
        1 => String::new(),
        many => format!(", {many} side by side"),
    };
    match target {
        TargetSpec::Process(process) => {
            let user = process.user.as_ref();
            let user = user.map_or_else(String::new, |user| format!(" as {user}"));
            format!("process{user}{slots}: {}", words(&process.command))
        }
        TargetSpec::Command(command) => {
            format!("command{slots}: applies with {}", words(&command.apply))
        }
        TargetSpec::Kubernetes(workload) => {
            let namespace = workload.namespace.as_ref();
            let namespace = namespace.map_or_else(String::new, |name| format!(" in {name}"));
            format!(
                "kubernetes{slots}: {}{namespace} of {}, policy {}",
                workload.workload,
                workload.context,
                workload.policy.word()
            )
        }
        TargetSpec::Observe => "observe: nothing is deployed or changed".to_owned(),
        TargetSpec::Simulated(_) => format!("simulated{slots}: formulas instead of a system"),
        TargetSpec::Custom(_) | _ => format!("{}{slots}", target.kind()),
    }
}

fn words(command: &[Template]) -> String {
    let words: Vec<&str> = command.iter().map(Template::text).collect();
    words.join(" ")
}

fn load(load: &LoadSpec) -> String {
    match load {
        LoadSpec::Http(http) => {
            let rate = match http.rate {
                RateSpec::PerSecond(rate) => format!("at {rate} requests per second"),
                RateSpec::OfCapacity(share) => format!(
                    "at {} % of the baseline's capacity, which is found first",
                    percent(share)
                ),
            };
            format!("http: {} {} {rate}", http.method, http.url.text())
        }
        LoadSpec::Command(command) => format!("command: {}", words(&command.command)),
        LoadSpec::External(external) => {
            let rate = external.rate;
            let rate = rate.map_or_else(String::new, |rate| format!(" of {rate} per second"));
            format!(
                "external: waits up to {} for the load{rate} that {} counts",
                spell(external.timeout),
                external.metric
            )
        }
        LoadSpec::None => "none".to_owned(),
        LoadSpec::Custom { .. } | _ => load.kind().to_owned(),
    }
}

fn objective(plan: &Plan) -> String {
    let Some(objective) = &plan.objective else {
        return "none: every metric is compared with the baseline".to_owned();
    };
    let direction = match objective.direction {
        Direction::Minimize => "minimize",
        Direction::Maximize => "maximize",
    };
    let mut text = format!("{direction} {}", objective.expression.text());
    if let Some(share) = objective.equivalent_within {
        write!(text, "; {} % do not matter", percent(share)).expect(NO_FAILURE);
    }
    text
}

/// A share in percent, without the digits that come from binary fractions.
fn percent(share: f64) -> f64 {
    (1e8 * share).round() / 1e6
}

fn baseline(baseline: &Baseline) -> String {
    match baseline {
        Baseline::Live => "what the target runs today".to_owned(),
        Baseline::Defaults(values) | Baseline::Values(values) => values.to_string(),
        Baseline::None => "none: nothing is compared".to_owned(),
    }
}

fn tunables(plan: &Plan) -> Section {
    let mut section = Section::new("What may change");
    let rows = plan.tunables.iter();
    let rows: Vec<Vec<String>> = rows.map(|one| tunable(one, &plan.target)).collect();
    section.table(&rows);
    section
}

/// Name, type, values, default, how it is applied.
fn tunable(tunable: &Tunable, target: &TargetSpec) -> Vec<String> {
    let (kind, values) = domain(&tunable.domain);
    let default = tunable.default.as_ref();
    let default = default.map_or_else(String::new, |default| format!("default {default}"));
    let applied: Vec<String> = tunable
        .apply
        .iter()
        .map(|one| applied(one, target))
        .collect();
    let mut applied = applied.join(", ");
    if applied.is_empty() {
        applied.push_str("placeholder");
    }
    for condition in &tunable.when {
        let choices: Vec<String> = condition.is.iter().map(ToString::to_string).collect();
        let choices = choices.join(" or ");
        write!(applied, "; only when {} is {choices}", condition.tunable).expect(NO_FAILURE);
    }
    let name = tunable.name.to_string();
    vec![name, kind.to_owned(), values, default, applied]
}

fn domain(domain: &Domain) -> (&'static str, String) {
    let log = |scale: &Scale| match scale {
        Scale::Linear => "",
        Scale::Log => ", by factors",
    };
    let stepped =
        |step: Option<String>| step.map_or_else(String::new, |step| format!(" in steps of {step}"));
    match domain {
        Domain::Integer {
            low,
            high,
            step,
            scale,
        } => {
            let step = stepped((*step != 1).then(|| step.to_string()));
            ("integer", format!("{low} to {high}{step}{}", log(scale)))
        }
        Domain::Real {
            low,
            high,
            step,
            scale,
        } => {
            let step = stepped(step.map(|step| step.to_string()));
            ("real", format!("{low} to {high}{step}{}", log(scale)))
        }
        Domain::Quantity {
            low,
            high,
            step,
            scale,
        } => {
            let step = stepped(step.map(|step| step.to_string()));
            ("quantity", format!("{low} to {high}{step}{}", log(scale)))
        }
        Domain::Categorical { choices } => {
            let choices: Vec<String> = choices.iter().map(ToString::to_string).collect();
            ("categorical", choices.join(" | "))
        }
        Domain::Derived { value } => ("derived", format!("= {value}")),
    }
}

fn applied(apply: &Apply, target: &TargetSpec) -> String {
    match apply {
        Apply::Env { name, piece, .. } => match piece {
            None => format!("env {name}"),
            Some(piece) => format!("env {name}: {}", piece.text()),
        },
        Apply::Arg { text, .. } => format!("argument {}", text.text()),
        Apply::Resource { resource, of } => {
            // A process has limits only.
            let of = if matches!(target, TargetSpec::Process(_)) {
                ResourceSide::Limit
            } else {
                *of
            };
            named_resource(*resource, of)
        }
        Apply::Replicas => "replicas".to_owned(),
        Apply::Image { reference } => format!("image {}", reference.text()),
        Apply::Patch { kind, object, .. } => match (object, target) {
            (Some(object), _) => named_patch(*kind, object),
            (None, TargetSpec::Kubernetes(spec)) => named_patch(*kind, &spec.workload),
            (None, _) => "patch".to_owned(),
        },
        _ => "by the target".to_owned(),
    }
}

/// The amount of a resource that is set.
pub(super) fn named_resource(resource: ResourceKind, of: ResourceSide) -> String {
    let resource = match resource {
        ResourceKind::Cpu => "CPU",
        ResourceKind::Memory => "memory",
    };
    let side = match of {
        ResourceSide::Both => "request and limit",
        ResourceSide::Request => "request",
        ResourceSide::Limit => "limit",
    };
    format!("{resource} {side}")
}

/// A patch, by how it is merged and into what.
pub(super) fn named_patch(kind: PatchKind, object: &ObjectRef) -> String {
    let kind = match kind {
        PatchKind::Merge => "merge",
        PatchKind::Strategic => "strategic",
        PatchKind::Json => "JSON",
    };
    format!("{kind} patch of {object}")
}

fn metrics(plan: &Plan) -> Section {
    let mut section = Section::new("What is measured beside the load");
    let rows: Vec<Vec<String>> = plan.metrics.iter().map(|one| metric(plan, one)).collect();
    section.table(&rows);
    section
}

/// Name, kind, source, query.
fn metric(plan: &Plan, metric: &Metric) -> Vec<String> {
    let mut kind = match metric.kind {
        MetricKind::Gauge => "gauge",
        MetricKind::Counter => "counter",
        MetricKind::Histogram => "histogram",
        MetricKind::Value => "value",
    }
    .to_owned();
    if !matches!(metric.unit, Unit::Dimensionless | Unit::Count) {
        write!(kind, " in {}", metric.unit).expect(NO_FAILURE);
    }
    let fold = match metric.fold {
        Fold::Single => "",
        Fold::Sum => ", summed",
        Fold::Mean => ", averaged",
        Fold::Min => ", the least",
        Fold::Max => ", the greatest",
        Fold::Merge => ", merged",
    };
    let better = match metric.compare {
        Compare::LowerIsBetter => ", less is better",
        Compare::HigherIsBetter => ", more is better",
        Compare::Neither => "",
    };
    vec![
        metric.name.to_string(),
        format!("{kind}{fold}{better}"),
        format!("from {}", source(plan, metric)),
        metric.query.text.text().to_owned(),
    ]
}

fn source(plan: &Plan, metric: &Metric) -> String {
    let name = &metric.datasource;
    let Some(spec) = plan.datasources.get(name) else {
        return name.to_string();
    };
    let mut text = match &spec.kind {
        DatasourceKind::Scrape { url } => format!("{name} ({})", url.text()),
        DatasourceKind::Prometheus(prometheus) => format!("{name} ({})", prometheus.url),
        DatasourceKind::Json(json) => format!("{name} ({})", json.url.text()),
        DatasourceKind::Datadog(DatadogSpec { url, .. })
        | DatasourceKind::Instana(InstanaSpec { url, .. })
        | DatasourceKind::Dynatrace(DynatraceSpec { url, .. })
        | DatasourceKind::NewRelic(NewRelicSpec { url, .. })
        | DatasourceKind::CloudWatch(CloudWatchSpec { url })
        | DatasourceKind::InfluxDb(InfluxDbSpec { url, .. })
        | DatasourceKind::Graphite(GraphiteSpec { url }) => format!("{name} ({url})"),
        DatasourceKind::Push => format!("{name} (what the workload reports)"),
        DatasourceKind::Command { command, .. } => format!("{name} ({})", words(command)),
        DatasourceKind::Csv { path, .. } => format!("{name} ({})", path.display()),
        DatasourceKind::Target => "the target".to_owned(),
        DatasourceKind::Custom { .. } | _ => name.to_string(),
    };
    if let Some(every) = spec.every {
        write!(text, " every {}", spell(every)).expect(NO_FAILURE);
    }
    text
}
