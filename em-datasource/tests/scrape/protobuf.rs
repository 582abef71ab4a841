//! Pages of protobuf messages, written byte by byte.

use std::collections::BTreeMap;

use em_core::fault::FaultKind;
use em_core::port::{Answer, Datasource as _};

use crate::asking::{SECONDS, asked, context, of_type, server, source, values};

const TYPE: &str =
    "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited";

/// A field of a message.
enum Field {
    Whole(u64),
    /// Signed, in zigzag.
    Signed(i64),
    Float(f64),
    Bytes(Vec<u8>),
}

use Field::{Bytes, Float, Signed, Whole};

fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number > 127 {
        bytes.push(u8::try_from(number % 128).unwrap() | 128);
        number /= 128;
    }
    bytes.push(u8::try_from(number).unwrap());
    bytes
}

fn zigzag(number: i64) -> u64 {
    let doubled = number.unsigned_abs() * 2;
    if number < 0 { doubled - 1 } else { doubled }
}

fn message(fields: Vec<(u64, Field)>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (tag, field) in fields {
        let (wire, content) = match field {
            Whole(number) => (0, varint(number)),
            Signed(number) => (0, varint(zigzag(number))),
            Float(number) => (1, number.to_le_bytes().to_vec()),
            Bytes(content) => (2, [varint(content.len() as u64), content].concat()),
        };
        bytes.extend(varint(tag * 8 + wire));
        bytes.extend(content);
    }
    bytes
}

fn text(text: &str) -> Field {
    Bytes(text.as_bytes().to_vec())
}

fn label(name: &str, value: &str) -> (u64, Field) {
    (1, Bytes(message(vec![(1, text(name)), (2, text(value))])))
}

/// A family of one type, its metrics as their fields.
fn family(name: &str, kind: u64, metrics: Vec<Vec<(u64, Field)>>) -> Vec<u8> {
    let mut fields = vec![(1, text(name)), (2, text("help")), (3, Whole(kind))];
    let metrics = metrics.into_iter().map(message);
    fields.extend(metrics.map(|metric| (4, Bytes(metric))));
    let message = message(fields);
    [varint(message.len() as u64), message].concat()
}

fn number(tag: u64, value: f64) -> (u64, Field) {
    (tag, Bytes(message(vec![(1, Float(value))])))
}

fn bucket(count: u64, bound: f64) -> (u64, Field) {
    (
        3,
        Bytes(message(vec![(1, Whole(count)), (2, Float(bound))])),
    )
}

/// A native histogram with schema 0: so many in (0.5, 1], and so many more in (4, 8] if any.
fn native(below: u64, above: u64) -> Vec<u8> {
    let span = |tag, offset, length| {
        let fields = vec![(1, Signed(offset)), (2, Whole(length))];
        (tag, Bytes(message(fields)))
    };
    let below_first = i64::try_from(below).unwrap();
    let mut fields = vec![
        (1, Whole(below + above)),
        (2, Float(9.0)),
        (5, Signed(0)),
        (6, Float(0.001)),
        span(12, 0, 1),
    ];
    if above > 0 {
        fields.push(span(12, 2, 1));
    }
    fields.push((13, Signed(below_first)));
    if above > 0 {
        // Told as the difference to the bucket before.
        fields.push((13, Signed(i64::try_from(above).unwrap() - below_first)));
    }
    family("spans", 4, vec![vec![(7, Bytes(message(fields)))]])
}

fn a_page() -> Vec<u8> {
    let created = (15, Bytes(message(vec![(1, Whole(1_700_000_000))])));
    let classic = vec![
        (1, Whole(9)),
        (2, Float(2.5)),
        bucket(5, 0.1),
        bucket(7, 0.000_02),
        created,
    ];
    let summary = vec![
        (1, Whole(4)),
        (2, Float(6.0)),
        (3, Bytes(message(vec![(1, Float(0.5)), (2, Float(1.5))]))),
        (
            3,
            Bytes(message(vec![(1, Float(0.99)), (2, Float(f64::NAN))])),
        ),
    ];
    [
        family(
            "requests_total",
            0,
            vec![
                vec![label("code", "200"), number(3, 1027.0)],
                vec![
                    label("code", "500"),
                    number(3, 3.0),
                    (6, Whole(1_395_066_363_250)),
                ],
                // Encoders leave a zero out.
                vec![label("code", "404"), (3, Bytes(Vec::new()))],
            ],
        ),
        family("threads", 1, vec![vec![number(2, -4.5)]]),
        family("odd", 3, vec![vec![number(5, f64::INFINITY)]]),
        family(
            "latency_seconds",
            4,
            vec![vec![(7, Bytes(message(classic)))]],
        ),
        family("pauses", 2, vec![vec![(4, Bytes(message(summary)))]]),
    ]
    .concat()
}

async fn answer(bytes: Vec<u8>, query: &str) -> Answer {
    let url = server(move |_, _| of_type(TYPE, &bytes)).await;
    let source = source(BTreeMap::new());
    let answer = source.sample(&context(SECONDS), &asked(&url, query)).await;
    answer.unwrap()
}

fn map<const N: usize>(values: [(&str, f64); N]) -> BTreeMap<String, f64> {
    values.map(|(name, value)| (name.to_owned(), value)).into()
}

