//! Datasource `push`: reports over real HTTP, as a workload sends them.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use em_core::id::{Epoch, IterationNo, OpKey, TrialId};
use em_core::observe::Window;
use em_core::plan::{MetricKind, Secret};
use em_core::port::{Asked, Clock as _, Datasource as _, OpContext, SystemClock};
use em_core::testkit::conformance::{self, DatasourceScene};
use em_datasource::{PUSH_TOKEN, PUSH_URL, PushDatasource};
use reqwest::StatusCode;
use tokio_util::sync::CancellationToken;

fn cx(iteration: u32) -> OpContext {
    let key = OpKey::Iteration {
        experiment: "source".parse().unwrap(),
        trial: TrialId(1),
        iteration: IterationNo(iteration),
    };
    let epoch = Epoch {
        store: "test".to_owned(),
        counter: 1,
    };
    let deadline = SystemClock.now() + Duration::from_secs(10);
    OpContext::new(key, epoch, deadline, CancellationToken::new())
}

fn asked(text: &str) -> Asked {
    Asked {
        text: text.to_owned(),
        kind: MetricKind::Gauge,
        endpoint: None,
        body: None,
    }
}

fn last_minute() -> Window {
    let now = SystemClock.now();
    Window {
        start: now - Duration::from_mins(1),
        end: now,
    }
}

fn source() -> PushDatasource {
    PushDatasource::new(Arc::new(SystemClock))
}

async fn report(
    environment: &BTreeMap<String, Secret>,
    token: Option<&str>,
    body: impl Into<reqwest::Body>,
) -> (StatusCode, String) {
    drop(rustls::crypto::ring::default_provider().install_default());
    let url = environment[PUSH_URL].expose();
    let mut request = reqwest::Client::new().post(url).body(body);
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    let response = request.send().await.unwrap();
    (response.status(), response.text().await.unwrap())
}

async fn values(source: &PushDatasource, iteration: u32, query: &str) -> Vec<f64> {
    let cx = cx(iteration);
    let answer = source.query(&cx, &asked(query), last_minute()).await;
    let series = answer.unwrap().series;
    let points = series.iter().flat_map(|series| &series.points);
    points.map(|point| point.value).collect()
}

#[tokio::test]
async fn what_is_reported_is_there_for_its_iteration_only() {
    let source = source();
    let one = source.environment(&cx(1)).await.unwrap();
    let two = source.environment(&cx(2)).await.unwrap();
    assert_ne!(one[PUSH_TOKEN], two[PUSH_TOKEN]);
    assert_eq!(one, source.environment(&cx(1)).await.unwrap());
    let token = one[PUSH_TOKEN].expose();
    let body = "depth{queue=\"in\"} 7\ndepth{queue=\"out\"} NaN\nother 1";
    let (status, said) = report(&one, Some(token), body).await;
    assert_eq!((status, said.as_str()), (StatusCode::NO_CONTENT, ""));
    assert_eq!(values(&source, 1, "depth{queue=\"in\"}").await, [7.0]);
    assert_eq!(values(&source, 1, "depth").await.len(), 2);
    assert!(values(&source, 2, "depth").await.is_empty());
    let none = source.query(&cx(2), &asked("depth"), last_minute()).await;
    let said = none.unwrap().warnings.concat();
    assert_eq!(said, "the workload reported no depth in the window");
}

#[tokio::test]
async fn a_report_counts_whole_or_not_at_all() {
    let source = source();
    let environment = source.environment(&cx(1)).await.unwrap();
    let token = environment[PUSH_TOKEN].expose();
    let (status, said) = report(&environment, Some(token), "depth 7\ndepth{ 8").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let problem: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(problem["status"], 400);
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("line 2"), "{detail}");
    let (status, _) = report(&environment, Some(token), vec![0xff, 0xfe]).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let (status, _) = report(&environment, Some(token), vec![b'#'; 5 << 20]).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(values(&source, 1, "depth").await.is_empty());
}

#[tokio::test]
async fn who_has_no_token_is_not_heard() {
    let source = source();
    let environment = source.environment(&cx(1)).await.unwrap();
    for token in [None, Some("guessed")] {
        let (status, said) = report(&environment, token, "depth 7").await;
        assert_eq!(status, StatusCode::UNAUTHORIZED);
        assert!(!said.contains("guessed"), "{said}");
    }
    assert!(values(&source, 1, "depth").await.is_empty());
    let token = environment[PUSH_TOKEN].expose();
    assert!(!format!("{source:?}{environment:?}").contains(token));
}

#[tokio::test]
async fn push_keeps_the_rules() {
    conformance::datasource(async || {
        let source = source();
        let environment = source.environment(&cx(1)).await.unwrap();
        let token = environment[PUSH_TOKEN].expose();
        let body = "depth{queue=\"in\"} 7\ndepth{queue=\"out\"} 2";
        let (status, _) = report(&environment, Some(token), body).await;
        assert_eq!(status, StatusCode::NO_CONTENT);
        DatasourceScene {
            source: Arc::new(source),
            asked: asked("depth"),
            broken: Some(asked("rate(depth[1m])")),
            window: last_minute(),
            keep: Box::new(()),
        }
    })
    .await;
}
