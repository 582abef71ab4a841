//! Graphite: values before times, in seconds, with gaps.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod faults;

use std::sync::Arc;
use std::time::Duration;

use em_core::fault::{Fault, FaultKind};
use em_core::observe::Window;
use em_core::plan::MetricKind::{Counter, Gauge, Value};
use em_core::plan::{Auth, DatasourceKind, DatasourceSpec, GraphiteSpec, SecretRef};
use em_core::port::{Answer, Clock as _, Datasource as _, Labels, SystemClock};
use em_core::testkit::conformance::{self, DatasourceScene};
use em_datasource::GraphiteDatasource;
use jiff::SignedDuration;
use wiremock::matchers::{any, header, method, path, query_param};
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

use crate::asking::{asked, at, context, plain, values, window};

fn spec(url: &str) -> DatasourceSpec {
    plain(DatasourceKind::Graphite(GraphiteSpec {
        url: url.to_owned(),
    }))
}

fn source(spec: &DatasourceSpec) -> GraphiteDatasource {
    let DatasourceKind::Graphite(graphite) = &spec.kind else {
        panic!("it is of another kind");
    };
    GraphiteDatasource::new(Arc::new(SystemClock), graphite, spec)
}

async fn server(answer: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(answer).mount(&server).await;
    server
}

fn json(body: &str) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_raw(body, "application/json")
}

/// What is said about 100 to 160.
async fn answered(answer: ResponseTemplate) -> Result<Answer, Fault> {
    let server = server(answer).await;
    let source = source(&spec(&server.uri()));
    let asked = asked(Gauge, "servers.*.load");
    source.query(&context(), &asked, window(100, 160)).await
}

#[tokio::test]
async fn series_are_asked_for_in_seconds_and_come_as_they_are_kept() {
    let body = r#"[
        {"target":"servers.a.load","tags":{"name":"servers.a.load","dc":"x"},
         "datapoints":[[9,99],[1.5,100],[null,110],["2.5",120],[3,130.0],[4,140],[5,150],[6,160],[7,161]]},
        {"target":"servers.b.load","datapoints":[[null,100],[8,110],[null,120]]},
        {"target":"servers.c.load","datapoints":[[null,100],[null,110]]}]"#;
    let server = MockServer::start().await;
    Mock::given(method("GET"))
        .and(path("/graphite/render"))
        .and(query_param("target", "scale(servers.*.load, 2)"))
        .and(query_param("from", "99"))
        .and(query_param("until", "160"))
        .and(query_param("format", "json"))
        .and(query_param("noCache", "1"))
        .respond_with(json(body))
        .expect(1)
        .mount(&server)
        .await;
    let source = source(&spec(&format!("{}/graphite/", server.uri())));
    let asked = asked(Gauge, "scale(servers.*.load, 2)");
    let answer = source.query(&context(), &asked, window(100, 160)).await;
    let answer = answer.unwrap();
    let (a, b) = (
        vec![
            (100, 1.5),
            (120, 2.5),
            (130, 3.0),
            (140, 4.0),
            (150, 5.0),
            (160, 6.0),
        ],
        vec![(110, 8.0)],
    );
    assert_eq!(values(&answer), [a, b]);
    assert_eq!(answer.series[0].labels["dc"], "x");
    let named = Labels::from([("target".to_owned(), "servers.b.load".to_owned())]);
    assert_eq!(answer.series[1].labels, named);
    assert_eq!(answer.step, Some(Duration::from_secs(10)));
    assert_eq!((answer.status, answer.tries), (Some(200), 1));
    assert!(answer.warnings.is_empty(), "{:?}", answer.warnings);
    let requests = server.received_requests().await.unwrap();
    let query = requests[0].url.query().unwrap();
    assert!(!query.contains("maxDataPoints"), "{query}");
}

#[tokio::test]
async fn a_window_between_two_seconds_is_asked_for_as_a_whole() {
    let server = MockServer::start().await;
    Mock::given(query_param("from", "99"))
        .and(query_param("until", "161"))
        .respond_with(json(
            r#"[{"target":"x","datapoints":[[1,100],[2,101],[3,160],[4,161]]}]"#,
        ))
        .expect(1)
        .mount(&server)
        .await;
    let source = source(&spec(&server.uri()));
    let half = SignedDuration::from_millis(500);
    let window = Window {
        start: at(100) + half,
        end: at(160) + half,
    };
    let answer = source.query(&context(), &asked(Value, "x"), window).await;
    assert_eq!(values(&answer.unwrap()), [[(101, 2.0), (160, 3.0)]]);
}

