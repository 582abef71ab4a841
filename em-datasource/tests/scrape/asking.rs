//! A server of the test's own, and what is asked of it.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use em_core::id::{Epoch, ExperimentName, IterationNo, OpKey, TrialId};
use em_core::plan::{DatasourceKind, DatasourceSpec, MetricKind, Text, Tls};
use em_core::port::{Answer, Asked, Clock as _, OpContext, SystemClock};
use em_core::template::Template;
use em_datasource::ScrapeDatasource;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub(crate) const SECONDS: Duration = Duration::from_secs(20);

/// Answers each request with `answer(its head, its number)`; answers its address.
pub(crate) async fn server<F>(answer: F) -> String
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

/// A whole answer of this type.
pub(crate) fn of_type(content_type: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

pub(crate) fn ok(body: &str) -> Vec<u8> {
    of_type("text/plain; version=0.0.4", body.as_bytes())
}

pub(crate) fn context(limit: Duration) -> OpContext {
    let key = OpKey::Iteration {
        experiment: "a".parse::<ExperimentName>().unwrap(),
        trial: TrialId(7),
        iteration: IterationNo(3),
    };
    let epoch = Epoch {
        store: "test".to_owned(),
        counter: 1,
    };
    let deadline = SystemClock.now() + limit;
    OpContext::new(key, epoch, deadline, CancellationToken::new())
}

pub(crate) fn asked(url: &str, query: &str) -> Asked {
    Asked {
        text: query.to_owned(),
        kind: MetricKind::Counter,
        endpoint: Some(url.to_owned()),
        body: None,
    }
}

/// The page of whatever is the target, nothing else said.
pub(crate) fn plain() -> DatasourceSpec {
    let url = Template::parse("http://{{address}}/metrics").unwrap();
    DatasourceSpec {
        kind: DatasourceKind::Scrape { url },
        headers: BTreeMap::new(),
        every: None,
        auth: None,
        tls: Tls::default(),
    }
}

pub(crate) fn source_of(spec: &DatasourceSpec) -> ScrapeDatasource {
    let DatasourceKind::Scrape { url } = &spec.kind else {
        panic!("it is of another kind");
    };
    ScrapeDatasource::new(Arc::new(SystemClock), url.clone(), spec)
}

pub(crate) fn source(headers: BTreeMap<String, Text>) -> ScrapeDatasource {
    source_of(&DatasourceSpec { headers, ..plain() })
}

/// Values by the given label.
pub(crate) fn values(answer: &Answer, label: &str) -> BTreeMap<String, f64> {
    let series = answer.series.iter();
    series
        .map(|one| {
            let name = one.labels.get(label).cloned().unwrap_or_default();
            (name, one.points.last().unwrap().value)
        })
        .collect()
}
