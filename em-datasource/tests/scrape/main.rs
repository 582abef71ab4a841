//! The datasource `scrape` against a server of the test's own.
#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod asking;
mod protobuf;
mod secure;
#[path = "../real/tunnel.rs"]
mod tunnel;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use em_core::fault::{FaultKind, Retry};
use em_core::plan::{MetricKind, SecretRef, Text};
use em_core::port::{Asked, Datasource as _};
use em_core::template::Template;
use tokio::net::TcpListener;

use crate::asking::{SECONDS, asked, context, of_type, ok, server, source, values};

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

    let busy = b"HTTP/1.1 429 No\r\nRetry-After: 9\r\nContent-Length: 0\r\n\r\n".to_vec();
    let url = server(move |_, _| busy.clone()).await;
    let fault = source(BTreeMap::new())
        .sample(&context(SECONDS), &asked(&url, "up"))
        .await
        .unwrap_err();
    assert_eq!(fault.kind, FaultKind::Throttled);
    assert_eq!(fault.retry, Retry::After(Duration::from_secs(9)));

    let cut = b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\nup 1\n".to_vec();
    assert_eq!(fault_of(cut).await.0, FaultKind::Unavailable);

    let packed = b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 1\r\n\r\n?".to_vec();
    let (kind, said) = fault_of(packed).await;
    assert_eq!(kind, FaultKind::Malformed);
    assert!(said.contains("\"br\", which was not asked for"), "{said}");

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

#[tokio::test]
async fn headers_know_the_page_and_the_iteration_and_override_the_forms() {
    let headers = [
        ("X-Who", "{{address}} {{trial}}/{{iteration}}"),
        ("Accept", "text/plain"),
    ];
    let headers = headers.map(|(name, text)| {
        let template = Template::parse(text).unwrap();
        (name.to_owned(), Text::Template(template))
    });
    let url = server(|head, _| {
        let host = head.lines().find_map(|line| line.strip_prefix("host: "));
        let who = format!("x-who: {} 7/3\r\n", host.unwrap());
        let told = [who.as_str(), "accept: text/plain\r\n"].map(|line| head.contains(line));
        ok(&format!(
            "told {}\n",
            told.iter().filter(|told| **told).count()
        ))
    })
    .await;
    let source = source(BTreeMap::from(headers));
    let answer = source.sample(&context(SECONDS), &asked(&url, "told")).await;
    assert_eq!(values(&answer.unwrap(), "x"), [(String::new(), 2.0)].into());
}

#[tokio::test]
async fn text_is_asked_for_first() {
    let url = server(|head, _| {
        let line = head.lines().find_map(|line| line.strip_prefix("accept: "));
        let forms: Vec<&str> = line.unwrap().split(',').collect();
        let is_text = forms[0] == "application/openmetrics-text;version=1.0.0"
            && forms[1] == "text/plain;version=0.0.4;q=0.5"
            && forms[2].ends_with("encoding=delimited;q=0.3");
        ok(&format!("text {}\n", u8::from(is_text && forms.len() == 3)))
    })
    .await;
    let source = source(BTreeMap::new());
    let answer = source.sample(&context(SECONDS), &asked(&url, "text")).await;
    assert_eq!(values(&answer.unwrap(), "x"), [(String::new(), 1.0)].into());
}

#[tokio::test]
async fn the_type_of_the_answer_says_how_it_is_read() {
    let open = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    let url = server(|_, number| match number {
        0 => of_type(open, b"up 1 1700000000.5\n# EOF\n"),
        1 => of_type(open, b"up 1 1700000000.5\n"),
        _ => ok("up 1 1700000000500\n"),
    })
    .await;
    let (source, cx) = (source(BTreeMap::new()), context(SECONDS));
    let asked = asked(&url, "up");
    let first = source.sample(&cx, &asked).await.unwrap();
    let broken_off = source.sample(&cx, &asked).await.unwrap_err();
    assert_eq!(broken_off.kind, FaultKind::Malformed);
    let last = source.sample(&cx, &asked).await.unwrap();
    for answer in [first, last] {
        let at = answer.series[0].points[0].at;
        assert_eq!(at.as_millisecond(), 1_700_000_000_500);
        assert_eq!((answer.tries, answer.status), (1, Some(200)));
    }
}

#[tokio::test]
async fn an_address_that_proves_who_asks_is_refused_unspoken() {
    let source = source(BTreeMap::new());
    for url in [
        "http://me:hush@127.0.0.1:9/metrics",
        "ftp://127.0.0.1/x?k=hush",
    ] {
        let refused = source.sample(&context(SECONDS), &asked(url, "up")).await;
        let fault = refused.unwrap_err();
        assert_eq!(fault.kind, FaultKind::Invalid);
        assert!(!fault.chain().contains("hush"), "{fault}");
    }
    let unknown = Asked {
        endpoint: None,
        ..asked("", "up")
    };
    let fault = source
        .sample(&context(SECONDS), &unknown)
        .await
        .unwrap_err();
    assert!(fault.message.contains("only known while the target runs"));
}