#[tokio::test]
async fn nothing_is_no_series_and_no_error() {
    let answer = answered(json("[]")).await.unwrap();
    assert!(answer.series.is_empty() && answer.warnings.is_empty());
    assert_eq!(answer.step, None);
    let gaps = r#"[{"target":"x","datapoints":[[null,100],[null,110]]}]"#;
    let answer = answered(json(gaps)).await.unwrap();
    assert!(answer.series.is_empty());
    assert_eq!(answer.step, Some(Duration::from_secs(10)));
}

#[tokio::test]
async fn a_counter_counts_up_as_it_is_kept() {
    let body = r#"[{"target":"x","datapoints":[[5,100],[9,110],[2,120]]}]"#;
    let server = server(json(body)).await;
    let source = source(&spec(&server.uri()));
    let answer = source
        .query(&context(), &asked(Counter, "x"), window(100, 160))
        .await;
    assert_eq!(
        values(&answer.unwrap()),
        [[(100, 5.0), (110, 9.0), (120, 2.0)]]
    );
}

#[tokio::test]
async fn what_is_odd_about_the_steps_is_told() {
    let coarse = r#"[{"target":"x","datapoints":[[1,0],[2,3600]]}]"#;
    let answer = answered(json(coarse)).await.unwrap();
    assert!(answer.series.is_empty());
    assert!(
        answer.warnings[0].contains("no value lies within the window: they are 3600s apart"),
        "{:?}",
        answer.warnings
    );
    let different = r#"[{"target":"x","datapoints":[[1,100],[2,110],[3,120]]},
        {"target":"y","datapoints":[[1,100],[2,160]]}]"#;
    let answer = answered(json(different)).await.unwrap();
    assert_eq!(answer.series.len(), 2);
    assert!(
        answer.warnings[0].contains("steps of 10s to 60s"),
        "{:?}",
        answer.warnings
    );
}

#[tokio::test]
async fn names_tell_series_of_the_same_tags_apart() {
    let body = r#"[{"target":"one(x)","tags":{"name":"x"},"datapoints":[[1,100]]},
        {"target":"two(x)","tags":{"name":"x"},"datapoints":[[2,100]]}]"#;
    let answer = answered(json(body)).await.unwrap();
    let targets: Vec<&str> = answer
        .series
        .iter()
        .map(|series| series.labels["target"].as_str())
        .collect();
    assert_eq!(targets, ["one(x)", "two(x)"]);
    assert_eq!(answer.series[1].labels["name"], "x");
    let twice = r#"[{"target":"x","datapoints":[]},{"target":"x","datapoints":[]}]"#;
    let fault = answered(json(twice)).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Invalid, "{}", fault.chain());
}

#[tokio::test]
async fn values_that_are_no_numbers_come_as_they_are() {
    let body = r#"[{"target":"x","datapoints":[[NaN,100],[1e9999,110],[3,120]]}]"#;
    let answer = answered(json(body)).await.unwrap();
    let points = &answer.series[0].points;
    assert!(points[0].value.is_nan() && points[1].value.is_infinite());
    assert_eq!(points.len(), 3);
}

/// One point every ten seconds; the newest has no value yet.
struct Fake;

impl Respond for Fake {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let value = |wanted: &str| {
            let mut pairs = request.url.query_pairs();
            let found = pairs.find(|(name, _)| name == wanted);
            found.map(|(_, value)| value.into_owned()).unwrap()
        };
        if request.url.path() == "/version" {
            return json("\"1.1.10\"\n");
        }
        let (from, until): (i64, i64) = (
            value("from").parse().unwrap(),
            value("until").parse().unwrap(),
        );
        let target = value("target");
        match target.as_str() {
            "load.*" => {}
            "broken(" => return ResponseTemplate::new(400).set_body_string("Invalid target"),
            _ => return json("[]"),
        }
        let times = (from..=until).filter(|second| second % 10 == 0);
        let points: Vec<String> = times
            .map(|second| format!("[{},{second}]", second % 100))
            .collect();
        let points = points.join(",");
        let series = |name: &str| {
            format!(r#"{{"target":"load.{name}","datapoints":[{points},[null,{until}]]}}"#)
        };
        json(&format!("[{},{}]", series("a"), series("b")))
    }
}

