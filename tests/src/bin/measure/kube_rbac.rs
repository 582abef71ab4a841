//! The Role that `em kube rbac` prints, and what follows when a verb of it is missing.

use std::path::{Path, PathBuf};
use std::process::Output;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use em_core::port::{Clock as _, SystemClock};
use serde_json::{Value as Json, json};

use crate::bench::Bench;
use crate::cluster;
use crate::em::Em;
use crate::figure::Measured;
use crate::kube_demo;

/// The service account, as the command names it where nothing else is said.
const ACCOUNT: &str = "experiment-manager";
/// Until a changed Role counts everywhere in the API server.
const SPREAD: Duration = Duration::from_secs(1);
/// How the survey says that something is not allowed.
const REFUSED: &str = "not permitted: ";
/// Cases of the short form: others every day.
const SOME: usize = 3;
const A_DAY: i64 = 86_400;

pub(crate) fn measure(bench: &mut Bench) -> Result<Measured> {
    let em = Em::copied()?;
    kube_demo::prepare()?;
    let context = kube_demo::context()?;
    let text = kube_demo::file("shop", &context, "rolling-update", 1);
    em.write("shop.yaml", &text)?;
    let granted = Granted::apply(&em)?;
    let kubeconfig = kubeconfig(&em)?;
    let (all, absent): (Vec<Right>, Vec<Right>) = granted
        .verbs()
        .into_iter()
        .partition(Right::is_of_this_cluster);
    let few = bench.by_form(SOME, all.len());
    bench.say(&format!(
        "{}: deployment/demo, policy rolling-update, as a service account with what `em kube rbac` prints: {} verbs, of which {few} are taken away in turn",
        em.who(),
        all.len()
    ))?;
    for verb in absent {
        bench.say(&format!(
            "not tried: {verb}: this cluster has no {}",
            verb.group
        ))?;
    }
    let user = User {
        em: &em,
        kubeconfig: &kubeconfig,
        original: kube_demo::original(&kube_demo::live()?),
    };
    let whole = user.run("data-whole", None)?;
    bench.say(&format!("with all of it: {}", whole.text))?;
    let mut kept = usize::from(whole.is_kept);
    for (number, verb) in rotating(&all, few).into_iter().enumerate() {
        granted.without(verb)?;
        let seen = user.run(&format!("data-{number}"), Some(verb))?;
        let word = if seen.is_kept { "" } else { "NOT KEPT, " };
        bench.say(&format!("without {verb}: {word}{}", seen.text))?;
        kept += usize::from(seen.is_kept);
        granted.give_back()?;
    }
    Ok(Measured {
        value: format!("{kept}/{} kept", few + 1),
        is_met: kept == few + 1,
    })
}

/// Some of all, spread over them, others every day.
fn rotating(all: &[Right], few: usize) -> Vec<&Right> {
    if few == 0 || all.is_empty() {
        return Vec::new();
    }
    let day = usize::try_from(SystemClock.now().as_second() / A_DAY).unwrap_or_default();
    let (first, step) = (day % all.len(), all.len() / few);
    let at = |number: usize| (first + number * step.max(1)) % all.len();
    (0..few).filter_map(|number| all.get(at(number))).collect()
}

/// One verb of one rule.
#[derive(Debug)]
struct Right {
    /// Number of the role.
    role: usize,
    /// Number of the rule in it.
    rule: usize,
    group: String,
    resource: String,
    verb: String,
    is_needed: bool,
}

impl Right {
    /// Whether the cluster has such objects: nothing is asked of those that it does not have.
    fn is_of_this_cluster(&self) -> bool {
        let group = format!("--api-group={}", self.group);
        let known = cluster::kubectl(&["api-resources", &group, "--no-headers", "-o", "name"]);
        known.is_ok_and(|known| !known.trim().is_empty())
    }
}

impl std::fmt::Display for Right {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let level = if self.is_needed { "needed" } else { "helpful" };
        let place = ["", " everywhere"][self.role.min(1)];
        write!(f, "{} {}{place} ({level})", self.verb, self.resource)
    }
}

/// What is granted: the Role and the `ClusterRole`, and which of their rules are needed.
struct Granted {
    roles: Vec<Json>,
    is_needed: Vec<Vec<bool>>,
}

impl Granted {
    /// Applies what the command prints.
    fn apply(em: &Em) -> Result<Self> {
        let output = em.command("data", &["kube", "rbac", "shop.yaml"]).output();
        let output = output.context("failed to start em")?;
        if !output.status.success() {
            bail!("em kube rbac failed: {}", said(&output));
        }
        let manifest = String::from_utf8_lossy(&output.stdout);
        cluster::apply(&manifest)?;
        let wide = format!("{}-{ACCOUNT}", kube_demo::NAMESPACE);
        let role = cluster::get(&["role", ACCOUNT, "-n", kube_demo::NAMESPACE])?;
        let roles = vec![role, cluster::get(&["clusterrole", &wide])?];
        let documents = manifest.split("---\n");
        let with_rules = documents.filter(|document| document.contains("\nrules:\n"));
        let is_needed: Vec<Vec<bool>> = with_rules.map(levels).collect();
        let told: Vec<usize> = is_needed.iter().map(Vec::len).collect();
        let has: Vec<usize> = roles.iter().map(|role| rules(role).len()).collect();
        if told != has {
            bail!("the roles have {has:?} rules, and em kube rbac says of {told:?} what they are");
        }
        Ok(Self { roles, is_needed })
    }