#[tokio::test]
async fn numbers_are_the_same_as_in_text() {
    let counter = answer(a_page(), "requests_total").await;
    let by_code = map([("200", 1027.0), ("404", 0.0), ("500", 3.0)]);
    assert_eq!(values(&counter, "code"), by_code);
    let stamped = &counter.series[2].points[0];
    assert_eq!(stamped.at.as_millisecond(), 1_395_066_363_250);
    assert_eq!(counter.series[0].points[0].at, counter.window.start);

    let gauge = answer(a_page(), "threads").await;
    assert_eq!(values(&gauge, "__name__"), map([("threads", -4.5)]));
    let untyped = answer(a_page(), "odd").await;
    assert_eq!(values(&untyped, "__name__"), map([("odd", f64::INFINITY)]));
    let missing = answer(a_page(), "thread").await;
    assert!(missing.series.is_empty());
    assert!(missing.warnings[0].contains("did you mean threads?"));
}

#[tokio::test]
async fn a_classic_histogram_has_its_last_bucket_even_where_it_is_left_out() {
    let histogram = answer(a_page(), "latency_seconds").await;
    let names = |series: &em_core::port::Series| series.labels["__name__"].clone();
    assert!(
        histogram
            .series
            .iter()
            .any(|one| names(one) == "latency_seconds_sum")
    );
    let wanted = map([("0.1", 5.0), ("2e-05", 7.0), ("+Inf", 9.0)]);
    let buckets = values(&histogram, "le").into_iter();
    assert!(buckets.filter(|(le, _)| !le.is_empty()).eq(wanted));
    let one = answer(a_page(), "latency_seconds_bucket{le=\"2e-05\"}").await;
    assert_eq!(values(&one, "le"), map([("2e-05", 7.0)]));
    let count = answer(a_page(), "latency_seconds_count").await;
    assert_eq!(values(&count, "le"), map([("", 9.0)]));
}

#[tokio::test]
async fn a_summary_is_its_quantiles_its_sum_and_its_count() {
    let quantiles = answer(a_page(), "pauses").await;
    let found = values(&quantiles, "quantile");
    assert_eq!(found["0.5"].to_string(), "1.5");
    assert!(found["0.99"].is_nan());
    let count = answer(a_page(), "pauses_count").await;
    assert_eq!(values(&count, "quantile"), map([("", 4.0)]));
    let sum = answer(a_page(), "pauses_sum").await;
    assert_eq!(values(&sum, "quantile"), map([("", 6.0)]));
}

#[tokio::test]
async fn a_native_histogram_becomes_cumulative_buckets_that_are_complete_at_every_look() {
    let url = server(|_, number| {
        let page = if number == 0 {
            native(3, 0)
        } else {
            native(4, 2)
        };
        of_type(TYPE, &page)
    })
    .await;
    let (source, cx) = (source(BTreeMap::new()), context(SECONDS));
    let asked = asked(&url, "spans");
    let first = source.sample(&cx, &asked).await.unwrap();
    let wanted = map([("", 9.0), ("1", 3.0), ("+Inf", 3.0)]);
    assert_eq!(values(&first, "le"), wanted);
    let second = source.sample(&cx, &asked).await.unwrap();
    let wanted = map([("", 9.0), ("1", 4.0), ("8", 6.0), ("+Inf", 6.0)]);
    assert_eq!(values(&second, "le"), wanted);
    let late = second
        .series
        .iter()
        .find(|one| one.labels.get("le").is_some_and(|le| le == "8"));
    let points: Vec<f64> = late.unwrap().points.iter().map(|p| p.value).collect();
    assert_eq!(points, [3.0, 6.0]);
    // To look at it beforehand changes nothing.
    let validated = source.validate(&cx, &asked).await.unwrap();
    assert_eq!(validated.series, Some(4));
}

#[tokio::test]
async fn pages_that_cannot_be_read_are_malformed_and_say_where() {
    let mut cut = a_page();
    cut.truncate(cut.len() - 1);
    let nameless = family("", 1, vec![vec![number(2, 1.0)]]);
    let unknown = family("x", 9, vec![vec![number(2, 1.0)]]);
    let other = family("x", 0, vec![vec![number(2, 1.0)]]);
    let schema = message(vec![(5, Signed(40)), (12, Bytes(Vec::new()))]);
    let schema = family("x", 4, vec![vec![(7, Bytes(schema))]]);
    for (page, reason) in [
        (cut, "message 5 of the page cannot be read"),
        (b"up 1\n# this is text\n".to_vec(), "message 1 of the page"),
        (nameless, "has no name"),
        (unknown, "type 9"),
        (other, "a metric of x has no counter"),
        (schema, "schema 40"),
    ] {
        let url = server(move |_, _| of_type(TYPE, &page)).await;
        let source = source(BTreeMap::new());
        let fault = source.sample(&context(SECONDS), &asked(&url, "x")).await;
        let fault = fault.unwrap_err();
        assert_eq!(fault.kind, FaultKind::Malformed);
        assert!(fault.chain().contains(reason), "{}", fault.chain());
    }
    let url = server(|_, _| of_type("application/vnd.google.protobuf; encoding=text", b"")).await;
    let fault = source(BTreeMap::new())
        .sample(&context(SECONDS), &asked(&url, "x"))
        .await;
    assert!(fault.unwrap_err().message.contains("encoding=delimited"));
}
