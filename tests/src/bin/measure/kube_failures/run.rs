//! Runs one case in a namespace of its own, and says what was not as expected.

use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use em_core::journal::Outcome;
use serde_json::Value as Json;

use super::case::{After, Case, Cause, When};
use super::remains;
use super::sight::Sight;
use super::told::{Running, Told};
use crate::cluster;
use crate::em::Em;

/// How long a case may take, from em's start to its end.
const PATIENCE: Duration = Duration::from_secs(150);
/// How long the objects of a case may take to be ready.
const READY: &str = "--timeout=60s";
/// From the cause to em's word.
const GOAL: Duration = Duration::from_secs(5);
/// How long the cluster may take to show what ends a trial.
const SHOWN: Duration = Duration::from_secs(100);

/// Connections in a pod's table that only load makes: a probe makes one a second.
const LOADED: usize = 20;

/// What became of a case.
#[derive(Debug)]
pub(super) struct Seen {
    /// Exit code and outcome, with em's words.
    pub(super) told: String,
    /// From the cause to em's word.
    pub(super) took: Duration,
    /// What is not as expected.
    pub(super) wrong: Vec<String>,
}

/// Runs it. What it made is removed in any case.
pub(super) fn run(case: &Case, em: &Em) -> Result<Seen> {
    let seen = prepare(case, em).and_then(|()| observe(case, em));
    if !case.clean.is_empty() {
        shell(case, em, case.clean)?;
    }
    let gone = ["delete", "namespace", case.name, "--wait=false"];
    cluster::kubectl(&[&gone[..], &["--ignore-not-found"]].concat())?;
    seen
}

fn prepare(case: &Case, em: &Em) -> Result<()> {
    cluster::apply(&case.objects())?;
    let ready = ["rollout", "status", "deployment/demo", "-n", case.name];
    cluster::kubectl(&[&ready[..], &[READY]].concat())?;
    answers(case)?;
    shell(case, em, case.prepare)
}

