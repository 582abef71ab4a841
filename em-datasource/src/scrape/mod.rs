//! Datasource `scrape`: the page of metrics that the target publishes itself. It has no history.

mod form;
mod native;
mod page;
mod protobuf;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use em_core::fault::{Fault, FaultKind, chain};
use em_core::observe::Window;
use em_core::plan::DatasourceSpec;
use em_core::port::{
    Answer, Asked, Clock, Datasource, Health, OpContext, Sampling, Series, Validation,
};
use em_core::template::Template;
use jiff::Timestamp;
use tokio::sync::Mutex;

pub(crate) use self::form::PROTOBUF;
use self::form::Page;
use self::native::{Mixed, Past, Seen};
use crate::distinct::first_twice;
use crate::look::Looks;
use crate::remote::{Content, HostPolicy, Place, Remote, Reply, Visit, without_secrets};
use crate::selector::Selector;

/// Time between two looks where the file says nothing.
const USUAL_PERIOD: Duration = Duration::from_secs(1);
/// The longest time for one page, whatever the deadline.
const LONGEST: Duration = Duration::from_secs(30);
/// A larger page is refused.
const LARGEST: usize = 64 << 20;

/// A page of metrics in the Prometheus text format, in `OpenMetrics` text, or in protobuf.
///
/// The query of a metric is a name with matchers of labels, `http_requests_total{code=~"2.."}`. A
/// histogram is asked for by its name or by its `_bucket` series.
///
/// A program that can say it as text is asked for text, where native histograms have no buckets: a
/// header `Accept` of the file that names protobuf makes it tell them.
#[derive(Debug)]
pub struct ScrapeDatasource {
    remote: Remote,
    url: Template,
    looks: Looks<Page>,
    past: Mutex<Past>,
}

impl ScrapeDatasource {
    /// The page at `url`, reached and asked as `source` says.
    pub fn new(clock: Arc<dyn Clock>, url: Template, source: &DatasourceSpec) -> Self {
        Self {
            remote: Remote::new(clock, &without_secrets(url.text()), source),
            looks: Looks::new(source.every.unwrap_or(USUAL_PERIOD)),
            url,
            past: Mutex::default(),
        }
    }

    /// The same, where only some hosts may be asked.
    #[must_use]
    pub fn with_hosts(self, hosts: HostPolicy) -> Self {
        let remote = self.remote.with_hosts(hosts);
        Self { remote, ..self }
    }

    /// Where the page is, where that is known now.
    fn endpoint(&self, asked: Option<&Asked>) -> Option<String> {
        let said = asked.and_then(|asked| asked.endpoint.clone());
        said.or_else(|| self.url.is_constant().then(|| self.url.text().to_owned()))
    }

    async fn page(&self, cx: &OpContext, endpoint: &str) -> Result<Page, Fault> {
        let place = Place::parse(endpoint)?;
        let visit = Visit {
            place: &place,
            content: Content::Query(&[]),
            accept: form::FORMS,
            // Whatever publishes the page is the target.
            address: Some(place.authority()),
            longest: LONGEST,
            largest: LARGEST,
        };
        let reply = self.remote.visit(cx, &visit).await?;
        form::page(place.shown(), &reply)
    }
}

/// The series that a page has for a query, and what is to be said where there are none. `buckets`
/// makes series of native histograms.
fn told(
    page: &Page,
    selector: &Selector,
    at: Timestamp,
    buckets: impl FnOnce(Seen) -> Result<Vec<Series>, Mixed>,
) -> Result<(Vec<Series>, Vec<String>), Fault> {
    let mut series = page::select(&page.exposition, selector, at);
    let natives = page::natives(page, selector);
    if !natives.is_empty() {
        let buckets = buckets(Seen { at, natives });
        series
            .extend(buckets.map_err(|error| Fault::new(FaultKind::Malformed, error.to_string()))?);
    }
    if let Some(twice) = first_twice(series.iter().map(|one| &one.labels)) {
        let message = format!("the page tells {twice:?} twice");
        return Err(Fault::new(FaultKind::Malformed, message));
    }
    let warnings = series.is_empty().then(|| page::nothing(page, selector));
    Ok((series, warnings.into_iter().collect()))
}

fn selector(query: &str) -> Result<Selector, Fault> {
    Selector::parse(query).map_err(|error| Fault::new(FaultKind::Invalid, chain(&error)))
}

/// What a query means of a page that is there already, looked at once.
pub(crate) fn recorded(
    shown: &str,
    reply: &Reply,
    query: &str,
    at: Timestamp,
) -> Result<Vec<Series>, Fault> {
    let selector = selector(query)?;
    let alone = |seen| native::series(&[seen], &selector);
    let (series, _) = told(&form::page(shown, reply)?, &selector, at, alone)?;
    Ok(series)
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
        let selector = selector(&asked.text)?;
        let Some(endpoint) = self.endpoint(Some(asked)) else {
            return Ok(Validation::default());
        };
        let (at, page) = (self.remote.clock().now(), self.page(cx, &endpoint).await?);
        let alone = |seen| native::series(&[seen], &selector);
        let (series, warnings) = told(&page, &selector, at, alone)?;
        Ok(Validation {
            series: Some(series.len() as u64),
            warnings,
        })
    }

    /// A page has no history: whatever the window, the answer is what it says now.
    async fn query(&self, cx: &OpContext, asked: &Asked, _window: Window) -> Result<Answer, Fault> {
        self.sample(cx, asked).await
    }

    fn sampling(&self) -> Option<Sampling> {
        let every = self.looks.every();
        Some(Sampling { every })
    }

    async fn sample(&self, cx: &OpContext, asked: &Asked) -> Result<Answer, Fault> {
        let selector = selector(&asked.text)?;
        let Some(endpoint) = self.endpoint(Some(asked)) else {
            let message = "the address of the page is only known while the target runs";
            return Err(Fault::new(FaultKind::Invalid, message));
        };
        let clock = self.remote.clock();
        let page = self.page(cx, &endpoint);
        let look = self.looks.share(cx, clock, &endpoint, &asked.text, page);
        let look = look.await?;
        let mut past = self.past.lock().await;
        let since = |seen| past.add(cx, &endpoint, &asked.text, &selector, seen);
        let (series, warnings) = told(&look.seen, &selector, look.at, since)?;
        Ok(Answer {
            series,
            window: Window {
                start: look.at,
                end: look.at,
            },
            warnings,
            tries: cx.attempt,
            step: None,
            // Nothing else is a page.
            status: Some(200),
        })
    }
}
