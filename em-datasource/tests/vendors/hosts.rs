//! Which hosts are asked, of sources that a server runs for others.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::io::Write as _;
use std::sync::Arc;

use em_core::fault::FaultKind;
use em_core::plan::{
    Auth, DatadogApi, DatadogSpec, DatasourceKind, DatasourceSpec, GraphiteSpec, InfluxDbSpec,
    InstanaSpec, JsonSpec, MetricKind, PrometheusSpec, QueryMethod, SecretRef,
};
use em_core::port::{Datasource, SystemClock};
use em_core::template::Template;
use em_datasource::{
    DatadogDatasource, GraphiteDatasource, HostPolicy, InfluxDbDatasource, InstanaDatasource,
    JsonDatasource, PrometheusDatasource, ScrapeDatasource,
};
use tempfile::NamedTempFile;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::asking::{asked, context, plain, window};

const VECTOR: &str = r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"1"]}]}}"#;

fn guarded(allowed: &[&str]) -> HostPolicy {
    HostPolicy::guarded(allowed.iter().map(|text| text.parse().unwrap()))
}

async fn server(body: &str) -> MockServer {
    let server = MockServer::start().await;
    let answer = ResponseTemplate::new(200).set_body_string(body);
    Mock::given(any()).respond_with(answer).mount(&server).await;
    server
}

async fn count(server: &MockServer) -> usize {
    server.received_requests().await.unwrap().len()
}

/// The server by this name or address of the machine itself.
fn url(server: &MockServer, host: &str) -> String {
    format!("http://{host}:{}", server.address().port())
}

fn secret() -> (NamedTempFile, SecretRef) {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(b"hush").unwrap();
    let reference = SecretRef::FromFile(file.path().to_owned());
    (file, reference)
}

fn prometheus(url: String, auth: Option<Auth>, hosts: HostPolicy) -> PrometheusDatasource {
    let spec = PrometheusSpec {
        url,
        params: std::collections::BTreeMap::new(),
        method: QueryMethod::default(),
        allow_partial: false,
    };
    let source = DatasourceSpec {
        auth,
        ..plain(DatasourceKind::Prometheus(spec.clone()))
    };
    PrometheusDatasource::new(Arc::new(SystemClock), &spec, &source).with_hosts(hosts)
}

#[tokio::test]
async fn a_socket_of_the_machine_itself_is_asked_only_where_it_is_allowed() {
    let server = server(VECTOR).await;
    let port = server.address().port();
    for (host, allowed, is_asked) in [
        ("127.0.0.1", HostPolicy::any(), true),
        ("127.0.0.1", guarded(&[]), false),
        ("2130706433", guarded(&[]), false),
        ("[::ffff:127.0.0.1]", guarded(&[]), false),
        ("localhost", guarded(&[]), false),
        ("localhost", guarded(&["localhost"]), true),
        ("localhost", guarded(&["127.0.0.1", "203.0.113.1"]), false),
        ("127.0.0.1", guarded(&["127.0.0.0/8"]), true),
        ("127.0.0.1", guarded(&[&format!("127.0.0.1:{port}")]), true),
        ("127.0.0.1", guarded(&["127.0.0.1:1"]), false),
        ("127.0.0.1", guarded(&["localhost"]), false),
    ] {
        let before = count(&server).await;
        let shown = format!("{host}, {allowed:?}");
        let source = prometheus(url(&server, host), None, allowed);
        let asked = asked(MetricKind::Value, "vector(1)");
        let answer = source.query(&context(), &asked, window(0, 10)).await;
        let is_told = count(&server).await > before;
        assert_eq!((answer.is_ok(), is_told), (is_asked, is_asked), "{shown}");
        if let Err(fault) = answer {
            assert_eq!(fault.kind, FaultKind::Denied, "{shown}: {fault}");
            let named = ["allow.datasource_hosts", "is not asked"];
            assert!(
                named.iter().all(|words| fault.message.contains(words)),
                "{fault}"
            );
        }
    }
}

