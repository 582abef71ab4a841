//! `scrape` keeps the rules of its port.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::collections::BTreeMap;
use std::sync::Arc;

use em_core::observe::Window;
use em_core::plan::{DatasourceKind, DatasourceSpec, MetricKind, Tls};
use em_core::port::{Asked, Clock as _, SystemClock};
use em_core::template::Template;
use em_core::testkit::conformance::{self, DatasourceScene};
use em_datasource::ScrapeDatasource;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

const PAGE: &str = "requests_total{code=\"200\"} 5\nrequests_total{code=\"500\"} 1\n";

/// The address of a page, served for as long as the runtime lives.
async fn a_page() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            let length = PAGE.len();
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{PAGE}");
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    format!("http://{address}/metrics")
}

#[tokio::test]
async fn scrape_keeps_the_rules() {
    conformance::datasource(async || {
        let url = a_page().await;
        let asked = |text: &str| Asked {
            text: text.to_owned(),
            kind: MetricKind::Counter,
            endpoint: Some(url.clone()),
            body: None,
        };
        let now = SystemClock.now();
        let window = Window {
            start: now,
            end: now,
        };
        let template = Template::parse(&url).unwrap();
        let spec = DatasourceSpec {
            kind: DatasourceKind::Scrape {
                url: template.clone(),
            },
            headers: BTreeMap::new(),
            every: None,
            auth: None,
            tls: Tls::default(),
        };
        let source = ScrapeDatasource::new(Arc::new(SystemClock), template, &spec);
        DatasourceScene {
            source: Arc::new(source),
            asked: asked("requests_total"),
            broken: Some(asked("rate(requests_total[1m])")),
            window,
            keep: Box::new(()),
        }
    })
    .await;
}
