//! A secret goes to its server and nowhere else: not into what is printed, logged or kept, even where
//! the server repeats everything it was told.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::path::Path;
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use em_tests::http;

const CANARY: &str = "canary-7d1c0b94e2";
/// What the server gives for the secret of a client.
const GRANTED: &str = "granted-canary-55aa01";

const FILE: &str = "
name: canary
target: { kind: observe }
load: { kind: none }
datasources:
  source: { SOURCE }
metrics: [{ name: m, datasource: source, as: gauge, query: QUERY }]
measurement: { warmup: 0s, cycles: 1, cycle_duration: 100ms, iterations: { max: 1 } }
retries: { cluster: 0 }
";

/// Every way in which a secret reaches a server.
const WAYS: [(&str, &str); 13] = [
    ("kind: prometheus, url: URL, auth: { bearer: SECRET }", "up"),
    (
        "kind: prometheus, url: URL, auth: { basic: { user: em, password: SECRET } }",
        "up",
    ),
    (
        "kind: prometheus, url: URL, headers: { X-Token: SECRET }",
        "up",
    ),
    (
        "kind: prometheus, url: URL, auth: { oauth2: { token_url: URL/token, client_id: em, client_secret: SECRET } }",
        "up",
    ),
    (
        "kind: datadog, url: URL, api_key: SECRET, application_key: SECRET",
        "avg:x{*}",
    ),
    (
        "kind: instana, url: URL, token: SECRET",
        "{ plugin: host, query: a, metrics: [b] }",
    ),
    (
        "kind: cloudwatch, region: eu-west-1, url: URL, auth: { sigv4: { access_key: SECRET, secret_key: SECRET } }",
        "{ MetricStat: { Metric: { Namespace: N, MetricName: M }, Stat: Sum } }",
    ),
    (
        "kind: influxdb, url: URL, database: em, auth: { basic: { user: em, password: SECRET } }",
        "SELECT v FROM m",
    ),
    ("kind: dynatrace, url: URL, token: SECRET", "a.b"),
    (
        "kind: newrelic, url: URL, account: 1, key: SECRET",
        "SELECT count(*) FROM T",
    ),
    ("kind: graphite, url: URL, auth: { bearer: SECRET }", "a.b"),
    ("kind: json, url: URL/x, auth: { bearer: SECRET }", "$.a"),
    (
        "kind: scrape, url: URL/metrics, auth: { bearer: SECRET }",
        "up",
    ),
];

/// A server that refuses everybody, and says what it was told. Tokens it gives freely.
fn parrot() -> (String, Arc<Mutex<String>>) {
    let heard = Arc::new(Mutex::new(String::new()));
    let told = Arc::clone(&heard);
    let url = http::serve(move |request| {
        told.lock().unwrap().push_str(request);
        if request.starts_with("POST /token") {
            let grant = serde_json::json!({ "access_token": GRANTED, "expires_in": 300 });
            return ("200 OK", grant.to_string());
        }
        let heard = request.replace("\r\n", " ");
        let said = serde_json::json!({
            "status": "error", "errorType": "bad_data", "error": heard, "errors": [heard],
        });
        ("400 Bad Request", said.to_string())
    });
    (url.unwrap(), heard)
}

#[test]
fn a_secret_goes_to_its_server_and_nowhere_else() {
    for (source, query) in WAYS {
        goes_nowhere_else(source, query);
    }
}

fn goes_nowhere_else(source: &str, query: &str) {
    let folder = tempfile::tempdir().unwrap();
    let (url, heard) = parrot();
    let path = folder.path().join("file.yaml");
    let source = source
        .replace("URL", &format!("\"{url}\""))
        .replace("\"/", "/");
    let source = quoted_paths(&source, &url).replace("SECRET", "{ from_env: EM_TEST_CANARY }");
    let query = if query.starts_with('{') {
        query.to_owned()
    } else {
        format!("'{query}'")
    };
    let file = FILE.replace("SOURCE", &source).replace("QUERY", &query);
    std::fs::write(&path, &file).unwrap();
    let data = folder.path().join("data");
    let em = |arguments: &[&str]| -> Output {
        Command::new(env!("CARGO_BIN_EXE_em"))
            .args(arguments)
            .env("EM_TEST_CANARY", CANARY)
            .env("EM_DATA", &data)
            .env("RUST_LOG", "trace")
            .output()
            .unwrap()
    };
    let file = path.to_str().unwrap();
    for arguments in [
        vec!["check", file],
        vec!["query", file],
        vec!["run", "--beside", "--output", "json", file],
        vec!["show", "canary"],
        vec!["export", "canary", "--format", "json"],
    ] {
        let output = em(&arguments);
        let said = [output.stdout, output.stderr].concat();
        clean(&said, &format!("{arguments:?} of {source}"));
    }
    clean_folder(&data, &source);
    let heard = heard.lock().unwrap();
    let sent = [CANARY.to_owned(), GRANTED.to_owned(), basic()];
    assert!(
        sent.iter().any(|one| heard.contains(one)),
        "{source} sent nothing: {heard}"
    );
}

/// `"http://h"/x` is `"http://h/x"`.
fn quoted_paths(source: &str, url: &str) -> String {
    let mut text = source.to_owned();
    for path in ["/token", "/x", "/metrics"] {
        text = text.replace(&format!("\"{url}{path}"), &format!("\"{url}{path}\""));
    }
    text
}

fn basic() -> String {
    STANDARD.encode(format!("em:{CANARY}"))
}

fn clean(bytes: &[u8], place: &str) {
    let text = String::from_utf8_lossy(bytes);
    for secret in [CANARY, GRANTED, &basic()] {
        assert!(!text.contains(secret), "{place}: {secret} got out: {text}");
    }
}

fn clean_folder(folder: &Path, source: &str) {
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            clean_folder(&path, source);
        } else if !path.ends_with("reserve") {
            // The room that is set aside holds nothing.
            clean(
                &std::fs::read(&path).unwrap(),
                &format!("{} of {source}", path.display()),
            );
        }
    }
}
