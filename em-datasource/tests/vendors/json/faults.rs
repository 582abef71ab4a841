//! What goes wrong with documents, and what is said about it.

use std::collections::BTreeMap;
use std::time::Duration;

use em_core::fault::{Fault, FaultKind, Retry};
use em_core::plan::{Auth, DatasourceKind, DatasourceSpec, JsonSpec, JsonTime, SecretRef, Text};
use em_core::port::Datasource as _;
use em_core::read::TimeFormat;
use wiremock::matchers::header;
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::{about_now, gauge, look, of_pods, ok, serving, source, source_of};
use crate::asking::{context, plain, values, window, within};

async fn fault_of(answer: ResponseTemplate) -> Fault {
    look(answer, "$.x").await.unwrap_err()
}

#[tokio::test]
async fn a_failure_is_of_its_kind_and_in_the_servers_words() {
    let json = |status: u16, text: &str| {
        ResponseTemplate::new(status).set_body_raw(text, "application/json")
    };
    for (status, kind) in [
        (400, FaultKind::Invalid),
        (401, FaultKind::Denied),
        (403, FaultKind::Denied),
        (404, FaultKind::NotFound),
        (422, FaultKind::Invalid),
        (429, FaultKind::Throttled),
        (503, FaultKind::Unavailable),
    ] {
        let fault = fault_of(json(status, "{\n \"error\": \"no such\n series\"}")).await;
        assert_eq!(fault.kind, kind, "{status}");
        let words = format!(r#"answers {status}: {{ "error": "no such series"}}"#);
        assert!(fault.message.ends_with(&words), "{fault}");
    }
    let html = "<html><body>it broke</body></html>";
    let fault = fault_of(ResponseTemplate::new(500).set_body_raw(html, "text/html")).await;
    assert_eq!(
        (fault.kind, fault.retry),
        (FaultKind::Unavailable, Retry::Later)
    );
    assert!(
        fault.message.ends_with("answers 500: a page of HTML"),
        "{fault}"
    );

    let later = json(429, "").insert_header("Retry-After", "7");
    assert_eq!(
        fault_of(later).await.retry,
        Retry::After(Duration::from_secs(7))
    );
    assert_eq!(fault_of(json(429, "")).await.retry, Retry::Later);
    let moved = ResponseTemplate::new(302).insert_header("Location", "/y?key=hush");
    let fault = fault_of(moved).await;
    assert_eq!(fault.kind, FaultKind::Invalid);
    assert!(!fault.chain().contains("hush"));
}

#[tokio::test]
async fn what_is_no_document_is_malformed() {
    for (text, reason) in [
        ("<!DOCTYPE html><p>log in", "a page of HTML instead of"),
        ("", "nothing instead of"),
        ("{\"x\": 1", "this is not JSON"),
        ("x 1\n", "this is not JSON"),
        ("{\"x\": {\"y\": 1}}", "is not a number"),
        ("{\"x\": [1]}", "is not a number"),
        ("{\"x\": true}", "is not a number"),
        ("{\"x\": \"12 ms\"}", "is not a number"),
    ] {
        let fault = fault_of(ok(text)).await;
        assert_eq!(fault.kind, FaultKind::Malformed, "{text}");
        assert!(fault.chain().contains(reason), "{}", fault.chain());
        assert!(!fault.chain().contains("log in"));
    }
    let bytes = ResponseTemplate::new(200).set_body_bytes([b'{', 0xff]);
    assert_eq!(fault_of(bytes).await.kind, FaultKind::Malformed);
    let marked = look(ok("\u{feff}{\"x\": 1}"), "$.x").await.unwrap();
    assert_eq!(marked.series.len(), 1);

    let server = serving(ok("{\"x\": 1")).await;
    let source = source(&about_now(&server.uri()));
    let fault = source.probe(&context()).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Malformed);
}

