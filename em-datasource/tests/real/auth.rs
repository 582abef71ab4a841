//! Every way to say who asks, over TLS; and no way lets the secret out.

use std::time::Duration;

use em_core::fault::FaultKind;
use em_core::plan::MetricKind::Value;
use em_core::plan::{Auth, ClientCertificate, DatasourceSpec, SecretRef, Text, Tls};
use em_core::port::Datasource as _;
use wiremock::matchers::{body_string_contains, header, method};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::asking::{cx, only, plain, query, source, window};
use crate::servers::{T0, prometheus};
use crate::tunnel::Authority;

/// What must be nowhere but on the wire.
const CANARY: &str = "canary-5f1e7b";

fn data() -> String {
    let line = |step: i64| format!("level {step} {}\n", T0 + step * 15);
    format!(
        "# TYPE level gauge\n{}",
        (0..40).map(line).collect::<String>()
    )
}

fn secret(authority: &Authority, text: &str) -> SecretRef {
    let path = authority.file("secret");
    std::fs::write(&path, format!("{text}\n")).unwrap();
    SecretRef::FromFile(path)
}

fn trusting(authority: &Authority, url: &str, auth: Option<Auth>) -> DatasourceSpec {
    DatasourceSpec {
        auth,
        tls: Tls {
            ca_file: Some(authority.file("ca.pem")),
            ..Tls::default()
        },
        ..plain(url)
    }
}

async fn is_let_through(spec: &DatasourceSpec) {
    let source = source(spec);
    source.probe(&cx(Duration::from_secs(5))).await.unwrap();
    let answer = query(&source, Value, "sum(level)", window(0, 60))
        .await
        .unwrap();
    assert_eq!(only(&answer), [4.0]);
    no_canary(&format!(
        "{source:?} {answer:?} {}",
        serde_json::to_string(spec).unwrap()
    ));
}

/// Answers what the fault says.
async fn is_refused(spec: &DatasourceSpec, kind: FaultKind) -> String {
    let source = source(spec);
    let fault = query(&source, Value, "sum(level)", window(0, 60))
        .await
        .unwrap_err();
    let said = fault.chain();
    assert_eq!(fault.kind, kind, "{said}");
    no_canary(&format!("{said} {fault:?} {source:?}"));
    said
}

fn no_canary(text: &str) {
    assert!(!text.contains(CANARY), "the secret got out: {text}");
}

#[tokio::test]
#[ignore = "needs prometheus: tests/run datasources"]
async fn a_token_opens_the_door_and_a_renewed_one_does_so_at_once() {
    let (server, authority) = (prometheus(&data(), &[]), Authority::new());
    let proof = format!("authorization: bearer {CANARY}");
    let url = authority.guard(&server.url, Some(&proof), false).await;
    let spec = trusting(
        &authority,
        &url,
        Some(Auth::Bearer(secret(&authority, CANARY))),
    );
    is_let_through(&spec).await;
    secret(&authority, "an old one");
    is_refused(&spec, FaultKind::Denied).await;
    secret(&authority, CANARY);
    is_let_through(&spec).await;
    is_refused(&trusting(&authority, &url, None), FaultKind::Denied).await;
    // Characters that no header may hold are not repeated.
    secret(&authority, &format!("{CANARY}\u{7}"));
    is_refused(&spec, FaultKind::Invalid).await;
}

#[tokio::test]
#[ignore = "needs prometheus: tests/run datasources"]
async fn a_user_and_a_password_open_the_door() {
    let (server, authority) = (prometheus(&data(), &[]), Authority::new());
    let url = authority
        .guard(&server.url, Some("authorization: basic "), false)
        .await;
    let auth = Auth::Basic {
        user: "em".to_owned(),
        password: secret(&authority, CANARY),
    };
    is_let_through(&trusting(&authority, &url, Some(auth))).await;
}

