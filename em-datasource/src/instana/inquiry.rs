//! A query: the body of a request, and whom it is for.

use std::time::Duration;

use em_core::fault::{Fault, FaultKind};
use em_core::observe::Window;
use em_core::plan::MetricKind;
use serde_json::{Map, Value, json};

/// The most items that one page holds.
const PAGE: u64 = 200;
/// Keys of a request about all calls.
const OVERALL: [&str; 3] = ["metrics", "includeInternal", "includeSynthetic"];

/// Whom a query is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Endpoint {
    /// Metrics of snapshots of one plugin.
    Infrastructure,
    /// The infrastructure, grouped by tags.
    Groups,
    /// Metrics of applications, services or endpoints, each for itself.
    Each(Of),
    /// Metrics over all calls.
    Overall,
}

/// What application metrics are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Of {
    Applications,
    Services,
    Endpoints,
}

impl Endpoint {
    pub(super) fn path(self) -> &'static str {
        match self {
            // With what ended within the window: a pod of a trial is often gone by now.
            Self::Infrastructure => "/api/infrastructure-monitoring/metrics?offline=true",
            Self::Groups => "/api/infrastructure-monitoring/analyze/entity-groups",
            Self::Each(Of::Applications) => "/api/application-monitoring/metrics/applications",
            Self::Each(Of::Services) => "/api/application-monitoring/metrics/services",
            Self::Each(Of::Endpoints) => "/api/application-monitoring/metrics/endpoints",
            Self::Overall => "/api/application-monitoring/v2/metrics",
        }
    }

    /// How one unit of a bucket's length is counted.
    fn unit(self) -> Duration {
        match self {
            Self::Infrastructure | Self::Each(_) | Self::Overall => Duration::from_secs(1),
            Self::Groups => Duration::from_millis(1),
        }
    }
}

/// Where the answer goes on.
#[derive(Debug)]
pub(super) enum Turn {
    Page(u64),
    Cursor(Value),
}

/// A query, read.
#[derive(Debug)]
pub(super) struct Inquiry {
    pub(super) endpoint: Endpoint,
    /// The name of its one metric.
    pub(super) metric: String,
    /// How the metric is aggregated, where the query says so.
    pub(super) aggregation: Option<String>,
    /// How long its buckets are, where the query says so.
    pub(super) width: Option<Duration>,
    body: Map<String, Value>,
}

impl Inquiry {
    /// Reads a query for a metric of this kind.
    pub(super) fn parse(text: &str, kind: MetricKind) -> Result<Self, Fault> {
        let mut body: Map<String, Value> = serde_json::from_str(text).map_err(|source| {
            let message = "the query is no JSON object, which is what Instana is asked with";
            Fault::new(FaultKind::Invalid, message).caused_by(source)
        })?;
        let endpoint = endpoint(&mut body)?;
        refuse_what_is_ours(&mut body)?;
        let entry = one_metric(&body)?;
        let (metric, aggregation, length) = match endpoint {
            Endpoint::Infrastructure => (entry.as_str(), None, body.get("rollup")),
            Endpoint::Groups | Endpoint::Each(_) | Endpoint::Overall => (
                entry.get("metric").and_then(Value::as_str),
                entry.get("aggregation").and_then(Value::as_str),
                entry.get("granularity"),
            ),
        };
        let metric = metric.map(str::to_owned).ok_or_else(|| {
            let form = match endpoint {
                Endpoint::Infrastructure => "\"cpu.user\"",
                Endpoint::Groups | Endpoint::Each(_) | Endpoint::Overall => {
                    "{\"metric\": \"latency\", \"aggregation\": \"P95\"}"
                }
            };
            invalid(format!("the entry of metrics has no name: write {form}"))
        })?;
        let aggregation = aggregation.map(str::to_owned);
        let width = length.map(|length| width(length, endpoint)).transpose()?;
        judge_kind(kind, endpoint, aggregation.as_deref())?;
        Ok(Self {
            endpoint,
            metric,
            aggregation,
            width,
            body,
        })
    }

    /// What is sent. Without a width it asks for one aggregate.
    pub(super) fn body(&self, frame: Window, width: Option<Duration>, turn: &Turn) -> String {
        let mut body = self.body.clone();
        let to = frame.end.as_millisecond();
        let size = to - frame.start.as_millisecond();
        body.insert(
            "timeFrame".to_owned(),
            json!({"to": to, "windowSize": size}),
        );
        let length = width.map(|width| {
            let units = width.as_millis() / self.endpoint.unit().as_millis();
            json!(u64::try_from(units).unwrap_or(u64::MAX))
        });
        if let Some(length) = length {
            match self.endpoint {
                Endpoint::Infrastructure => drop(body.insert("rollup".to_owned(), length)),
                Endpoint::Groups | Endpoint::Each(_) | Endpoint::Overall => {
                    let entry = body.get_mut("metrics").and_then(|all| all.get_mut(0));
                    if let Some(Value::Object(entry)) = entry {
                        entry.insert("granularity".to_owned(), length);
                    }
                }
            }
        }
        if let Some((name, size)) = self.pages() {
            let mut pagination = json!({name: size});
            match turn {
                Turn::Page(number) if name == "pageSize" => pagination["page"] = json!(number),
                Turn::Page(_) => {}
                Turn::Cursor(cursor) => pagination["cursor"] = cursor.clone(),
            }
            body.insert("pagination".to_owned(), pagination);
        }
        Value::Object(body).to_string()
    }