#[tokio::test]
async fn whoever_gives_tokens_is_guarded_as_well() {
    let (server, tokens) = (
        server(VECTOR).await,
        server(r#"{"access_token":"x"}"#).await,
    );
    let (_file, client_secret) = secret();
    let auth = |host: &str| Auth::OAuth2 {
        token_url: format!("{}/token?hush", url(&tokens, host)),
        client_id: "id".to_owned(),
        client_secret: client_secret.clone(),
        scopes: Vec::new(),
    };
    let port = |server: &MockServer| format!("127.0.0.1:{}", server.address().port());
    let only_server = || guarded(&[&port(&server)]);
    let asked = asked(MetricKind::Value, "vector(1)");
    for host in ["127.0.0.1", "localhost"] {
        let source = prometheus(url(&server, "127.0.0.1"), Some(auth(host)), only_server());
        let fault = source.query(&context(), &asked, window(0, 10)).await;
        let fault = fault.unwrap_err();
        assert_eq!(fault.kind, FaultKind::Denied, "{fault}");
        assert!(fault.message.starts_with(host), "{fault}");
        assert!(!fault.chain().contains("hush"), "{fault}");
    }
    assert_eq!((count(&server).await, count(&tokens).await), (0, 0));
    let both = guarded(&[&port(&server), &port(&tokens)]);
    let source = prometheus(url(&server, "127.0.0.1"), Some(auth("127.0.0.1")), both);
    source
        .query(&context(), &asked, window(0, 10))
        .await
        .unwrap();
    assert_eq!((count(&server).await, count(&tokens).await), (1, 1));
}

#[tokio::test]
async fn every_source_is_guarded() {
    let server = server("{}").await;
    let (_file, token) = secret();
    let clock = || Arc::new(SystemClock);
    let hosts = || guarded(&[]);
    for host in ["127.0.0.1", "localhost"] {
        let url = url(&server, host);
        let template = Template::parse(&url).unwrap();
        let datadog = DatadogSpec {
            url: url.clone(),
            api_key: token.clone(),
            application_key: token.clone(),
            api: DatadogApi::V2,
        };
        let instana = InstanaSpec {
            url: url.clone(),
            token: token.clone(),
        };
        let influxdb = InfluxDbSpec {
            url: url.clone(),
            database: "db".to_owned(),
            retention_policy: None,
        };
        let graphite = GraphiteSpec { url: url.clone() };
        let json = JsonSpec {
            url: template.clone(),
            method: QueryMethod::Get,
            body: None,
            time: None,
            labels: std::collections::BTreeMap::new(),
        };
        let spec = plain(DatasourceKind::Push);
        let sources: [Box<dyn Datasource>; 7] = [
            Box::new(prometheus(url, None, hosts())),
            Box::new(DatadogDatasource::new(clock(), &datadog, &spec).with_hosts(hosts())),
            Box::new(InstanaDatasource::new(clock(), &instana, &spec).with_hosts(hosts())),
            Box::new(InfluxDbDatasource::new(clock(), &influxdb, &spec).with_hosts(hosts())),
            Box::new(GraphiteDatasource::new(clock(), &graphite, &spec).with_hosts(hosts())),
            Box::new(JsonDatasource::new(clock(), &json, &spec).with_hosts(hosts())),
            Box::new(ScrapeDatasource::new(clock(), template, &spec).with_hosts(hosts())),
        ];
        for source in sources {
            let fault = source.probe(&context()).await.unwrap_err();
            assert_eq!(fault.kind, FaultKind::Denied, "{source:?}: {fault}");
        }
    }
    assert_eq!(count(&server).await, 0);
}

#[tokio::test]
async fn an_address_that_is_known_only_later_is_guarded_when_it_is_asked() {
    let server = server("m 1\n").await;
    let template = Template::parse("http://{{address}}/metrics").unwrap();
    let spec = plain(DatasourceKind::Push);
    let source = ScrapeDatasource::new(Arc::new(SystemClock), template, &spec);
    let source = source.with_hosts(guarded(&["203.0.113.7"]));
    let mut asked = asked(MetricKind::Gauge, "m");
    asked.endpoint = Some(format!("{}/metrics", url(&server, "127.0.0.1")));
    let fault = source.sample(&context(), &asked).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Denied, "{fault}");
    assert_eq!(count(&server).await, 0);
}
