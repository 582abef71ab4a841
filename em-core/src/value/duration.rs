//! Durations as the experiment file writes them: `90s`, `1h 30m`, `2m30s`, `500ms`, `250us`, `PT1M30S`.
//!
//! `#[serde(with = "em_core::value::duration")]` reads and writes a field of type [`Duration`] that way.

use std::fmt::Write as _;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serializer, de};

/// (unit, nanoseconds), largest first; the first name of each size is the one that is printed.
const UNITS: [(&str, u64); 8] = [
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("min", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("µs", 1_000),
    ("ns", 1),
];
/// 292 years: what fits into 64 bits of nanoseconds.
const LONGEST_NANOS: u128 = i64::MAX as u128;
const LONGEST_TEXT: usize = 64;

/// Why a text is not a duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a duration: {reason}")]
pub struct DurationError {
    /// What was read (shortened when very long).
    pub text: String,
    /// What is wrong with it and what to write instead.
    pub reason: String,
}

/// Reads a duration.
///
/// ```
/// use std::time::Duration;
/// use em_core::value::duration;
/// assert_eq!(duration::parse("1h 30m")?, Duration::from_secs(5400));
/// assert!(duration::parse("90").is_err());
/// # Ok::<(), em_core::value::DurationError>(())
/// ```
pub fn parse(text: &str) -> Result<Duration, DurationError> {
    let refused = |reason: String| DurationError {
        text: text.chars().take(LONGEST_TEXT).collect(),
        reason,
    };
    if text.len() > LONGEST_TEXT {
        return Err(refused("it is longer than 64 characters".into()));
    }
    let nanos = match text.strip_prefix('P') {
        Some(rest) => iso(rest),
        None => parts(text.trim()),
    }
    .map_err(refused)?;
    Ok(Duration::from_nanos(nanos))
}

/// Writes a duration without loss, in the form that [`parse`] reads: `1h30m`, `1s500ms`, `0s`.
pub fn spell(duration: Duration) -> String {
    let mut rest = duration.as_nanos();
    let mut text = String::new();
    for (name, size) in UNITS {
        let count = rest / u128::from(size);
        if count > 0 {
            let _ = write!(text, "{count}{name}"); // a String takes everything
            rest %= u128::from(size);
        }
    }
    if text.is_empty() { "0s".into() } else { text }
}

/// Writes a [`Duration`] field as [`spell`] does.
pub fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&spell(*duration))
}

/// Reads a [`Duration`] field as [`parse`] does.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    parse(&String::deserialize(deserializer)?).map_err(de::Error::custom)
}

fn parts(text: &str) -> Result<u64, String> {
    if text.is_empty() {
        return Err("it is empty".into());
    }
    if text.starts_with('-') {
        return Err("a duration cannot be negative".into());
    }
    if text.starts_with(|c: char| c.is_ascii_digit()) && text.parse::<f64>().is_ok() {
        return Err(format!(
            "it has no unit (write \"{text}s\" or \"{text}ms\")"
        ));
    }
    let mut sum = Sum::default();
    let mut rest = text;
    while !rest.is_empty() {
        let (number, after) = split_number(rest);
        let after = after.trim_start();
        let end = after
            .find(|c: char| !c.is_alphabetic())
            .unwrap_or(after.len());
        let (unit, after) = after.split_at(end);
        sum.add(number, unit)?;
        rest = after.trim_start();
    }
    Ok(sum.nanos)
}

fn iso(text: &str) -> Result<u64, String> {
    let Some(mut rest) = text.strip_prefix('T') else {
        return Err(
            "days, months and years have no fixed length (write hours: \"PT24H\" or \"24h\")"
                .into(),
        );
    };
    if rest.is_empty() {
        return Err("nothing follows \"PT\" (write for example \"PT1M30S\")".into());
    }
    let mut sum = Sum::default();
    while !rest.is_empty() {
        let (number, after) = split_number(rest);
        let end = after.chars().next().map_or(0, char::len_utf8);
        let (unit, after) = after.split_at(end);
        let unit = match unit {
            "H" => "h",
            "M" => "m",
            "S" => "s",
            other => {
                return Err(format!(
                    "{other:?} is no unit after \"PT\" (H, M and S are)"
                ));
            }
        };
        sum.add(number, unit)?;
        rest = after;
    }
    Ok(sum.nanos)
}

fn split_number(text: &str) -> (&str, &str) {
    text.split_at(
        text.find(|c: char| !(c.is_ascii_digit() || c == '.'))
            .unwrap_or(text.len()),
    )
}

