//! Looks at the outside that change nothing: the target, the load, datasources and metrics.

use std::future::Future;
use std::path::Path;
use std::sync::Arc;

use em_core::fault::{Fault, FaultKind, chain};
use em_core::id::{Epoch, OpKey};
use em_core::plan::{LoadSpec, Metric, Plan};
use em_core::port::{
    Asked, Clock as _, Datasource, Health, LoadGoal, LoadPlan, OpContext, Severity, Survey,
    SystemClock, Validation,
};
use em_core::value::duration::spell;
use tokio_util::sync::CancellationToken;

use crate::compose;
use crate::view::forecast::Forecast;
use crate::view::rendered;

/// What all looks have found.
#[derive(Debug, Default)]
pub(super) struct Looks {
    /// What the target says; none where nobody looked.
    pub(super) survey: Option<Survey>,
    /// One row per look: what was looked at, and what was found.
    pub(super) rows: Vec<(String, String)>,
    /// What stands in the way.
    pub(super) problems: Vec<Problem>,
}

/// A look that failed.
#[derive(Debug)]
pub(super) struct Problem {
    /// Whether the file is to blame rather than what is around.
    pub(super) is_of_file: bool,
    /// What was tried, and why it failed.
    pub(super) what: String,
}

impl Looks {
    /// Notes what was found; what failed is a problem, too.
    fn note(&mut self, name: String, act: &str, looked: Result<String, Fault>) {
        let found = looked.unwrap_or_else(|fault| {
            let is_of_file = matches!(
                fault.kind,
                FaultKind::Invalid | FaultKind::NotFound | FaultKind::Denied
            );
            let what = format!("{act}: {}", chain(&fault));
            self.problems.push(Problem { is_of_file, what });
            "failed: see below".to_owned()
        });
        self.rows.push((name, found));
    }
}

/// Looks at everything that the plan names.
pub(super) async fn all(plan: &Plan, base: &Path, data: &Path) -> Looks {
    let mut looks = Looks::default();
    let act = "failed to survey the target";
    match survey(plan, base, data).await {
        Err(fault) => looks.note("target".to_owned(), act, Err(fault)),
        Ok(survey) => {
            looks.note("target".to_owned(), act, Ok(surveyed(plan, &survey)));
            looks.survey = Some(survey);
        }
    }
    if !matches!(plan.load, LoadSpec::None) {
        let act = "the load cannot be made as planned";
        let checked = load(plan, base, data).await;
        let found = if matches!(plan.load, LoadSpec::External(_)) {
            "can be watched; whether it comes shows when it is waited for"
        } else {
            "can be made as planned"
        };
        let checked = checked.map(|()| found.to_owned());
        looks.note("load".to_owned(), act, checked);
    }
    sources(plan, base, data, &mut looks).await;
    looks
}

/// A look at the target.
async fn survey(plan: &Plan, base: &Path, data: &Path) -> Result<Survey, Fault> {
    let target = compose::target(plan, base, data).map_err(|error| unsupported(&error))?;
    let cx = context(plan);
    in_time(plan, target.survey(&cx, plan)).await
}

fn surveyed(plan: &Plan, survey: &Survey) -> String {
    let worst = survey.findings.iter().map(|finding| finding.severity);
    if worst.max() == Some(Severity::Error) {
        return "failed: see below".to_owned();
    }
    if plan.target.is_observed() {
        return "is watched as it is".to_owned();
    }
    let slots: Vec<&str> = survey
        .slots
        .iter()
        .map(|slot| slot.label.as_str())
        .collect();
    match slots.as_slice() {
        [] => "is there".to_owned(),
        [one] => format!("can run on {one}"),
        many => format!("can run on {}, side by side", many.join(" and on ")),
    }
}

/// Whether the load can be made as planned.
async fn load(plan: &Plan, base: &Path, data: &Path) -> Result<(), Fault> {
    let driver = compose::load_driver(plan, base, data).map_err(|error| unsupported(&error))?;
    let (seed, duration) = (plan.measurement.seed, Forecast::of(plan).collection);
    // A rate that follows from the capacity is not known before that is found.
    let goal = match plan.load.of_capacity() {
        Some(_) => LoadGoal::FindCapacity { within: duration },
        None => LoadGoal::Measure { rate: None },
    };
    let load = LoadPlan::new(Arc::new(plan.load.clone()), goal, seed, duration);
    let cx = context(plan);
    in_time(plan, driver.check(&cx, &load)).await
}

