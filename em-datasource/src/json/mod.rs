//! Datasource `json`: numbers in JSON documents, found by path.
//!
//! A document that tells the times of its values has history: it is asked for once per window. One
//! that tells no times is about now, and is looked at again and again.

mod document;
mod series;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use em_core::fault::{Fault, FaultKind};
use em_core::observe::Window;
use em_core::plan::{DatasourceSpec, JsonSpec, QueryMethod};
use em_core::port::{
    Answer, Asked, Clock, Datasource, Health, OpContext, Sampling, Series, Validation,
};
use em_core::read::ReadSample;
use em_core::read::json_path::{JsonPath, JsonShape};
use em_core::template::Template;
use jiff::Timestamp;

use self::document::Document;
use self::series::{gathered, of_now, told};
use crate::look::Looks;
use crate::remote::{Content, HostPolicy, Place, Remote, Reply, Visit, without_secrets};

/// Time between two looks where the file says nothing.
const USUAL_PERIOD: Duration = Duration::from_secs(1);
/// The longest time for one document, whatever the deadline.
const LONGEST: Duration = Duration::from_mins(1);
/// A larger document is refused.
const LARGEST: usize = 64 << 20;

/// JSON documents over HTTP.
///
/// The query of a metric is the JSON path of its values, `$.pods[*].latency.p99`.
#[derive(Debug)]
pub struct JsonDatasource {
    remote: Remote,
    spec: JsonSpec,
    looks: Looks<Document>,
}

/// One document to ask for.
struct Wanted<'a> {
    url: &'a str,
    body: Option<&'a str>,
}

impl JsonDatasource {
    /// The document that `spec` names, reached as `source` says.
    pub fn new(clock: Arc<dyn Clock>, spec: &JsonSpec, source: &DatasourceSpec) -> Self {
        Self {
            remote: Remote::new(clock, &without_secrets(spec.url.text()), source),
            spec: spec.clone(),
            looks: Looks::new(source.every.unwrap_or(USUAL_PERIOD)),
        }
    }

    /// The same, where only some hosts may be asked.
    #[must_use]
    pub fn with_hosts(self, hosts: HostPolicy) -> Self {
        let remote = self.remote.with_hosts(hosts);
        Self { remote, ..self }
    }

    fn now(&self) -> Timestamp {
        self.remote.clock().now()
    }

    /// The document as it is asked for; none where that is only known while the target runs.
    fn wanted<'a>(&'a self, asked: Option<&'a Asked>) -> Option<Wanted<'a>> {
        if let Some(asked) = asked
            && let Some(url) = &asked.endpoint
        {
            let body = asked.body.as_deref();
            return Some(Wanted { url, body });
        }
        let body = self.spec.body.as_ref();
        let is_known = self.spec.url.is_constant() && body.is_none_or(Template::is_constant);
        is_known.then(|| Wanted {
            url: self.spec.url.text(),
            body: body.map(Template::text),
        })
    }

    fn wanted_now<'a>(&'a self, asked: &'a Asked) -> Result<Wanted<'a>, Fault> {
        self.wanted(Some(asked)).ok_or_else(|| {
            let message = "the address of the document is only known while the target runs";
            Fault::new(FaultKind::Invalid, message)
        })
    }

    async fn document(&self, cx: &OpContext, wanted: &Wanted<'_>) -> Result<Document, Fault> {
        let place = Place::parse(wanted.url)?;
        let content = match (self.spec.method, wanted.body) {
            (QueryMethod::Get, _) => Content::Query(&[]),
            (QueryMethod::Post, Some(text)) => Content::Json(text),
            (QueryMethod::Post, None) => Content::Nothing,
        };
        let visit = Visit {
            place: &place,
            content,
            accept: "application/json",
            // The document may be anybody's, and says nothing of where the target is.
            address: None,
            longest: LONGEST,
            largest: LARGEST,
        };
        let reply = self.remote.visit(cx, &visit).await?;
        Document::of(place.shown(), reply)
    }

