//! From a plan to the adapters that carry it out: the one list of what this build has.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use em_core::engine::Engine;
use em_core::id::DatasourceName;
use em_core::plan::{
    DatasourceKind, DatasourceSpec, ExternalLoad, LoadSpec, Plan, Suggester, TargetSpec,
};
use em_core::port::{Clock, Datasource, LoadDriver, Recommender, Store, SystemClock, Target};
use em_datasource::{
    CloudWatchDatasource, DatadogDatasource, DynatraceDatasource, GraphiteDatasource,
    InfluxDbDatasource, InstanaDatasource, JsonDatasource, NewRelicDatasource,
    PrometheusDatasource, PushDatasource, ScrapeDatasource,
};
use em_kube::job::JobDriver;
use em_kube::target::KubernetesTarget;
use em_load::HttpDriver;
use em_load::external::ExternalDriver;
use em_local::command::CommandTarget;
use em_local::command_load::CommandLoadDriver;
use em_local::datasource::{CommandDatasource, CsvDatasource};
use em_local::launch::Guardian;
use em_local::observe::ObserveTarget;
use em_local::process::ProcessTarget;
use em_local::simulated::{SimulatedLoad, SimulatedTarget};
use em_local::surroundings::Surroundings;
use em_summarize::BuiltInAnalyst;

/// An engine with every adapter that the plan names. Its relative paths start at `base`; what it
/// keeps beside the store lies below `data`.
pub fn engine(plan: &Plan, base: &Path, data: &Path, store: Arc<dyn Store>) -> Result<Engine> {
    let surroundings = surroundings(base, data)?;
    let mut builder = Engine::builder(
        target_in(plan, surroundings.clone())?,
        load(plan, surroundings.clone())?,
        Arc::new(BuiltInAnalyst),
        store,
    )
    .summarizer("built-in", Arc::new(em_summarize::BuiltIn));
    for (name, source) in datasources_in(plan, &surroundings)? {
        builder = builder.datasource(name, source);
    }
    if let Some(search) = &plan.search {
        builder = builder.recommender(recommender(&search.suggester)?);
    }
    Ok(builder.build())
}

/// The target of a plan whose relative paths start at `base`; what it keeps lies below `data`.
pub fn target(plan: &Plan, base: &Path, data: &Path) -> Result<Arc<dyn Target>> {
    target_in(plan, surroundings(base, data)?)
}

/// Who makes the load of a plan.
pub fn load_driver(plan: &Plan, base: &Path, data: &Path) -> Result<Arc<dyn LoadDriver>> {
    load(plan, surroundings(base, data)?)
}

/// The datasources of a plan that a metric asks, the target's own numbers aside.
pub fn datasources(
    plan: &Plan,
    base: &Path,
    data: &Path,
) -> Result<BTreeMap<DatasourceName, Arc<dyn Datasource>>> {
    datasources_in(plan, &surroundings(base, data)?)
}

fn datasources_in(
    plan: &Plan,
    surroundings: &Surroundings,
) -> Result<BTreeMap<DatasourceName, Arc<dyn Datasource>>> {
    // A source that no metric asks is not there: a rehearsal does without those of the real system.
    let is_asked =
        |name: &DatasourceName| plan.metrics.iter().any(|metric| metric.datasource == *name);
    let mut sources = BTreeMap::new();
    for (name, spec) in plan.datasources.iter().filter(|(name, _)| is_asked(name)) {
        if let Some(source) = datasource(spec, surroundings)? {
            sources.insert(name.clone(), source);
        }
    }
    Ok(sources)
}

fn surroundings(base: &Path, data: &Path) -> Result<Surroundings> {
    let guardian = Guardian::this_executable()
        .context("failed to find the own executable, which guards what is started")?;
    let mut surroundings = Surroundings::new(data).guardian(guardian);
    base.clone_into(&mut surroundings.base);
    Ok(surroundings)
}

fn target_in(plan: &Plan, surroundings: Surroundings) -> Result<Arc<dyn Target>> {
    Ok(match &plan.target {
        TargetSpec::Process(_) => Arc::new(ProcessTarget::new(surroundings)),
        TargetSpec::Command(_) => Arc::new(CommandTarget::new(surroundings)),
        TargetSpec::Kubernetes(spec) => Arc::new(KubernetesTarget::new((**spec).clone(), clock())),
        TargetSpec::Observe => Arc::new(ObserveTarget),
        TargetSpec::Simulated(_) => Arc::new(SimulatedTarget::new(clock())),
        TargetSpec::Custom(_) | _ => {
            bail!("target kind {} is not supported yet", plan.target.kind())
        }
    })
}