    /// What the size of a page is called, and how many items it holds.
    pub(super) fn pages(&self) -> Option<(&'static str, u64)> {
        let name = match self.endpoint {
            Endpoint::Infrastructure | Endpoint::Overall => return None,
            Endpoint::Groups => "retrievalSize",
            Endpoint::Each(_) => "pageSize",
        };
        let pagination = self.body.get("pagination");
        let size = pagination.and_then(|pagination| pagination.get(name)?.as_u64());
        Some((name, size.filter(|size| *size > 0).unwrap_or(PAGE)))
    }
}

fn invalid(message: impl Into<String>) -> Fault {
    Fault::new(FaultKind::Invalid, message)
}

/// Whom the query is for; the key that only says so is taken out.
fn endpoint(body: &mut Map<String, Value>) -> Result<Endpoint, Fault> {
    let of = body.shift_remove("of");
    let is_filtered = body.contains_key("tagFilterExpression");
    let is_bare = body.keys().all(|key| OVERALL.contains(&key.as_str()));
    match (body.contains_key("plugin"), body.contains_key("type"), of) {
        (true, false, None) => Ok(Endpoint::Infrastructure),
        (false, true, None) => Ok(Endpoint::Groups),
        (false, false, Some(of)) => match of.as_str() {
            Some("applications") => Ok(Endpoint::Each(Of::Applications)),
            Some("services") => Ok(Endpoint::Each(Of::Services)),
            Some("endpoints") => Ok(Endpoint::Each(Of::Endpoints)),
            _ => Err(invalid(format!(
                "of is {of}: write applications, services or endpoints"
            ))),
        },
        (false, false, None) if is_filtered || is_bare => Ok(Endpoint::Overall),
        _ => Err(invalid(
            "the query does not say whom it is for. Write one of: plugin (metrics of the \
             infrastructure); type (the infrastructure, grouped by tags); of: applications, \
             services or endpoints (metrics of each); tagFilterExpression, or metrics alone \
             (metrics over all calls)",
        )),
    }
}

fn refuse_what_is_ours(body: &mut Map<String, Value>) -> Result<(), Fault> {
    if body.contains_key("timeFrame") {
        return Err(invalid(
            "the query has a timeFrame, but the window is the manager's: leave it out",
        ));
    }
    match body.shift_remove("fillTimeSeries") {
        None | Some(Value::Bool(false)) => Ok(()),
        Some(_) => Err(invalid(
            "fillTimeSeries makes a 0 of what is missing, which is no measurement: leave it out",
        )),
    }
}

fn one_metric(body: &Map<String, Value>) -> Result<&Value, Fault> {
    let metrics = body.get("metrics").and_then(Value::as_array);
    match metrics.map(Vec::as_slice) {
        Some([entry]) => Ok(entry),
        Some(entries) => Err(invalid(format!(
            "metrics holds {} entries: a metric of the file is one thing, so write one entry, and \
             one metric of the file for each",
            entries.len()
        ))),
        None => Err(invalid("the query has no list of metrics: write one entry")),
    }
}

fn width(length: &Value, endpoint: Endpoint) -> Result<Duration, Fault> {
    let units = length.as_u64().and_then(|units| u32::try_from(units).ok());
    let width = units.and_then(|units| endpoint.unit().checked_mul(units));
    width.filter(|width| !width.is_zero()).ok_or_else(|| {
        let (name, unit) = match endpoint {
            Endpoint::Infrastructure => ("rollup", "seconds"),
            Endpoint::Groups => ("granularity", "milliseconds"),
            Endpoint::Each(_) | Endpoint::Overall => ("granularity", "seconds"),
        };
        invalid(format!("{name} is {length}, no whole number of {unit}"))
    })
}

/// Whether the endpoint can tell what the metric is declared as.
fn judge_kind(
    kind: MetricKind,
    endpoint: Endpoint,
    aggregation: Option<&str>,
) -> Result<(), Fault> {
    let is_sum = aggregation.is_some_and(|name| name.eq_ignore_ascii_case("sum"));
    match kind {
        MetricKind::Gauge | MetricKind::Value => Ok(()),
        MetricKind::Counter if is_sum => Ok(()),
        MetricKind::Counter if endpoint == Endpoint::Infrastructure => Err(invalid(
            "metrics of a plugin are means per bucket, and a counter is what was counted: \
             declare it as: gauge",
        )),
        MetricKind::Counter => Err(invalid(
            "a counter is what was counted in each bucket: write aggregation SUM, or declare it \
             as: gauge",
        )),
        MetricKind::Histogram => Err(invalid(
            "Instana tells no distributions: declare it as: gauge, with an aggregation such as P95",
        )),
    }
}

#[cfg(test)]
mod tests;
