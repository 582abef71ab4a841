//! Wire formats on their own: from the body of a successful answer to series, without a server.
//!
//! For recorded answers, for measuring the decoders, and for feeding them what nobody would send.
//! Whatever the bytes, an answer is series that can be told apart, each in order of time, or a
//! fault. All are read and judged as those that were just asked for.
//!
//! # Errors
//! `Malformed` where a body is no such answer; `Invalid` where it says that the question was wrong,
//! or answers something else than one metric; other kinds where the server says so in it.

use em_core::fault::Fault;
use em_core::observe::Window;
use em_core::plan::MetricKind;
use em_core::port::Series;
use em_core::read::json_path::JsonShape;
use jiff::Timestamp;
use reqwest::StatusCode;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};

use crate::influxdb::Statement;
use crate::remote::Reply;
use crate::{
    cloudwatch, datadog, dynatrace, graphite, influxdb, instana, json, newrelic, prometheus, scrape,
};

/// Who is named in messages about an answer that nobody sent.
const NOBODY: &str = "the recorded answer";

/// An answer of Prometheus' query API, of any result type. Points lie where it says.
pub fn prometheus(body: Vec<u8>) -> Result<Vec<Series>, Fault> {
    Ok(prometheus::judge(NOBODY, &reply(body), false)?.series)
}

/// An answer over time of Datadog's API v1 (`/api/v1/query`): its whole buckets of the window.
pub fn datadog_v1(body: Vec<u8>, kind: MetricKind, window: Window) -> Result<Vec<Series>, Fault> {
    datadog::recorded::v1(NOBODY, &reply(body), kind, window)
}

/// An answer over time of Datadog's API v2 (`/api/v2/query/timeseries`): its whole buckets of the
/// window.
pub fn datadog_timeseries(
    body: Vec<u8>,
    kind: MetricKind,
    window: Window,
) -> Result<Vec<Series>, Fault> {
    datadog::recorded::timeseries(NOBODY, &reply(body), kind, window)
}

/// Numbers of a whole window by Datadog's API v2 (`/api/v2/query/scalar`), at its end.
pub fn datadog_scalar(body: Vec<u8>, window: Window) -> Result<Vec<Series>, Fault> {
    datadog::recorded::scalar(NOBODY, &reply(body), window)
}

/// The first page of Instana's answer to a query, which says which shape it has.
pub fn instana(
    body: Vec<u8>,
    query: &str,
    kind: MetricKind,
    window: Window,
) -> Result<Vec<Series>, Fault> {
    instana::recorded::page(NOBODY, &reply(body), query, kind, window)
}

/// An answer of `/query` to a statement of `InfluxQL`: what of it lies in the window.
pub fn influxdb(
    body: Vec<u8>,
    query: &str,
    kind: MetricKind,
    window: Window,
) -> Result<Vec<Series>, Fault> {
    let statement = Statement::parse(query)?;
    Ok(influxdb::seen(NOBODY, &reply(body), statement, kind, window)?.series)
}

/// An answer of Graphite's `/render`: what of it lies in the window.
pub fn graphite(body: Vec<u8>, window: Window) -> Result<Vec<Series>, Fault> {
    Ok(graphite::judge(NOBODY, &reply(body), window)?.series)
}

/// The first page of an answer of Dynatrace's Metrics API v2: slots, or one number of a whole window.
pub fn dynatrace(body: Vec<u8>, kind: MetricKind, window: Window) -> Result<Vec<Series>, Fault> {
    dynatrace::recorded::page(NOBODY, &reply(body), kind, window)
}

/// An answer of New Relic's `NerdGraph` to NRQL: buckets, or one number of a whole window.
pub fn newrelic(body: Vec<u8>, kind: MetricKind, window: Window) -> Result<Vec<Series>, Fault> {
    newrelic::recorded::answer(NOBODY, &reply(body), kind, window)
}

/// The first page of an answer of `CloudWatch`'s `GetMetricData`: periods of the window.
pub fn cloudwatch(body: Vec<u8>, kind: MetricKind, window: Window) -> Result<Vec<Series>, Fault> {
    cloudwatch::recorded::page(NOBODY, &reply(body), kind, window)
}

/// A JSON document: of one with times what lies in the window, of another what it says at its end.
pub fn json(body: Vec<u8>, shape: &JsonShape, window: Window) -> Result<Vec<Series>, Fault> {
    json::recorded(NOBODY, reply(body), shape, window)
}

/// A page of metrics as length-delimited protobuf, looked at once: what a query
/// (`name{label="value"}`) means of it. Points are at the times of the page, else at `at`.
pub fn protobuf_page(body: Vec<u8>, query: &str, at: Timestamp) -> Result<Vec<Series>, Fault> {
    let mut reply = reply(body);
    let media_type = HeaderValue::from_static(scrape::PROTOBUF);
    reply.headers.insert(CONTENT_TYPE, media_type);
    scrape::recorded(NOBODY, &reply, query, at)
}

fn reply(body: Vec<u8>) -> Reply {
    Reply {
        status: StatusCode::OK,
        headers: HeaderMap::new(),
        body,
    }
}
