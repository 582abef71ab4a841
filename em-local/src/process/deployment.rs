//! One iteration's process tree: looked at, and cleared away. How it is made: [`super::site`].

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use em_core::journal::Blame;
use em_core::port::{Address, Fact, Readiness};
use tokio::time::Instant;

use super::error::ProcessError;
use super::health::Watched;
use super::hooks::HookRunner;
use super::render::{Rendered, RenderedReady};
use crate::artifacts;
use crate::cgroup::Group;
use crate::fault::blocking;
use crate::guard::Exit;
use crate::launch::{Running, TreeState};
use crate::port;
use crate::proc_facts::{self, Asked};
use crate::readiness::{self, Look};
use crate::stop::SignalName;
use crate::workdir;

/// Afterwards a difference between what was asked and what runs is one.
const SETTLES_WITHIN: Duration = Duration::from_secs(2);

/// A started iteration.
#[derive(Debug)]
pub(super) struct Deployment {
    pub(super) running: Running,
    pub(super) begun: Instant,
    pub(super) watched: Watched,
    pub(super) hooks: HookRunner,
    /// What setup commands left running; it ends with this.
    pub(super) lingering: Vec<Running>,
    pub(super) rendered: Rendered,
    pub(super) asked: Asked,
    pub(super) group: Group,
    pub(super) ports: BTreeMap<String, u16>,
    /// Work folder of this iteration: rendered files and, unless the plan names one, the folder it
    /// runs in.
    pub(super) work: PathBuf,
    pub(super) kept: PathBuf,
    pub(super) stop: (SignalName, Duration),
    pub(super) artifacts: Vec<String>,
}

impl Deployment {
    /// One look.
    pub(super) async fn readiness(&self) -> Result<Readiness, ProcessError> {
        let state = self.running.state();
        if let Some(stuck) = self.stuck(&state) {
            return Ok(stuck);
        }
        let look = match &self.rendered.ready {
            RenderedReady::Http { authority, path } => readiness::http(authority, path).await,
            RenderedReady::Tcp(authority) => readiness::tcp(authority).await,
            RenderedReady::Log(text) => {
                readiness::log([&self.running.stdout, &self.running.stderr], text)
            }
            RenderedReady::Command(command) => self.ask(command).await?,
            RenderedReady::Started => Look::Ready,
        };
        // What answered may have been somebody else, while ours has just ended.
        let state = self.running.state();
        Ok(match (look, self.stuck(&state)) {
            (_, Some(stuck)) => stuck,
            (Look::NotYet(why), None) => Readiness::Progressing { why },
            (Look::Ready, None) => self.ready(),
        })
    }

    /// The program is put in its place (cgroup, cores, user) by steps of its own after it was started:
    /// for a moment what runs is not yet what was asked.
    fn ready(&self) -> Readiness {
        let facts = self.facts();
        let differs = |fact: &&Fact| fact.asked.is_some() && fact.asked != fact.seen;
        if self.begun.elapsed() < SETTLES_WITHIN
            && let Some(fact) = facts.iter().find(differs)
        {
            let why = format!("{} is not yet as asked", fact.name);
            return Readiness::Progressing { why };
        }
        Readiness::Ready {
            facts,
            addresses: self.addresses(),
        }
    }

    async fn ask(&self, command: &[String]) -> Result<Look, ProcessError> {
        match self.hooks.run("ready", &[command.to_vec()]).await {
            Ok(_) => Ok(Look::Ready),
            Err(ProcessError::Hook { command, how, .. }) => {
                Ok(Look::NotYet(format!("{command} ended with {how}")))
            }
            Err(other) => Err(other),
        }
    }

    /// A first process that ended with 0 and left others behind has become a daemon.
    fn stuck(&self, state: &TreeState) -> Option<Readiness> {
        let stuck = |why: String, blame| Some(Readiness::Stuck { why, blame });
        if state.guard_gone {
            return stuck(
                "the guard of the target was killed".to_owned(),
                Blame::Cluster,
            );
        }
        let exit = state.exit?;
        if exit == Exit::Code(0) && state.is_alive() {
            return None;
        }
        if self.group.usage().oom_kills.is_some_and(|kills| kills > 0) {
            let why = "the target was killed before it was ready: it reached its memory limit";
            return stuck(why.to_owned(), Blame::Configuration);
        }
        let printed = [&self.running.stderr, &self.running.stdout];
        let printed = printed.map(|output| output.last_lines(5)).join("\n");
        let why = format!(
            "the target ended with {exit} before it was ready; it printed: {:?}",
            printed.trim()
        );
        stuck(why, Blame::Configuration)
    }

    fn facts(&self) -> Vec<Fact> {
        let main = self
            .running
            .main()
            .filter(|_| self.running.state().exit.is_none());
        let first = main.or_else(|| self.running.members().into_iter().min());
        first
            .map(|pid| proc_facts::read(pid, &self.asked, Some(&self.group)))
            .unwrap_or_default()
    }

    fn addresses(&self) -> Vec<Address> {
        let named = |(name, port): (&String, &u16)| Address {
            name: if name.is_empty() {
                "port".to_owned()
            } else {
                name.clone()
            },
            authority: format!("127.0.0.1:{port}"),
        };
        // The empty name sorts first, so `{{address}}` is the first of them.
        self.ports.iter().map(named).collect()
    }

    pub(super) fn group(&self) -> &Group {
        &self.group
    }

    /// Ends the tree, runs what comes after each iteration, keeps outputs and artifacts, and removes
    /// the rest.
    pub(super) async fn withdraw(self) -> Result<(), ProcessError> {
        let (signal, grace) = self.stop;
        let ended = self.running.stop(signal, grace).await;
        let hooks = self.hooks.run("teardown", &self.rendered.teardown).await;
        drop(self.lingering);
        let kept = self.kept.clone();
        let outputs = [
            ("stdout.log", &self.running.stdout),
            ("stderr.log", &self.running.stderr),
        ];
        let outputs = outputs.map(|(name, output)| (name, output.tail()));
        let (folder, work, globs) = (
            self.hooks.folder.clone(),
            self.work.clone(),
            self.artifacts.clone(),
        );
        let key = self.kept.display().to_string();
        let members = if ended {
            Vec::new()
        } else {
            self.running.members()
        };
        blocking(move || keep(&kept, &outputs, &folder, &globs)).await?;
        self.running.close().await;
        let group = self.group;
        blocking(move || {
            group.kill();
            group.remove();
            workdir::remove(&work)
        })
        .await?;
        port::give_back(self.ports.values().copied());
        if !ended {
            let why = format!("processes {members:?} resisted KILL");
            return Err(ProcessError::Resisted { key, why });
        }
        hooks.map(drop)
    }
}

fn keep(
    kept: &Path,
    outputs: &[(&str, Vec<u8>)],
    folder: &Path,
    globs: &[String],
) -> Result<(), ProcessError> {
    let failed = |source| ProcessError::Record {
        act: "keep outputs in",
        path: kept.to_owned(),
        source,
    };
    fs::create_dir_all(kept).map_err(failed)?;
    for (name, bytes) in outputs {
        fs::write(kept.join(name), bytes).map_err(failed)?;
    }
    let found = artifacts::keep(folder, globs, &kept.join("artifacts")).map_err(failed)?;
    if !found.left_out.is_empty() {
        tracing::warn!(kept = %kept.display(), "artifacts left out: {}", found.left_out.join(", "));
    }
    Ok(())
}
