//! Queries with every placeholder filled in.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Address;
use crate::fault::{Fault, FaultKind};
use crate::id::{IterationNo, TrialId, TunableName};
use crate::observe::Window;
use crate::plan::{DatasourceKind, Metric, MetricKind};
use crate::template::{Escape, TemplateError};
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
        source: Option<&DatasourceKind>,
        known: &Placeholders<'_>,
    ) -> Result<Self, Fault> {
        let is_prometheus = matches!(source, Some(DatasourceKind::Prometheus(_)));
        let lookup = |name: &str| match name {
            // Its durations have no fractions.
            "window" if is_prometheus => {
                let milliseconds = known.window?.milliseconds();
                Some(Value::Text(format!("{milliseconds}ms")))
            }
            name => known.value_of(name),
        };
        let refused = |source: TemplateError| {
            let message = format!("failed to fill in the query of metric {}", metric.name);
            Fault::new(FaultKind::Invalid, message).caused_by(source)
        };
        let endpoint = if let Some(DatasourceKind::Scrape { url }) = source {
            Some(url.render(&lookup, Escape::None).map_err(refused)?)
        } else {
            let address = known.addresses.first();
            address.map(|address| address.authority.clone())
        };
        let escape = source.map_or(Escape::None, DatasourceKind::escape);
        let text = metric.query.text.render(&lookup, escape).map_err(refused)?;
        Ok(Self {
            text,
            kind: metric.kind,
            endpoint,
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
            "window" => Value::real(self.window?.seconds()).ok(),
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
