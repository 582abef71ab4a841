//! A histogram's sum is asked for beside its buckets. Against a server of a few words.

use em_core::fault::FaultKind;
use em_core::observe::Observed;
use em_core::plan::Fold;
use em_core::plan::MetricKind::{Counter, Histogram, Value};
use wiremock::matchers::{any, body_string_contains};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::asking::{plain, query, source, window};
use crate::golden::{folded, metric};
use crate::servers::T0;

/// Series of a range: labels as JSON, and a value per second.
fn matrix(series: &[(&str, &[f64])], more: &str) -> ResponseTemplate {
    let series = series.iter().map(|(labels, values)| {
        let values = (T0..).zip(*values);
        let values: Vec<String> = values
            .map(|(at, value)| format!("[{at},\"{value}\"]"))
            .collect();
        format!(
            r#"{{"metric":{{{labels}}},"values":[{}]}}"#,
            values.join(",")
        )
    });
    let series: Vec<String> = series.collect();
    let body = format!(
        r#"{{"status":"success"{more},"data":{{"resultType":"matrix","result":[{}]}}}}"#,
        series.join(",")
    );
    ResponseTemplate::new(200).set_body_raw(body, "application/json")
}

const BUCKETS: [(&str, &[f64]); 2] = [
    (
        r#""__name__":"h_bucket","le":"1","pod":"a""#,
        &[0.0, 5.0, 7.0],
    ),
    (
        r#""__name__":"h_bucket","le":"+Inf","pod":"a""#,
        &[0.0, 8.0, 10.0],
    ),
];

/// A server that answers buckets, and sums as given.
async fn server(sums: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    for (name, answer) in [("h_sum", sums), ("h_bucket", matrix(&BUCKETS, ""))] {
        let about = body_string_contains(name);
        Mock::given(about).respond_with(answer).mount(&server).await;
    }
    server
}

/// What the server was asked, without the times.
async fn questions(server: &MockServer) -> Vec<String> {
    let requests = server.received_requests().await.unwrap();
    let query = |request: &wiremock::Request| {
        let form = String::from_utf8(request.body.clone()).unwrap();
        let read = reqwest::Url::parse(&format!("http://nobody/?{form}")).unwrap();
        let mut pairs = read.query_pairs();
        let query = pairs.find(|(name, _)| name == "query");
        query.unwrap().1.into_owned()
    };
    requests.iter().map(query).collect()
}

async fn sum_of(server: &MockServer) -> Option<f64> {
    let source = source(&plain(&server.uri()));
    let single = metric(Histogram, Fold::Single);
    let text = r#"h_bucket{pod="a"}"#;
    let seen = folded(&source, text, &single, window(0, 10)).await;
    let Observed::Buckets { counts, sum, .. } = seen else {
        panic!("it is no histogram: {seen:?}");
    };
    assert_eq!(counts, [7.0, 10.0]);
    sum
}

#[tokio::test]
async fn it_is_asked_for_with_the_same_matchers_over_the_same_window() {
    // Between both questions the target was scraped once more.
    let sums: [(&str, &[f64]); 1] = [(r#""__name__":"h_sum","pod":"a""#, &[0.0, 20.0, 30.0, 99.0])];
    let server = server(matrix(&sums, "")).await;
    assert_eq!(sum_of(&server).await, Some(30.0));
    let asked = [
        r#"h_bucket{pod="a"}[10001ms]"#,
        r#"h_sum{pod="a"}[10001ms]"#,
    ];
    assert_eq!(questions(&server).await, asked);
}

#[tokio::test]
async fn a_histogram_without_a_sum_has_no_mean_and_is_no_error() {
    let server = server(matrix(&[], "")).await;
    assert_eq!(sum_of(&server).await, None);
}

#[tokio::test]
async fn a_sum_that_cannot_be_told_is_asked_for_again_with_the_rest() {
    let server = server(ResponseTemplate::new(503)).await;
    let source = source(&plain(&server.uri()));
    let fault = query(&source, Histogram, "h_bucket", window(0, 10)).await;
    assert_eq!(fault.unwrap_err().kind, FaultKind::Unavailable);
}

#[tokio::test]
async fn warnings_of_both_questions_are_told_once() {
    let server = server(matrix(&[], r#","infos":["one"]"#)).await;
    let source = source(&plain(&server.uri()));
    let answer = query(&source, Histogram, "h_bucket", window(0, 10)).await;
    let answer = answer.unwrap();
    assert_eq!(answer.warnings, ["one"]);
    assert_eq!((answer.series.len(), answer.status), (2, Some(200)));
}

#[tokio::test]
async fn one_bucket_and_what_is_no_histogram_have_no_sum() {
    for (kind, text) in [
        (Histogram, r#"h_bucket{le="1"}"#),
        (Histogram, "h"),
        (Counter, "h_bucket"),
    ] {
        let server = MockServer::start().await;
        let answer = matrix(&BUCKETS, "");
        Mock::given(any()).respond_with(answer).mount(&server).await;
        let source = source(&plain(&server.uri()));
        query(&source, kind, text, window(0, 10)).await.unwrap();
        let asked = [format!("{text}[10001ms]")];
        assert_eq!(questions(&server).await, asked);
    }
    // Where there are no buckets, there is nothing to add to.
    let server = MockServer::start().await;
    let nothing = matrix(&[], "");
    Mock::given(any())
        .respond_with(nothing)
        .mount(&server)
        .await;
    let source = source(&plain(&server.uri()));
    let none = query(&source, Histogram, "h_bucket", window(0, 10)).await;
    assert!(none.unwrap().series.is_empty());
    assert_eq!(questions(&server).await.len(), 1);
}

#[tokio::test]
async fn a_value_is_not_made_of_the_samples_of_a_range() {
    let server = MockServer::start().await;
    let answer = matrix(&[(r#""pod":"a""#, &[1.0, 2.0])], "");
    Mock::given(any()).respond_with(answer).mount(&server).await;
    let source = source(&plain(&server.uri()));
    let fault = query(&source, Value, "h[2s] offset 1s", window(0, 2)).await;
    let fault = fault.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Invalid);
    assert!(fault.message.contains("samples of a range"), "{fault}");
}