/// Probes each datasource, and asks it what it thinks of the query of each metric.
async fn sources(plan: &Plan, base: &Path, data: &Path, looks: &mut Looks) {
    let sources = match compose::datasources(plan, base, data) {
        Ok(sources) => sources,
        Err(error) => {
            let act = "failed to reach the datasources";
            looks.note("datasources".to_owned(), act, Err(unsupported(&error)));
            return;
        }
    };
    let cx = context(plan);
    for (name, source) in &sources {
        let probed = in_time(plan, source.probe(&cx)).await;
        let is_there = probed.is_ok();
        let act = format!("failed to probe datasource {name}");
        let told = probed.and_then(|health| match health.finding(name) {
            Some(finding) if finding.severity == Severity::Error => {
                Err(Fault::new(FaultKind::Invalid, finding.what))
            }
            _ => Ok(healthy(&health)),
        });
        looks.note(format!("source {name}"), &act, told);
        // What cannot be reached has said so once.
        let metrics = plan.metrics.iter().filter(|_| is_there);
        for metric in metrics.filter(|metric| metric.datasource == *name) {
            let validated = validate(plan, base, metric, source.as_ref()).await;
            let act = format!("metric {} cannot be asked for", metric.name);
            looks.note(format!("metric {}", metric.name), &act, validated);
        }
    }
}

async fn validate(
    plan: &Plan,
    base: &Path,
    metric: &Metric,
    source: &dyn Datasource,
) -> Result<String, Fault> {
    let window = plan.measurement.cycle_until(SystemClock.now());
    let text = rendered::query(plan, metric, base, window);
    let text = text.map_err(|error| unsupported(&error))?;
    let asked = Asked {
        text,
        kind: metric.kind,
        endpoint: None,
        body: None,
    };
    let cx = context(plan);
    let validation = in_time(plan, source.validate(&cx, &asked)).await?;
    Ok(valid(
        &validation,
        rendered::depends_on_deployment(plan, metric),
    ))
}

fn healthy(health: &Health) -> String {
    let version = health.version.as_ref();
    let version = version.map(|version| format!("version {version}"));
    let skew = health
        .clock_skew_ms
        .map(|skew| format!("its clock is off by {skew} ms"));
    let more: Vec<String> = version.into_iter().chain(skew).collect();
    if more.is_empty() {
        "ok".to_owned()
    } else {
        format!("ok, {}", more.join(", "))
    }
}

/// What an answer before anything runs means. Where the query names the deployment, no series is what
/// to expect.
fn valid(validation: &Validation, depends_on_deployment: bool) -> String {
    let mut text = match validation.series {
        None => "accepted; what it answers is known once the target runs".to_owned(),
        Some(_) if depends_on_deployment => "accepted; it names the deployment".to_owned(),
        Some(1) => "answers 1 series now".to_owned(),
        Some(many) => format!("answers {many} series now"),
    };
    if !depends_on_deployment {
        for warning in &validation.warnings {
            text.push_str("; ");
            text.push_str(warning);
        }
    }
    text
}

/// The context of a look that changes nothing.
fn context(plan: &Plan) -> OpContext {
    let key = OpKey::Experiment {
        experiment: plan.name.clone(),
        seq: 0,
    };
    // Nothing is changed, so no mark will ever carry this epoch.
    let epoch = Epoch {
        store: "check".to_owned(),
        counter: 0,
    };
    let deadline = SystemClock.now() + plan.timeouts.call;
    OpContext::new(key, epoch, deadline, CancellationToken::new())
}

async fn in_time<T>(plan: &Plan, look: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
    let limit = plan.timeouts.call;
    let late = |_| {
        let message = format!("there was no answer in {} (timeouts.call)", spell(limit));
        Fault::new(FaultKind::Unavailable, message)
    };
    tokio::time::timeout(limit, look).await.map_err(late)?
}

/// Something that this build or this file cannot do.
fn unsupported(error: &anyhow::Error) -> Fault {
    Fault::new(FaultKind::Invalid, format!("{error:#}"))
}
