//! The page of a real program, as text and as protobuf: both say the same.

use std::collections::BTreeMap;
use std::sync::Arc;

use em_core::plan::{DatasourceKind, DatasourceSpec, MetricKind, Text};
use em_core::port::{Answer, Asked, Datasource as _, Labels, SystemClock};
use em_core::template::Template;
use em_datasource::ScrapeDatasource;

use crate::asking::{asked, cx, plain};
use crate::servers::prometheus;

async fn page(url: &str, form: &str, query: &str) -> Answer {
    let template = Template::parse(url).unwrap();
    let accept = Text::Template(Template::parse(form).unwrap());
    let spec = DatasourceSpec {
        kind: DatasourceKind::Scrape {
            url: template.clone(),
        },
        headers: BTreeMap::from([("Accept".to_owned(), accept)]),
        ..plain(url)
    };
    let source = ScrapeDatasource::new(Arc::new(SystemClock), template, &spec);
    let asked = Asked {
        endpoint: Some(url.to_owned()),
        ..asked(MetricKind::Gauge, query)
    };
    let limit = std::time::Duration::from_secs(20);
    source.sample(&cx(limit), &asked).await.unwrap()
}

fn labels(answer: &Answer) -> Vec<&Labels> {
    answer.series.iter().map(|series| &series.labels).collect()
}

#[tokio::test]
#[ignore = "needs prometheus: tests/run datasources"]
async fn a_page_says_the_same_in_both_forms() {
    let server = prometheus("", &[]);
    let url = format!("{}/metrics", server.url);
    let text = "text/plain;version=0.0.4";
    let messages = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited";
    // Asked for once before, it counts requests of itself.
    page(&url, text, "go_info").await;
    for query in [
        "go_info",
        "go_goroutines",
        "go_gc_duration_seconds",
        "go_gc_duration_seconds_count",
        "prometheus_http_requests_total",
        "prometheus_http_response_size_bytes",
        "prometheus_http_response_size_bytes_bucket",
        "prometheus_tsdb_compaction_chunk_range_seconds",
        "prometheus_tsdb_compaction_chunk_range_seconds_count",
    ] {
        let as_text = page(&url, text, query).await;
        let as_messages = page(&url, messages, query).await;
        assert!(!as_text.series.is_empty(), "{query}");
        assert_eq!(labels(&as_text), labels(&as_messages), "{query}");
    }
    for query in ["go_info", "prometheus_build_info"] {
        let values = async |form| {
            let answer = page(&url, form, query).await;
            answer.series[0].points[0].value.to_string()
        };
        assert_eq!([values(text).await, values(messages).await], ["1", "1"]);
    }
    // One form or the other: the reply says which.
    let reply = reqwest::Client::new().get(&url).header("accept", messages);
    let kind = reply.send().await.unwrap().headers()["content-type"].clone();
    assert!(kind.to_str().unwrap().contains("protobuf"), "{kind:?}");
}
