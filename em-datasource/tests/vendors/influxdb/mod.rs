//! `InfluxDB`: what a sound server never shows. Sound answers are in the tests against a real one.

mod faults;

use std::sync::Arc;
use std::time::Duration;

use em_core::fault::{Fault, FaultKind};
use em_core::plan::MetricKind::{self, Counter, Gauge, Value};
use em_core::plan::{Auth, DatasourceKind, DatasourceSpec, InfluxDbSpec, SecretRef};
use em_core::port::{Answer, Datasource as _, SystemClock};
use em_core::testkit::conformance::{self, DatasourceScene};
use em_datasource::InfluxDbDatasource;
use wiremock::matchers::{any, body_string, body_string_contains, header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::asking::{asked, context, plain, values, window};

const QUERY: &str = "SELECT v FROM m WHERE time >= 100s AND time <= 160s";

fn spec(url: &str) -> DatasourceSpec {
    plain(DatasourceKind::InfluxDb(InfluxDbSpec {
        url: url.to_owned(),
        database: "em".to_owned(),
        retention_policy: None,
    }))
}

fn source(spec: &DatasourceSpec) -> InfluxDbDatasource {
    let DatasourceKind::InfluxDb(influxdb) = &spec.kind else {
        panic!("it is of another kind");
    };
    InfluxDbDatasource::new(Arc::new(SystemClock), influxdb, spec)
}

fn json(body: &str) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_raw(body, "application/json")
}

/// An answer with these series.
fn series(series: &str) -> ResponseTemplate {
    json(&format!(
        r#"{{"results":[{{"statement_id":0,"series":[{series}]}}]}}"#
    ))
}

async fn server(answer: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(answer).mount(&server).await;
    server
}

/// What is said about 100 to 160.
async fn asking(kind: MetricKind, text: &str, answer: ResponseTemplate) -> Result<Answer, Fault> {
    let server = server(answer).await;
    let source = source(&spec(&server.uri()));
    source
        .query(&context(), &asked(kind, text), window(100, 160))
        .await
}

async fn answered(answer: ResponseTemplate) -> Result<Answer, Fault> {
    asking(Gauge, QUERY, answer).await
}

#[tokio::test]
async fn a_query_goes_out_as_a_form_that_names_database_and_policy() {
    let body = r#"{"name":"m","tags":{"host":"a"},"columns":["time","v"],
        "values":[[99000000000,9],[100000000001,1.5],[110000000000,null],[160000000000,2]]}"#;
    let server = MockServer::start().await;
    let form = "db=em&rp=two+weeks&epoch=ns\
        &q=SELECT+v+FROM+m+WHERE+host+%3D+%27a%26b%27+GROUP+BY+host";
    Mock::given(method("POST"))
        .and(path("/influx/query"))
        .and(header("content-type", "application/x-www-form-urlencoded"))
        .and(body_string(form))
        .respond_with(series(body))
        .expect(1)
        .mount(&server)
        .await;
    let mut spec = spec(&format!("{}/influx", server.uri()));
    if let DatasourceKind::InfluxDb(influxdb) = &mut spec.kind {
        influxdb.retention_policy = Some("two weeks".to_owned());
    }
    let asked = asked(Gauge, "SELECT v FROM m WHERE host = 'a&b' GROUP BY host");
    let answer = source(&spec)
        .query(&context(), &asked, window(100, 160))
        .await
        .unwrap();
    assert_eq!(values(&answer), [[(100, 1.5), (160, 2.0)]]);
    assert_eq!(answer.series[0].labels["host"], "a");
    assert_eq!(answer.series[0].labels["__name__"], "m");
    assert!(
        answer.warnings[0].contains("{{start_ms}}ms"),
        "{:?}",
        answer.warnings
    );
    assert_eq!((answer.status, answer.step), (Some(200), None));
}

#[tokio::test]
async fn what_the_server_says_beside_is_told() {
    let body = r#"{"results":[{"messages":[{"level":"warning","text":"deprecated"}]}]}"#;
    let answer = answered(json(body)).await.unwrap();
    assert!(answer.series.is_empty());
    assert_eq!(answer.warnings, ["deprecated"]);
}

#[tokio::test]
async fn a_series_without_a_value_is_none() {
    let body = r#"{"name":"m","columns":["time","v"],"values":[[100000000000,null]]}"#;
    for kind in [Gauge, Counter, Value] {
        let answer = asking(kind, QUERY, series(body)).await.unwrap();
        assert!(answer.series.is_empty() && answer.warnings.is_empty());
    }
}

