//! A page of delimited protobuf messages, read into the same samples as a page of text.

use std::collections::BTreeMap;

use em_core::port::Labels;
use em_core::read::ReadSample;
use em_core::read::exposition::{MetricFamily, MetricKind};
use prost::Message as _;

use super::form::Page;
use super::native::{Native, Unreadable};
use super::wire;
use crate::spelled::spelled;

/// A page that is not what it says.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProtobufError {
    #[error("message {number} of the page cannot be read")]
    Message {
        number: usize,
        #[source]
        source: prost::DecodeError,
    },
    #[error("message {number} of the page has no name")]
    Nameless { number: usize },
    #[error("{family} is of type {kind}, which nobody knows")]
    Kind { family: String, kind: i32 },
    #[error("a metric of {family} has no {part}")]
    Part { family: String, part: &'static str },
    #[error("the buckets of {family} cannot be read")]
    Buckets {
        family: String,
        #[source]
        source: Unreadable,
    },
}

/// Reads a page.
pub(super) fn read(mut bytes: &[u8]) -> Result<Page, ProtobufError> {
    let mut page = Page::default();
    let mut number = 0;
    while !bytes.is_empty() {
        number += 1;
        let family = wire::MetricFamily::decode_length_delimited(&mut bytes);
        let family = family.map_err(|source| ProtobufError::Message { number, source })?;
        if family.name.is_empty() {
            return Err(ProtobufError::Nameless { number });
        }
        add(&mut page, family)?;
    }
    Ok(page)
}

fn add(page: &mut Page, family: wire::MetricFamily) -> Result<(), ProtobufError> {
    let name = family.name;
    let kind = match family.kind {
        0 => MetricKind::Counter,
        1 => MetricKind::Gauge,
        2 => MetricKind::Summary,
        3 => MetricKind::Unknown,
        4 => MetricKind::Histogram,
        5 => MetricKind::GaugeHistogram,
        kind => return Err(ProtobufError::Kind { family: name, kind }),
    };
    for metric in &family.metrics {
        let samples = Samples::of(metric, &name);
        read_metric(page, metric, kind, &samples)?;
    }
    let described = MetricFamily {
        kind,
        help: family.help,
        unit: family.unit,
    };
    page.exposition.families.insert(name, described);
    Ok(())
}

fn read_metric(
    page: &mut Page,
    metric: &wire::Metric,
    kind: MetricKind,
    samples: &Samples<'_>,
) -> Result<(), ProtobufError> {
    let all = &mut page.exposition.samples;
    let part = |part| ProtobufError::Part {
        family: samples.family.to_owned(),
        part,
    };
    let (number, what) = match kind {
        MetricKind::Histogram | MetricKind::GaugeHistogram => {
            let histogram = metric.histogram.as_deref();
            let histogram = histogram.ok_or_else(|| part("histogram"))?;
            samples.histogram(all, histogram, kind);
            // Where there are both, the page means what it would say as text.
            if histogram.is_only_native() {
                let native = samples.native(histogram)?;
                page.natives.push(native);
            }
            return Ok(());
        }
        MetricKind::Summary => {
            let summary = metric.summary.as_deref();
            samples.summary(all, summary.ok_or_else(|| part("summary"))?);
            return Ok(());
        }
        MetricKind::Counter => (&metric.counter, "counter"),
        MetricKind::Gauge => (&metric.gauge, "gauge"),
        MetricKind::Info | MetricKind::StateSet | MetricKind::Unknown => {
            (&metric.untyped, "untyped value")
        }
    };
    let number = number.as_ref().ok_or_else(|| part(what))?;
    all.push(samples.one("", None, number.value));
    Ok(())
}

/// Makes the samples of one metric.
struct Samples<'m> {
    family: &'m str,
    labels: Labels,
    at: Option<f64>,
}

