//! A manager that is gone while it holds a workload, and another one that takes the workload over.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde_json::Value as Json;

use crate::bench::Bench;
use crate::em::Em;
use crate::figure::Measured;
use crate::kube_demo;
use crate::stopwatch::Stopwatch;

/// A Lease lasts 15 s without being renewed.
const EXPIRED: Duration = Duration::from_secs(16);
/// Longest wait for one thing to happen.
const PATIENCE: Duration = Duration::from_mins(3);

pub(crate) fn measure(bench: &mut Bench) -> Result<Measured> {
    let em = Em::copied()?;
    kube_demo::prepare()?;
    let context = kube_demo::context()?;
    for name in ["a", "b"] {
        let text = kube_demo::file(name, &context, "rolling-update", 4);
        em.write(&format!("{name}.yaml"), &text)?;
    }
    bench.say(&format!(
        "{}: A holds deployment/demo, changed; it is killed, or stopped for a while; B is another experiment in another store",
        em.who()
    ))?;
    let mut kept = 0;
    for gone in [Gone::Killed, Gone::Stopped] {
        let case = Case {
            em: &em,
            gone,
            original: kube_demo::live()?,
        };
        let findings = case.play()?;
        for finding in &findings {
            let word = if finding.is_kept { "yes" } else { "NO" };
            bench.say(&format!("A {gone}: {}: {word}", finding.text))?;
        }
        kept += u32::from(findings.iter().all(|finding| finding.is_kept));
    }
    Ok(Measured {
        value: format!("{kept}/2 kept"),
        is_met: kept == 2,
    })
}

/// In which way A is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gone {
    /// It was killed, and is started again.
    Killed,
    /// It did not run for a while, and knows nothing of it.
    Stopped,
}

impl std::fmt::Display for Gone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Killed => "killed",
            Self::Stopped => "stopped",
        })
    }
}

/// Something that has to be so.
struct Finding {
    is_kept: bool,
    text: String,
}

fn finding(is_kept: bool, text: impl Into<String>) -> Finding {
    Finding {
        is_kept,
        text: text.into(),
    }
}

/// One takeover.
struct Case<'a> {
    em: &'a Em,
    gone: Gone,
    original: Json,
}

impl Case<'_> {
    fn play(&self) -> Result<Vec<Finding>> {
        let seen = Watch::begin(&self.file("seen"))?;
        let mut a = self.start("a", "a-first")?;
        until("A has changed the object", || {
            let live = kube_demo::live()?;
            Ok(live["spec"] != self.original["spec"])
        })?;
        match self.gone {
            Gone::Killed => {
                a.kill().context("failed to kill em")?;
                a.wait().context("failed to wait for em")?;
            }
            Gone::Stopped => signal(&a, "STOP")?,
        }
        thread::sleep(EXPIRED);
        let b = self.start("b", "b")?;
        until("B holds the object", || {
            Ok(holder(&kube_demo::live()?).as_deref() == Some("b"))
        })?;
        let a = match self.gone {
            Gone::Killed => self.start("a", "a-again")?,
            Gone::Stopped => {
                signal(&a, "CONT")?;
                a
            }
        };
        let (b, a) = (ended(b, "B")?, ended(a, "A")?);
        kube_demo::settle()?;
        let versions = seen.end()?;
        let mut findings = self.order(&versions);
        findings.push(finding(b.success(), format!("B ended well ({b})")));
        findings.extend(self.words_of(a));
        let left = kube_demo::left(&kube_demo::original(&self.original))?;
        let text = format!(
            "the original is in place at the end, and nothing of either is left ({} things)",
            left.len()
        );
        findings.push(finding(left.is_empty(), text));
        Ok(findings)
    }

    /// What the object went through, in the order in which the cluster had it.
    fn order(&self, versions: &[Json]) -> Vec<Finding> {
        let is_original = |version: &Json| version["spec"] == self.original["spec"];
        let holders: Vec<_> = versions.iter().map(holder).collect();
        let is = |name: &'static str| move |held: &Option<String>| held.as_deref() == Some(name);
        let first_of_b = holders.iter().position(is("b")).unwrap_or(holders.len());
        let last_of_a = holders.iter().rposition(is("a")).unwrap_or_default();
        let first_patch_of_b = (first_of_b..versions.len())
            .find(|at| !is_original(&versions[*at]))
            .unwrap_or(versions.len());
        let between = versions.get(last_of_a + 1..first_of_b).unwrap_or_default();
        let is_restored = between.iter().any(is_original)
            && versions.get(first_of_b).is_some_and(is_original)
            && first_patch_of_b > first_of_b;
        let text = format!(
            "the original was back before B's first patch (of {} versions of the object A's last is {last_of_a}, B's first {first_of_b}, B's first patch {first_patch_of_b})",
            versions.len()
        );
        let last_of_b = holders.iter().rposition(is("b")).unwrap_or_default();
        let of_b = holders.get(first_of_b..=last_of_b).unwrap_or_default();
        let untouched = finding(
            last_of_a < first_of_b && !of_b.is_empty() && of_b.iter().all(is("b")),
            "A wrote nothing to the object once B had it",
        );
        vec![finding(is_restored, text), untouched]
    }

    /// How A ended, and whether it said why.
    fn words_of(&self, status: ExitStatus) -> Vec<Finding> {
        let log = match self.gone {
            Gone::Killed => "a-again",
            Gone::Stopped => "a-first",
        };
        let said = fs::read_to_string(self.file(log)).unwrap_or_default();
        let last = said.lines().rev().find(|line| !line.trim().is_empty());
        let last = last.unwrap_or_default();
        let is_clear = [
            "taken over",
            "held by experiment b",
            "experiment b of another store holds",
        ]
        .iter()
        .any(|words| said.contains(words));
        vec![finding(
            is_clear && !status.success(),
            format!("A says that it lost the object ({status}: {last})"),
        )]
    }

    fn file(&self, name: &str) -> PathBuf {
        self.em.folder().join(format!("{name}-{}.txt", self.gone))
    }

    /// Each has a store of its own.
    fn start(&self, name: &str, log: &str) -> Result<Child> {
        let log = File::create(self.file(log)).context("failed to make a file for what em says")?;
        self.em
            .command(
                &format!("data-{name}-{}", self.gone),
                &["run", &format!("{name}.yaml"), "--yes"],
            )
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .context("failed to start em")
    }
}

