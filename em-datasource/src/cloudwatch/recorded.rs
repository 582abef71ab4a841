//! Answers that are there already, read as those that were just asked for.

use std::time::Duration;

use em_core::fault::Fault;
use em_core::observe::Window;
use em_core::plan::MetricKind;
use em_core::port::Series;

use super::decode::{Found, Page};
use super::{judge, period};
use crate::remote::Reply;

/// What a metric sees of the first page of an answer.
pub(crate) fn page(
    server: &str,
    reply: &Reply,
    kind: MetricKind,
    window: Window,
) -> Result<Vec<Series>, Fault> {
    let page: Page = judge::read(server, reply)?;
    let mut found = Found::default();
    found.add(server, page)?;
    let width = Duration::from_secs(period::of(window, None, window.end));
    found.in_periods(server, width, kind, window)
}