impl<'m> Samples<'m> {
    fn of(metric: &wire::Metric, family: &'m str) -> Self {
        let pairs = metric.labels.iter();
        #[expect(
            clippy::cast_precision_loss,
            reason = "milliseconds since 1970 are below 2^53"
        )]
        let at = (metric.milliseconds != 0).then(|| metric.milliseconds as f64 / 1e3);
        Self {
            family,
            labels: pairs
                .map(|pair| (pair.name.clone(), pair.value.clone()))
                .collect::<BTreeMap<_, _>>(),
            at,
        }
    }

    fn one(&self, suffix: &str, label: Option<(&str, f64)>, value: f64) -> ReadSample {
        let mut labels = self.labels.clone();
        if let Some((name, number)) = label {
            labels.insert(name.to_owned(), spelled(number));
        }
        ReadSample {
            name: format!("{}{suffix}", self.family),
            labels,
            at: self.at,
            value,
        }
    }

    fn summary(&self, all: &mut Vec<ReadSample>, summary: &wire::Summary) {
        let quantiles = summary.quantiles.iter();
        all.extend(quantiles.map(|one| self.one("", Some(("quantile", one.quantile)), one.value)));
        all.push(self.one("_sum", None, summary.sum));
        all.push(self.one("_count", None, float(summary.count)));
    }

    /// The sum, the count, and the classic buckets. The last of those, without a bound, is usually
    /// left out: it is the count.
    fn histogram(&self, all: &mut Vec<ReadSample>, histogram: &wire::Histogram, kind: MetricKind) {
        let count = histogram.total();
        let le = |bound| Some(("le", bound));
        for bucket in &histogram.buckets {
            let below = either(bucket.float_count, bucket.count);
            all.push(self.one("_bucket", le(bucket.bound), below));
        }
        let has_last = |bucket: &wire::Bucket| bucket.bound == f64::INFINITY;
        let is_told = histogram.buckets.iter().any(has_last) || histogram.is_only_native();
        if !is_told {
            all.push(self.one("_bucket", le(f64::INFINITY), count));
        }
        let (sum, total) = if kind == MetricKind::GaugeHistogram {
            ("_gsum", "_gcount")
        } else {
            ("_sum", "_count")
        };
        all.push(self.one(sum, None, histogram.sum));
        all.push(self.one(total, None, count));
    }

    fn native(&self, histogram: &wire::Histogram) -> Result<Native, ProtobufError> {
        let (family, labels) = (self.family.to_owned(), self.labels.clone());
        let native = Native::read(family, labels, self.at, histogram);
        native.map_err(|source| ProtobufError::Buckets {
            family: self.family.to_owned(),
            source,
        })
    }
}

/// Counts may be written as numbers with a fraction instead.
pub(super) fn either(float: f64, whole: u64) -> f64 {
    if float == 0.0 {
        self::float(whole)
    } else {
        float
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a count beyond 2^53 is no better known as text"
)]
pub(super) fn float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A page of every kind of metric.
    fn a_page() -> Vec<u8> {
        let number = |value| Some(wire::Number { value });
        let metric = wire::Metric {
            labels: vec![wire::LabelPair {
                name: "pod".to_owned(),
                value: "a".to_owned(),
            }],
            gauge: number(1.5),
            counter: number(7.0),
            untyped: number(f64::NAN),
            milliseconds: 1_500,
            summary: Some(Box::new(wire::Summary {
                count: 2,
                sum: 3.0,
                quantiles: vec![wire::Quantile {
                    quantile: 0.99,
                    value: 2.0,
                }],
            })),
            histogram: Some(Box::new(wire::Histogram {
                count: 10,
                sum: 12.0,
                schema: 3,
                zero_count: 2,
                positive_spans: vec![wire::Span {
                    offset: -3,
                    length: 2,
                }],
                positive_deltas: vec![3, 2],
                ..wire::Histogram::default()
            })),
        };
        let families = (0..6).map(|kind| wire::MetricFamily {
            name: format!("m{kind}"),
            help: "helps".to_owned(),
            kind,
            metrics: vec![metric.clone(), metric.clone()],
            unit: String::new(),
        });
        let messages = families.map(|family| family.encode_length_delimited_to_vec());
        messages.collect::<Vec<_>>().concat()
    }

    #[test]
    fn a_page_that_breaks_off_is_never_a_shorter_one() {
        let page = a_page();
        let whole = read(&page).unwrap();
        assert_eq!(whole.exposition.families.len(), 6);
        assert_eq!(whole.natives.len(), 4);
        let mut ends = 0;
        for length in 0..page.len() {
            // Only where a message ends, nothing shows that there should be more.
            ends += usize::from(read(&page[..length]).is_ok());
        }
        assert_eq!(ends, 6);
    }

    #[test]
    fn no_bytes_make_it_panic() {
        let page = a_page();
        let mut state: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut random = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        let (mut read_well, mut refused) = (0, 0);
        for _ in 0..20_000 {
            let mut bytes = page.clone();
            for _ in 0..=random() % 3 {
                let place = usize::try_from(random()).unwrap() % bytes.len();
                bytes[place] = u8::try_from(random() % 256).unwrap();
            }
            match read(&bytes) {
                Ok(_) => read_well += 1,
                Err(_) => refused += 1,
            }
        }
        assert!(read_well > 100 && refused > 100, "{read_well}, {refused}");
        for length in 0..200 {
            let noise: Vec<u8> = (0..length).map(|_| random().to_le_bytes()[0]).collect();
            drop(read(&noise));
        }
    }
}
