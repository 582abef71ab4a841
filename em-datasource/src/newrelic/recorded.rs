//! Answers that are there already, read as those that were just asked for.

use em_core::fault::Fault;
use em_core::observe::Window;
use em_core::plan::MetricKind;
use em_core::port::Series;

use super::decode::{self, Data};
use super::{judge, statement};
use crate::remote::Reply;

/// What a metric sees of an answer.
pub(crate) fn answer(
    server: &str,
    reply: &Reply,
    kind: MetricKind,
    window: Window,
) -> Result<Vec<Series>, Fault> {
    let data: Data = judge::read(server, reply)?;
    let (rows, _) = data.results(server)?.read(server)?;
    if kind == MetricKind::Value {
        return Ok(decode::at(window.end, decode::numbers(rows)?));
    }
    let groups = decode::grouped(server, &rows)?;
    let width = decode::width(&groups, statement::bucket(window, None));
    Ok(decode::in_buckets(groups, width, kind, window))
}
