//! The port.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use em_core::fault::{Fault, FaultKind};
use em_core::id::{MetricName, OpKey};
use em_core::plan::{CommandLoad, LoadSpec, RunMode};
use em_core::port::{Address, LoadDriver, LoadGoal, LoadPlan, LoadReport, LoadStatus, OpContext};
use em_core::read::printed::short;
use em_core::value::Unit;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::run::{Folder, Shared, Tool};
use crate::fault::{blocking, of_kind};
use crate::fill::{self, Places};
use crate::programs;
use crate::rules::Rules;
use crate::surroundings::{Surroundings, mark_of};
use crate::workdir;

const TICK: Duration = Duration::from_millis(50);
/// How many loads that have ended are remembered for their reports.
const REMEMBERED: usize = 64;

/// Runs any tool as load.
#[derive(Debug)]
pub struct CommandLoadDriver {
    surroundings: Surroundings,
    loads: Mutex<Loads>,
}

#[derive(Debug, Default)]
struct Loads {
    by_key: HashMap<OpKey, Load>,
    order: Vec<OpKey>,
}

#[derive(Debug)]
struct Load {
    shared: Shared,
    stop: CancellationToken,
    task: Option<JoinSet<()>>,
}

impl CommandLoadDriver {
    /// A driver in these surroundings.
    pub fn new(surroundings: Surroundings) -> Self {
        Self {
            surroundings,
            loads: Mutex::default(),
        }
    }

