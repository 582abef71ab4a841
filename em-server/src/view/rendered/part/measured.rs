//! What is loaded and measured: requests, load tools, datasources, queries, formulas.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use em_core::expression::Name;
use em_core::observe::Window;
use em_core::plan::{
    CloudWatchSpec, CommandLoad, DatadogSpec, DatasourceKind, DynatraceSpec, GraphiteSpec,
    HttpLoad, InfluxDbSpec, InstanaSpec, LoadSpec, Metric, NewRelicSpec, QueryMethod, RunMode,
    SimulatedSpec, TargetSpec, Text,
};
use em_core::port::end_of_window;
use em_core::template::{Escape, Template};
use em_local::fill::{self, Values};

use super::{Known, Part, variables};
use crate::view::forecast::Forecast;

/// The load's parts.
pub(super) fn load(known: &Known<'_>) -> Result<Vec<Part>> {
    // A formula is loaded by a formula.
    if matches!(known.plan.target, TargetSpec::Simulated(_)) {
        return Ok(Vec::new());
    }
    match &known.plan.load {
        LoadSpec::Http(http) => requests(known, http),
        LoadSpec::Command(command) => tool(known, command),
        LoadSpec::External(_) | LoadSpec::None | LoadSpec::Custom { .. } | _ => Ok(Vec::new()),
    }
}

fn requests(known: &Known<'_>, http: &HttpLoad) -> Result<Vec<Part>> {
    let url = fill_in("load.url", &http.url, known, Escape::None)?;
    let mut parts = vec![Part::words("load", vec![http.method.clone(), url])];
    let mut headers = Vec::new();
    for (name, text) in &http.headers {
        let value = shown(&format!("load.headers.{name}"), text, known)?;
        headers.push(format!("{name}: {value}"));
    }
    if !headers.is_empty() {
        parts.push(Part::lines("its headers", headers));
    }
    if let Some(body) = &http.body {
        let body = shown("load.body", body, known)?;
        let lines = body.lines().map(str::to_owned).collect();
        parts.push(Part::lines("its body", lines));
    }
    Ok(parts)
}

fn shown(place: &str, text: &Text, known: &Known<'_>) -> Result<String> {
    match text {
        Text::Template(template) => fill_in(place, template, known, Escape::None),
        Text::Secret(_) => Ok("(secret)".to_owned()),
    }
}

fn tool(known: &Known<'_>, load: &CommandLoad) -> Result<Vec<Part>> {
    let measurement = &known.plan.measurement;
    let lasts = match load.run {
        RunMode::Whole => Forecast::of(known.plan).collection,
        RunMode::PerCycle => measurement.cycle_duration,
    };
    let lookup = |name: &str| match name {
        "duration_s" => fill::seconds(lasts),
        other => known.lookup(other),
    };
    let (env, secret) = fill::environment("load.env", &load.env, &lookup)?;
    let mut parts = Vec::new();
    if !env.is_empty() {
        parts.push(Part::words("load's env", variables(&env, &secret)));
    }
    let base = &known.places.base;
    let command = fill::command("load.command", &load.command, base, &lookup)?;
    parts.push(Part::words("load", command));
    Ok(parts)
}

/// The datasources that are asked, and the query of each metric.
pub(super) fn queries(known: &Known<'_>) -> Result<Vec<Part>> {
    let mut parts = sources(known)?;
    for metric in &known.plan.metrics {
        let lines = query(known, metric, None)?
            .lines()
            .map(str::to_owned)
            .collect();
        parts.push(Part::lines(format!("metric {}", metric.name), lines));
    }
    Ok(parts)
}

/// The query of a metric, escaped as its datasource wants it. Without a window its ends stand as names.
pub(in crate::view::rendered) fn query(
    known: &Known<'_>,
    metric: &Metric,
    window: Option<Window>,
) -> Result<String> {
    let spec = known.plan.datasources.get(&metric.datasource);
    let escape = spec.map_or(Escape::None, |spec| spec.kind.escape());
    let place = format!("metric {}", metric.name);
    let lookup = |name: &str| match (name, spec) {
        // As they are asked: a name in their place would be no query.
        ("window", Some(spec)) => Some(spec.kind.duration(known.plan.measurement.cycle_duration)),
        ("step", Some(spec)) => Some(spec.kind.duration(spec.every?)),
        (name, _) => {
            let end = window.and_then(|window| end_of_window(name, window));
            end.or_else(|| known.lookup(name))
        }
    };
    Ok(fill::fill(&place, &metric.query.text, &lookup, escape)?)
}

fn sources(known: &Known<'_>) -> Result<Vec<Part>> {
    let mut parts = Vec::new();
    for (name, spec) in &known.plan.datasources {
        let mut metrics = known.plan.metrics.iter();
        if !metrics.any(|metric| metric.datasource == *name) {
            continue;
        }
        let place = format!("source {name}");
        let words = match &spec.kind {
            DatasourceKind::Scrape { url } => {
                vec!["GET".to_owned(), fill_in(&place, url, known, Escape::None)?]
            }
            DatasourceKind::Prometheus(prometheus) => {
                let url = format!("{}/api/v1/query", prometheus.url);
                vec![spelled(prometheus.method).to_owned(), url]
            }
            DatasourceKind::Json(json) => {
                let url = fill_in(&place, &json.url, known, Escape::Url)?;
                vec![spelled(json.method).to_owned(), url]
            }
            DatasourceKind::Datadog(DatadogSpec { url, .. })
            | DatasourceKind::Instana(InstanaSpec { url, .. })
            | DatasourceKind::Dynatrace(DynatraceSpec { url, .. })
            | DatasourceKind::NewRelic(NewRelicSpec { url, .. })
            | DatasourceKind::CloudWatch(CloudWatchSpec { url })
            | DatasourceKind::InfluxDb(InfluxDbSpec { url, .. })
            | DatasourceKind::Graphite(GraphiteSpec { url }) => vec![url.clone()],
            DatasourceKind::Command { command, .. } => known.command(&place, command)?,
            DatasourceKind::Csv { path, .. } => vec![path.display().to_string()],
            DatasourceKind::Push | DatasourceKind::Target | DatasourceKind::Custom { .. } | _ => {
                continue;
            }
        };
        parts.push(Part::words(place, words));
    }
    Ok(parts)
}

const fn spelled(method: QueryMethod) -> &'static str {
    match method {
        QueryMethod::Post => "POST",
        QueryMethod::Get => "GET",
    }
}

/// What the formulas say.
pub(super) fn model(spec: &SimulatedSpec, values: &Values) -> Result<Part> {
    let numbers: BTreeMap<&str, f64> = values
        .iter()
        .filter_map(|(name, value)| Some((name.as_str(), value.to_f64()?)))
        .collect();
    let resolve = |name: &Name| match name {
        Name::Tunable(name) => numbers.get(name.as_str()).copied(),
        Name::Metric { .. } => None,
    };
    let mut words = Vec::new();
    for (metric, expression) in &spec.model {
        let value = expression.evaluate(&resolve);
        let value = value.with_context(|| format!("failed to work out {metric} = {expression}"))?;
        words.push(format!("{metric}={value}"));
    }
    Ok(Part::words("model", words))
}

fn fill_in(place: &str, template: &Template, known: &Known<'_>, escape: Escape) -> Result<String> {
    let lookup = |name: &str| known.lookup(name);
    Ok(fill::fill(place, template, &lookup, escape)?)
}
