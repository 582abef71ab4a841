//! What an experiment is going to write to clusters: what a person is asked to agree to.

use em_core::plan::{ClusterPolicy, JobLoad, KubernetesSpec, LoadSpec, Plan, TargetSpec};

use super::design;
use super::forecast::Forecast;
use super::section::Section;

/// The contexts to which a plan writes, each once. A look alone writes nothing.
pub fn written(plan: &Plan) -> Vec<&str> {
    let target = changed(plan).map(|spec| spec.context.as_str());
    let load = job(plan).map(|job| job.context.as_str());
    let mut contexts: Vec<&str> = target.into_iter().chain(load).collect();
    contexts.dedup();
    contexts
}

/// What is written where, how often and for how long. Nothing where nothing is written.
pub fn describe(plan: &Plan) -> String {
    let mut section = Section::new("What will be written to a cluster");
    let forecast = Forecast::of(plan);
    if let Some(spec) = changed(plan) {
        section.row("context", [spec.context.clone()]);
        section.row("namespace", [namespace(spec.namespace.as_ref())]);
        section.row("object", [spec.workload.to_string()]);
        section.prose("policy", &policy(spec.policy));
        section.prose(noun(spec.policy), &design::deployments(&forecast));
        section.prose("left behind", &leaves(spec));
    }
    if let Some(job) = job(plan) {
        section.prose("load", &pods(job));
    }
    if changed(plan).is_some() || job(plan).is_some() {
        section.prose("time", &design::time(plan, &forecast, None));
    }
    section.text()
}

/// The workload that is changed or copied.
fn changed(plan: &Plan) -> Option<&KubernetesSpec> {
    let TargetSpec::Kubernetes(spec) = &plan.target else {
        return None;
    };
    (spec.policy != ClusterPolicy::Observe).then_some(spec)
}

/// The Job that makes the load. A formula has a formula for its load, whatever the file says.
fn job(plan: &Plan) -> Option<&JobLoad> {
    let LoadSpec::Job(job) = &plan.load else {
        return None;
    };
    (!matches!(plan.target, TargetSpec::Simulated(_))).then_some(job)
}

fn namespace(named: Option<&String>) -> String {
    named.map_or_else(|| "the context's own".to_owned(), Clone::clone)
}

fn policy(policy: ClusterPolicy) -> String {
    let own = ClusterPolicy::ALL.iter().find(|(one, _, _)| *one == policy);
    own.map_or_else(String::new, |(_, word, meaning)| {
        format!("{word}: {meaning}")
    })
}

/// What an iteration is to the cluster.
fn noun(policy: ClusterPolicy) -> &'static str {
    match policy {
        ClusterPolicy::RollingUpdate => "roll-outs",
        ClusterPolicy::NewDeployment => "copies",
        ClusterPolicy::Resize => "resizes",
        ClusterPolicy::Observe | _ => "looks",
    }
}

fn leaves(spec: &KubernetesSpec) -> String {
    if spec.policy.is_in_place() {
        let workload = &spec.workload;
        return format!(
            "nothing: the original is put back at the end (if this program cannot: em kube restore {workload})"
        );
    }
    let side = match spec.slots {
        1 => "one at a time".to_owned(),
        many => format!("up to {many} side by side"),
    };
    format!("nothing: copies run {side}, and each is removed after its iteration")
}

fn pods(job: &JobLoad) -> String {
    let workers = match job.workers {
        1 => "1 pod".to_owned(),
        many => format!("{many} pods"),
    };
    format!(
        "Jobs of {workers} of {} in context {}, namespace {}",
        job.image,
        job.context,
        namespace(job.namespace.as_ref())
    )
}