    fn with<T>(&self, act: impl FnOnce(&mut Loads) -> T) -> T {
        act(&mut self.loads.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn shared(&self, cx: &OpContext) -> Result<Shared, Fault> {
        let found = self.with(|loads| loads.by_key.get(&cx.key).map(|load| load.shared.clone()));
        found.ok_or_else(|| {
            let message = format!("no load was started for {}: the manager was restarted, and a local tool does not outlive it", cx.key);
            Fault::new(FaultKind::NotFound, message)
        })
    }

    fn tool(&self, cx: &OpContext, plan: &LoadPlan, addresses: &[Address]) -> Result<Tool, Fault> {
        let spec = spec_of(&plan.spec)?;
        let own = self.surroundings.work_folder(&mark_of(cx)).join("load");
        let lasts = match spec.run {
            RunMode::Whole => plan.duration,
            RunMode::PerCycle => plan.cycle,
        };
        let places = self.places(cx, addresses);
        let lookup = |name: &str| match name {
            "duration_s" => fill::seconds(lasts),
            _ => fill::lookup(&places, &plan.values, name),
        };
        let (env, _) =
            fill::environment("load.env", &spec.env, &lookup).map_err(|error| invalid(&error))?;
        let command = fill::command("load.command", &spec.command, &places.base, &lookup);
        Ok(Tool {
            guardian: self.surroundings.guardian.clone(),
            clock: Arc::clone(&self.surroundings.clock),
            mark: mark_of(cx),
            command: command.map_err(|error| invalid(&error))?,
            env: env.into_iter().collect(),
            folder: plan.folder.clone().map_or(Folder::Own(own), Folder::Given),
            rules: Rules::compile(&spec.output).map_err(|error| invalid(&error))?,
            mode: spec.run,
            success: spec.success_exit_codes.clone(),
            batch: plan.batch,
        })
    }

    fn places(&self, cx: &OpContext, addresses: &[Address]) -> Places {
        let (trial, iteration) = match &cx.key {
            OpKey::Iteration {
                trial, iteration, ..
            } => (trial.0, iteration.0),
            OpKey::Experiment { .. } | OpKey::Hold { .. } => (0, 0),
        };
        let port = |address: &Address| {
            let port = address.authority.rsplit_once(':')?.1.parse().ok()?;
            let name = if address.name == "port" {
                ""
            } else {
                address.name.as_str()
            };
            Some((name.to_owned(), port))
        };
        Places {
            executable: self.surroundings.executable.clone(),
            ports: addresses.iter().filter_map(port).collect(),
            address: addresses.first().map(|address| address.authority.clone()),
            trial,
            iteration,
            base: self.surroundings.base.clone(),
            ..Places::default()
        }
    }
}

fn spec_of(spec: &LoadSpec) -> Result<&CommandLoad, Fault> {
    let LoadSpec::Command(command) = spec else {
        let message = format!("the plan's load is {}, not command", spec.kind());
        return Err(Fault::new(FaultKind::Invalid, message));
    };
    Ok(command)
}

fn invalid(error: &dyn std::error::Error) -> Fault {
    of_kind(FaultKind::Invalid, error)
}

#[async_trait]
impl LoadDriver for CommandLoadDriver {
    async fn check(&self, _cx: &OpContext, plan: &LoadPlan) -> Result<(), Fault> {
        let spec = spec_of(&plan.spec)?;
        Rules::compile(&spec.output).map_err(|error| invalid(&error))?;
        if let LoadGoal::FindCapacity { .. } = plan.goal {
            let message = "a load tool has no rate of ours, so it cannot look for the capacity";
            return Err(Fault::new(FaultKind::Invalid, message));
        }
        match programs::missing(&spec.command, &self.surroundings.base) {
            None => Ok(()),
            Some(program) => {
                let message = format!("{}: install it", programs::not_there(program));
                Err(Fault::new(FaultKind::NotFound, message))
            }
        }
    }

    async fn start(
        &self,
        cx: &OpContext,
        plan: &LoadPlan,
        addresses: &[Address],
    ) -> Result<(), Fault> {
        let tool = self.tool(cx, plan, addresses)?;
        self.with(|loads| {
            if loads.by_key.contains_key(&cx.key) {
                return;
            }
            if loads.order.len() >= REMEMBERED {
                let oldest = loads.order.remove(0);
                loads.by_key.remove(&oldest);
            }
            let (shared, stop) = (Shared::new(), CancellationToken::new());
            let mut task = JoinSet::new();
            task.spawn(tool.run(shared.clone(), stop.clone()));
            loads.order.push(cx.key.clone());
            loads.by_key.insert(
                cx.key.clone(),
                Load {
                    shared,
                    stop,
                    task: Some(task),
                },
            );
        });
        Ok(())
    }

    async fn status(&self, cx: &OpContext) -> Result<LoadStatus, Fault> {
        Ok(self.shared(cx)?.with(|progress| progress.status.clone()))
    }

    async fn stop(&self, cx: &OpContext) -> Result<(), Fault> {
        let task = self.with(|loads| {
            let load = loads.by_key.get_mut(&cx.key)?;
            load.stop.cancel();
            load.task.take()
        });
        if let Some(mut task) = task {
            while task.join_next().await.is_some() {}
        }
        let root = self.surroundings.work_folder(&mark_of(cx)).join("load");
        let cleared = blocking(move || {
            let removed = workdir::remove(&root);
            // A work folder that holds nothing else was made by us.
            let _ = root.parent().map(std::fs::remove_dir);
            removed
        });
        cleared
            .await
            .map_err(|error| of_kind(FaultKind::Unavailable, &error))
    }

    async fn report(&self, cx: &OpContext, from: u32) -> Result<LoadReport, Fault> {
        let from = usize::try_from(from).unwrap_or(usize::MAX);
        Ok(self.shared(cx)?.with(|progress| LoadReport {
            batches: progress.batches.get(from..).unwrap_or_default().to_vec(),
            problems: progress.problems.clone(),
            ..LoadReport::default()
        }))
    }

    fn metrics(&self, spec: &LoadSpec) -> BTreeMap<MetricName, Unit> {
        spec.metrics()
            .into_iter()
            .map(|metric| (short(&metric.name), metric.unit))
            .collect()
    }

    async fn changed(&self, _cx: &OpContext) {
        tokio::time::sleep(TICK).await;
    }
}
