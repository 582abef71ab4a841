//! An answer of `/render` as it is written.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::{Deserializer, Error, Visitor};

/// One series.
#[derive(Debug, Deserialize)]
pub(super) struct Target {
    #[serde(rename = "target")]
    pub(super) name: String,
    #[serde(default)]
    pub(super) tags: Option<BTreeMap<String, Tag>>,
    pub(super) datapoints: Vec<Datapoint>,
}

/// `[VALUE, TIME]`.
#[derive(Debug, Deserialize)]
pub(super) struct Datapoint(pub(super) Value, pub(super) Time);

/// The values that functions write into tags are numbers, too.
#[derive(Debug)]
pub(super) struct Tag(pub(super) String);

/// A number, or none.
#[derive(Debug)]
pub(super) struct Value(pub(super) Option<f64>);

/// Seconds since 1970.
#[derive(Debug)]
pub(super) struct Time(pub(super) Timestamp);

/// Reads the whole answer.
pub(super) fn read(body: &[u8]) -> Result<Vec<Target>, serde_json::Error> {
    serde_json::from_slice(body).or_else(|error| match quoted(body) {
        Some(body) => serde_json::from_slice(&body),
        None => Err(error),
    })
}

/// Values that are no JSON, as servers write them nevertheless.
const NOT_FINITE: [&str; 5] = ["NaN", "Infinity", "-Infinity", "1e9999", "-1e9999"];

/// The answer with such values in quotes; none where there are none.
fn quoted(body: &[u8]) -> Option<Vec<u8>> {
    let mut whole = Vec::with_capacity(body.len() + 64);
    let (mut rest, mut is_text, mut is_found) = (body, false, false);
    while let [byte, behind @ ..] = rest {
        let found = NOT_FINITE.iter().map(|word| word.as_bytes());
        let mut found = found.filter(|word| !is_text && rest.starts_with(word));
        if let Some(word) = found.next() {
            whole.push(b'"');
            whole.extend_from_slice(word);
            whole.push(b'"');
            rest = rest.get(word.len()..).unwrap_or_default();
            is_found = true;
            continue;
        }
        whole.push(*byte);
        rest = behind;
        match (byte, rest) {
            (b'"', _) => is_text = !is_text,
            (b'\\', [escaped, behind @ ..]) => {
                whole.push(*escaped);
                rest = behind;
            }
            _ => {}
        }
    }
    is_found.then_some(whole)
}

impl<'de> Deserialize<'de> for Tag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TagVisitor)
    }
}

struct TagVisitor;

impl Visitor<'_> for TagVisitor {
    type Value = Tag;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text or a number")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Tag, E> {
        Ok(Tag(text.to_owned()))
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<Tag, E> {
        Ok(Tag(flag.to_string()))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Tag, E> {
        Ok(Tag(number.to_string()))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Tag, E> {
        Ok(Tag(number.to_string()))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Tag, E> {
        Ok(Tag(number.to_string()))
    }

    fn visit_unit<E: Error>(self) -> Result<Tag, E> {
        Ok(Tag(String::new()))
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl Visitor<'_> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, a number as text, or null")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value(None))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Value, E> {
        Ok(Value(Some(number)))
    }

    #[expect(clippy::cast_precision_loss, reason = "a metric is a float")]
    fn visit_i64<E: Error>(self, number: i64) -> Result<Value, E> {
        Ok(Value(Some(number as f64)))
    }

    #[expect(clippy::cast_precision_loss, reason = "a metric is a float")]
    fn visit_u64<E: Error>(self, number: u64) -> Result<Value, E> {
        Ok(Value(Some(number as f64)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        let number = text.trim().parse();
        let number = number.map_err(|_| E::custom(format_args!("{text:?} is no number")))?;
        Ok(Value(Some(number)))
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let seconds = f64::deserialize(deserializer)?;
        let milliseconds = (seconds * 1e3).round();
        // Beyond this there are no timestamps; NaN is neither.
        let is_near = milliseconds.abs() < 1e15;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "it is a whole number below 2^53"
        )]
        let at = is_near.then(|| Timestamp::from_millisecond(milliseconds as i64));
        let at = at.and_then(Result::ok);
        at.map(Self)
            .ok_or_else(|| D::Error::custom(format_args!("{seconds} is no time in seconds")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(datapoints: &str) -> Result<Vec<Option<f64>>, serde_json::Error> {
        let body = format!(r#"[{{"target":"a","datapoints":{datapoints}}}]"#);
        let targets = read(body.as_bytes())?;
        let points = targets.iter().flat_map(|target| &target.datapoints);
        Ok(points.map(|Datapoint(Value(value), _)| *value).collect())
    }

    #[test]
    fn values_are_numbers_texts_or_nothing() {
        let read = values(r#"[[1.5,1],[null,2],["2.5",3],[-4,4.0],[9007199254740993,5]]"#);
        let wanted = [
            Some(1.5),
            None,
            Some(2.5),
            Some(-4.0),
            Some(9_007_199_254_740_992.0),
        ];
        assert_eq!(read.unwrap(), wanted);
        for wrong in [
            r#"[["x",1]]"#,
            "[[1]]",
            "[[1,2,3]]",
            "[[true,1]]",
            "[[1,null]]",
            "[[1,1e18]]",
            r#"[[1,"1"]]"#,
            "[1]",
        ] {
            assert!(values(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_not_finite_is_read_though_it_is_no_json() {
        let read = values("[[NaN,1],[Infinity, 2],[-Infinity,3],[1e9999,4],[-1e9999,5],[7,6]]");
        let read: Vec<f64> = read.unwrap().into_iter().flatten().collect();
        assert!(read[0].is_nan());
        let infinite = f64::INFINITY;
        assert_eq!(read[1..], [infinite, -infinite, infinite, -infinite, 7.0]);
    }

    #[test]
    fn names_keep_what_looks_like_such_a_value() {
        let body = br#"[{"target":"NaN\"Infinity","datapoints":[[NaN,1]]}]"#;
        assert_eq!(read(body).unwrap()[0].name, "NaN\"Infinity");
        assert!(read(br#"[{"target":"NaN","datapoints":[[1,1]"#).is_err());
    }

    #[test]
    fn tags_of_any_kind_are_texts() {
        let body = br#"[{"target":"a","tags":{"name":"a","n":95,"x":0.5,"d":null,"b":true},"datapoints":[]}]"#;
        let targets = read(body).unwrap();
        let tags = targets[0].tags.as_ref().unwrap();
        let tags = tags
            .iter()
            .map(|(name, Tag(text))| (name.as_str(), text.as_str()));
        assert_eq!(
            tags.collect::<Vec<_>>(),
            [
                ("b", "true"),
                ("d", ""),
                ("n", "95"),
                ("name", "a"),
                ("x", "0.5")
            ]
        );
    }
}