    /// What is to be read for a query.
    fn shape(&self, query: &str) -> Result<JsonShape, Fault> {
        let path = |text: &str| {
            let path = text.parse::<JsonPath>();
            path.map_err(|error| Fault::new(FaultKind::Invalid, error.to_string()))
        };
        let at = self.spec.time.as_ref();
        let at = at.map(|time| Ok::<_, Fault>((path(&time.path)?, time.format)));
        let labels = self.spec.labels.iter();
        let labels = labels.map(|(name, text)| Ok((name.clone(), path(text)?)));
        Ok(JsonShape {
            name: query.to_owned(),
            value: path(query)?,
            at: at.transpose()?,
            labels: labels.collect::<Result<_, Fault>>()?,
        })
    }
}

/// What a metric sees of a document: of one with times what lies in the window, of another what it
/// says at its end.
pub(crate) fn recorded(
    server: &str,
    reply: Reply,
    shape: &JsonShape,
    window: Window,
) -> Result<Vec<Series>, Fault> {
    let samples = Document::of(server, reply)?.read(shape)?;
    Ok(within(window, stamped(samples, shape, window.end)?))
}

/// The series of all that was read, stamped as it should be.
fn stamped(samples: Vec<ReadSample>, shape: &JsonShape, now: Timestamp) -> series::Gathered {
    if shape.at.is_some() {
        gathered(samples, &shape.name, told)
    } else {
        gathered(samples, &shape.name, of_now(now))
    }
}

/// What of the series lies in the window.
fn within(window: Window, mut series: Vec<Series>) -> Vec<Series> {
    for one in &mut series {
        one.points.retain(|point| window.reaches(point.at));
    }
    series.retain(|one| !one.points.is_empty());
    series
}

#[async_trait]
impl Datasource for JsonDatasource {
    /// Asks for the document where nothing in it depends on the iteration.
    async fn probe(&self, cx: &OpContext) -> Result<Health, Fault> {
        if let Some(wanted) = self.wanted(None) {
            self.document(cx, &wanted).await?.check()?;
        }
        Ok(Health::default())
    }

    async fn validate(&self, cx: &OpContext, asked: &Asked) -> Result<Validation, Fault> {
        let shape = self.shape(&asked.text)?;
        let Some(wanted) = self.wanted(Some(asked)) else {
            return Ok(Validation::default());
        };
        let (now, document) = (self.now(), self.document(cx, &wanted).await?);
        let series = stamped(document.read(&shape)?, &shape, now)?;
        let warnings = series.is_empty().then(|| document.nothing(&asked.text));
        Ok(Validation {
            series: Some(series.len() as u64),
            warnings: warnings.into_iter().collect(),
        })
    }

    async fn query(&self, cx: &OpContext, asked: &Asked, window: Window) -> Result<Answer, Fault> {
        if self.spec.time.is_none() {
            // Whatever the window, the answer is what the document says now.
            return self.sample(cx, asked).await;
        }
        let shape = self.shape(&asked.text)?;
        let wanted = self.wanted_now(asked)?;
        let document = self.document(cx, &wanted).await?;
        let (samples, nothing) = (document.read(&shape)?, || document.nothing(&asked.text));
        let warnings = samples.is_empty().then(nothing);
        let series = within(window, gathered(samples, &asked.text, told)?);
        Ok(Answer {
            series,
            window,
            warnings: warnings.into_iter().collect(),
            tries: cx.attempt,
            step: None,
            status: Some(document.status()),
        })
    }

    fn sampling(&self) -> Option<Sampling> {
        let every = self.looks.every();
        self.spec.time.is_none().then_some(Sampling { every })
    }

    async fn sample(&self, cx: &OpContext, asked: &Asked) -> Result<Answer, Fault> {
        let shape = self.shape(&asked.text)?;
        let wanted = self.wanted_now(asked)?;
        let key = format!("{} {}", wanted.url, wanted.body.unwrap_or_default());
        let document = self.document(cx, &wanted);
        let clock = self.remote.clock();
        let look = self.looks.share(cx, clock, &key, &asked.text, document);
        let look = look.await?;
        let samples = look.seen.read(&shape)?;
        let series = stamped(samples, &shape, look.at)?;
        let warnings = series.is_empty().then(|| look.seen.nothing(&asked.text));
        Ok(Answer {
            series,
            window: Window {
                start: look.at,
                end: look.at,
            },
            warnings: warnings.into_iter().collect(),
            tries: cx.attempt,
            step: None,
            status: Some(look.seen.status()),
        })
    }
}
