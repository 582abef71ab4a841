//! Requests that prove with a signature who sends them: a server checks it with what arrives.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use em_core::fault::FaultKind;
use em_core::plan::{
    Auth, DatasourceKind, DatasourceSpec, MetricKind, PrometheusSpec, QueryMethod, SecretRef, SigV4,
};
use em_core::port::{Datasource as _, SystemClock};
use em_datasource::PrometheusDatasource;
use ring::hmac;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use wiremock::{Match, Mock, MockServer, Request, ResponseTemplate};

use crate::asking::{asked, context, plain, window};

const SECRET: &str = "hush-secret/key";
const EMPTY: &str = r#"{"status":"success","data":{"resultType":"vector","result":[]}}"#;

/// Lets requests in whose signature fits what they are.
pub(crate) struct IsSigned {
    pub(crate) service: &'static str,
}

impl Match for IsSigned {
    fn matches(&self, request: &Request) -> bool {
        is_signed(request, self.service)
    }
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    hmac::sign(&key, text.as_bytes()).as_ref().to_vec()
}

/// Computed from what arrived, as the service does.
fn is_signed(request: &Request, service: &str) -> bool {
    let header = |name: &str| {
        request
            .headers
            .get(name)
            .map(|value| value.to_str().unwrap())
    };
    let Some(told) = header("authorization") else {
        return false;
    };
    let (start, signature) = told.rsplit_once(", Signature=").unwrap();
    let (start, names) = start.rsplit_once(", SignedHeaders=").unwrap();
    let date = header("x-amz-date").unwrap();
    let scope = format!("{}/eu-west-1/{service}/aws4_request", &date[..8]);
    assert_eq!(start, format!("AWS4-HMAC-SHA256 Credential=AKID/{scope}"));
    let lines = names
        .split(';')
        .map(|name| format!("{name}:{}\n", header(name).unwrap()));
    let canonical = format!(
        "{}\n{}\n{}\n{}\n{names}\n{}",
        request.method,
        request.url.path(),
        request.url.query().unwrap_or_default(),
        lines.collect::<String>(),
        hex::encode(Sha256::digest(&request.body))
    );
    let text = format!(
        "AWS4-HMAC-SHA256\n{date}\n{scope}\n{}",
        hex::encode(Sha256::digest(canonical))
    );
    let key = mac(format!("AWS4{SECRET}").as_bytes(), &date[..8]);
    let key = mac(&mac(&mac(&key, "eu-west-1"), service), "aws4_request");
    hex::encode(mac(&key, &text)) == signature
}

/// Credentials that lie in a folder.
pub(crate) fn credentials(keys: &Path, service: &str) -> Auth {
    let key = |name: &str, text: &str| {
        let path = keys.join(name);
        std::fs::write(&path, text).unwrap();
        SecretRef::FromFile(path)
    };
    Auth::SigV4(SigV4 {
        region: "eu-west-1".to_owned(),
        service: service.to_owned(),
        access_key: key("access", "AKID"),
        secret_key: key("secret", SECRET),
        session_token: Some(key("session", "hush-session")),
    })
}

fn source(url: &str, method: QueryMethod, keys: &Path) -> PrometheusDatasource {
    let spec = PrometheusSpec {
        url: url.to_owned(),
        params: BTreeMap::from([("dedup".to_owned(), "a b+c".to_owned())]),
        method,
        allow_partial: false,
    };
    let source = DatasourceSpec {
        auth: Some(credentials(keys, "aps")),
        ..plain(DatasourceKind::Prometheus(spec.clone()))
    };
    PrometheusDatasource::new(Arc::new(SystemClock), &spec, &source)
}

/// The request that arrives.
async fn sent(method: QueryMethod) -> Request {
    let (server, keys) = (MockServer::start().await, TempDir::new().unwrap());
    Mock::given(IsSigned { service: "aps" })
        .respond_with(ResponseTemplate::new(200).set_body_string(EMPTY))
        .expect(1)
        .mount(&server)
        .await;
    let source = source(
        &format!("{}/workspaces/ws-a", server.uri()),
        method,
        keys.path(),
    );
    let shown = format!("{source:?}");
    assert!(!shown.contains("hush"), "{shown}");
    let asked = asked(MetricKind::Value, "sum(up{a=\"ü ~*'\"}) + 1");
    let answer = source.query(&context(), &asked, window(0, 60)).await;
    assert!(answer.unwrap().series.is_empty());
    server.received_requests().await.unwrap().remove(0)
}

#[tokio::test]
async fn forms_and_parameters_are_signed_as_they_arrive() {
    for (method, names) in [
        (
            QueryMethod::Post,
            "content-type;host;x-amz-date;x-amz-security-token",
        ),
        (QueryMethod::Get, "host;x-amz-date;x-amz-security-token"),
    ] {
        let request = sent(method).await;
        assert_eq!(request.headers["x-amz-security-token"], "hush-session");
        let told = request.headers["authorization"].to_str().unwrap();
        let names = format!("SignedHeaders={names}, ");
        assert!(told.contains(&names), "{told}");
    }
}

#[tokio::test]
async fn a_request_that_is_changed_on_the_way_is_not_signed() {
    let request = sent(QueryMethod::Post).await;
    assert!(is_signed(&request, "aps"));
    let mut changed = request.clone();
    changed.body.push(b'1');
    assert!(!is_signed(&changed, "aps"));
    let mut changed = request;
    changed.url.set_query(Some("a=b"));
    assert!(!is_signed(&changed, "aps"));
}

#[tokio::test]
async fn keys_are_read_anew_and_never_told() {
    let (server, keys) = (MockServer::start().await, TempDir::new().unwrap());
    let source = source(&server.uri(), QueryMethod::Post, keys.path());
    let asked = asked(MetricKind::Value, "up");
    std::fs::write(keys.path().join("session"), "hush\nsession").unwrap();
    let (cx, window) = (context(), window(0, 60));
    let fault = source.query(&cx, &asked, window).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Invalid);
    let said = format!("{fault:?}");
    assert!(!said.contains("hush"), "{said}");
    std::fs::remove_file(keys.path().join("secret")).unwrap();
    let fault = source.query(&cx, &asked, window).await.unwrap_err();
    assert!(!format!("{fault:?}").contains("hush"), "{fault:?}");
    assert!(server.received_requests().await.unwrap().is_empty());
}