async fn fake() -> MockServer {
    let server = MockServer::start().await;
    Mock::given(method("GET"))
        .respond_with(Fake)
        .mount(&server)
        .await;
    server
}

#[tokio::test]
async fn graphite_keeps_the_rules() {
    conformance::datasource(async || {
        let server = fake().await;
        let end = SystemClock.now();
        let window = Window {
            start: end - SignedDuration::from_mins(5),
            end,
        };
        DatasourceScene {
            source: Arc::new(source(&spec(&server.uri()))),
            asked: asked(Gauge, "load.*"),
            broken: Some(asked(Gauge, "broken(")),
            window,
            keep: Box::new(server),
        }
    })
    .await;
}

#[tokio::test]
async fn a_query_is_tried_on_the_last_hour() {
    let server = fake().await;
    let source = source(&spec(&server.uri()));
    let found = source.validate(&context(), &asked(Gauge, "load.*")).await;
    let found = found.unwrap();
    assert_eq!((found.series, found.warnings.len()), (Some(2), 0));
    let nothing = source.validate(&context(), &asked(Gauge, "none")).await;
    let nothing = nothing.unwrap();
    assert_eq!(nothing.series, Some(0));
    assert!(nothing.warnings[0].contains("no series"), "{nothing:?}");
}

#[tokio::test]
async fn a_probe_tells_the_version_where_there_is_one() {
    let server = fake().await;
    let health = source(&spec(&server.uri()))
        .probe(&context())
        .await
        .unwrap();
    assert_eq!(health.version.as_deref(), Some("1.1.10"));
    let server = MockServer::start().await;
    Mock::given(path("/render"))
        .respond_with(json("[]").insert_header("Date", "Tue, 14 Nov 2023 22:13:20 GMT"))
        .mount(&server)
        .await;
    let health = source(&spec(&server.uri()))
        .probe(&context())
        .await
        .unwrap();
    assert_eq!(health.version, None);
    assert!(health.clock_skew_ms.unwrap() < -1_000_000);
    let page = self::server(json("<html>")).await;
    let fault = source(&spec(&page.uri())).probe(&context()).await;
    assert_eq!(fault.unwrap_err().kind, FaultKind::Malformed);
}

#[tokio::test]
async fn a_password_goes_out_in_its_header_and_nowhere_else() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    std::fs::write(&file, "hush-hush\n").unwrap();
    let server = MockServer::start().await;
    // em:hush-hush
    Mock::given(header("authorization", "Basic ZW06aHVzaC1odXNo"))
        .respond_with(json("[]"))
        .mount(&server)
        .await;
    Mock::given(any())
        .respond_with(ResponseTemplate::new(401))
        .with_priority(9)
        .mount(&server)
        .await;
    let auth = Auth::Basic {
        user: "em".to_owned(),
        password: SecretRef::FromFile(file.clone()),
    };
    let spec = DatasourceSpec {
        auth: Some(auth),
        ..spec(&server.uri())
    };
    let source = source(&spec);
    source.probe(&context()).await.unwrap();
    std::fs::write(&file, "hush-a-bye\n").unwrap();
    let fault = source.probe(&context()).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Denied);
    let shown = format!("{source:?} {fault:?} {}", fault.chain());
    assert!(!shown.contains("hush"), "{shown}");
}

#[tokio::test]
async fn a_point_is_complete_one_step_later() {
    let mut spec = spec("http://127.0.0.1:9");
    let asked = asked(Gauge, "x");
    let lag = source(&spec).lag(&context(), &asked).await;
    assert_eq!(lag, Duration::from_mins(1));
    spec.every = Some(Duration::from_secs(10));
    let lag = source(&spec).lag(&context(), &asked).await;
    assert_eq!(lag, Duration::from_secs(10));
}