/// Waits until the Service of a case leads to its pod.
fn answers(case: &Case) -> Result<()> {
    let address = ["get", "service", "demo", "-n", case.name, "-o"];
    let address = [&address[..], &["jsonpath={.spec.clusterIP}:80"]].concat();
    let address: SocketAddr = cluster::kubectl(&address)?
        .parse()
        .context("a Service has an address")?;
    let end = Instant::now() + Duration::from_secs(20);
    while TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_err() {
        ensure!(Instant::now() < end, "the Service does not answer");
        thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

fn observe(case: &Case, em: &Em) -> Result<Seen> {
    let before = remains::workload(case.name)?;
    let file = em.write(&format!("{}.yaml", case.name), &case.file())?;
    let file = file.to_str().context("the file has a name")?;
    let cause = sight(case)?;
    let of_act = sight_of_act(case)?;
    let began = Instant::now();
    let arguments = ["run", file, "--yes", "--output", "json"];
    let mut command = em.command(case.name, &arguments);
    let kubeconfig = kubeconfig(case, em);
    if kubeconfig.exists() {
        command.env("KUBECONFIG", kubeconfig);
    }
    let running = Running::start(command)?;
    let acted = act(case, em, of_act.as_ref());
    let told = running.finish(PATIENCE);
    let (told, acted) = (told?, acted?);
    let caused = match (case.cause, cause) {
        (Cause::Before, _) => Some(began),
        (Cause::Act, _) => acted,
        (
            Cause::Pod(words) | Cause::Event(words) | Cause::Workload(words) | Cause::Node(words),
            Some(sight),
        ) => {
            let seen = sight.wait(Duration::from_secs(1), |line| line.contains(words));
            seen.map(|(at, _)| at)
        }
        (_, None) => None,
    };
    judge(case, &told, caused, before.as_ref())
}

/// Where a case keeps a kubeconfig of its own.
fn kubeconfig(case: &Case, em: &Em) -> std::path::PathBuf {
    em.folder().join(format!("{}.kubeconfig", case.name))
}

/// Where the cause will be seen.
fn sight(case: &Case) -> Result<Option<Sight>> {
    let namespace = case.name;
    let path = match case.cause {
        Cause::Before | Cause::Act => return Ok(None),
        Cause::Pod(_) => format!("/api/v1/namespaces/{namespace}/pods"),
        Cause::Event(_) => format!("/api/v1/namespaces/{namespace}/events"),
        Cause::Workload(_) => format!("/apis/apps/v1/namespaces/{namespace}/deployments"),
        Cause::Node(_) => "/api/v1/nodes".to_owned(),
    };
    Sight::of(&path).map(Some)
}

/// Where the moment for what is done in mid-trial will be seen.
fn sight_of_act(case: &Case) -> Result<Option<Sight>> {
    if case.act.is_empty() {
        return Ok(None);
    }
    let namespace = case.name;
    let path = match case.when {
        When::Held => format!("/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"),
        When::Ready | When::Loaded => format!("/api/v1/namespaces/{namespace}/pods"),
    };
    Sight::of(&path).map(Some)
}

/// Does what is to be done in mid-trial, and answers when it began: what it does shows while it runs.
fn act(case: &Case, em: &Em, sight: Option<&Sight>) -> Result<Option<Instant>> {
    let Some(sight) = sight else {
        return Ok(None);
    };
    let seen = match case.when {
        When::Held => sight.wait(SHOWN, |line| line.contains("holderIdentity")),
        When::Ready | When::Loaded => sight.wait(SHOWN, |line| ready_of_trial(line).is_some()),
    };
    let Some((_, line)) = seen else {
        return Ok(None);
    };
    if let (When::Loaded, Some(pod)) = (case.when, ready_of_trial(&line))
        && !is_loaded(case, &pod)
    {
        return Ok(None);
    }
    let began = Instant::now();
    shell(case, em, case.act)?;
    Ok(Some(began))
}

/// The name of the pod of the trial that is seen to be ready.
fn ready_of_trial(line: &str) -> Option<String> {
    let change: Json = serde_json::from_str(line).ok()?;
    let pod = &change["object"];
    let marks = &pod["metadata"]["annotations"];
    marks.get("experiment-manager.io/iteration")?;
    let conditions = pod["status"]["conditions"].as_array()?;
    let is_ready = |one: &Json| one["type"] == "Ready" && one["status"] == "True";
    let name = pod["metadata"]["name"].as_str()?;
    conditions.iter().any(is_ready).then(|| name.to_owned())
}

/// Waits until more connections have reached a pod than its probe makes.
fn is_loaded(case: &Case, pod: &str) -> bool {
    let end = Instant::now() + SHOWN;
    let look = ["exec", "-n", case.name, pod, "--"];
    let look = [&look[..], &["cat", "/proc/net/tcp", "/proc/net/tcp6"]].concat();
    while Instant::now() < end {
        let Ok(table) = cluster::kubectl(&look) else {
            return false;
        };
        let at_port = table.lines().filter(|line| line.contains(":1F90 "));
        if at_port.count() >= LOADED {
            return true;
        }
    }
    false
}

/// Runs commands of a case; `$NS` is its namespace, `$CONFIG` a kubeconfig of its own, `$STATE` the cluster's folder.
fn shell(case: &Case, em: &Em, commands: &str) -> Result<()> {
    let admin = std::env::var("KUBECONFIG").context("the cluster has given no KUBECONFIG")?;
    let state = Path::new(&admin)
        .parent()
        .context("no folder of a cluster")?;
    let output = Command::new("bash")
        .args(["-euc", commands])
        .env("NS", case.name)
        .env("CONFIG", kubeconfig(case, em))
        .env("STATE", state)
        .env("CLUSTER", em_tests::house::root().join("tests/cluster"))
        .stdin(Stdio::null())
        .output()
        .context("failed to run a shell")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "{commands} failed: {}",
        said.trim()
    );
    Ok(())
}

fn judge(case: &Case, told: &Told, caused: Option<Instant>, before: Option<&Json>) -> Result<Seen> {
    let (outcome, why) = outcome(told);
    let mut wrong = Vec::new();
    if let Some(code) = case.expected.code {
        if told.code != Some(code) {
            wrong.push(format!("the exit code is not {code}"));
        }
        if outcome.as_deref() != case.expected.outcome {
            let wanted = case.expected.outcome.unwrap_or("no report");
            wrong.push(format!("the outcome is not: {wanted}"));
        }
    }
    for words in case.expected.words {
        if !why.contains(words) {
            wrong.push(format!("not said: {words}"));
        }
    }
    if case.after != After::Foreign {
        wrong.extend(remains::left(case.name)?);
    }
    let now = remains::workload(case.name)?;
    match case.after {
        After::Same => wrong.extend(remains::differences(before, now.as_ref())),
        After::Gone if now.is_some() => wrong.push("the workload is there".to_owned()),
        After::Gone | After::Theirs | After::Foreign => {}
    }
    // Who is refused is told at the end; before, the words may stand in what was asked.
    let words = case.expected.words.first().filter(|_| outcome.is_some());
    let said = words.map_or(told.ended, |words| told.first(words));
    if caused.is_none() {
        wrong.push("the cluster did not show the cause".to_owned());
    }
    // What em saw coming before the cluster said so took no time.
    let took = caused.map_or(Duration::ZERO, |at| said.saturating_duration_since(at));
    if took > GOAL {
        wrong.push(format!("told after {:.1} s", took.as_secs_f64()));
    }
    let code = told
        .code
        .map_or("a signal".to_owned(), |code| code.to_string());
    let outcome = outcome.unwrap_or_else(|| "refused".to_owned());
    Ok(Seen {
        told: format!(
            "exit {code}, {outcome}: {}",
            why.trim().replace('\n', " / ")
        ),
        took,
        wrong,
    })
}

/// How the trial ended, and why; where there is no trial, what em said instead.
fn outcome(told: &Told) -> (Option<String>, String) {
    let said = told.said_at_work();
    let Some(report) = &told.report else {
        return (None, said);
    };
    let Some(trial) = report.trials.first() else {
        return (None, format!("{}\n{said}", report.remarks.join("\n")));
    };
    let (kind, why) = match &trial.outcome {
        None => ("no outcome".to_owned(), ""),
        Some(Outcome::Measured) => ("measured".to_owned(), ""),
        Some(Outcome::Cancelled) => ("cancelled".to_owned(), ""),
        Some(Outcome::Infeasible { why }) => ("infeasible".to_owned(), why.as_str()),
        Some(Outcome::Invalid { why }) => ("invalid".to_owned(), why.as_str()),
        Some(Outcome::Failed { blame, why }) => (format!("failed {blame}"), why.as_str()),
    };
    // What became of each iteration: one that others spoiled is told there, and repeated.
    (Some(kind), format!("{why}\n{said}"))
}
