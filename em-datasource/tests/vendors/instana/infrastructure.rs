//! Metrics of plugins.

use std::sync::Arc;
use std::time::Duration;

use em_core::plan::MetricKind;
use em_core::port::Datasource as _;
use em_core::testkit::conformance::{self, DatasourceScene};
use serde_json::{Value, json};
use wiremock::ResponseTemplate;
use wiremock::matchers::{header, method, path};

use super::scene::{INFRASTRUCTURE, START, TOKEN, Unit, after, frame, point};
use crate::asking::{asked, context, values};

const CPU: &str =
    r#"{"plugin": "host", "query": "entity.zone:a", "metrics": ["cpu.user"], "rollup": 60}"#;
const AUTO: &str = r#"{"plugin": "host", "metrics": ["cpu.user"]}"#;

fn snapshot(id: &str, points: &Value) -> Value {
    json!({"snapshotId": id, "plugin": "host", "label": format!("node-{id}"), "host": "h",
        "from": 1_690_000_000_000_u64, "to": null, "tags": [], "metrics": {"cpu.user": points}})
}

fn items(items: &[Value]) -> Value {
    json!({"items": items})
}

#[tokio::test]
async fn each_snapshot_is_a_series_of_whole_buckets() {
    let float = json!([1_700_000_100_000.0_f64, 0.25]);
    let points = json!([point(0, 0.5), float, point(120, Value::Null), point(180, 1)]);
    let other = json!([point(60, 7.5), point(-60, 1)]);
    let empty = snapshot("gone", &json!([]));
    let body = items(&[snapshot("b", &points), snapshot("a", &other), empty]);
    let unit = Unit::answering(INFRASTRUCTURE, body).await;
    let window = after(-10, 230);
    let answer = unit.query(MetricKind::Gauge, CPU, window).await.unwrap();
    let told = values(&answer);
    assert_eq!(told[0], [(START + 60, 7.5)]);
    // The last bucket ends after the window, and a null is no 0.
    assert_eq!(told[1], [(START, 0.5), (START + 60, 0.25)]);
    assert_eq!(told.len(), 2, "what has no points is no series");
    let labels = &answer.series[1].labels;
    let label = |name: &str| labels.get(name).map(String::as_str);
    assert_eq!(label("__name__"), Some("cpu.user"));
    assert_eq!(label("snapshotId"), Some("b"));
    assert_eq!(label("plugin"), Some("host"));
    assert_eq!(label("label"), Some("node-b"));
    assert_eq!(label("host"), Some("h"));
    assert_eq!(labels.len(), 5);
    assert_eq!(answer.window, after(0, 180));
    assert_eq!(answer.step, Some(Duration::from_mins(1)));
    assert_eq!((answer.status, answer.tries), (Some(200), 1));
    let sent = json!({"plugin": "host", "query": "entity.zone:a", "metrics": ["cpu.user"],
        "rollup": 60, "timeFrame": frame(0, 180)});
    assert_eq!(unit.bodies().await, [sent]);
    let requests = unit.server.received_requests().await.unwrap();
    assert_eq!(requests[0].url.query(), Some("offline=true"));
}

#[tokio::test]
async fn a_value_is_the_last_whole_bucket_that_is_there() {
    let points = json!([
        point(0, 1),
        point(60, 2),
        point(120, Value::Null),
        point(180, 9)
    ]);
    let unit = Unit::answering(INFRASTRUCTURE, items(&[snapshot("a", &points)])).await;
    let window = after(0, 200);
    let answer = unit.query(MetricKind::Value, CPU, window).await.unwrap();
    assert_eq!(values(&answer), [[(START + 60, 2.0)]]);
}

#[tokio::test]
async fn nothing_is_an_answer() {
    let unit = Unit::answering(INFRASTRUCTURE, items(&[])).await;
    let window = after(0, 600);
    let answer = unit.query(MetricKind::Gauge, CPU, window).await.unwrap();
    assert!(answer.series.is_empty());
    assert!(answer.warnings.is_empty(), "{:?}", answer.warnings);
    let none = after(1, 119);
    let answer = unit.query(MetricKind::Gauge, CPU, none).await.unwrap();
    assert!(answer.series.is_empty());
    assert!(answer.warnings[0].contains("no whole one of buckets of 60s"));
    assert_eq!(unit.bodies().await.len(), 1, "nobody need be asked");
}

#[tokio::test]
async fn as_many_snapshots_as_are_told_of_may_not_be_all() {
    let snapshots = |count: usize| {
        let ids = (0..count).map(|id| snapshot(&id.to_string(), &json!([point(0, 1)])));
        items(&ids.collect::<Vec<_>>())
    };
    for (count, warnings) in [(29, 0), (30, 1)] {
        let unit = Unit::answering(INFRASTRUCTURE, snapshots(count)).await;
        let answer = unit.query(MetricKind::Gauge, CPU, after(0, 60)).await;
        let answer = answer.unwrap();
        assert_eq!(answer.series.len(), count);
        assert_eq!(answer.warnings.len(), warnings, "{:?}", answer.warnings);
    }
}