#[derive(Default)]
struct Sum {
    nanos: u64,
    smallest: Option<(&'static str, u64)>,
}

impl Sum {
    fn add(&mut self, number: &str, unit: &str) -> Result<(), String> {
        if number.is_empty() {
            return Err(format!(
                "a number is missing before {unit:?} (write for example \"1h30m\")"
            ));
        }
        let (name, size) = unit_named(number, unit)?;
        match self.smallest {
            Some((last, _)) if last == name => return Err(format!("{name:?} comes twice")),
            Some((last, last_size)) if last_size <= size => {
                return Err(format!(
                    "{name:?} comes after {last:?} (largest unit first)"
                ));
            }
            _ => self.smallest = Some((name, size)),
        }
        let nanos = nanos_of(number, size)?;
        let sum = u128::from(self.nanos) + nanos;
        self.nanos = u64::try_from(sum)
            .ok()
            .filter(|_| sum <= LONGEST_NANOS)
            .ok_or("it is longer than 292 years")?;
        Ok(())
    }
}

fn unit_named(number: &str, unit: &str) -> Result<(&'static str, u64), String> {
    if let Some(known) = UNITS.iter().find(|(name, _)| *name == unit) {
        return Ok(*known);
    }
    let instead = match unit {
        "" => return Err(format!("{number:?} has no unit (h, m, s, ms, us or ns)")),
        "d" | "day" | "days" => match number
            .parse::<u64>()
            .ok()
            .and_then(|days| days.checked_mul(24))
        {
            Some(hours) => return Err(format!("days are not a unit (write \"{hours}h\")")),
            None => return Err("days are not a unit (write hours)".into()),
        },
        "w" | "y" => return Err(format!("{unit:?} is not a unit (write hours)")),
        "hr" | "hrs" | "hour" | "hours" | "H" => "h",
        "mins" | "minute" | "minutes" | "M" => "m",
        "sec" | "secs" | "second" | "seconds" | "S" => "s",
        "msec" | "millis" | "milliseconds" | "MS" | "Ms" => "ms",
        "usec" | "micros" | "microseconds" | "μs" => "us",
        "nanos" | "nanoseconds" => "ns",
        _ => {
            return Err(format!(
                "{unit:?} is not a unit (h, m, s, ms, us and ns are)"
            ));
        }
    };
    Err(format!(
        "{unit:?} is not a unit (did you mean \"{number}{instead}\"?)"
    ))
}

fn nanos_of(number: &str, size: u64) -> Result<u128, String> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let bad = || format!("{number:?} is not a number");
    if fraction.contains('.') || (whole.is_empty() && fraction.is_empty()) {
        return Err(bad());
    }
    let fraction = fraction.trim_end_matches('0');
    let digits = format!("{whole}{fraction}");
    let mantissa: u128 = if digits.is_empty() {
        0
    } else {
        digits.parse().map_err(|_| bad())?
    };
    let scale = u32::try_from(fraction.len())
        .ok()
        .and_then(|places| 10_u128.checked_pow(places));
    let too_fine = || format!("{number:?} is finer than a nanosecond");
    let scale = scale.ok_or_else(too_fine)?;
    let product = mantissa
        .checked_mul(u128::from(size))
        .ok_or("it is longer than 292 years")?;
    if product % scale == 0 {
        Ok(product / scale)
    } else {
        Err(too_fine())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn all_spellings_of_the_file_are_read() {
        for (text, nanos) in [
            ("90s", 90_000_000_000),
            ("1h 30m", 5_400_000_000_000),
            ("2m30s", 150_000_000_000),
            ("2min 30 s", 150_000_000_000),
            ("500ms", 500_000_000),
            ("250us", 250_000),
            ("250µs", 250_000),
            ("7ns", 7),
            ("1.5h", 5_400_000_000_000),
            (".5s", 500_000_000),
            ("0s", 0),
            ("PT1M30S", 90_000_000_000),
            ("PT0.25S", 250_000_000),
            ("PT24H", 86_400_000_000_000),
        ] {
            assert_eq!(parse(text).unwrap(), Duration::from_nanos(nanos), "{text}");
        }
    }

    #[test]
    fn a_refusal_says_what_to_write() {
        for (text, reason) in [
            ("90", r#"it has no unit (write "90s" or "90ms")"#),
            ("0", r#"it has no unit (write "0s" or "0ms")"#),
            ("1d", r#"days are not a unit (write "24h")"#),
            (
                "P1D",
                r#"days, months and years have no fixed length (write hours: "PT24H" or "24h")"#,
            ),
            (
                "PT",
                r#"nothing follows "PT" (write for example "PT1M30S")"#,
            ),
            ("-1s", "a duration cannot be negative"),
            ("", "it is empty"),
            ("5sec", r#""sec" is not a unit (did you mean "5s"?)"#),
            (
                "5 parsecs",
                r#""parsecs" is not a unit (h, m, s, ms, us and ns are)"#,
            ),
            ("1h 30", r#""30" has no unit (h, m, s, ms, us or ns)"#),
            ("30m 1h", r#""h" comes after "m" (largest unit first)"#),
            ("1s 2s", r#""s" comes twice"#),
            (
                "s",
                r#"a number is missing before "s" (write for example "1h30m")"#,
            ),
            ("1.2.3s", r#""1.2.3" is not a number"#),
            ("0.5ns", r#""0.5" is finer than a nanosecond"#),
            ("9999999999h", "it is longer than 292 years"),
            (
                "inf",
                r#"a number is missing before "inf" (write for example "1h30m")"#,
            ),
        ] {
            assert_eq!(parse(text).unwrap_err().reason, reason, "{text}");
        }
    }

    proptest! {
        #[test]
        fn spelling_loses_nothing(nanos in 0..=i64::MAX as u64) {
            let duration = Duration::from_nanos(nanos);
            prop_assert_eq!(parse(&spell(duration)).unwrap(), duration);
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,80}", near in "P?T?[0-9. ]{0,30}[hmsunHMSdµ]{0,3}[0-9.]{0,20}[hms]{0,2}") {
            let _ = parse(&text);
            let _ = parse(&near);
        }
    }
}
