//! Remote write: how series get into a server that no page can tell.

use prost::Message;

#[derive(Message)]
pub(crate) struct WriteRequest {
    #[prost(message, repeated, tag = "1")]
    pub(crate) timeseries: Vec<TimeSeries>,
}

#[derive(Message)]
pub(crate) struct TimeSeries {
    #[prost(message, repeated, tag = "1")]
    pub(crate) labels: Vec<Label>,
    #[prost(message, repeated, tag = "2")]
    pub(crate) samples: Vec<Sample>,
    #[prost(message, repeated, tag = "4")]
    pub(crate) histograms: Vec<Native>,
}

#[derive(Message)]
pub(crate) struct Label {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(string, tag = "2")]
    pub(crate) value: String,
}

#[derive(Message)]
pub(crate) struct Sample {
    #[prost(double, tag = "1")]
    pub(crate) value: f64,
    #[prost(int64, tag = "2")]
    pub(crate) at: i64,
}

#[derive(Message)]
pub(crate) struct Native {
    #[prost(uint64, tag = "1")]
    pub(crate) count: u64,
    #[prost(double, tag = "3")]
    pub(crate) sum: f64,
    #[prost(sint32, tag = "4")]
    pub(crate) schema: i32,
    #[prost(double, tag = "5")]
    pub(crate) zero_threshold: f64,
    #[prost(uint64, tag = "6")]
    pub(crate) zero_count: u64,
    #[prost(message, repeated, tag = "11")]
    pub(crate) spans: Vec<Span>,
    #[prost(sint64, repeated, tag = "12")]
    pub(crate) deltas: Vec<i64>,
    #[prost(int64, tag = "15")]
    pub(crate) at: i64,
}

#[derive(Message)]
pub(crate) struct Span {
    #[prost(sint32, tag = "1")]
    pub(crate) offset: i32,
    #[prost(uint32, tag = "2")]
    pub(crate) length: u32,
}

/// The bits of a NaN that says: the target is gone.
pub(crate) const STALE: u64 = 0x7ff0_0000_0000_0002;

/// A name and labels, in the order of their names.
pub(crate) fn labels(name: &str, more: &[(&str, &str)]) -> Vec<Label> {
    let all = [("__name__", name)].into_iter().chain(more.iter().copied());
    let label = |(name, value): (&str, &str)| Label {
        name: name.to_owned(),
        value: value.to_owned(),
    };
    all.map(label).collect()
}

pub(crate) async fn write(url: &str, timeseries: Vec<TimeSeries>) {
    let body = WriteRequest { timeseries }.encode_to_vec();
    let body = snap::raw::Encoder::new().compress_vec(&body).unwrap();
    drop(rustls::crypto::ring::default_provider().install_default());
    let answer = reqwest::Client::new()
        .post(format!("{url}/api/v1/write"))
        .header("X-Prometheus-Remote-Write-Version", "0.1.0")
        .header("Content-Encoding", "snappy")
        .body(body)
        .send()
        .await
        .unwrap();
    let status = answer.status();
    assert!(
        status.is_success(),
        "{status}: {}",
        answer.text().await.unwrap()
    );
}
