//! Answers that are there already, read as those that were just asked for.

use em_core::fault::Fault;
use em_core::observe::Window;
use em_core::plan::MetricKind;
use em_core::port::Series;

use super::ask::Found;
use super::{judge, resolution};
use crate::remote::Reply;

/// What a metric sees of the first page of an answer.
pub(crate) fn page(
    server: &str,
    reply: &Reply,
    kind: MetricKind,
    window: Window,
) -> Result<Vec<Series>, Fault> {
    let page = judge::read(server, reply, window.end)?;
    let mut found = Found::default();
    found.add(page, server)?;
    if kind == MetricKind::Value {
        return found.into_one(server, window.end);
    }
    let width = found.width(resolution::asked(window, None));
    Ok(found.in_slots(width, kind, window))
}
