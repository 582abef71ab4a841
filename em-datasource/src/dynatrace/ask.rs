//! Questions: slots of a window, one number of it, and whether the token is good.

use std::collections::BTreeSet;
use std::time::Duration;

use em_core::fault::{Fault, FaultKind};
use em_core::observe::Window;
use em_core::plan::MetricKind;
use em_core::port::{Answer, Asked, Labels, OpContext, Point, Series};
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::decode::{self, Page, Read};
use super::judge::{self, malformed};
use super::{DynatraceDatasource, resolution};
use crate::remote::{Content, Question, Reply};

/// More pages are not one metric any more.
const MOST_PAGES: u32 = 20;

/// All pages of an answer.
#[derive(Debug, Default)]
pub(super) struct Found {
    series: Vec<Read>,
    seen: BTreeSet<Labels>,
    resolution: Option<String>,
    warnings: Vec<String>,
    status: Option<u16>,
}

/// Some metrics; which ones does not matter.
#[derive(Deserialize)]
struct Metrics {
    #[serde(rename = "metrics")]
    _metrics: Vec<IgnoredAny>,
}

impl DynatraceDatasource {
    /// Slots as long as they are asked for, or as the server likes better.
    pub(super) async fn slots(
        &self,
        cx: &OpContext,
        asked: &Asked,
        window: Window,
    ) -> Result<Answer, Fault> {
        let step = resolution::asked(window, self.every);
        let resolution = resolution::spelled(step);
        let found = self.found(cx, &asked.text, window, &resolution).await?;
        let width = found.width(step);
        let mut warnings = found.warnings.clone();
        warnings.extend(about_width(width, step));
        Ok(Answer {
            status: found.status,
            series: found.in_slots(width, asked.kind, window),
            window,
            warnings,
            tries: cx.attempt,
            step: Some(width),
        })
    }

    /// One number per series of the whole minutes of the window: slots that it cuts would count in
    /// full.
    pub(super) async fn whole(
        &self,
        cx: &OpContext,
        selector: &str,
        window: Window,
    ) -> Result<Answer, Fault> {
        let Some(whole) = resolution::whole_minutes(window) else {
            let message = format!("{window} holds no whole minute, and Dynatrace knows no less");
            return Err(Fault::new(FaultKind::Invalid, message));
        };
        let found = self.found(cx, selector, whole, "Inf").await?;
        Ok(Answer {
            window: whole,
            warnings: found.warnings.clone(),
            tries: cx.attempt,
            step: None,
            status: found.status,
            series: found.into_one(self.remote.shown(), whole.end)?,
        })
    }

    /// Whether the token may read metrics; the server's clock minus ours, where it tells.
    pub(super) async fn look_around(&self, cx: &OpContext) -> Result<Option<i64>, Fault> {
        let before = self.now();
        let pairs = [("pageSize", "1".to_owned())];
        self.hear(cx, "/api/v2/metrics", &pairs, |reply| {
            let _: Metrics = judge::read(self.remote.shown(), reply, self.now())?;
            Ok(reply.skew(before, self.now()))
        })
        .await
    }

    /// All pages about a window.
    async fn found(
        &self,
        cx: &OpContext,
        selector: &str,
        window: Window,
        resolution: &str,
    ) -> Result<Found, Fault> {
        // A slot in which the end lies counts: at its very end there is one more.
        let end = window.end.as_millisecond().saturating_sub(1);
        let mut pairs = vec![
            ("metricSelector", selector.to_owned()),
            ("from", window.start.as_millisecond().to_string()),
            ("to", end.max(window.start.as_millisecond()).to_string()),
            ("resolution", resolution.to_owned()),
        ];
        let mut found = Found::default();
        for _ in 0..MOST_PAGES {
            let next = self
                .hear(cx, "/api/v2/metrics/query", &pairs, |reply| {
                    found.status = Some(reply.status.as_u16());
                    let page = judge::read(self.remote.shown(), reply, self.now())?;
                    found.add(page, self.remote.shown())
                })
                .await?;
            match next {
                Some(key) => pairs = vec![("nextPageKey", key)],
                None => return Ok(found),
            }
        }
        let message = format!("the answer has more than {MOST_PAGES} pages: narrow the query down");
        Err(Fault::new(FaultKind::Invalid, message))
    }

    async fn hear<T>(
        &self,
        cx: &OpContext,
        path: &str,
        pairs: &[(&str, String)],
        read: impl FnOnce(&Reply) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let token = self.token.resolve()?;
        let question = Question {
            path,
            content: Content::Query(pairs),
            headers: &[("authorization", format!("Api-Token {}", token.expose()))],
        };
        let reply = self.remote.put(cx, &question).await?;
        read(&reply)
    }
}

impl Found {
    /// How long its slots are, where so long ones were asked for.
    pub(super) fn width(&self, asked: Duration) -> Duration {
        decode::width(self.resolution.as_deref(), &self.series, asked)
    }

    /// What a metric of this kind sees of the slots of a window.
    pub(super) fn in_slots(self, width: Duration, kind: MetricKind, window: Window) -> Vec<Series> {
        let series = self.series.into_iter();
        let series = series.map(|one| one.into_buckets(width).into_series(kind, window));
        series.filter(|one| !one.points.is_empty()).collect()
    }

    /// The one number of each series, at this instant.
    pub(super) fn into_one(self, server: &str, at: Timestamp) -> Result<Vec<Series>, Fault> {
        let mut series = Vec::new();
        for one in self.series {
            let mut values = one.values.into_iter().flatten();
            let value = values.next();
            if values.next().is_some() {
                return Err(malformed(server, "several values, and one was asked for"));
            }
            series.extend(value.map(|value| Series {
                labels: one.labels,
                points: vec![Point { at, value }],
            }));
        }
        Ok(series)
    }

    /// Adds a page; how the answer goes on.
    pub(super) fn add(&mut self, page: Page, server: &str) -> Result<Option<String>, Fault> {
        let next = page.next().map(str::to_owned);
        for warning in page.warnings() {
            if !self.warnings.contains(&warning) {
                self.warnings.push(warning);
            }
        }
        self.resolution = self.resolution.take().or_else(|| page.resolution.clone());
        for one in page.series(server)? {
            if !self.seen.insert(one.labels.clone()) {
                let what = format!("{:?} twice", one.labels);
                return Err(malformed(server, &what));
            }
            self.series.push(one);
        }
        Ok(next)
    }
}

fn about_width(real: Duration, asked: Duration) -> Option<String> {
    (real != asked)
        .then(|| format!("one value per {real:?} was answered, not one per {asked:?} as asked"))
}
