//! The port.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use em_core::fault::{Fault, FaultKind};
use em_core::id::{MetricName, OpKey};
use em_core::plan::{JobLoad, LoadSpec, RunMode};
use em_core::port::{
    Address, Clock, LoadDriver, LoadGoal, LoadPlan, LoadReport, LoadStatus, OpContext,
};
use em_core::read::printed::{printed_rules, short};
use em_core::value::Unit;
use serde_json::Value as Json;
use tokio::sync::OnceCell;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::blueprint::{Blueprint, Names, Reading, spec_of};
use super::progress::Shared;
use super::run::Runner;
use super::{READING, make, stop};
use crate::cluster::Cluster;

/// How long a wait for a change lasts where there is none.
const TICK: Duration = Duration::from_secs(1);
/// How many loads that have ended are remembered for their reports.
const REMEMBERED: usize = 64;

/// Runs any image as load.
#[derive(Debug)]
pub struct JobDriver {
    context: String,
    namespace: Option<String>,
    /// Connected at the first use.
    cluster: OnceCell<Cluster>,
    clock: Arc<dyn Clock>,
    outlives: bool,
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

impl JobDriver {
    /// A driver for this load, in the cluster that it names; it is connected to at the first use.
    pub fn new(clock: Arc<dyn Clock>, load: &JobLoad) -> Self {
        Self {
            context: load.context.clone(),
            namespace: load.namespace.clone(),
            cluster: OnceCell::new(),
            clock,
            outlives: load.run == RunMode::Whole,
            loads: Mutex::default(),
        }
    }

    /// The same in a cluster that is connected already.
    #[must_use]
    pub fn in_cluster(mut self, cluster: Cluster) -> Self {
        self.cluster = OnceCell::new_with(Some(cluster));
        self
    }

    async fn cluster(&self) -> Result<&Cluster, Fault> {
        let connect = || Cluster::connect(&self.context, self.namespace.as_deref());
        Ok(self.cluster.get_or_try_init(connect).await?)
    }

    fn with<T>(&self, act: impl FnOnce(&mut Loads) -> T) -> T {
        act(&mut self.loads.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn known(&self, cx: &OpContext) -> Option<Shared> {
        self.with(|loads| loads.by_key.get(&cx.key).map(|load| load.shared.clone()))
    }

    /// What is known of the load; one that an earlier manager made is found in the cluster.
    async fn shared(&self, cx: &OpContext) -> Result<Shared, Fault> {
        if let Some(shared) = self.known(cx) {
            return Ok(shared);
        }
        let names = Names::of(cx);
        let cluster = self.cluster().await?;
        let jobs = cluster.objects("job").list(&names.all()).await?;
        let Some(job) = jobs.first() else {
            let message = format!("no load was started for {}", cx.key);
            return Err(Fault::new(FaultKind::NotFound, message));
        };
        let reading = reading_of(job)?;
        if reading.run == RunMode::PerCycle {
            // Between its runs there was no load, and nobody knows how long.
            let why = "the manager was restarted while runs of the load followed one another";
            let shared = Shared::new(LoadStatus::Failed {
                why: why.to_owned(),
            });
            return Ok(self.remember(cx, shared, None));
        }
        Ok(self.watch(cx, cluster, names, reading, None))
    }

    fn watch(
        &self,
        cx: &OpContext,
        cluster: &Cluster,
        names: Names,
        reading: Reading,
        blueprint: Option<Blueprint>,
    ) -> Shared {
        let shared = Shared::new(LoadStatus::Ramping);
        let runner = Runner {
            cluster: cluster.clone(),
            clock: Arc::clone(&self.clock),
            names,
            reading,
            blueprint,
            shared: shared.clone(),
            stop: CancellationToken::new(),
        };
        self.remember(cx, shared, Some(runner))
    }

    /// Who comes second gets what the first has made.
    fn remember(&self, cx: &OpContext, shared: Shared, runner: Option<Runner>) -> Shared {
        self.with(|loads| {
            if let Some(load) = loads.by_key.get(&cx.key) {
                return load.shared.clone();
            }
            if loads.order.len() >= REMEMBERED {
                let oldest = loads.order.remove(0);
                loads.by_key.remove(&oldest);
            }
            let stop = runner.as_ref().map(|runner| runner.stop.clone());
            let mut task = JoinSet::new();
            if let Some(runner) = runner {
                task.spawn(runner.run());
            }
            loads.order.push(cx.key.clone());
            let load = Load {
                shared: shared.clone(),
                stop: stop.unwrap_or_default(),
                task: Some(task),
            };
            loads.by_key.insert(cx.key.clone(), load);
            shared
        })
    }
}

fn reading_of(job: &Json) -> Result<Reading, Fault> {
    let annotations = job.pointer("/metadata/annotations");
    let text = annotations.and_then(|annotations| annotations.get(READING));
    let text = text.and_then(Json::as_str).unwrap_or_default();
    serde_json::from_str(text).map_err(|error| {
        let message = format!("annotation {READING} of a Job of the load cannot be read");
        Fault::new(FaultKind::Malformed, message).caused_by(error)
    })
}

#[async_trait]
impl LoadDriver for JobDriver {
    async fn check(&self, cx: &OpContext, plan: &LoadPlan) -> Result<(), Fault> {
        let spec = spec_of(&plan.spec)?;
        printed_rules(&spec.output).map_err(|error| {
            Fault::new(FaultKind::Invalid, "an output rule cannot be used").caused_by(error)
        })?;
        if let LoadGoal::FindCapacity { .. } = plan.goal {
            let message = "a load tool has no rate of ours, so it cannot look for the capacity";
            return Err(Fault::new(FaultKind::Invalid, message));
        }
        make::rehearse(self.cluster().await?, &Blueprint::of(cx, plan, None)?).await
    }

    async fn start(
        &self,
        cx: &OpContext,
        plan: &LoadPlan,
        addresses: &[Address],
    ) -> Result<(), Fault> {
        if self.known(cx).is_some() {
            return Ok(());
        }
        let blueprint = Blueprint::of(cx, plan, Some(addresses))?;
        let cluster = self.cluster().await?;
        make::job(cluster, &blueprint, 0).await?;
        let (names, reading) = (blueprint.names.clone(), blueprint.reading.clone());
        self.watch(cx, cluster, names, reading, Some(blueprint));
        Ok(())
    }

    async fn status(&self, cx: &OpContext) -> Result<LoadStatus, Fault> {
        let shared = self.shared(cx).await?;
        Ok(shared.look(|progress| progress.status.clone()))
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
        stop::stop(self.cluster().await?, &Names::of(cx)).await
    }

    async fn report(&self, cx: &OpContext, from: u32) -> Result<LoadReport, Fault> {
        let from = usize::try_from(from).unwrap_or(usize::MAX);
        let shared = self.shared(cx).await?;
        Ok(shared.look(|progress| LoadReport {
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

    fn outlives_manager(&self) -> bool {
        self.outlives
    }

    async fn changed(&self, cx: &OpContext) {
        let tick = tokio::time::sleep(TICK);
        match self.known(cx) {
            None => tick.await,
            Some(shared) => tokio::select! {
                biased;
                () = shared.changed.notified() => {}
                () = tick => {}
            },
        }
    }
}
