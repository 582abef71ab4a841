//! Tags as labels, and times as they are told.

use std::collections::{BTreeMap, BTreeSet};

use em_core::port::Labels;
use jiff::Timestamp;

/// A tag is `KEY:VALUE`, or a word without a value.
pub(super) fn labels<T: AsRef<str>>(tags: &[T]) -> Labels {
    joined(tags.iter().map(|tag| {
        let tag = tag.as_ref();
        tag.split_once(':').unwrap_or((tag, ""))
    }))
}

/// A key with several values keeps them all, in an order of their own.
pub(super) fn joined<'t>(pairs: impl Iterator<Item = (&'t str, &'t str)>) -> Labels {
    let mut values: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (key, value) in pairs {
        values.entry(key).or_default().insert(value);
    }
    let joined = values.into_iter().map(|(key, values)| {
        let values: Vec<&str> = values.into_iter().collect();
        (key.to_owned(), values.join(","))
    });
    joined.collect()
}

/// Milliseconds since 1970, told as an integer or as a float; none where there is no such time.
pub(super) fn instant(milliseconds: f64) -> Option<Timestamp> {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "what does not fit is no time, and is refused"
    )]
    let whole = milliseconds.round() as i64;
    Timestamp::from_millisecond(whole).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_split_at_its_first_colon_and_a_key_keeps_all_its_values() {
        let tags = ["url:http://a:80", "zone:b", "zone:a", "canary", "zone:b"];
        let labels = labels(&tags);
        let pairs: Vec<(&str, &str)> = labels.iter().map(|(k, v)| (&**k, &**v)).collect();
        let expected = [("canary", ""), ("url", "http://a:80"), ("zone", "a,b")];
        assert_eq!(pairs, expected);
    }

    #[test]
    fn times_are_whole_milliseconds_however_they_are_told() {
        let told = |milliseconds| instant(milliseconds).map(Timestamp::as_millisecond);
        assert_eq!(told(1_618_221_135_000.0), Some(1_618_221_135_000));
        assert_eq!(told(1_618_221_135_000.6), Some(1_618_221_135_001));
        assert_eq!(told(1e300), None);
    }
}