fn load(plan: &Plan, surroundings: Surroundings) -> Result<Arc<dyn LoadDriver>> {
    // A formula has no sockets: its load is one, too, whatever the file asks for.
    if let TargetSpec::Simulated(spec) = &plan.target {
        return Ok(Arc::new(SimulatedLoad::new(spec.clone(), clock())));
    }
    Ok(match &plan.load {
        // Without load the engine asks no driver; it wants one all the same.
        LoadSpec::Http(_) | LoadSpec::None => Arc::new(HttpDriver::new(clock())),
        LoadSpec::Command(_) => Arc::new(CommandLoadDriver::new(surroundings)),
        LoadSpec::Job(job) => Arc::new(JobDriver::new(clock(), job)),
        LoadSpec::External(external) => Arc::new(external_load(plan, external, &surroundings)?),
        LoadSpec::Custom { .. } | _ => {
            bail!("load kind {} is not supported yet", plan.load.kind())
        }
    })
}

fn external_load(
    plan: &Plan,
    external: &ExternalLoad,
    surroundings: &Surroundings,
) -> Result<ExternalDriver> {
    let metric = plan.metric(&external.metric);
    let metric = metric.with_context(|| format!("there is no metric {}", external.metric))?;
    let spec = plan.datasources.get(&metric.datasource);
    let spec = spec.with_context(|| format!("there is no datasource {}", metric.datasource))?;
    let source = datasource(spec, surroundings)?.with_context(|| {
        let metric = &external.metric;
        format!(
            "metric {metric} is of the target itself: load is told by a counter of a datasource"
        )
    })?;
    let driver = ExternalDriver::new(clock(), metric.clone(), spec.clone(), source);
    Ok(driver)
}

/// None: the target's own numbers, which the engine asks the target for.
fn datasource(
    spec: &DatasourceSpec,
    surroundings: &Surroundings,
) -> Result<Option<Arc<dyn Datasource>>> {
    let surroundings = surroundings.clone();
    Ok(match &spec.kind {
        DatasourceKind::Target => None,
        DatasourceKind::Command { command, output } => Some(Arc::new(CommandDatasource::new(
            surroundings,
            command.clone(),
            output.clone(),
            spec.every,
        ))),
        DatasourceKind::Csv { path, time } => Some(Arc::new(CsvDatasource::new(
            surroundings,
            path.clone(),
            time.clone(),
        ))),
        DatasourceKind::Scrape { url } => {
            Some(Arc::new(ScrapeDatasource::new(clock(), url.clone(), spec)))
        }
        DatasourceKind::Prometheus(prometheus) => Some(Arc::new(PrometheusDatasource::new(
            clock(),
            prometheus,
            spec,
        ))),
        DatasourceKind::Datadog(datadog) => {
            Some(Arc::new(DatadogDatasource::new(clock(), datadog, spec)))
        }
        DatasourceKind::Instana(instana) => {
            Some(Arc::new(InstanaDatasource::new(clock(), instana, spec)))
        }
        DatasourceKind::Dynatrace(dynatrace) => {
            Some(Arc::new(DynatraceDatasource::new(clock(), dynatrace, spec)))
        }
        DatasourceKind::NewRelic(newrelic) => {
            Some(Arc::new(NewRelicDatasource::new(clock(), newrelic, spec)))
        }
        DatasourceKind::CloudWatch(cloudwatch) => Some(Arc::new(CloudWatchDatasource::new(
            clock(),
            cloudwatch,
            spec,
        ))),
        DatasourceKind::InfluxDb(influxdb) => {
            Some(Arc::new(InfluxDbDatasource::new(clock(), influxdb, spec)))
        }
        DatasourceKind::Graphite(graphite) => {
            Some(Arc::new(GraphiteDatasource::new(clock(), graphite, spec)))
        }
        DatasourceKind::Json(json) => Some(Arc::new(JsonDatasource::new(clock(), json, spec))),
        DatasourceKind::Push => Some(Arc::new(PushDatasource::new(clock()))),
        DatasourceKind::Custom { name } => bail!("there is no datasource kind {name}"),
        _ => bail!("a datasource is of a kind that is not supported yet"),
    })
}

fn recommender(suggester: &Suggester) -> Result<Arc<dyn Recommender>> {
    match suggester {
        Suggester::BuiltIn { .. } => Ok(Arc::new(em_recommend::BuiltIn)),
        Suggester::Custom { name } => bail!("there is no recommender {name}"),
        _ => bail!("the recommender is of a kind that is not supported yet"),
    }
}

fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock)
}
