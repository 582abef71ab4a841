//! Queries with every placeholder filled in.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Address, Fact};
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
    /// What was read back from the deployment: `pods`, `container`, `namespace` and `workload` are
    /// placeholders where there are facts of these names.
    pub facts: &'a [Fact],
    /// The trial.
    pub trial: TrialId,
    /// Its iteration.
    pub iteration: IterationNo,
    /// Values of the tunables, derived ones included.
    pub values: &'a BTreeMap<TunableName, Value>,
    /// The window that is asked about. None: now.
    pub window: Option<Window>,
}

/// Placeholders that depend on the window and on the source alone.
pub const WINDOW_PLACEHOLDERS: [&str; 8] = [
    "window", "step", "start", "start_s", "start_ms", "end", "end_s", "end_ms",
];

/// What a placeholder stands for that names an end of the window.
pub fn end_of_window(name: &str, window: Window) -> Option<Value> {
    let Window { start, end } = window;
    Some(match name {
        "start" => Value::Text(start.to_string()),
        "end" => Value::Text(end.to_string()),
        "start_s" => Value::Integer(start.as_second()),
        "end_s" => Value::Integer(end.as_second()),
        "start_ms" => Value::Integer(start.as_millisecond()),
        "end_ms" => Value::Integer(end.as_millisecond()),
        _ => return None,
    })
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
        // A source of which the plan says nothing counts seconds, as most do.
        let duration = |length: Duration| match source {
            Some(source) => Some(source.duration(length)),
            None => Value::real(length.as_secs_f64()).ok(),
        };
        let lookup = |name: &str| match name {
            "window" => duration(Duration::try_from(known.window?.length()).ok()?),
            "step" => duration(every?),
            name => known.value_of(name),
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

/// Names as one regular expression that matches each of them and nothing else. They are a JSON list,
/// or words.
fn pods(names: &str) -> String {
    let listed: Option<Vec<String>> = serde_json::from_str(names).ok();
    let words = || {
        let words = names.split(|c: char| c.is_whitespace() || c == ',');
        words.map(str::to_owned).collect()
    };
    let names = listed.unwrap_or_else(words).into_iter();
    let names = names.filter(|name| !name.is_empty());
    // A dash means something between brackets only, where no name stands.
    let literally = |name: String| regex::escape(&name).replace(r"\-", "-");
    let names: Vec<String> = names.map(literally).collect();
    names.join("|")
}

impl Placeholders<'_> {
    /// What was read back under a name.
    fn fact(&self, name: &str) -> Option<&str> {
        let fact = self.facts.iter().find(|fact| fact.name == name)?;
        fact.seen.as_deref()
    }

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
            "pods" => text(pods(self.fact(name)?)),
            "container" | "namespace" | "workload" => text(self.fact(name)?.to_owned()),
            "trial" => Some(Value::Integer(i64::from(self.trial.0))),
            "iteration" => Some(Value::Integer(i64::from(self.iteration.0))),
            other => {
                let window = self.window;
                if let Some(end) = window.and_then(|window| end_of_window(other, window)) {
                    return Some(end);
                }
                if let Some(named) = other.strip_prefix("ports.") {
                    return text(port(address(named)?)?);
                }
                let name = other.parse().ok()?;
                self.values.get(&name).cloned()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file::{self, FileContext};
    use crate::plan::Plan;

    const FILE: &str = r#"
name: a
target: { kind: command, snapshot: [a], apply: [a], facts: [a], restore: [a] }
tunables: [{ name: n, range: [1, 2] }]
trials: [{ id: t, values: { n: 1 } }]
load: { kind: none }
datasources: { prom: { kind: prometheus, url: "http://prom" } }
metrics:
  - { name: m, datasource: prom, as: gauge, query: 'cpu{pod=~"{{pods}}", container="{{container}}"}' }
  - { name: k, datasource: prom, as: gauge, query: 'cpu{$POD_LABEL$="$POD$", $CONTAINER_LABEL$="$CONTAINER$"}' }
"#;

    fn plan() -> Plan {
        let read = file::parse(FILE.as_bytes(), &FileContext::bare());
        read.unwrap().plan
    }

    fn asked(metric: usize, facts: &[Fact]) -> Result<String, Fault> {
        let plan = plan();
        let known = Placeholders {
            addresses: &[],
            facts,
            trial: TrialId(1),
            iteration: IterationNo(1),
            values: &BTreeMap::new(),
            window: None,
        };
        let metric = &plan.metrics[metric];
        let source = plan.datasources.get(&metric.datasource);
        Ok(Asked::of(metric, source, &known)?.text)
    }

    fn fact(name: &str, seen: &str) -> Fact {
        Fact {
            name: name.to_owned(),
            asked: None,
            seen: Some(seen.to_owned()),
        }
    }

    #[test]
    fn pods_are_those_that_were_read_back_and_no_others() {
        let wanted = r#"cpu{pod=~"web\\.1|web-2", container="app\"x"}"#;
        for pods in [r#"["web.1","web-2"]"#, "web.1 web-2", "web.1,web-2,"] {
            let facts = [fact("pods", pods), fact("container", "app\"x")];
            assert_eq!(asked(0, &facts).unwrap(), wanted);
        }
        let said = asked(0, &[fact("pods", "a")]).unwrap_err().chain();
        assert!(said.contains("container"), "{said}");
    }

    #[test]
    fn the_names_that_kruize_uses_are_understood() {
        let facts = [fact("pods", "web-1"), fact("container", "app")];
        let wanted = r#"cpu{pod=~"web-1", container="app"}"#;
        assert_eq!(asked(1, &facts).unwrap(), wanted);
    }
}
