//! The datasource `scrape` against a server of the test's own.
#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use em_core::fault::FaultKind;
use em_core::id::{Epoch, OpKey};
use em_core::plan::{MetricKind, SecretRef, Text};
use em_core::port::{Asked, Clock as _, Datasource as _, OpContext, SystemClock};
use em_core::template::Template;
use em_datasource::ScrapeDatasource;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Answers each request with `answer(its head, its number)`; answers its address.
async fn server<F>(answer: F) -> String
where
    F: Fn(String, u32) -> Vec<u8> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        for number in 0.. {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            let bytes = answer(String::from_utf8(head).unwrap(), number);
            // A client that has read enough hangs up.
            drop(stream.write_all(&bytes).await);
        }
    });
    format!("http://{address}/metrics")
}

fn ok(body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}").into_bytes()
}

fn context(limit: Duration) -> OpContext {
    let key = OpKey::Experiment {
        experiment: "a".parse().unwrap(),
        seq: 1,
    };
    let epoch = Epoch {
        store: "test".to_owned(),
        counter: 1,
    };
    let deadline = SystemClock.now() + limit;
    OpContext::new(key, epoch, deadline, CancellationToken::new())
}

fn asked(url: &str, query: &str) -> Asked {
    Asked {
        text: query.to_owned(),
        kind: MetricKind::Counter,
        endpoint: Some(url.to_owned()),
        body: None,
    }
}

fn source(headers: BTreeMap<String, Text>) -> ScrapeDatasource {
    let url = Template::parse("http://{{address}}/metrics").unwrap();
    ScrapeDatasource::new(Arc::new(SystemClock), url, headers, None)
}

const SECONDS: Duration = Duration::from_secs(20);

async fn fault_of(answer: Vec<u8>) -> (FaultKind, String) {
    let url = server(move |_, _| answer.clone()).await;
    let fault = source(BTreeMap::new())
        .sample(&context(SECONDS), &asked(&url, "up"))
        .await
        .unwrap_err();
    (fault.kind, fault.chain())
}

#[tokio::test]
async fn metrics_that_are_asked_together_share_one_page_and_the_next_look_has_its_own() {
    let asked_for = Arc::new(AtomicU32::new(0));
    let seen = Arc::clone(&asked_for);
    let url = server(move |_, number| {
        seen.fetch_add(1, Ordering::SeqCst);
        ok(&format!("up {number}\nbusy 7\n"))
    })
    .await;
    let (source, cx) = (source(BTreeMap::new()), context(SECONDS));
    let value = async |query: &str| {
        let answer = source.sample(&cx, &asked(&url, query)).await.unwrap();
        answer.series[0].points[0].value
    };
    let seen = [value("up").await, value("busy").await, value("up").await];
    assert_eq!(seen.map(|value| value.to_string()), ["0", "7", "1"]);
    assert_eq!(asked_for.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_secret_goes_out_in_its_header_and_nowhere_else() {
    let folder = std::env::temp_dir().join(format!("em-scrape-{}", std::process::id()));
    std::fs::write(&folder, "hush-hush\n").unwrap();
    let headers = BTreeMap::from([(
        "Authorization".to_owned(),
        Text::Secret(SecretRef::FromFile(folder.clone())),
    )]);
    let source = source(headers);
    let url = server(|head, _| {
        let is_there = head.contains("authorization: hush-hush\r\n");
        ok(&format!("authorized {}\n", u8::from(is_there)))
    })
    .await;
    let answer = source
        .sample(&context(SECONDS), &asked(&url, "authorized"))
        .await
        .unwrap();
    assert_eq!(answer.series[0].points[0].value.to_string(), "1");
    assert!(!format!("{source:?}").contains("hush-hush"));

    std::fs::write(&folder, "hush\u{7}hush").unwrap();
    let refused = source
        .sample(&context(SECONDS), &asked(&url, "authorized"))
        .await;
    let said = refused.unwrap_err().chain();
    std::fs::remove_file(&folder).unwrap();
    assert!(
        said.contains("\"Authorization\"") && !said.contains("hush"),
        "{said}"
    );
}

#[tokio::test]
async fn answers_that_are_no_page_are_faults_of_their_kind() {
    let redirect = b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n".to_vec();
    let (kind, said) = fault_of(redirect).await;
    assert_eq!(kind, FaultKind::Invalid);
    assert!(said.contains("redirects are not followed"), "{said}");

    let denied = b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n".to_vec();
    assert_eq!(fault_of(denied).await.0, FaultKind::Denied);

    let cut = b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\nup 1\n".to_vec();
    assert_eq!(fault_of(cut).await.0, FaultKind::Unavailable);

    let (kind, said) = fault_of(ok("up 1\n<html>\n")).await;
    assert_eq!(kind, FaultKind::Malformed);
    assert!(said.contains("line 2"), "{said}");
}

#[tokio::test]
async fn a_page_without_end_is_given_up() {
    let mut endless = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
    endless.resize(65 * 1024 * 1024, b'#');
    let (kind, said) = fault_of(endless).await;
    assert_eq!(kind, FaultKind::Malformed);
    assert!(said.contains("answers more than"), "{said}");
}

#[tokio::test]
async fn who_does_not_answer_is_given_up_at_the_deadline() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/metrics", listener.local_addr().unwrap());
    let cx = context(Duration::from_millis(50));
    let fault = source(BTreeMap::new())
        .sample(&cx, &asked(&url, "up"))
        .await;
    let fault = fault.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Unavailable);
    assert!(fault.message.contains("did not answer within"), "{fault}");
    drop(listener);
    let cx = context(SECONDS);
    let fault = source(BTreeMap::new())
        .sample(&cx, &asked(&url, "up"))
        .await;
    assert_eq!(fault.unwrap_err().kind, FaultKind::Unavailable);
}

#[tokio::test]
async fn a_query_is_validated_against_the_page_where_that_is_known() {
    let url = server(|_, _| ok("requests_total 5\n")).await;
    let (source, cx) = (source(BTreeMap::new()), context(SECONDS));
    let found = source
        .validate(&cx, &asked(&url, "requests_total"))
        .await
        .unwrap();
    assert_eq!((found.series, found.warnings.len()), (Some(1), 0));
    let missing = source
        .validate(&cx, &asked(&url, "request_total"))
        .await
        .unwrap();
    assert_eq!(missing.series, Some(0));
    assert!(missing.warnings[0].contains("did you mean requests_total?"));
    let later = Asked {
        text: "requests_total".to_owned(),
        kind: MetricKind::Counter,
        endpoint: None,
        body: None,
    };
    assert_eq!(source.validate(&cx, &later).await.unwrap().series, None);
    let broken = source.validate(&cx, &asked(&url, "rate(x[1m])")).await;
    assert_eq!(broken.unwrap_err().kind, FaultKind::Invalid);
}
