//! Answers that are there already, read as those that were just asked for.

use em_core::fault::{Fault, FaultKind};
use em_core::observe::Window;
use em_core::plan::MetricKind;
use em_core::port::Series;

use super::ask::{Found, next};
use super::inquiry::Inquiry;
use super::judge::Judge;
use super::spacing::Cut;
use super::{Asking, answer};
use crate::remote::Reply;

/// What a metric sees of the first page that answers a query.
pub(crate) fn page(
    server: &str,
    reply: &Reply,
    query: &str,
    kind: MetricKind,
    window: Window,
) -> Result<Vec<Series>, Fault> {
    let malformed = |why: String| Fault::new(FaultKind::Malformed, format!("{server} {why}"));
    let inquiry = Inquiry::parse(query, kind)?;
    let cut = Cut::of(&inquiry, kind, window, window.end)?;
    let Some(frame) = cut.frame(window) else {
        return Ok(Vec::new());
    };
    let judge = Judge {
        server,
        now: window.end,
    };
    let page = judge.page(reply)?;
    let mut found = Found::default();
    next(&page, &inquiry, 1).map_err(malformed)?;
    found.add(page, &inquiry).map_err(malformed)?;
    let asking = Asking { window, frame, cut };
    let answer = answer::of(found, kind, &asking, 1);
    Ok(answer.map_err(malformed)?.series)
}