/// The experiment that holds an object, as it says itself.
fn holder(object: &Json) -> Option<String> {
    let text = object["metadata"]["annotations"]["experiment-manager.io/hold"].as_str()?;
    let hold: Json = serde_json::from_str(text).ok()?;
    Some(hold["experiment"].as_str()?.to_owned())
}

fn signal(process: &Child, name: &str) -> Result<()> {
    let id = process.id().to_string();
    let status = Command::new("kill").args(["-s", name, &id]).status();
    if !status.context("failed to run kill")?.success() {
        bail!("em could not be sent SIG{name}");
    }
    Ok(())
}

fn until(what: &str, mut is_so: impl FnMut() -> Result<bool>) -> Result<()> {
    let watch = Stopwatch::start();
    while !is_so()? {
        if watch.elapsed() > PATIENCE {
            bail!("not within {} s: {what}", PATIENCE.as_secs());
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

fn ended(mut process: Child, who: &str) -> Result<ExitStatus> {
    let mut status = None;
    let waited = until(&format!("{who} ends"), || {
        status = process.try_wait().context("failed to look at em")?;
        Ok(status.is_some())
    });
    if waited.is_err() {
        process.kill().context("failed to kill em")?;
        process.wait().context("failed to wait for em")?;
    }
    waited?;
    status.context("em ended without a status")
}

/// Every version of the object, as a watch sees them.
struct Watch {
    kubectl: Child,
    file: PathBuf,
}

impl Watch {
    fn begin(file: &std::path::Path) -> Result<Self> {
        let out = File::create(file).context("failed to make a file for a watch")?;
        let namespace = kube_demo::NAMESPACE;
        let kubectl = Command::new("kubectl")
            .args(["get", "deployment/demo", "-n", namespace])
            .args(["--watch", "-o", "json"])
            .stdout(out)
            .spawn()
            .context("failed to run kubectl get --watch")?;
        Ok(Self {
            kubectl,
            file: file.to_owned(),
        })
    }

    /// Each once, in their order.
    fn end(mut self) -> Result<Vec<Json>> {
        thread::sleep(Duration::from_secs(1));
        self.kubectl.kill().context("failed to end a watch")?;
        self.kubectl.wait().context("failed to wait for a watch")?;
        let text = fs::read_to_string(&self.file).context("failed to read a watch")?;
        let versions = serde_json::Deserializer::from_str(&text).into_iter::<Json>();
        // The last one may be cut off.
        Ok(versions.map_while(Result::ok).collect())
    }
}