#[tokio::test]
async fn a_probe_asks_for_the_version_and_then_for_the_right_to_read() {
    let server = MockServer::start().await;
    let pong = ResponseTemplate::new(204)
        .insert_header("X-Influxdb-Version", "1.8.10")
        .insert_header("Date", "Tue, 14 Nov 2023 22:13:20 GMT");
    Mock::given(method("GET"))
        .and(path("/ping"))
        .respond_with(pong)
        .mount(&server)
        .await;
    Mock::given(method("POST"))
        .and(path("/query"))
        .and(body_string_contains("q=SELECT"))
        .respond_with(json(r#"{"results":[{"statement_id":0}]}"#))
        .up_to_n_times(1)
        .mount(&server)
        .await;
    let source = source(&spec(&server.uri()));
    let health = source.probe(&context()).await.unwrap();
    assert_eq!(health.version.as_deref(), Some("1.8.10"));
    assert!(health.clock_skew_ms.unwrap() < -1_000_000);
    Mock::given(path("/query"))
        .respond_with(json(r#"{"results":[{"error":"database not found: em"}]}"#))
        .mount(&server)
        .await;
    let fault = source.probe(&context()).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::NotFound);
}

#[tokio::test]
async fn a_door_that_lets_no_ping_through_is_passed_and_a_closed_one_is_not() {
    let server = MockServer::start().await;
    Mock::given(path("/query"))
        .respond_with(json(r#"{"results":[{"statement_id":0}]}"#))
        .mount(&server)
        .await;
    let health = source(&spec(&server.uri()))
        .probe(&context())
        .await
        .unwrap();
    assert_eq!(health.version, None);
    let closed = self::server(ResponseTemplate::new(401)).await;
    let fault = source(&spec(&closed.uri())).probe(&context()).await;
    assert_eq!(fault.unwrap_err().kind, FaultKind::Denied);
}

#[tokio::test]
async fn a_password_goes_out_in_its_header_and_nowhere_else() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    std::fs::write(&file, "hush-hush\n").unwrap();
    let server = MockServer::start().await;
    // em:hush-hush
    Mock::given(header("authorization", "Basic ZW06aHVzaC1odXNo"))
        .respond_with(json(r#"{"results":[{"statement_id":0}]}"#))
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
    let requests = server.received_requests().await.unwrap();
    let sent = format!(
        "{:?}",
        requests
            .iter()
            .map(|r| (&r.url, &r.body))
            .collect::<Vec<_>>()
    );
    assert!(!sent.contains("hush"), "{sent}");
    std::fs::write(&file, "hush-a-bye\n").unwrap();
    let fault = source.probe(&context()).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Denied);
    let shown = format!("{source:?} {fault:?} {}", fault.chain());
    assert!(!shown.contains("hush"), "{shown}");
}

#[tokio::test]
async fn influxdb_keeps_the_rules() {
    conformance::datasource(async || {
        let server = MockServer::start().await;
        let body = r#"{"name":"m","tags":{"host":"a"},"columns":["time","v"],
                "values":[[90000000000,0],[100000000000,1],[110000000000,2],[160000000000,3]]},
            {"name":"m","tags":{"host":"b"},"columns":["time","v"],
                "values":[[120000000000,3],[110000000000,null],[100000000000,1]]},
            {"name":"m","tags":{"host":"c"},"columns":["time","v"],"values":[[110000000000,null]]}"#;
        Mock::given(body_string_contains("FRM"))
            .respond_with(ResponseTemplate::new(400).set_body_string(r#"{"error":"found FRM"}"#))
            .with_priority(1)
            .mount(&server)
            .await;
        Mock::given(any())
            .respond_with(series(body))
            .mount(&server)
            .await;
        DatasourceScene {
            source: Arc::new(source(&spec(&server.uri()))),
            asked: asked(Gauge, QUERY),
            broken: Some(asked(Gauge, "SELECT v FRM m")),
            window: window(100, 160),
            keep: Box::new(server),
        }
    })
    .await;
}

#[tokio::test]
async fn data_is_complete_when_it_was_sent() {
    let mut spec = spec("http://127.0.0.1:9");
    let asked = asked(Gauge, QUERY);
    let lag = source(&spec).lag(&context(), &asked).await;
    assert_eq!(lag, Duration::from_secs(11));
    spec.every = Some(Duration::from_secs(2));
    let lag = source(&spec).lag(&context(), &asked).await;
    assert_eq!(lag, Duration::from_secs(3));
}
