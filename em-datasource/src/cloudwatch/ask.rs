//! Questions, page by page.

use std::time::Duration;

use em_core::fault::{Fault, FaultKind};
use em_core::observe::Window;
use em_core::plan::MetricKind;
use em_core::port::{Answer, OpContext};

use super::decode::{Found, Page};
use super::query::Query;
use super::{CloudWatchDatasource, judge, period};
use crate::remote::{Content, Question};

/// More pages are not one metric any more.
const MOST_PAGES: u32 = 50;
/// The action, as the JSON protocol names it.
const TARGET: &str = "GraniteServiceVersion20100801.GetMetricData";
const JSON: &str = "application/x-amz-json-1.0";

impl CloudWatchDatasource {
    /// One value per period and series.
    pub(super) async fn periods(
        &self,
        cx: &OpContext,
        query: &Query,
        kind: MetricKind,
        window: Window,
    ) -> Result<Answer, Fault> {
        let width = Duration::from_secs(self.period(query, window));
        let mut found = self.found(cx, query, window).await?;
        Ok(Answer {
            series: found.in_periods(self.remote.shown(), width, kind, window)?,
            window,
            warnings: found.warnings,
            tries: cx.attempt,
            step: Some(width),
            status: found.status,
        })
    }

    /// All pages about a window.
    pub(super) async fn found(
        &self,
        cx: &OpContext,
        query: &Query,
        window: Window,
    ) -> Result<Found, Fault> {
        let server = self.remote.shown();
        let period = self.period(query, window);
        let (mut found, mut next) = (Found::default(), None);
        for _ in 0..MOST_PAGES {
            let text = query.body(window, period, next.as_deref())?;
            let content = Content::Text {
                kind: JSON,
                text: &text,
            };
            let question = Question {
                path: "/",
                content,
                headers: &[("x-amz-target", TARGET.to_owned())],
            };
            let before = self.now();
            let reply = self.remote.put(cx, &question).await?;
            let page: Page = judge::read(server, &reply)?;
            found.status = Some(reply.status.as_u16());
            found.skew = reply.skew(before, self.now());
            next = found.add(server, page)?;
            if next.is_none() {
                return Ok(found);
            }
        }
        let message = format!("the answer has more than {MOST_PAGES} pages: narrow the query down");
        Err(Fault::new(FaultKind::Invalid, message))
    }

    fn period(&self, query: &Query, window: Window) -> u64 {
        query
            .period
            .unwrap_or_else(|| period::of(window, self.every, self.now()))
    }
}
