//! Answers that are there already, read as those that were just asked for.

use em_core::fault::Fault;
use em_core::observe::Window;
use em_core::plan::MetricKind;
use em_core::port::Series;

use super::graph::Graph;
use super::{judge, scalar, step, timeseries, v1};
use crate::remote::Reply;

/// What a metric sees of an answer over time of API v1.
pub(crate) fn v1(
    server: &str,
    reply: &Reply,
    kind: MetricKind,
    window: Window,
) -> Result<Vec<Series>, Fault> {
    judge::accepted(server, reply)?;
    let found = v1::read(server, reply, step::asked(window, None))?;
    Ok(Graph::of(server, found, kind, window)?.series)
}

/// What a metric sees of an answer over time of API v2.
pub(crate) fn timeseries(
    server: &str,
    reply: &Reply,
    kind: MetricKind,
    window: Window,
) -> Result<Vec<Series>, Fault> {
    judge::accepted(server, reply)?;
    let found = timeseries::read(server, reply, step::asked(window, None))?;
    Ok(Graph::of(server, found, kind, window)?.series)
}

/// The numbers of a whole window.
pub(crate) fn scalar(server: &str, reply: &Reply, window: Window) -> Result<Vec<Series>, Fault> {
    judge::accepted(server, reply)?;
    scalar::read(server, reply, window.end)
}