#[tokio::test]
async fn who_does_not_answer_is_given_up_at_the_deadline() {
    let slow = ok("{}").set_delay(Duration::from_secs(30));
    let server = serving(slow).await;
    let source = source(&about_now(&format!("{}/x?key=hush", server.uri())));
    let cx = within(Duration::from_millis(100));
    let fault = source.sample(&cx, &gauge("$.x")).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Unavailable);
    assert!(fault.message.contains("did not answer within"), "{fault}");
    assert!(!fault.chain().contains("hush"));
    let nobody = super::source(&about_now("http://127.0.0.1:9/x?key=hush"));
    let fault = nobody.sample(&context(), &gauge("$.x")).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Unavailable);
    assert!(!fault.chain().contains("hush"), "{}", fault.chain());
}

#[tokio::test]
async fn a_secret_goes_out_in_its_header_and_nowhere_else() {
    let server = MockServer::start().await;
    Mock::given(header("authorization", "Bearer hush-1"))
        .and(header("x-key", "hush-2"))
        .respond_with(ok(r#"{"x": 1}"#))
        .expect(1)
        .mount(&server)
        .await;
    let folder = tempfile::tempdir().unwrap();
    let secret = |name: &str, text: &str| {
        let file = folder.path().join(name);
        std::fs::write(&file, text).unwrap();
        SecretRef::FromFile(file)
    };
    let json = about_now(&server.uri());
    let spec = |token: &str| DatasourceSpec {
        auth: Some(Auth::Bearer(secret("token", token))),
        headers: BTreeMap::from([("X-Key".to_owned(), Text::Secret(secret("key", "hush-2\n")))]),
        ..plain(DatasourceKind::Json(json.clone()))
    };
    let source = source_of(&json, &spec("hush-1"));
    let answer = source.sample(&context(), &gauge("$.x")).await.unwrap();
    assert!(!format!("{source:?} {answer:?}").contains("hush"));
    secret("token", "hush\u{7}");
    let fault = source.sample(&context(), &gauge("$.x")).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Invalid);
    assert!(!fault.chain().contains("hush"), "{}", fault.chain());
}

#[tokio::test]
async fn times_and_labels_must_be_as_many_as_values() {
    let text = r#"{"t": [1, 2], "v": [1, 2, 3], "pod": ["a", "b", "c"]}"#;
    let server = serving(ok(text)).await;
    let json = |time: &str, pod: &str| JsonSpec {
        time: Some(JsonTime {
            path: time.to_owned(),
            format: TimeFormat::Seconds,
        }),
        labels: of_pods(pod),
        ..about_now(&server.uri())
    };
    let ask = async |json: &JsonSpec| {
        let source = source(json);
        source
            .query(&context(), &gauge("$.v[*]"), window(0, 9))
            .await
    };
    let short = ask(&json("$.t[*]", "$.pod[*]")).await.unwrap_err();
    assert_eq!(short.kind, FaultKind::Malformed);
    assert!(short.chain().contains("2 times do not match 3 values"));
    let absent = ask(&json("$.nowhere", "$.pod[*]")).await.unwrap_err();
    assert!(absent.chain().contains("0 times do not match 3 values"));
    let one_for_all = ask(&json("$.t[0]", "$.pod[*]")).await.unwrap();
    assert_eq!(values(&one_for_all), [[(1, 1.0)], [(1, 2.0)], [(1, 3.0)]]);
    let same = ask(&json("$.t[0]", "$.pod[0]")).await.unwrap_err();
    assert_eq!(same.kind, FaultKind::Invalid);
    assert!(same.message.contains(r#"{pod="a"}"#), "{same}");
    let broken = ask(&json("$.t[*", "$.pod[*]")).await.unwrap_err();
    assert_eq!(broken.kind, FaultKind::Invalid);
    let no_time = ask(&json("$.pod[*]", "$.pod[*]")).await.unwrap_err();
    assert_eq!(no_time.kind, FaultKind::Malformed);
}
