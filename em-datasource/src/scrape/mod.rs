//! Datasource `scrape`: the page of metrics that the target publishes itself. It has no history.

mod page;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use em_core::fault::{Fault, FaultKind, chain};
use em_core::id::OpKey;
use em_core::observe::Window;
use em_core::plan::Text;
use em_core::port::{Answer, Asked, Clock, Datasource, Health, OpContext, Sampling, Validation};
use em_core::read::exposition::{Exposition, ExpositionFormat};
use em_core::template::{Escape, Template};
use em_core::value::Value;
use hyper::header::{ACCEPT, HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::http::{self, Address};
use crate::selector::Selector;

/// Time between two looks where the file says nothing.
const USUAL_PERIOD: Duration = Duration::from_secs(1);
/// The longest time for one page, whatever the deadline.
const LONGEST: Duration = Duration::from_secs(30);
const FORMATS: &str = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5";

/// A page of metrics in the Prometheus text format or in `OpenMetrics` text.
///
/// The query of a metric is a name with matchers of labels, `http_requests_total{code=~"2.."}`. A
/// histogram is asked for by its name or by its `_bucket` series.
#[derive(Debug)]
pub struct ScrapeDatasource {
    clock: Arc<dyn Clock>,
    url: Template,
    headers: BTreeMap<String, Text>,
    every: Duration,
    /// The last look: metrics that are asked together share one.
    last: Mutex<Option<Look>>,
}

#[derive(Debug, Clone)]
struct Look {
    key: OpKey,
    endpoint: String,
    began: Instant,
    at: Timestamp,
    page: Arc<Exposition>,
    /// Queries it was used for: whoever asks the same again wants a new look.
    used: BTreeSet<String>,
}

impl ScrapeDatasource {
    /// The page at `url`, asked with these headers once per `every`.
    pub fn new(
        clock: Arc<dyn Clock>,
        url: Template,
        headers: BTreeMap<String, Text>,
        every: Option<Duration>,
    ) -> Self {
        Self {
            clock,
            url,
            headers,
            every: every.unwrap_or(USUAL_PERIOD),
            last: Mutex::new(None),
        }
    }

    /// Where the page is, where that is known now.
    fn endpoint(&self, asked: Option<&Asked>) -> Option<String> {
        let said = asked.and_then(|asked| asked.endpoint.clone());
        said.or_else(|| self.url.is_constant().then(|| self.url.text().to_owned()))
    }

    /// One look, shared by all that ask within half a period.
    async fn look(&self, cx: &OpContext, asked: &Asked) -> Result<Look, Fault> {
        let Some(endpoint) = self.endpoint(Some(asked)) else {
            let message = "the address of the page is only known while the target runs";
            return Err(Fault::new(FaultKind::Invalid, message));
        };
        let mut last = self.last.lock().await;
        if let Some(look) = &mut *last
            && look.key == cx.key
            && look.endpoint == endpoint
            && look.began.elapsed() < self.every / 2
            && look.used.insert(asked.text.clone())
        {
            return Ok(look.clone());
        }
        let (began, at) = (Instant::now(), self.clock.now());
        let page = self.page(cx, &endpoint).await?;
        let look = Look {
            key: cx.key.clone(),
            endpoint,
            began,
            at,
            page: Arc::new(page),
            used: BTreeSet::from([asked.text.clone()]),
        };
        Ok(last.insert(look).clone())
    }

    async fn page(&self, cx: &OpContext, endpoint: &str) -> Result<Exposition, Fault> {
        let address = Address::parse(endpoint)?;
        let headers = self.headers(cx, &address)?;
        let left = Duration::try_from(cx.deadline.duration_since(self.clock.now()));
        let limit = left.unwrap_or_default().min(LONGEST);
        let page = http::get(&address, headers, limit).await?;
        let malformed = |problem: String| {
            let message = format!("failed to read the page {}: {problem}", address.shown());
            Fault::new(FaultKind::Malformed, message)
        };
        let text = std::str::from_utf8(&page.body);
        let text = text.map_err(|error| malformed(error.to_string()))?;
        let format = ExpositionFormat::of_content_type(&page.content_type);
        Exposition::parse(text, format).map_err(|error| malformed(chain(&error)))
    }

    /// The headers, their secrets read anew.
    fn headers(&self, cx: &OpContext, address: &Address) -> Result<HeaderMap, Fault> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static(FORMATS));
        for (name, text) in &self.headers {
            let value = match text {
                Text::Secret(reference) => reference.resolve()?.expose().to_owned(),
                Text::Template(template) => {
                    let lookup = |name: &str| value_of(cx, address, name);
                    let rendered = template.render(&lookup, Escape::None);
                    rendered.map_err(|error| {
                        let message = format!("failed to fill in header {name:?}");
                        Fault::new(FaultKind::Invalid, message).caused_by(error)
                    })?
                }
            };
            let parsed: Option<(HeaderName, HeaderValue)> =
                name.parse().ok().zip(value.parse().ok());
            let Some((header, mut value)) = parsed else {
                // The value may be a secret and is not shown.
                let message = format!("header {name:?} holds characters that HTTP forbids");
                return Err(Fault::new(FaultKind::Invalid, message));
            };
            value.set_sensitive(true);
            headers.insert(header, value);
        }
        Ok(headers)
    }
}

