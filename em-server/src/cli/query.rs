//! `em query`: what the datasources answer now, as the engine would ask them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use em_core::fault::{Fault, FaultKind, chain};
use em_core::fold::{Folded, Stretch, fold};
use em_core::id::{Epoch, IterationNo, OpKey, TrialId};
use em_core::observe::{Observed, Window};
use em_core::plan::{DatasourceKind, Metric, Plan};
use em_core::port::{
    Address, Answer, Asked, Clock as _, Datasource, OpContext, Placeholders, Point, Series,
    SystemClock,
};
use em_core::value::duration::{parse, spell};
use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use super::check::refusal;
use super::{Failure, data_folder, print, runtime};
use crate::compose;
use crate::experiment_file::{self, Assignment};
use crate::view::rendered;
use crate::view::section::Section;

/// Most series of one answer that are printed.
const MOST_SERIES: usize = 20;

#[derive(Debug, Args)]
pub(super) struct QueryArgs {
    /// The experiment file, YAML or JSON
    file: PathBuf,
    /// Only this metric
    metric: Option<String>,
    /// How long the window is
    #[arg(long, value_name = "TIME", default_value = "1m", value_parser = parse)]
    window: Duration,
    /// When it ends [default: now]
    #[arg(long, value_name = "TIMESTAMP")]
    end: Option<Timestamp>,
    /// Where the target answers, for sources and queries that name it
    #[arg(long, value_name = "HOST:PORT")]
    address: Option<String>,
    /// Change one value of the file; repeat for more
    #[arg(long = "set", value_name = "PATH=VALUE")]
    set: Vec<Assignment>,
    /// Where experiments are kept [default: the XDG data home]
    #[arg(long, env = "EM_DATA", value_name = "DIR")]
    data: Option<PathBuf>,
}

pub(super) fn query(args: &QueryArgs) -> Result<(), Failure> {
    let read = experiment_file::read(&args.file, &args.set)
        .map_err(|error| Failure::usage(format!("{error:#}")))?;
    let parsed = read.parsed;
    let plan = parsed
        .map_err(|unusable| refusal(&args.file, &unusable))?
        .plan;
    let metrics = wanted(&plan, args.metric.as_deref())?;
    let data = data_folder(args.data.as_deref())?;
    let sources = compose::datasources(&plan, &read.base, &data)
        .map_err(|error| Failure::usage(format!("{error:#}")))?;
    let mut failed = 0;
    for metric in metrics {
        let mut section = Section::new(format!("metric {}", metric.name));
        let Some(source) = sources.get(&metric.datasource) else {
            section.prose(
                "source",
                "the target itself, which is only asked while it runs",
            );
            print(&section.text())?;
            continue;
        };
        let asking = ask(args, &plan, metric, source.as_ref());
        let told = runtime()?.block_on(asking);
        section.prose("source", metric.datasource.as_str());
        failed += usize::from(!tell(&mut section, metric, told));
        print(&section.text())?;
    }
    if failed == 0 {
        return Ok(());
    }
    Err(Failure {
        code: 1,
        message: "not every metric has a value; what stands above says why".to_owned(),
    })
}

fn wanted<'p>(plan: &'p Plan, name: Option<&str>) -> Result<Vec<&'p Metric>, Failure> {
    let is_wanted = |metric: &&Metric| name.is_none_or(|name| metric.name.as_str() == name);
    let metrics: Vec<&Metric> = plan.metrics.iter().filter(is_wanted).collect();
    if metrics.is_empty() {
        let names: Vec<&str> = plan.metrics.iter().map(|one| one.name.as_str()).collect();
        return Err(Failure::usage(match name {
            Some(name) => format!(
                "the file has no metric {name} (it has {})",
                names.join(", ")
            ),
            None => {
                "the file has no metrics; what the load measures itself is not asked".to_owned()
            }
        }));
    }
    Ok(metrics)
}

/// What was asked, and what came of it.
struct Told {
    asked: Asked,
    /// The document that is read, where the query is only a place in it.
    page: Option<String>,
    window: Window,
    took: Duration,
    answer: Result<Answer, Fault>,
}

async fn ask(
    args: &QueryArgs,
    plan: &Plan,
    metric: &Metric,
    source: &dyn Datasource,
) -> Result<Told, Fault> {
    let end = args.end.unwrap_or_else(|| SystemClock.now());
    let length = SignedDuration::try_from(args.window).unwrap_or_default();
    let window = Window::until(end, length);
    let addresses: Vec<Address> = args.address.as_deref().into_iter().map(named).collect();
    let values = rendered::baseline_values(plan).map_err(|error| {
        let message = "failed to work out the values of the baseline";
        Fault::new(FaultKind::Invalid, message).caused_by(error)
    });
    let none = BTreeMap::new();
    let known = Placeholders {
        addresses: &addresses,
        facts: &[],
        trial: TrialId(0),
        iteration: IterationNo(1),
        values: values.as_ref().unwrap_or(&none),
        window: Some(window),
    };
    let spec = plan.datasources.get(&metric.datasource);
    let asked = Asked::of(metric, spec, &known)?;
    let key = OpKey::Experiment {
        experiment: plan.name.clone(),
        seq: 0,
    };
    // Nothing is changed, so no mark will ever carry this epoch.
    let epoch = Epoch {
        store: "query".to_owned(),
        counter: 0,
    };
    let deadline = SystemClock.now() + metric.timeout;
    let cx = OpContext::new(key, epoch, deadline, CancellationToken::new());
    let begun = Instant::now();
    let answer = match source.sampling() {
        Some(_) => source.sample(&cx, &asked).await,
        None => source.query(&cx, &asked, window).await,
    };
    let took = begun.elapsed();
    let is_page = spec.is_some_and(|spec| {
        let kind = &spec.kind;
        matches!(
            kind,
            DatasourceKind::Scrape { .. } | DatasourceKind::Json(_)
        )
    });
    Ok(Told {
        page: asked.endpoint.clone().filter(|_| is_page),
        asked,
        window,
        took,
        answer,
    })
}

