//! Questions: over time in both APIs, over a whole window, and whether the keys are good.

use std::time::Duration;

use em_core::fault::{Fault, FaultKind};
use em_core::observe::Window;
use em_core::plan::{DatadogApi, MetricKind};
use em_core::port::{Answer, OpContext};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::graph::Graph;
use super::keys::Keys;
use super::query::Query;
use super::{DatadogDatasource, judge, scalar, step, timeseries, v1};
use crate::remote::{Content, Question, Reply};

/// Every organisation has it that runs an agent, and few series of it.
const CHEAP: &str = "avg:datadog.agent.running{*}";
/// What is asked of it.
const SHORT: SignedDuration = SignedDuration::from_mins(5);

/// What was heard, and what the server warns of.
struct Heard<T> {
    found: T,
    warnings: Vec<String>,
    status: u16,
}

impl DatadogDatasource {
    /// Buckets of API v1, as long as the server keeps them.
    pub(super) async fn v1(
        &self,
        cx: &OpContext,
        query: &Query,
        kind: MetricKind,
        window: Window,
    ) -> Result<Answer, Fault> {
        let server = self.remote.shown();
        let text = query.parts.values().map(|part| part.query.as_str());
        let pairs = [
            ("from", window.start.as_second().to_string()),
            ("to", after(window.end, 1_000).to_string()),
            ("query", text.collect()),
        ];
        let usual = step::asked(window, None);
        let read = |reply: &Reply| {
            let found = v1::read(server, reply, usual)?;
            Graph::of(server, found, kind, window)
        };
        let content = Content::Query(&pairs);
        let heard = self.hear(cx, "/api/v1/query", content, read).await?;
        Ok(over_time(cx, heard, window, |real| match self.every {
            Some(every) if real != every => Some(format!(
                "one value per {real:?} was answered, not one per {every:?} as the datasource says \
                 (API v1 takes it from the query only: .rollup(FUNCTION, SECONDS))"
            )),
            _ => None,
        }))
    }

    /// Buckets of API v2, as long as they are asked for or as the server likes better.
    pub(super) async fn timeseries(
        &self,
        cx: &OpContext,
        query: &Query,
        kind: MetricKind,
        window: Window,
    ) -> Result<Answer, Fault> {
        let server = self.remote.shown();
        let step = step::asked(window, self.every);
        let queries = query.parts.iter().map(|(name, part)| NamedQuery {
            data_source: "metrics",
            name,
            query: &part.query,
            aggregator: None,
        });
        let interval = u64::try_from(step.as_millis()).unwrap_or(u64::MAX);
        let body = Body::new("timeseries_request", window, query, queries.collect());
        let body = body.every(interval).text()?;
        let read = |reply: &Reply| {
            let found = timeseries::read(server, reply, step)?;
            Graph::of(server, found, kind, window)
        };
        let (path, content) = ("/api/v2/query/timeseries", Content::Json(&body));
        let mut heard = self.hear(cx, path, content, read).await?;
        heard.warnings.extend(query.unused());
        let mut answer = over_time(cx, heard, window, |real| {
            let told =
                format!("one value per {real:?} was answered, not one per {step:?} as asked");
            (real != step).then_some(told)
        });
        answer.step = answer.step.or(Some(step));
        Ok(answer)
    }

    /// One number of the whole window per group.
    pub(super) async fn scalar(
        &self,
        cx: &OpContext,
        query: &Query,
        window: Window,
    ) -> Result<Answer, Fault> {
        let server = self.remote.shown();
        let mut queries = Vec::new();
        for (name, part) in &query.parts {
            queries.push(NamedQuery {
                data_source: "metrics",
                name,
                query: &part.query,
                aggregator: Some(part.aggregator()?),
            });
        }
        let body = Body::new("scalar_request", window, query, queries).text()?;
        let read = |reply: &Reply| scalar::read(server, reply, window.end);
        let (path, content) = ("/api/v2/query/scalar", Content::Json(&body));
        let heard = self.hear(cx, path, content, read).await?;
        Ok(Answer {
            series: heard.found,
            window,
            warnings: heard.warnings,
            tries: cx.attempt,
            step: None,
            status: Some(heard.status),
        })
    }