    /// Every verb.
    fn verbs(&self) -> Vec<Right> {
        let mut verbs = Vec::new();
        for (role, (object, needed)) in self.roles.iter().zip(&self.is_needed).enumerate() {
            for (number, (rule, is_needed)) in rules(object).iter().zip(needed).enumerate() {
                for verb in rule["verbs"].as_array().into_iter().flatten() {
                    let text = |value: &Json| value.as_str().unwrap_or_default().to_owned();
                    verbs.push(Right {
                        role,
                        rule: number,
                        group: text(&rule["apiGroups"][0]),
                        resource: text(&rule["resources"][0]),
                        verb: text(verb),
                        is_needed: *is_needed,
                    });
                }
            }
        }
        verbs
    }

    /// Takes one verb away: from its rule, and from the wider role, which would grant it, too.
    fn without(&self, verb: &Right) -> Result<()> {
        for (number, role) in self.roles.iter().enumerate().skip(verb.role) {
            let mut role = role.clone();
            let rules = role["rules"].as_array_mut().context("a role has rules")?;
            for (at, rule) in rules.iter_mut().enumerate() {
                let is_it = number == verb.role && at == verb.rule;
                let is_wider = number > verb.role
                    && rule["apiGroups"][0] == verb.group.as_str()
                    && rule["resources"][0] == verb.resource.as_str();
                if (is_it || is_wider)
                    && let Some(verbs) = rule["verbs"].as_array_mut()
                {
                    verbs.retain(|one| *one != verb.verb.as_str());
                }
            }
            rules.retain(|rule| rule["verbs"].as_array().is_some_and(|all| !all.is_empty()));
            give(&role)?;
        }
        thread::sleep(SPREAD);
        Ok(())
    }

    fn give_back(&self) -> Result<()> {
        self.roles.iter().try_for_each(give)
    }
}

/// Of each rule of a printed role, whether it is needed.
fn levels(document: &str) -> Vec<bool> {
    let rules = document
        .split_once("\nrules:\n")
        .map_or("", |(_, rest)| rest);
    let level = |line: &str| {
        if line.starts_with("# needed: ") {
            return Some(true);
        }
        line.starts_with("# helpful: ").then_some(false)
    };
    rules.lines().filter_map(level).collect()
}

fn rules(role: &Json) -> &[Json] {
    role["rules"].as_array().map_or(&[], Vec::as_slice)
}

/// A role, as it is to be from now on.
fn give(role: &Json) -> Result<()> {
    let mut role = role.clone();
    if let Some(metadata) = role["metadata"].as_object_mut() {
        metadata.retain(|key, _| matches!(key.as_str(), "name" | "namespace"));
    }
    cluster::apply(&role.to_string())
}

/// A kubeconfig of the service account.
fn kubeconfig(em: &Em) -> Result<PathBuf> {
    let token = cluster::kubectl(&[
        "create",
        "token",
        ACCOUNT,
        "-n",
        kube_demo::NAMESPACE,
        "--duration=2h",
    ])?;
    let text = cluster::kubectl(&[
        "config",
        "view",
        "--raw",
        "--minify",
        "--flatten",
        "-o",
        "json",
    ])?;
    let mut config: Json = serde_json::from_str(&text).context("kubectl printed no JSON")?;
    config["users"][0]["user"] = json!({ "token": token.trim() });
    em.write("kubeconfig", &config.to_string())
}

/// What a run did.
struct Seen {
    is_kept: bool,
    text: String,
}

/// Whoever has the service account.
struct User<'a> {
    em: &'a Em,
    kubeconfig: &'a Path,
    original: Json,
}

impl User<'_> {
    /// Runs the file, with one verb missing or none, and looks at whether that is as it has to be.
    fn run(&self, data: &str, missing: Option<&Right>) -> Result<Seen> {
        kube_demo::settle()?;
        let before = kube_demo::live()?;
        let output = self
            .em
            .command(data, &["run", "shop.yaml", "--yes"])
            .env("KUBECONFIG", self.kubeconfig)
            .output();
        let output = output.context("failed to start em")?;
        let told: Vec<String> = said(&output)
            .lines()
            .filter(|line| line.contains(REFUSED))
            .map(|line| line.trim().to_owned())
            .collect();
        let is_told = told.iter().any(|line| names(line, missing));
        let is_done = output.status.success();
        let live = kube_demo::live()?;
        let is_untouched =
            live["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"];
        let left = kube_demo::left(&self.original)?;
        let is_clean = left.is_empty();
        let is_kept = is_clean
            && match missing {
                None => is_done && told.is_empty(),
                Some(verb) if verb.is_needed => !is_done && is_told && is_untouched,
                Some(_) => is_done && is_told,
            };
        let mut text = format!("{}", output.status);
        text.push_str(if is_untouched {
            ", nothing written"
        } else {
            ", written"
        });
        if !is_clean {
            text = format!("{text}, LEFT: {}", left.join(", "));
        }
        match told.first() {
            Some(line) => text = format!("{text}; {line}"),
            None if !is_done || missing.is_some() => {
                let said = said(&output);
                let last: Vec<_> = said.lines().rev().take(3).collect();
                text = format!("{text}; it says: {}", last.join(" / "));
            }
            None => {}
        }
        Ok(Seen { is_kept, text })
    }
}

/// Whether a line names what is missing: a finding of the survey, or what the cluster said to the look for what an
/// earlier run left, which comes before it.
fn names(line: &str, missing: Option<&Right>) -> bool {
    missing.is_some_and(|Right { verb, resource, .. }| {
        let found = line.split_once(REFUSED).map(|(_, rest)| rest);
        let is_found = found.is_some_and(|rest| rest.contains(verb) && rest.contains(resource));
        is_found || line.contains(&format!("cannot {verb} resource {resource:?}"))
    })
}

/// What `em` says while it runs, and its report.
fn said(output: &Output) -> String {
    let texts = [&output.stdout, &output.stderr];
    texts.map(|text| String::from_utf8_lossy(text)).join("\n")
}