#[tokio::test]
#[ignore = "needs prometheus: tests/run datasources"]
async fn prometheus_itself_checks_the_password() {
    let authority = Authority::new();
    let config = authority.file("web.yml");
    // Of the password `test`, with the least cost there is.
    let hashed = "$2y$04$6SkzURVQn6Cw6LuBHbJj3.7jUOfbOoNb7Q6hLbQZJv8pK0cRjv0cy";
    std::fs::write(&config, format!("basic_auth_users: {{ em: '{hashed}' }}\n")).unwrap();
    let flag = format!("--web.config.file={}", config.display());
    let server = prometheus(&data(), &[&flag]);
    let auth = Auth::Basic {
        user: "em".to_owned(),
        password: secret(&authority, CANARY),
    };
    let spec = DatasourceSpec {
        auth: Some(auth),
        ..plain(&server.url)
    };
    let said = is_refused(&spec, FaultKind::Denied).await;
    assert!(said.contains("401: Unauthorized"), "{said}");
}

#[tokio::test]
#[ignore = "needs prometheus: tests/run datasources"]
async fn a_header_of_the_file_opens_the_door() {
    let (server, authority) = (prometheus(&data(), &[]), Authority::new());
    let proof = format!("x-scope-orgid: {CANARY}");
    let url = authority.guard(&server.url, Some(&proof), false).await;
    let mut spec = trusting(&authority, &url, None);
    let value = Text::Secret(secret(&authority, CANARY));
    spec.headers.insert("X-Scope-OrgID".to_owned(), value);
    is_let_through(&spec).await;
}

#[tokio::test]
#[ignore = "needs prometheus: tests/run datasources"]
async fn a_certificate_opens_the_door() {
    let (server, authority) = (prometheus(&data(), &[]), Authority::new());
    let url = authority.guard(&server.url, None, true).await;
    let mut spec = trusting(&authority, &url, None);
    is_refused(&spec, FaultKind::Unavailable).await;
    authority.certify("em");
    spec.tls.client = Some(ClientCertificate {
        cert_file: authority.file("em.pem"),
        key_file: authority.file("em.key"),
    });
    is_let_through(&spec).await;
}

#[tokio::test]
#[ignore = "needs prometheus: tests/run datasources"]
async fn an_authority_that_nobody_knows_is_not_trusted() {
    let (server, authority) = (prometheus(&data(), &[]), Authority::new());
    let url = authority.guard(&server.url, None, false).await;
    let stranger = Authority::new();
    is_refused(&trusting(&stranger, &url, None), FaultKind::Unavailable).await;
    is_refused(&plain(&url), FaultKind::Unavailable).await;
    let mut spec = plain(&url);
    spec.tls.insecure_skip_verify = true;
    is_let_through(&spec).await;
    spec.tls.ca_file = Some(stranger.file("nowhere.pem"));
    is_refused(&spec, FaultKind::NotFound).await;
}

#[tokio::test]
#[ignore = "needs prometheus: tests/run datasources"]
async fn a_token_that_was_given_is_kept_and_renewed_when_it_is_refused() {
    let (server, authority) = (prometheus(&data(), &[]), Authority::new());
    let giver = MockServer::start().await;
    let grant = |token: &str| {
        let body =
            format!(r#"{{"access_token":"{token}","token_type":"Bearer","expires_in":3600}}"#);
        ResponseTemplate::new(200).set_body_raw(body, "application/json")
    };
    // The first token is refused at the door, the second is not.
    Mock::given(method("POST"))
        .and(body_string_contains("grant_type=client_credentials"))
        .and(body_string_contains("scope=read"))
        .respond_with(grant("stale"))
        .up_to_n_times(1)
        .expect(1)
        .mount(&giver)
        .await;
    Mock::given(method("POST"))
        .and(header("authorization", basic("em", CANARY).as_str()))
        .respond_with(grant("fresh-canary"))
        .expect(1)
        .mount(&giver)
        .await;
    let url = authority
        .guard(
            &server.url,
            Some("authorization: bearer fresh-canary"),
            false,
        )
        .await;
    let auth = Auth::OAuth2 {
        token_url: giver.uri(),
        client_id: "em".to_owned(),
        client_secret: secret(&authority, CANARY),
        scopes: vec!["read".to_owned()],
    };
    is_let_through(&trusting(&authority, &url, Some(auth))).await;
}

fn basic(user: &str, password: &str) -> String {
    use base64::Engine as _;

    let pair = format!("{user}:{password}");
    format!(
        "Basic {}",
        base64::engine::general_purpose::STANDARD.encode(pair)
    )
}