    /// Whether the key of the organisation is good; the server's clock minus ours, where it tells.
    pub(super) async fn check_api_key(&self, cx: &OpContext) -> Result<Option<i64>, Fault> {
        let server = self.remote.shown();
        let before = self.now();
        let read = |reply: &Reply| {
            let told: Valid = judge::read(server, reply)?;
            Ok((told.valid, reply.skew(before, self.now())))
        };
        let content = Content::Query(&[]);
        let heard = self.hear(cx, "/api/v1/validate", content, read).await?;
        let (is_valid, skew) = heard.found;
        if !is_valid {
            let message = format!("{server} says that the API key is not valid");
            return Err(Fault::new(FaultKind::Denied, message));
        }
        Ok(skew)
    }

    /// Whether the other key may ask queries; what they answer does not matter.
    pub(super) async fn check_application_key(&self, cx: &OpContext) -> Result<(), Fault> {
        let query = Query::parse(CHEAP)?;
        let window = self.recent(SHORT);
        let answer = match self.spec.api {
            DatadogApi::V1 => self.v1(cx, &query, MetricKind::Gauge, window).await,
            DatadogApi::V2 => self.scalar(cx, &query, window).await,
        };
        answer.map(drop)
    }

    /// Asks with both keys as they are now, and reads an answer that counts.
    async fn hear<T>(
        &self,
        cx: &OpContext,
        path: &str,
        content: Content<'_>,
        read: impl FnOnce(&Reply) -> Result<T, Fault>,
    ) -> Result<Heard<T>, Fault> {
        let keys = Keys::of(&self.spec)?;
        let headers = &keys.headers();
        let question = Question {
            path,
            content,
            headers,
        };
        let reply = self.remote.put(cx, &question).await?;
        let warnings = judge::accepted(self.remote.shown(), &reply)?;
        Ok(Heard {
            found: read(&reply)?,
            warnings,
            status: reply.status.as_u16(),
        })
    }
}

/// The answer, with a warning about its step where there is one.
fn over_time(
    cx: &OpContext,
    heard: Heard<Graph>,
    window: Window,
    about_step: impl FnOnce(Duration) -> Option<String>,
) -> Answer {
    let graph = heard.found;
    let mut warnings = heard.warnings;
    warnings.extend(graph.step.and_then(about_step));
    warnings.extend(graph.warnings);
    Answer {
        series: graph.series,
        window,
        warnings,
        tries: cx.attempt,
        step: graph.step,
        status: Some(heard.status),
    }
}

/// The first whole unit that is not before the instant.
fn after(at: Timestamp, milliseconds: i128) -> i128 {
    let unit = milliseconds * 1_000_000;
    let nanoseconds = at.as_nanosecond();
    nanoseconds.div_euclid(unit) + i128::from(nanoseconds.rem_euclid(unit) > 0)
}

#[derive(Deserialize)]
struct Valid {
    valid: bool,
}

#[derive(Serialize)]
struct Body<'a> {
    data: BodyData<'a>,
}

#[derive(Serialize)]
struct BodyData<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    attributes: Attributes<'a>,
}

/// Times are milliseconds since 1970; the end does not belong to them.
#[derive(Serialize)]
struct Attributes<'a> {
    from: i64,
    to: i128,
    #[serde(skip_serializing_if = "Option::is_none")]
    interval: Option<u64>,
    queries: Vec<NamedQuery<'a>>,
    formulas: [Formula<'a>; 1],
}

#[derive(Serialize)]
struct NamedQuery<'a> {
    data_source: &'static str,
    name: &'a str,
    query: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    aggregator: Option<&'a str>,
}

#[derive(Serialize)]
struct Formula<'a> {
    formula: &'a str,
}

impl<'a> Body<'a> {
    fn new(
        kind: &'static str,
        window: Window,
        query: &'a Query,
        queries: Vec<NamedQuery<'a>>,
    ) -> Self {
        let formula = &query.formula;
        let attributes = Attributes {
            from: window.start.as_millisecond(),
            to: after(window.end, 1),
            interval: None,
            queries,
            formulas: [Formula { formula }],
        };
        let data = BodyData { kind, attributes };
        Self { data }
    }

    fn every(mut self, milliseconds: u64) -> Self {
        self.data.attributes.interval = Some(milliseconds);
        self
    }

    fn text(&self) -> Result<String, Fault> {
        serde_json::to_string(self).map_err(|source| {
            let message = "failed to write the question as JSON";
            Fault::new(FaultKind::Invalid, message).caused_by(source)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_part_of_a_unit_is_lost_at_the_end() {
        let at = |nanoseconds| Timestamp::from_nanosecond(nanoseconds).unwrap();
        assert_eq!(after(at(2_000_000_000), 1_000), 2);
        assert_eq!(after(at(2_000_000_001), 1_000), 3);
        assert_eq!(after(at(1_000_001), 1), 2);
    }
}