/// What a placeholder of a header stands for.
fn value_of(cx: &OpContext, address: &Address, name: &str) -> Option<Value> {
    let (trial, iteration) = match &cx.key {
        OpKey::Iteration {
            trial, iteration, ..
        } => (trial.0, iteration.0),
        OpKey::Experiment { .. } | OpKey::Hold { .. } => (0, 0),
    };
    match name {
        "address" => Some(Value::from(address.authority())),
        "trial" => Some(Value::from(i64::from(trial))),
        "iteration" => Some(Value::from(i64::from(iteration))),
        _ => None,
    }
}

fn selector(asked: &Asked) -> Result<Selector, Fault> {
    Selector::parse(&asked.text).map_err(|error| Fault::new(FaultKind::Invalid, chain(&error)))
}

#[async_trait]
impl Datasource for ScrapeDatasource {
    /// Reads the page where its address does not depend on the iteration.
    async fn probe(&self, cx: &OpContext) -> Result<Health, Fault> {
        if let Some(endpoint) = self.endpoint(None) {
            self.page(cx, &endpoint).await?;
        }
        Ok(Health::default())
    }

    async fn validate(&self, cx: &OpContext, asked: &Asked) -> Result<Validation, Fault> {
        let selector = selector(asked)?;
        let Some(endpoint) = self.endpoint(Some(asked)) else {
            return Ok(Validation::default());
        };
        let page = self.page(cx, &endpoint).await?;
        let series = page::select(&page, &selector, self.clock.now());
        let warnings = series.is_empty().then(|| page::nothing(&page, &selector));
        Ok(Validation {
            series: Some(series.len() as u64),
            warnings: warnings.into_iter().collect(),
        })
    }

    /// A page has no history: whatever the window, the answer is what it says now.
    async fn query(&self, cx: &OpContext, asked: &Asked, _window: Window) -> Result<Answer, Fault> {
        self.sample(cx, asked).await
    }

    fn sampling(&self) -> Option<Sampling> {
        Some(Sampling { every: self.every })
    }

    async fn sample(&self, cx: &OpContext, asked: &Asked) -> Result<Answer, Fault> {
        let selector = selector(asked)?;
        let look = self.look(cx, asked).await?;
        let series = page::select(&look.page, &selector, look.at);
        let warnings = series
            .is_empty()
            .then(|| page::nothing(&look.page, &selector));
        Ok(Answer {
            series,
            window: Window {
                start: look.at,
                end: look.at,
            },
            warnings: warnings.into_iter().collect(),
            tries: 1,
            step: None,
            status: None,
        })
    }
}
