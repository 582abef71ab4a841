//! The datasource `cloudwatch` against servers that answer in the shapes of its JSON protocol.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod faults;
mod probing;

use std::sync::Arc;
use std::time::Duration;

use em_core::fault::{Fault, FaultKind};
use em_core::observe::Window;
use em_core::plan::MetricKind::{self, Counter, Gauge, Histogram};
use em_core::plan::{CloudWatchSpec, DatasourceKind, DatasourceSpec};
use em_core::port::{Answer, Clock as _, Datasource as _, SystemClock};
use em_datasource::CloudWatchDatasource;
use serde_json::{Value, json};
use tempfile::TempDir;
use wiremock::matchers::{any, body_partial_json, header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::asking::{asked, context, plain, values, window};
use crate::signed::{IsSigned, credentials};

pub(crate) const QUERY: &str = r#"{"MetricStat": {"Metric": {"Namespace": "AWS/SQS", "MetricName": "Sent", "Dimensions": [{"Name": "QueueName", "Value": "q"}]}, "Stat": "Sum"}, "Label": "sent"}"#;

/// A server, the source that asks it, and where its keys lie.
pub(crate) struct Scene {
    pub(crate) server: MockServer,
    pub(crate) source: Arc<CloudWatchDatasource>,
    pub(crate) keys: TempDir,
}

impl Scene {
    pub(crate) async fn every(every: Option<Duration>) -> Self {
        let (server, keys) = (MockServer::start().await, TempDir::new().unwrap());
        let spec = CloudWatchSpec { url: server.uri() };
        let source = DatasourceSpec {
            every,
            auth: Some(credentials(keys.path(), "monitoring")),
            ..plain(DatasourceKind::CloudWatch(spec.clone()))
        };
        let source = CloudWatchDatasource::new(Arc::new(SystemClock), &spec, &source);
        Self {
            server,
            source: Arc::new(source),
            keys,
        }
    }

    /// A server that answers everything like this.
    pub(crate) async fn answering(answer: ResponseTemplate) -> Self {
        let scene = Self::every(None).await;
        let mock = Mock::given(any()).respond_with(answer);
        mock.mount(&scene.server).await;
        scene
    }

    pub(crate) async fn query(&self, kind: MetricKind) -> Result<Answer, Fault> {
        let asked = asked(kind, QUERY);
        self.source.query(&context(), &asked, three_minutes()).await
    }
}

/// What is said about three minutes.
pub(crate) async fn told(kind: MetricKind, answer: ResponseTemplate) -> Result<Answer, Fault> {
    Scene::answering(answer).await.query(kind).await
}

/// A whole minute of today, of which values are still kept finely.
pub(crate) fn start() -> i64 {
    let now = SystemClock.now().as_second();
    now - now % 3_600 - 3_600
}

pub(crate) fn three_minutes() -> Window {
    window(start(), start() + 180)
}

pub(crate) fn ok(body: &Value) -> ResponseTemplate {
    let body = body.to_string().into_bytes();
    ResponseTemplate::new(200).set_body_raw(body, "application/x-amz-json-1.0")
}

/// A series: its label, starts of its periods in seconds after [`start`], and their values.
pub(crate) fn one(label: &str, starts: &[i64], values: &Value) -> Value {
    let starts: Vec<f64> = starts
        .iter()
        .map(|second| f64::from(i32::try_from(start() + second).unwrap()))
        .collect();
    json!({"Id": "m0", "Label": label, "Timestamps": starts, "Values": values, "StatusCode": "Complete"})
}

pub(crate) fn results(results: &Value) -> Value {
    json!({"MetricDataResults": results, "Messages": []})
}

#[tokio::test]
async fn a_signed_question_has_the_values_of_each_period() {
    let scene = Scene::every(None).await;
    let found = json!([
        one("sent", &[-60, 0, 120, 180], &json!([9, 1, 2.5, 9])),
        one("lost", &[60], &json!([4])),
    ]);
    let stat = json!({"Metric": {"Namespace": "AWS/SQS", "MetricName": "Sent"}, "Stat": "Sum", "Period": 60});
    let body = json!({"MetricDataQueries": [{"Id": "m0", "MetricStat": stat, "Label": "sent"}],
        "StartTime": start(), "EndTime": start() + 180, "ScanBy": "TimestampAscending"});
    Mock::given(method("POST"))
        .and(path("/"))
        .and(header("content-type", "application/x-amz-json-1.0"))
        .and(header(
            "x-amz-target",
            "GraniteServiceVersion20100801.GetMetricData",
        ))
        .and(body_partial_json(&body))
        .and(IsSigned {
            service: "monitoring",
        })
        .respond_with(ok(&results(&found)))
        .expect(1)
        .mount(&scene.server)
        .await;
    let answer = scene.query(Gauge).await.unwrap();
    let t = start();
    assert_eq!(
        values(&answer),
        [vec![(t + 60, 4.0)], vec![(t, 1.0), (t + 120, 2.5)]]
    );
    assert_eq!(answer.series[1].labels["label"], "sent");
    assert_eq!(answer.step, Some(Duration::from_mins(1)));
    assert_eq!((answer.status, answer.tries), (Some(200), 1));
    assert!(answer.warnings.is_empty(), "{:?}", answer.warnings);
    let questions = scene.server.received_requests().await.unwrap();
    let told = questions[0].headers["authorization"].to_str().unwrap();
    let names = "SignedHeaders=content-type;host;x-amz-date;x-amz-security-token;x-amz-target,";
    assert!(told.contains(names), "{told}");
}

#[tokio::test]
async fn counts_of_periods_are_summed_up() {
    let found = json!([one("sent", &[0, 120], &json!([5, 7]))]);
    let answer = told(Counter, ok(&results(&found))).await.unwrap();
    let t = start();
    assert_eq!(
        values(&answer),
        [[(t, 0.0), (t + 60, 5.0), (t + 180, 12.0)]]
    );
}

#[tokio::test]
async fn all_pages_are_read_and_a_part_is_complete_in_the_last() {
    let scene = Scene::every(None).await;
    let mut first = results(&json!([one("sent", &[0], &json!([1]))]));
    first["MetricDataResults"][0]["StatusCode"] = json!("PartialData");
    first["NextToken"] = json!("next");
    first["Messages"] = json!([{"Code": "Odd", "Value": "look"}]);
    let second = results(&json!([one("sent", &[60], &json!([2]))]));
    Mock::given(body_partial_json(json!({"NextToken": "next"})))
        .respond_with(ok(&second))
        .mount(&scene.server)
        .await;
    Mock::given(any())
        .respond_with(ok(&first))
        .mount(&scene.server)
        .await;
    let answer = scene.query(Gauge).await.unwrap();
    assert_eq!(values(&answer), [[(start(), 1.0), (start() + 60, 2.0)]]);
    assert_eq!(answer.warnings, ["Odd: look"]);

    let endless = told(Gauge, ok(&first)).await.unwrap_err();
    assert!(endless.message.contains("more than 50 pages"), "{endless}");
    first["NextToken"] = json!(null);
    let partial = told(Gauge, ok(&first)).await.unwrap_err();
    assert_eq!(partial.kind, FaultKind::Unavailable);
    assert!(
        partial.message.contains("only a part of \"sent\""),
        "{partial}"
    );
}

#[tokio::test]
async fn nothing_is_no_series() {
    for found in [
        json!([]),
        json!([one("sent", &[], &json!([]))]),
        json!([{"Id": "m0", "Label": "sent", "StatusCode": "Complete"}]),
        json!([one("sent", &[0], &json!([null]))]),
    ] {
        for kind in [Gauge, Counter] {
            let answer = told(kind, ok(&results(&found))).await.unwrap();
            assert!(answer.series.is_empty(), "{found}");
        }
    }
}

#[tokio::test]
async fn what_cannot_be_asked_is_refused_before_anybody_is_asked() {
    let scene = Scene::every(None).await;
    for (kind, query) in [
        (Histogram, QUERY),
        (MetricKind::Value, QUERY),
        (Gauge, "AWS/SQS"),
        (Gauge, "{}"),
    ] {
        let (cx, asked) = (context(), asked(kind, query));
        let fault = scene.source.query(&cx, &asked, three_minutes()).await;
        assert_eq!(fault.unwrap_err().kind, FaultKind::Invalid, "{query}");
    }
    assert!(scene.server.received_requests().await.unwrap().is_empty());
}