#[tokio::test]
async fn buckets_are_chosen_and_one_longer_if_they_are_refused() {
    let unit = Unit::answering(INFRASTRUCTURE, items(&[snapshot("a", &json!([]))])).await;
    let too_fine = json!({"errors": ["windowSize 3600000 cannot be combined with the rollup 5"]});
    let refusal = ResponseTemplate::new(400).set_body_json(too_fine);
    let first = Unit::new().await;
    first.tells_once(INFRASTRUCTURE, refusal.clone()).await;
    let points = json!([point(0, 1), point(60, 2)]);
    let body = items(&[snapshot("a", &points)]);
    let ok = ResponseTemplate::new(200).set_body_json(body);
    first.tells(INFRASTRUCTURE, ok).await;
    let window = after(-30, 900);
    unit.query(MetricKind::Gauge, AUTO, window).await.unwrap();
    assert_eq!(unit.bodies().await[0]["rollup"], 5);
    let answer = first.query(MetricKind::Gauge, AUTO, window).await.unwrap();
    let sent = first.bodies().await;
    assert_eq!(
        (&sent[0]["rollup"], &sent[1]["rollup"]),
        (&json!(5), &json!(60))
    );
    assert_eq!(sent[1]["timeFrame"], frame(0, 900));
    assert_eq!(answer.step, Some(Duration::from_mins(1)));
    assert!(
        answer.warnings[0].contains("refuses buckets of 5s"),
        "{:?}",
        answer.warnings
    );
    assert_eq!(values(&answer), [[(START, 1.0), (START + 60, 2.0)]]);

    // Once only, and never against the query's own word.
    let always = Unit::new().await;
    always.tells(INFRASTRUCTURE, refusal).await;
    let fault = always.query(MetricKind::Gauge, AUTO, window).await;
    assert!(fault.unwrap_err().message.contains("cannot be combined"));
    assert_eq!(always.bodies().await.len(), 2);
    let fault = always.query(MetricKind::Gauge, CPU, window).await;
    assert!(fault.is_err());
    assert_eq!(always.bodies().await.len(), 3);
}

#[tokio::test]
async fn other_buckets_than_were_asked_for_are_told() {
    let points = json!([point(0, 1), point(300, 2)]);
    let unit = Unit::answering(INFRASTRUCTURE, items(&[snapshot("a", &points)])).await;
    let window = after(0, 600);
    let answer = unit.query(MetricKind::Gauge, CPU, window).await.unwrap();
    assert_eq!(answer.step, Some(Duration::from_mins(5)));
    assert!(
        answer.warnings[0].contains("300s apart"),
        "{:?}",
        answer.warnings
    );
}

#[tokio::test]
async fn late_data_is_waited_for() {
    let unit = Unit::new().await;
    let lag = async |text: &str| {
        let asked = asked(MetricKind::Gauge, text);
        unit.source.lag(&context(), &asked).await.as_secs()
    };
    assert_eq!(
        lag(r#"{"plugin": "host", "metrics": ["a"], "rollup": 5}"#).await,
        35
    );
    assert_eq!(lag(AUTO).await, 90);
    let group = r#"{"type": "host", "metrics": [{"metric": "a", "granularity": 10000}]}"#;
    assert_eq!(lag(group).await, 40);
    assert_eq!(lag(r#"{"metrics": [{"metric": "calls"}]}"#).await, 90);
    assert_eq!(lag("nonsense").await, 0);
}

#[tokio::test]
async fn validation_tries_the_last_ten_minutes() {
    let points = json!([point(3300, 1)]);
    let unit = Unit::answering(INFRASTRUCTURE, items(&[snapshot("a", &points)])).await;
    let asked_of = asked(MetricKind::Gauge, CPU);
    let validation = unit.source.validate(&context(), &asked_of).await.unwrap();
    assert_eq!(
        (validation.series, validation.warnings),
        (Some(1), Vec::new())
    );
    assert_eq!(unit.bodies().await[0]["timeFrame"], frame(3000, 3600));
    let long = asked(MetricKind::Gauge, &CPU.replace("60", "3600"));
    let validation = unit.source.validate(&context(), &long).await.unwrap();
    assert_eq!(validation.series, Some(0));
    let warnings = &validation.warnings;
    assert!(
        warnings
            .iter()
            .any(|warning| warning.contains("may not exist")),
        "{warnings:?}"
    );
}

#[tokio::test]
async fn it_keeps_the_rules() {
    conformance::datasource(async || {
        let points = json!([point(0, 1), point(60, 2), point(3300, 3)]);
        let body = items(&[snapshot("a", &points), snapshot("b", &points)]);
        let unit = Unit::answering(INFRASTRUCTURE, body).await;
        for (at, body) in [
            ("/api/instana/version", json!({"imageTag": "3.297.1"})),
            (
                "/api/instana/health",
                json!({"health": "YELLOW", "messages": []}),
            ),
        ] {
            wiremock::Mock::given(method("GET"))
                .and(path(at))
                .and(header(
                    "authorization",
                    format!("apiToken {TOKEN}").as_str(),
                ))
                .respond_with(ResponseTemplate::new(200).set_body_json(body))
                .mount(&unit.server)
                .await;
        }
        DatasourceScene {
            source: Arc::new(unit.source),
            asked: asked(MetricKind::Gauge, CPU),
            broken: Some(asked(MetricKind::Gauge, "avg(cpu)")),
            window: after(0, 600),
            keep: Box::new((unit.server, unit.token)),
        }
    })
    .await;
}
