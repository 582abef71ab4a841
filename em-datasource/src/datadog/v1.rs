//! Answers of API v1: one list of points per series.

use std::time::Duration;

use em_core::fault::{Fault, FaultKind};
use em_core::port::Point;
use serde::Deserialize;

use super::judge::{self, malformed};
use super::{step, tags};
use crate::bucketed::Buckets;
use crate::remote::Reply;

#[derive(Deserialize)]
struct Whole {
    series: Vec<One>,
}

#[derive(Deserialize)]
struct One {
    #[serde(default)]
    tag_set: Option<Vec<String>>,
    #[serde(default)]
    query_index: Option<i64>,
    /// Seconds.
    #[serde(default)]
    interval: Option<f64>,
    pointlist: Vec<(f64, Option<f64>)>,
}

/// The series of an answer. A server that does not tell how long buckets are keeps them `usual`.
pub(super) fn read(server: &str, reply: &Reply, usual: Duration) -> Result<Vec<Buckets>, Fault> {
    let whole: Whole = judge::read(server, reply)?;
    let first = whole.series.first().and_then(|one| one.query_index);
    if whole.series.iter().any(|one| one.query_index != first) {
        let message = "the query asks for several metrics, and a metric of ours is one: write one query without commas between";
        return Err(Fault::new(FaultKind::Invalid, message));
    }
    let series = whole.series.into_iter();
    series.map(|one| one.into_buckets(server, usual)).collect()
}

impl One {
    fn into_buckets(self, server: &str, usual: Duration) -> Result<Buckets, Fault> {
        let labels = tags::labels(&self.tag_set.unwrap_or_default());
        let mut times = Vec::with_capacity(self.pointlist.len());
        let mut points = Vec::with_capacity(self.pointlist.len());
        for (milliseconds, value) in self.pointlist {
            let at = tags::instant(milliseconds)
                .ok_or_else(|| malformed(server, &format!("the time {milliseconds}")))?;
            times.push(at);
            points.extend(value.map(|value| Point { at, value }));
        }
        let told = self.interval.filter(|seconds| *seconds > 0.0);
        let told = told.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        // What rounds to nothing is no length either.
        let told = told.filter(|told| !told.is_zero());
        let width = step::real(&times, told.unwrap_or(usual));
        Ok(Buckets {
            labels,
            points,
            width,
        })
    }
}

#[cfg(test)]
mod tests {
    use reqwest::StatusCode;
    use reqwest::header::HeaderMap;

    use super::*;

    fn found(body: &str) -> Result<Vec<Buckets>, Fault> {
        let reply = Reply {
            status: StatusCode::OK,
            headers: HeaderMap::new(),
            body: body.as_bytes().to_vec(),
        };
        read("h", &reply, Duration::from_secs(20))
    }

    fn width(series: &str) -> u64 {
        let found = found(&format!(r#"{{"series": [{series}]}}"#)).unwrap();
        found[0].width.as_secs()
    }

    #[test]
    fn an_interval_is_seconds_where_the_points_do_not_say_otherwise() {
        assert_eq!(
            width(r#"{"interval": 300, "pointlist": [[300000, 1]]}"#),
            300
        );
        assert_eq!(
            width(r#"{"interval": null, "pointlist": [[300000, 1]]}"#),
            20
        );
        assert_eq!(width(r#"{"pointlist": []}"#), 20);
        let in_milliseconds = r#"{"interval": 10000, "pointlist": [[10000, 1], [20000.0, 2]]}"#;
        assert_eq!(width(in_milliseconds), 10);
        // Buckets that hold nothing are told, too, and say how long they are.
        let nulls = r#"{"pointlist": [[0, 1], [60000, null], [120000, 2]]}"#;
        assert_eq!(width(nulls), 60);
    }

    #[test]
    fn a_null_is_no_point() {
        let body = r#"{"series": [{"tag_set": ["pod:a"], "pointlist": [[0, null], [20000, 0]]}]}"#;
        let found = found(body).unwrap();
        assert_eq!(found[0].points.len(), 1);
        assert_eq!(found[0].labels["pod"], "a");
    }

    #[test]
    fn what_has_another_shape_is_malformed() {
        for body in [
            r#"{"status": "ok"}"#,
            r#"{"series": [{}]}"#,
            r#"{"series": [{"pointlist": [[0]]}]}"#,
            r#"{"series": [{"pointlist": [[0, "1"]]}]}"#,
            r#"{"series": [{"pointlist": [[1e300, 1]]}]}"#,
        ] {
            assert_eq!(
                found(body).unwrap_err().kind,
                FaultKind::Malformed,
                "{body}"
            );
        }
        let two = r#"{"series": [{"query_index": 0, "pointlist": []}, {"query_index": 1, "pointlist": []}]}"#;
        assert_eq!(found(two).unwrap_err().kind, FaultKind::Invalid);
    }
}
