//! What must hold for whatever a server answers: the fuzz targets run it on what they invent, a test
//! of em-datasource on the seeds.

#![allow(
    dead_code,
    reason = "each fuzz target uses one of these, the test all of them"
)]

use std::collections::{BTreeMap, BTreeSet};

use em_core::fault::Fault;
use em_core::observe::Window;
use em_core::plan::MetricKind;
use em_core::port::Series;
use em_core::read::TimeFormat;
use em_core::read::json_path::{JsonPath, JsonShape};
use em_datasource::wire;
use jiff::Timestamp;

/// Every kind that is read from a server's series.
const KINDS: [MetricKind; 4] = [
    MetricKind::Gauge,
    MetricKind::Counter,
    MetricKind::Value,
    MetricKind::Histogram,
];

/// Ten minutes that begin with a minute: what every question is about.
fn window() -> Window {
    let at = |second| Timestamp::from_second(second).expect("it is a time");
    Window {
        start: at(1_700_000_040),
        end: at(1_700_000_640),
    }
}

/// Series that can be told apart, each in order of time; or a word on why there are none.
fn orderly(answer: Result<Vec<Series>, Fault>) -> Vec<Series> {
    let series = match answer {
        Ok(series) => series,
        Err(fault) => {
            assert!(!fault.message.is_empty() && !fault.chain().is_empty());
            return Vec::new();
        }
    };
    let mut seen = BTreeSet::new();
    for one in &series {
        assert!(seen.insert(&one.labels), "{:?} is there twice", one.labels);
        let is_in_order = one.points.is_sorted_by(|point, next| point.at < next.at);
        assert!(is_in_order, "{:?}: {:?}", one.labels, one.points);
    }
    series
}

/// The same, and nothing lies outside the window, which both ends belong to.
fn inside(answer: Result<Vec<Series>, Fault>) {
    let window = window();
    for one in orderly(answer) {
        for point in &one.points {
            let is_inside = window.start <= point.at && point.at <= window.end;
            assert!(is_inside, "{:?} at {}", one.labels, point.at);
        }
    }
}

/// The query API of Prometheus.
pub(crate) fn prometheus(bytes: &[u8]) {
    orderly(wire::prometheus(bytes.to_vec()));
}

/// All interfaces of Datadog.
pub(crate) fn datadog(bytes: &[u8]) {
    for kind in KINDS {
        inside(wire::datadog_v1(bytes.to_vec(), kind, window()));
        inside(wire::datadog_timeseries(bytes.to_vec(), kind, window()));
    }
    inside(wire::datadog_scalar(bytes.to_vec(), window()));
}

/// All endpoints of Instana, in buckets and as one aggregate.
pub(crate) fn instana(bytes: &[u8]) {
    let queries = [
        r#"{"plugin": "host", "query": "*", "metrics": ["cpu.user"]}"#,
        r#"{"plugin": "host", "query": "*", "metrics": ["cpu.user"], "rollup": 60}"#,
        r#"{"type": "pod", "metrics": [{"metric": "cpu.used", "aggregation": "SUM"}]}"#,
        r#"{"of": "services", "metrics": [{"metric": "calls", "aggregation": "SUM", "granularity": 60}]}"#,
        r#"{"of": "services", "metrics": [{"metric": "calls", "aggregation": "SUM"}]}"#,
        r#"{"metrics": [{"metric": "latency", "aggregation": "P95"}]}"#,
    ];
    for query in queries {
        for kind in KINDS {
            inside(wire::instana(bytes.to_vec(), query, kind, window()));
        }
    }
}

/// Statements with and without buckets.
pub(crate) fn influxdb(bytes: &[u8]) {
    let queries = [
        "SELECT used FROM mem WHERE time >= 1700000040000ms GROUP BY host",
        "SELECT mean(used) FROM mem WHERE time >= 1700000040000ms GROUP BY time(10s), host",
        "SELECT mean(used) FROM mem",
    ];
    for query in queries {
        for kind in KINDS {
            inside(wire::influxdb(bytes.to_vec(), query, kind, window()));
        }
    }
}

/// Graphite's rendering.
pub(crate) fn graphite(bytes: &[u8]) {
    inside(wire::graphite(bytes.to_vec(), window()));
}

/// Slots of Dynatrace, and its numbers of a whole window.
pub(crate) fn dynatrace(bytes: &[u8]) {
    for kind in KINDS {
        inside(wire::dynatrace(bytes.to_vec(), kind, window()));
    }
}

/// Buckets of New Relic, and its numbers of a whole window.
pub(crate) fn newrelic(bytes: &[u8]) {
    for kind in KINDS {
        inside(wire::newrelic(bytes.to_vec(), kind, window()));
    }
}

/// Periods of `CloudWatch`.
pub(crate) fn cloudwatch(bytes: &[u8]) {
    for kind in KINDS {
        inside(wire::cloudwatch(bytes.to_vec(), kind, window()));
    }
}

/// Documents with and without times.
pub(crate) fn json(bytes: &[u8]) {
    let path = |text: &str| text.parse::<JsonPath>().expect("it is a path");
    let labels = BTreeMap::from([("pod".to_owned(), path("$.points[*].pod"))]);
    let formats = [
        TimeFormat::Seconds,
        TimeFormat::Milliseconds,
        TimeFormat::Rfc3339,
    ];
    let times = formats.map(|format| Some((path("$.points[*].at"), format)));
    for at in times.into_iter().chain([None]) {
        let shape = JsonShape {
            name: "$.points[*].value".to_owned(),
            value: path("$.points[*].value"),
            at,
            labels: labels.clone(),
        };
        inside(wire::json(bytes.to_vec(), &shape, window()));
    }
}

/// Pages in protobuf. They tell times of their own.
pub(crate) fn protobuf(bytes: &[u8]) {
    for query in ["m", "m_bucket", r#"m_bucket{le="1"}"#, r#"m{pod=~"a.*"}"#] {
        orderly(wire::protobuf_page(bytes.to_vec(), query, window().end));
    }
}
