//! Pages over TLS: who asks is proved, who answers is known, and no way lets the secret out.

use em_core::fault::{Fault, FaultKind};
use em_core::plan::{Auth, DatasourceSpec, SecretRef, Tls};
use em_core::port::{Answer, Datasource as _};

use crate::asking::{SECONDS, asked, context, ok, plain, server, source_of, values};
use crate::tunnel::Authority;

/// What must be nowhere but on the wire.
const CANARY: &str = "canary-7c1b2e";

/// A page behind TLS that wants the canary.
async fn guarded(authority: &Authority) -> String {
    let page = server(|_, _| ok("up 1\n")).await;
    let behind = page.trim_end_matches("/metrics");
    let proof = format!("authorization: bearer {CANARY}\r\n");
    let url = authority.guard(behind, Some(&proof), false).await;
    format!("{url}/metrics")
}

fn bearer(authority: &Authority, token: &str) -> Auth {
    let path = authority.file("token");
    std::fs::write(&path, format!("{token}\n")).unwrap();
    Auth::Bearer(SecretRef::FromFile(path))
}

fn trusting(authority: &Authority) -> Tls {
    Tls {
        ca_file: Some(authority.file("ca.pem")),
        ..Tls::default()
    }
}

async fn look(spec: &DatasourceSpec, url: &str) -> Result<Answer, Fault> {
    let source = source_of(spec);
    let answer = source.sample(&context(SECONDS), &asked(url, "up")).await;
    let said = format!("{source:?} {answer:?}");
    assert!(!said.contains(CANARY), "the secret got out: {said}");
    answer
}

async fn refused(spec: &DatasourceSpec, url: &str) -> FaultKind {
    let fault = look(spec, url).await.unwrap_err();
    assert!(!fault.chain().contains(CANARY), "{}", fault.chain());
    fault.kind
}

#[tokio::test]
async fn a_page_behind_tls_is_read_by_whoever_has_the_token() {
    let authority = Authority::new();
    let url = guarded(&authority).await;
    let spec = DatasourceSpec {
        auth: Some(bearer(&authority, CANARY)),
        tls: trusting(&authority),
        ..plain()
    };
    let answer = look(&spec, &url).await.unwrap();
    assert_eq!(values(&answer, "x"), [(String::new(), 1.0)].into());
    let found = source_of(&spec)
        .validate(&context(SECONDS), &asked(&url, "up"))
        .await;
    assert_eq!(found.unwrap().series, Some(1));

    // The file is read anew for each request.
    bearer(&authority, "an old one");
    assert_eq!(refused(&spec, &url).await, FaultKind::Denied);
    bearer(&authority, &format!("{CANARY}\u{7}"));
    assert_eq!(refused(&spec, &url).await, FaultKind::Invalid);
    let nobody = DatasourceSpec { auth: None, ..spec };
    assert_eq!(refused(&nobody, &url).await, FaultKind::Denied);
}

#[tokio::test]
async fn whoever_answers_must_be_known_unless_the_file_says_otherwise() {
    let (authority, other) = (Authority::new(), Authority::new());
    let url = guarded(&authority).await;
    let spec = |tls| DatasourceSpec {
        auth: Some(bearer(&authority, CANARY)),
        tls,
        ..plain()
    };
    assert_eq!(
        refused(&spec(trusting(&other)), &url).await,
        FaultKind::Unavailable
    );
    assert_eq!(
        refused(&spec(Tls::default()), &url).await,
        FaultKind::Unavailable
    );
    let anyone = Tls {
        insecure_skip_verify: true,
        ..Tls::default()
    };
    look(&spec(anyone), &url).await.unwrap();
    let without_file = Tls {
        ca_file: Some(authority.file("nowhere.pem")),
        ..Tls::default()
    };
    assert_eq!(
        refused(&spec(without_file), &url).await,
        FaultKind::NotFound
    );
}
