//! Queries with every placeholder filled in.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Address;
use crate::fault::{Fault, FaultKind};
use crate::id::{IterationNo, TrialId, TunableName};
use crate::observe::Window;
use crate::plan::{DatasourceKind, DatasourceSpec, Metric, MetricKind};
use crate::template::{Escape, Template, TemplateError};
use crate::value::Value;

/// A query with every placeholder filled in, for one iteration.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Asked {
    /// The query in the source's own language.
    pub text: String,
    /// What its values mean.
    #[serde(rename = "as")]
    pub kind: MetricKind,
    /// Where the source itself is, where that depends on the iteration (`{{address}}`).
    pub endpoint: Option<String>,
    /// What is sent along to the source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
}

/// What the placeholders of a query stand for in one iteration.
#[derive(Debug, Clone, Copy)]
pub struct Placeholders<'a> {
    /// Where the deployment answers, the main address first.
    pub addresses: &'a [Address],
    /// The trial.
    pub trial: TrialId,
    /// Its iteration.
    pub iteration: IterationNo,
    /// Values of the tunables, derived ones included.
    pub values: &'a BTreeMap<TunableName, Value>,
    /// The window that is asked about. None: now.
    pub window: Option<Window>,
}

impl Asked {
    /// The query of a metric, as its source wants it.
    ///
    /// # Errors
    /// `Invalid` where a placeholder has no value.
    pub fn of(
        metric: &Metric,
        source: Option<&DatasourceSpec>,
        known: &Placeholders<'_>,
    ) -> Result<Self, Fault> {
        let every = source.and_then(|source| source.every);
        let source = source.map(|source| &source.kind);
        let lookup = |name: &str| match (name, source) {
            ("window", Some(source)) => {
                let length = Duration::try_from(known.window?.length()).ok()?;
                Some(source.duration(length))
            }
            ("step", Some(source)) => Some(source.duration(every?)),
            (name, _) => known.value_of(name),
        };
        let refused = |source: TemplateError| {
            let message = format!("failed to fill in the query of metric {}", metric.name);
            Fault::new(FaultKind::Invalid, message).caused_by(source)
        };
        let rendered =
            |template: &Template, escape| template.render(&lookup, escape).map_err(refused);
        let mut body = None;
        let endpoint = match source {
            Some(DatasourceKind::Scrape { url }) => Some(rendered(url, Escape::None)?),
            Some(DatasourceKind::Json(json)) => {
                let sent = json.body.as_ref().map(|body| rendered(body, Escape::Json));
                body = sent.transpose()?;
                Some(rendered(&json.url, Escape::Url)?)
            }
            _ => {
                let address = known.addresses.first();
                address.map(|address| address.authority.clone())
            }
        };
        let escape = source.map_or(Escape::None, DatasourceKind::escape);
        Ok(Self {
            text: rendered(&metric.query.text, escape)?,
            kind: metric.kind,
            endpoint,
            body,
        })
    }
}

impl Placeholders<'_> {
    /// The value of a placeholder.
    fn value_of(&self, name: &str) -> Option<Value> {
        let text = |text: String| Some(Value::Text(text));
        let address = |name: &str| {
            let known = self.addresses.iter().find(|known| known.name == name);
            known.map(|known| known.authority.clone())
        };
        let port = |authority: String| authority.rsplit_once(':').map(|(_, port)| port.to_owned());
        match name {
            "address" => text(self.addresses.first()?.authority.clone()),
            "port" => text(port(self.addresses.first()?.authority.clone())?),
            "trial" => Some(Value::Integer(i64::from(self.trial.0))),
            "iteration" => Some(Value::Integer(i64::from(self.iteration.0))),
            "start" => text(self.window?.start.to_string()),
            "end" => text(self.window?.end.to_string()),
            "start_s" => Some(Value::Integer(self.window?.start.as_second())),
            "end_s" => Some(Value::Integer(self.window?.end.as_second())),
            "start_ms" => Some(Value::Integer(self.window?.start.as_millisecond())),
            "end_ms" => Some(Value::Integer(self.window?.end.as_millisecond())),
            other => {
                if let Some(named) = other.strip_prefix("ports.") {
                    return text(port(address(named)?)?);
                }
                let name = other.parse().ok()?;
                self.values.get(&name).cloned()
            }
        }
    }
}
