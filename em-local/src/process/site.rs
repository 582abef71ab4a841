//! Making one iteration's process tree: folder, files, group and process.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use em_core::id::OpKey;
use em_core::plan::{FileTemplate, LimitFallback, Plan, ProcessSpec, TargetSpec, Workdir};
use em_core::port::{DeployPlan, OpContext};
use tokio::sync::Mutex;

use super::deployment::Deployment;
use super::error::ProcessError;
use super::health::Watched;
use super::hooks::HookRunner;
use super::render::{Rendered, ports_of, render};
use crate::cgroup::{Controller, Group, GroupError, Limits, Rights};
use crate::fault::blocking;
use crate::fill::Places;
use crate::launch::{Launch, Running};
use crate::mark::Mark;
use crate::port;
use crate::proc_facts::Asked;
use crate::surroundings::{Surroundings, mark_of};
use crate::user::Account;
use crate::workdir;

/// What a deployment is made from.
pub(super) struct Site<'a> {
    pub(super) surroundings: &'a Surroundings,
    pub(super) cx: &'a OpContext,
    pub(super) plan: &'a DeployPlan,
    pub(super) spec: &'a ProcessSpec,
    /// CPUs of the slot; empty = all.
    pub(super) cpus: &'a [usize],
    /// Locked while the folder is made.
    pub(super) making: Arc<Mutex<Option<()>>>,
}

impl Site<'_> {
    /// Makes folder, files, group and process, in this order. What was made is taken back when a later
    /// step fails.
    pub(super) async fn deploy(&self) -> Result<Deployment, ProcessError> {
        let mark = mark_of(self.cx);
        let work = self.surroundings.work_folder(&mark);
        let ports = self.take_ports()?;
        let made = self.deploy_at(&mark, &work, &ports).await;
        if made.is_err() {
            port::give_back(ports.values().copied());
            let _ = blocking(move || workdir::remove(&work)).await;
        }
        made
    }

    async fn deploy_at(
        &self,
        mark: &Mark,
        work: &Path,
        ports: &BTreeMap<String, u16>,
    ) -> Result<Deployment, ProcessError> {
        let places = self.places(ports, work);
        let mut rendered = render(&self.plan.plan, self.spec, &self.plan.values, &places)?;
        for (name, value) in &self.plan.environment {
            rendered.env.insert(name.clone(), value.expose().to_owned());
            rendered.secret.push(name.clone());
        }
        let account = self.spec.user.as_deref().map(Account::find).transpose()?;
        let stop = (self.spec.stop.signal.parse()?, self.spec.stop.grace);
        let folder = self.make_folder(work, &rendered, account.clone()).await?;
        let hooks = self.hooks(mark, &folder, &rendered, account.clone());
        let lingering = hooks.run("setup", &rendered.setup).await?;
        let cpus = self.cpus.to_vec();
        let limits = Limits {
            cpus,
            ..rendered.limits.clone()
        };
        let group = group(mark, &limits, self.spec.limits)?;
        let launch = self.launch(&hooks, &rendered, group.clone(), work);
        let running = match Running::start(&self.surroundings.guardian, &launch).await {
            Ok(running) => running,
            Err(error) => {
                blocking(move || group.remove()).await;
                return Err(error.into());
            }
        };
        Ok(Deployment {
            running,
            begun: tokio::time::Instant::now(),
            watched: Watched::default(),
            asked: self.asked(&rendered, &group, account.as_ref()),
            hooks,
            lingering,
            rendered,
            group,
            ports: ports.clone(),
            work: work.to_owned(),
            kept: self.surroundings.kept_folder(self.cx),
            stop,
            artifacts: self.plan.plan.artifacts.clone(),
        })
    }

    fn hooks(
        &self,
        mark: &Mark,
        folder: &Path,
        rendered: &Rendered,
        account: Option<Account>,
    ) -> HookRunner {
        HookRunner {
            guardian: self.surroundings.guardian.clone(),
            mark: mark.clone(),
            env: environment(rendered, account.as_ref()),
            folder: folder.to_owned(),
            account,
        }
    }

    /// The target itself runs where and as its hooks do.
    fn launch(&self, hooks: &HookRunner, rendered: &Rendered, group: Group, work: &Path) -> Launch {
        let command = rendered.command.clone();
        let command = match &hooks.account {
            Some(account) => account.running(command),
            None => command,
        };
        Launch {
            env: hooks.env.clone(),
            folder: Some(hooks.folder.clone()),
            group: Some(group),
            cpus: self.cpus.to_vec(),
            delete: vec![work.to_owned()],
            ..Launch::new(hooks.mark.clone(), command)
        }
    }

    fn asked(&self, rendered: &Rendered, group: &Group, account: Option<&Account>) -> Asked {
        let cpus = self.cpus.to_vec();
        Asked {
            command: rendered.command.clone(),
            env: rendered.env.clone(),
            secret: rendered.secret.clone(),
            limits: Limits {
                cpus,
                ..in_force(&rendered.limits, group)
            },
            uid: account.map(|account| account.uid),
            hash_key: self.cx.epoch.store.clone(),
        }
    }

    fn take_ports(&self) -> Result<BTreeMap<String, u16>, ProcessError> {
        let names = ports_of(&self.plan.plan, self.spec);
        let numbers = port::take(names.len())?;
        Ok(names.into_iter().zip(numbers).collect())
    }

    fn places(&self, ports: &BTreeMap<String, u16>, work: &Path) -> Places {
        let file = |(name, file): (&String, &FileTemplate)| {
            let base = file
                .path
                .file_name()
                .map_or_else(|| name.into(), PathBuf::from);
            // `nginx.conf.tmpl` becomes `nginx.conf`: programs look at the ending.
            let base = if base.extension().is_some_and(|end| end == "tmpl") {
                base.with_extension("")
            } else {
                base
            };
            (name.clone(), work.join("files").join(name).join(base))
        };
        let (trial, iteration) = match &self.cx.key {
            OpKey::Iteration {
                trial, iteration, ..
            } => (trial.0, iteration.0),
            OpKey::Experiment { .. } | OpKey::Hold { .. } => (0, 0),
        };
        Places {
            executable: self.surroundings.executable.clone(),
            ports: ports.clone(),
            files: self.spec.files.iter().map(file).collect(),
            trial,
            iteration,
            base: self.surroundings.base.clone(),
            ..Places::default()
        }
    }

    /// The folder that the command runs in, with the rendered files beside it.
    async fn make_folder(
        &self,
        work: &Path,
        rendered: &Rendered,
        account: Option<Account>,
    ) -> Result<PathBuf, ProcessError> {
        let (work, files) = (work.to_owned(), rendered.files.clone());
        let (data, ours) = (
            self.surroundings.data.clone(),
            self.surroundings.private_folders(),
        );
        let (folder, source) = match &self.spec.workdir {
            Workdir::Fresh => (work.join("run"), None),
            Workdir::CopyOf(from) => (work.join("run"), Some(self.surroundings.resolve(from))),
            Workdir::At(at) => (self.surroundings.resolve(at), None),
        };
        let making = Arc::clone(&self.making).lock_owned().await;
        blocking(move || {
            let _making = making;
            workdir::remove(&work)?;
            workdir::make(&work)?;
            match source {
                Some(source) => workdir::copy(&source, &folder)?,
                None => workdir::make(&folder)?,
            }
            for (path, text) in &files {
                workdir::write_file(path, text)?;
            }
            if let Some(account) = &account {
                workdir::give_to(&work, account)?;
                if workdir::closed_to(account, &work).is_some() {
                    workdir::let_pass(&data, &ours)?;
                }
            }
            Ok(folder)
        })
        .await
    }
}