fn named(authority: &str) -> Address {
    Address {
        name: "port".to_owned(),
        authority: authority.to_owned(),
    }
}

/// Whether the metric has a value.
fn tell(section: &mut Section, metric: &Metric, told: Result<Told, Fault>) -> bool {
    let told = match told {
        Ok(told) => told,
        Err(fault) => {
            section.prose("failed", &chain(&fault));
            return false;
        }
    };
    section.row("query", told.asked.text.lines().map(str::to_owned));
    if let Some(page) = &told.page {
        section.prose("asked of", page);
    }
    if let Some(body) = &told.asked.body {
        section.row("with", body.lines().map(str::to_owned));
    }
    section.prose("window", &told.window.to_string());
    let took = Duration::from_millis(u64::try_from(told.took.as_millis()).unwrap_or(u64::MAX));
    section.prose("took", &spell(took));
    let answer = match told.answer {
        Ok(answer) => answer,
        Err(fault) => {
            section.prose("failed", &chain(&fault));
            return false;
        }
    };
    if let Some(status) = answer.status {
        section.prose("status", &status.to_string());
    }
    if let Some(step) = answer.step {
        section.prose("step", &spell(step));
    }
    if answer.window != told.window && answer.window.start != answer.window.end {
        section.prose("answered", &answer.window.to_string());
    }
    let lines = answer.series.iter().take(MOST_SERIES).map(line);
    let more = answer.series.len().saturating_sub(MOST_SERIES);
    let more = (more > 0).then(|| format!("and {more} more"));
    match answer.series.len() {
        0 => section.prose("series", "none"),
        _ => section.row("series", lines.chain(more)),
    }
    for warning in &answer.warnings {
        section.prose("warning", warning);
    }
    if answer.window.start == answer.window.end {
        // One look has no window: what it says is all there is to say.
        return !answer.series.is_empty();
    }
    match fold(metric, &answer.series, Stretch::alone(answer.window)) {
        Ok(folded) => {
            let is_there = folded.observed.is_some();
            section.prose("value", &value(&folded));
            is_there
        }
        Err(error) => {
            section.prose("no value", &error.to_string());
            false
        }
    }
}

/// `{pod="a"}  12 points, 1 to 9, last 4`
fn line(series: &Series) -> String {
    let pairs = series
        .labels
        .iter()
        .map(|(name, value)| format!("{name}={value:?}"));
    let labels = pairs.collect::<Vec<_>>().join(", ");
    let points = &series.points;
    let finite = |point: &&Point| point.value.is_finite();
    let values: Vec<f64> = points.iter().filter(finite).map(|one| one.value).collect();
    let count = points.len();
    let other = count - values.len();
    let other = if other == 0 {
        String::new()
    } else {
        format!(", {other} no number")
    };
    let range = values
        .iter()
        .copied()
        .reduce(f64::min)
        .zip(values.iter().copied().reduce(f64::max));
    let range = range.map_or_else(String::new, |(low, high)| format!(", {low} to {high}"));
    let last = points.last();
    let last = last.map_or_else(String::new, |last| {
        format!(", last {} at {}", last.value, last.at)
    });
    format!("{{{labels}}}  {count} points{range}{other}{last}")
}

fn value(folded: &Folded) -> String {
    let text = match &folded.observed {
        None => "left out (on_empty: skip)".to_owned(),
        Some(Observed::Values { points }) => {
            #[expect(clippy::cast_precision_loss, reason = "points of one window are few")]
            let count = points.len() as f64;
            let mean = points.iter().map(|point| point.value).sum::<f64>() / count;
            format!("mean {mean} of {count} instants")
        }
        Some(Observed::Counter {
            increase,
            seconds,
            resets,
        }) => format!("{increase} more in {seconds} s, {resets} resets"),
        Some(Observed::Buckets { bounds, counts, .. }) => {
            let count = counts.last().copied().unwrap_or_default();
            format!("{count} observations in {} buckets", bounds.len())
        }
        Some(Observed::Histogram(_)) => "a distribution".to_owned(),
    };
    if folded.non_finite == 0 {
        text
    } else {
        format!(
            "{text}; {} values that are no number were left out",
            folded.non_finite
        )
    }
}
