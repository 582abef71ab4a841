//! An answer of the query API, read in one pass into series.
//!
//! All four result types have one shape each that tells them apart: a list of maps (vector, matrix)
//! or a pair of a time and a text (scalar, string). So the order of keys does not matter.

use std::borrow::Cow;
use std::fmt;

use em_core::port::{Labels, Point};
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::native::NativeHistogram;

/// The envelope of every answer. All but `status` may be missing.
#[derive(Debug, Deserialize)]
pub(super) struct Envelope<'a> {
    #[serde(borrow)]
    pub(super) status: Cow<'a, str>,
    #[serde(default)]
    pub(super) data: Option<Data<'a>>,
    #[serde(default, rename = "errorType", borrow)]
    pub(super) error_type: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    pub(super) error: Option<Cow<'a, str>>,
    #[serde(default)]
    pub(super) warnings: Option<Vec<String>>,
    #[serde(default)]
    pub(super) infos: Option<Vec<String>>,
    /// What a cluster of VictoriaMetrics says of itself.
    #[serde(default, rename = "isPartial")]
    pub(super) is_partial: bool,
}

/// What was found.
#[derive(Debug, Deserialize)]
pub(super) struct Data<'a> {
    #[serde(default, rename = "resultType", borrow)]
    pub(super) result_type: Cow<'a, str>,
    #[serde(default)]
    pub(super) result: Found,
}

/// The result of any type.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) series: Vec<Read>,
    /// A string result has no number.
    pub(super) text: Option<String>,
}

/// One series with floats, with native histograms, or with both.
#[derive(Debug, Default)]
pub(super) struct Read {
    pub(super) labels: Labels,
    pub(super) points: Vec<Point>,
    pub(super) histograms: Vec<(Timestamp, NativeHistogram)>,
}

impl<'de> Deserialize<'de> for Found {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(FoundVisitor)
    }
}

struct FoundVisitor;

impl<'de> Visitor<'de> for FoundVisitor {
    type Value = Found;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of series, or a pair of a time and a value")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Found, A::Error> {
        let mut found = Found::default();
        // Series of one answer are about equally long: the next is given room for as many points.
        let mut expected = 0;
        while let Some(item) = seq.next_element_seed(Expecting(expected))? {
            match item {
                Item::Series(series) => {
                    expected = series.points.len();
                    found.series.push(series);
                }
                Item::Time(at) => {
                    let Some(Text(text)) = seq.next_element()? else {
                        return Err(A::Error::custom("a time without a value"));
                    };
                    match text.parse() {
                        Ok(value) => found.series.push(Read {
                            points: vec![Point { at, value }],
                            ..Read::default()
                        }),
                        Err(_) => found.text = Some(text.into_owned()),
                    }
                }
            }
        }
        Ok(found)
    }
}

enum Item {
    Series(Read),
    Time(Timestamp),
}

/// An item with about so many points.
struct Expecting(usize);

impl<'de> DeserializeSeed<'de> for Expecting {
    type Value = Item;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Item, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Expecting {
    type Value = Item;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a series or a time")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Item, A::Error> {
        let mut read = Read::default();
        while let Some(Text(key)) = map.next_key()? {
            match key.as_ref() {
                "metric" => read.labels = map.next_value()?,
                "values" => {
                    read.points.reserve_exact(self.0);
                    map.next_value_seed(Points(&mut read.points))?;
                }
                "value" => {
                    let Sample(at, value) = map.next_value()?;
                    read.points.push(Point { at, value });
                }
                "histograms" => {
                    let found: Vec<(Time, NativeHistogram)> = map.next_value()?;
                    let found = found.into_iter().map(|(Time(at), one)| (at, one));
                    read.histograms.extend(found);
                }
                "histogram" => {
                    let (Time(at), one): (Time, NativeHistogram) = map.next_value()?;
                    read.histograms.push((at, one));
                }
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(Item::Series(read))
    }

    fn visit_f64<E: Error>(self, seconds: f64) -> Result<Item, E> {
        time(seconds).map(Item::Time)
    }

    fn visit_u64<E: Error>(self, seconds: u64) -> Result<Item, E> {
        let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
        whole(seconds).map(Item::Time)
    }

    fn visit_i64<E: Error>(self, seconds: i64) -> Result<Item, E> {
        whole(seconds).map(Item::Time)
    }
}

/// The points of a series, without a list of their texts in between.
struct Points<'p>(&'p mut Vec<Point>);

impl<'de> DeserializeSeed<'de> for Points<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Points<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of pairs of a time and a value")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while let Some(Sample(at, value)) = seq.next_element()? {
            self.0.push(Point { at, value });
        }
        Ok(())
    }
}

/// `[TIME, "VALUE"]`.
struct Sample(Timestamp, f64);

impl<'de> Deserialize<'de> for Sample {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_tuple(2, SampleVisitor)
    }
}

struct SampleVisitor;

impl<'de> Visitor<'de> for SampleVisitor {
    type Value = Sample;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a pair of a time and a value as text")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Sample, A::Error> {
        let missing = || A::Error::custom("a pair of a time and a value is cut short");
        let Time(at) = seq.next_element()?.ok_or_else(missing)?;
        let Text(text) = seq.next_element()?.ok_or_else(missing)?;
        let value = text.parse();
        let value =
            value.map_err(|_| A::Error::custom(format_args!("the value {text:?} is no number")))?;
        if seq.next_element::<IgnoredAny>()?.is_some() {
            return Err(A::Error::custom("a pair of a time and a value goes on"));
        }
        Ok(Sample(at, value))
    }
}

/// A time in seconds since 1970, whole or with milliseconds.
struct Time(Timestamp);

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let seconds = f64::deserialize(deserializer)?;
        time(seconds).map(Self)
    }
}

/// Text, borrowed where nothing in it is escaped.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

fn whole<E: Error>(seconds: i64) -> Result<Timestamp, E> {
    let at = Timestamp::from_second(seconds);
    at.map_err(|_| E::custom(format_args!("{seconds} is no time")))
}

fn time<E: Error>(seconds: f64) -> Result<Timestamp, E> {
    // To the nearest; `round` is a call of its own on most machines, and there are millions of times.
    let milliseconds = seconds * 1e3 + 0.5_f64.copysign(seconds);
    // Beyond this there are no timestamps; NaN is neither.
    let is_near = milliseconds.abs() < 1e15;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "it is below 2^53, and cutting it off is meant"
    )]
    let at = is_near.then(|| Timestamp::from_millisecond(milliseconds as i64));
    at.and_then(Result::ok)
        .ok_or_else(|| E::custom(format_args!("{seconds} is no time")))
}