/// The limits as asked, less those that a declared fallback left out.
fn in_force(asked: &Limits, group: &Group) -> Limits {
    let now = group.limits_in_force();
    Limits {
        cpu: asked.cpu.filter(|_| now.cpu.is_some()),
        memory_bytes: asked.memory_bytes.filter(|_| now.memory_bytes.is_some()),
        cpus: Vec::new(),
    }
}

fn environment(rendered: &Rendered, account: Option<&Account>) -> Vec<(String, String)> {
    let user = account.into_iter().flat_map(Account::environment);
    user.chain(rendered.env.clone()).collect()
}

/// A group with the limits; without those that cannot be set, where the plan says so.
fn group(mark: &Mark, limits: &Limits, fallback: LimitFallback) -> Result<Group, GroupError> {
    let rights = Rights::survey();
    let name = mark.folder_name();
    match (Group::create(&rights, &name, limits), fallback) {
        (Err(GroupError::Refused(_)), LimitFallback::BestEffort) => {
            let possible = Limits {
                cpu: limits.cpu.filter(|_| rights.has(Controller::Cpu)),
                memory_bytes: limits
                    .memory_bytes
                    .filter(|_| rights.has(Controller::Memory)),
                cpus: limits.cpus.clone(),
            };
            Group::create(&rights, &name, &possible)
        }
        (made, _) => made,
    }
}

/// The spec of a plan whose target is a process.
pub(super) fn spec_of(plan: &Plan) -> Result<&ProcessSpec, ProcessError> {
    let TargetSpec::Process(spec) = &plan.target else {
        return Err(ProcessError::OtherKind {
            kind: plan.target.kind().to_owned(),
        });
    };
    Ok(spec)
}
