//! Units of measured numbers and the algebra that expressions need.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The unit of a number, always an SI base unit: whatever the source writes is scaled once, when it is read.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// A plain number: literals without an ending, quotients of equal units.
    Dimensionless,
    /// A share of a whole: 0.1 is 10 %.
    Ratio,
    /// A number of things.
    Count,
    /// Time.
    Seconds,
    /// Memory, traffic.
    Bytes,
    /// CPU.
    Cores,
    /// Things per second.
    PerSecond,
    /// A unit of the user's own.
    Custom(String),
    /// A product of powers of the others, such as bytes per second.
    Compound(UnitPowers),
}

/// Powers of units, none of them zero; made by [`Unit::times`], [`Unit::per`] and [`Unit::power`] only.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct UnitPowers(BTreeMap<String, i8>);

const SECOND: &str = "s";
const BYTE: &str = "B";
const CORE: &str = "cores";

/// A unit as a file names it, with what brings its numbers to the base unit.
#[derive(Debug, Clone, PartialEq)]
pub struct ScaledUnit {
    /// The base unit.
    pub unit: Unit,
    multiplier: f64,
    divisor: f64,
}

/// Why a text does not name a unit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a unit{hint}")]
pub struct UnitError {
    /// What was read (shortened when very long).
    pub text: String,
    /// Empty, or ` (what to do)`.
    pub hint: String,
}

/// Two units that cannot be added, compared or chosen between.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{left} and {right} do not fit{hint}")]
pub struct UnitMismatch {
    /// The unit on the left.
    pub left: Unit,
    /// The unit on the right.
    pub right: Unit,
    /// Empty, or ` (what to do)`.
    pub hint: &'static str,
}

/// (names, unit, multiplier, divisor); the first name is the one suggested.
const NAMES: &[(&[&str], Unit, f64, f64)] = &[
    (&["s", "seconds"], Unit::Seconds, 1.0, 1.0),
    (&["ms", "milliseconds"], Unit::Seconds, 1.0, 1e3),
    (&["us", "µs", "microseconds"], Unit::Seconds, 1.0, 1e6),
    (&["ns", "nanoseconds"], Unit::Seconds, 1.0, 1e9),
    (&["min", "minutes"], Unit::Seconds, 60.0, 1.0),
    (&["h", "hours"], Unit::Seconds, 3600.0, 1.0),
    (&["bytes", "B"], Unit::Bytes, 1.0, 1.0),
    (&["kB"], Unit::Bytes, 1e3, 1.0),
    (&["MB"], Unit::Bytes, 1e6, 1.0),
    (&["GB"], Unit::Bytes, 1e9, 1.0),
    (&["Ki", "KiB"], Unit::Bytes, 1024.0, 1.0),
    (&["Mi", "MiB"], Unit::Bytes, 1_048_576.0, 1.0),
    (&["Gi", "GiB"], Unit::Bytes, 1_073_741_824.0, 1.0),
    (&["cores"], Unit::Cores, 1.0, 1.0),
    (&["millicores"], Unit::Cores, 1.0, 1e3),
    (&["per_second", "/s"], Unit::PerSecond, 1.0, 1.0),
    (&["per_minute", "/min"], Unit::PerSecond, 1.0, 60.0),
    (&["ratio"], Unit::Ratio, 1.0, 1.0),
    (&["%", "percent"], Unit::Ratio, 1.0, 100.0),
    (&["count"], Unit::Count, 1.0, 1.0),
    (&["dimensionless", "none"], Unit::Dimensionless, 1.0, 1.0),
];

impl ScaledUnit {
    /// Reads `unit:` of a metric. A word that is no known unit is a unit of its own, unless it looks like a misspelt one.
    ///
    /// ```
    /// use em_core::value::{ScaledUnit, Unit};
    /// let unit = ScaledUnit::parse("ms")?;
    /// assert_eq!((unit.unit.clone(), unit.to_base(250.0)), (Unit::Seconds, 0.25));
    /// # Ok::<(), em_core::value::UnitError>(())
    /// ```
    pub fn parse(text: &str) -> Result<Self, UnitError> {
        if let Some((_, unit, multiplier, divisor)) = NAMES.iter().find(|row| row.0.contains(&text))
        {
            return Ok(Self {
                unit: unit.clone(),
                multiplier: *multiplier,
                divisor: *divisor,
            });
        }
        let refused = |hint: String| UnitError {
            text: text.chars().take(32).collect(),
            hint,
        };
        if let Some(meant) = meant(text) {
            return Err(refused(format!(" (did you mean {meant:?}?)")));
        }
        let is_word = text.starts_with(|c: char| c.is_alphabetic())
            && text.len() <= 32
            && text
                .chars()
                .all(|c| c.is_alphanumeric() || "_-".contains(c));
        if !is_word {
            return Err(refused(
                " (a unit of your own is one word of at most 32 characters)".into(),
            ));
        }
        Ok(Self {
            unit: Unit::Custom(text.into()),
            multiplier: 1.0,
            divisor: 1.0,
        })
    }

    /// A number in this unit, in the base unit.
    pub fn to_base(&self, value: f64) -> f64 {
        // A division by 1000 is rounded correctly; a product with 0.001 is not.
        value * self.multiplier / self.divisor
    }
}

fn meant(text: &str) -> Option<&'static str> {
    let lower = text.to_lowercase();
    match lower.as_str() {
        "sec" | "secs" | "second" => return Some("s"),
        "msec" | "millis" | "millisecond" => return Some("ms"),
        "usec" | "micros" | "microsecond" => return Some("us"),
        "byte" => return Some("bytes"),
        "core" | "cpu" | "cpus" => return Some("cores"),
        "rps" | "rate" | "1/s" | "per second" => return Some("per_second"),
        _ => {}
    }
    NAMES
        .iter()
        .find(|row| row.0.iter().any(|name| name.to_lowercase() == lower))
        .map(|row| row.0[0])
}

impl Unit {
    /// The unit of a product; nothing when a power exceeds all reason.
    pub fn times(&self, other: &Self) -> Option<Self> {
        self.combined(other, 1)
    }

    /// The unit of a quotient. A quotient of equal units is a plain number, which fits shares and counts alike.
    pub fn per(&self, other: &Self) -> Option<Self> {
        if self == other {
            return Some(Self::Dimensionless);
        }
        self.combined(other, -1)
    }

    /// The unit of a whole power.
    pub fn power(&self, exponent: i8) -> Option<Self> {
        if exponent == 1 {
            return Some(self.clone());
        }
        let powers = self.powers().into_iter();
        powers
            .map(|(name, power)| Some((name, power.checked_mul(exponent)?)))
            .collect::<Option<_>>()
            .map(Self::of)
    }

    /// The unit of the square root; nothing when it has none.
    pub fn square_root(&self) -> Option<Self> {
        let powers = self.powers().into_iter();
        powers
            .map(|(name, power)| (power % 2 == 0).then_some((name, power / 2)))
            .collect::<Option<_>>()
            .map(Self::of)
    }

    /// The unit of a rate of this (`.rate` of a counter).
    #[must_use]
    pub fn rate(&self) -> Self {
        self.per(&Self::Seconds).unwrap_or(Self::PerSecond)
    }

    /// The common unit of two numbers that are added, compared or chosen between.
    ///
    /// A plain number fits every unit for which no ending can be written (`load.throughput >= 500`); times and byte counts
    /// want theirs, because "200" next to seconds is most often meant as milliseconds.
    pub fn fit(&self, other: &Self) -> Result<Self, UnitMismatch> {
        match (self, other) {
            (left, right) if left == right => Ok(left.clone()),
            (Self::Dimensionless, unit) | (unit, Self::Dimensionless) if !unit.has_ending() => {
                Ok(unit.clone())
            }
            (left, right) => Err(UnitMismatch {
                left: left.clone(),
                right: right.clone(),
                hint: Self::mismatch_hint(left, right),
            }),
        }
    }

    /// Whether it can stand where a plain number is needed, such as in an exponent or a logarithm.
    pub fn is_number(&self) -> bool {
        matches!(self, Self::Dimensionless | Self::Ratio | Self::Count)
    }

    fn has_ending(&self) -> bool {
        matches!(self, Self::Seconds | Self::Bytes)
    }

    fn mismatch_hint(left: &Self, right: &Self) -> &'static str {
        match (left, right) {
            (Self::Dimensionless, Self::Seconds) | (Self::Seconds, Self::Dimensionless) => {
                " (write the unit: 200ms, 1.5s, 2min)"
            }
            (Self::Dimensionless, Self::Bytes) | (Self::Bytes, Self::Dimensionless) => {
                " (write the unit: 64Ki, 512Mi, 2Gi)"
            }
            _ => "",
        }
    }

    fn combined(&self, other: &Self, sign: i8) -> Option<Self> {
        // "2 * count" still counts; "count * seconds" is a time.
        match (self, other, sign) {
            (unit, Self::Dimensionless, _) | (Self::Dimensionless, unit, 1) => {
                return Some(unit.clone());
            }
            _ => {}
        }
        let mut powers = self.powers();
        for (name, power) in other.powers() {
            let entry = powers.entry(name).or_insert(0);
            *entry = entry.checked_add(power.checked_mul(sign)?)?;
        }
        Some(Self::of(powers))
    }

    fn powers(&self) -> BTreeMap<String, i8> {
        let one = |name: &str, power| BTreeMap::from([(name.to_owned(), power)]);
        match self {
            Self::Dimensionless | Self::Ratio | Self::Count => BTreeMap::new(),
            Self::Seconds => one(SECOND, 1),
            Self::PerSecond => one(SECOND, -1),
            Self::Bytes => one(BYTE, 1),
            Self::Cores => one(CORE, 1),
            Self::Custom(name) => one(name, 1),
            Self::Compound(powers) => powers.0.clone(),
        }
    }

    fn of(mut powers: BTreeMap<String, i8>) -> Self {
        powers.retain(|_, power| *power != 0);
        if powers.len() > 1 {
            return Self::Compound(UnitPowers(powers));
        }
        match powers
            .iter()
            .next()
            .map(|(name, power)| (name.as_str(), *power))
        {
            None => Self::Dimensionless,
            Some((SECOND, 1)) => Self::Seconds,
            Some((SECOND, -1)) => Self::PerSecond,
            Some((BYTE, 1)) => Self::Bytes,
            Some((CORE, 1)) => Self::Cores,
            Some((name, 1)) => Self::Custom(name.into()),
            Some(_) => Self::Compound(UnitPowers(powers)),
        }
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dimensionless => f.pad("a plain number"),
            Self::Ratio => f.pad("a share"),
            Self::Count => f.pad("a count"),
            Self::Seconds => f.pad("seconds"),
            Self::Bytes => f.pad("bytes"),
            Self::Cores => f.pad("cores"),
            Self::PerSecond => f.pad("per second"),
            Self::Custom(name) => f.pad(name),
            Self::Compound(powers) => fmt::Display::fmt(powers, f),
        }
    }
}

impl fmt::Display for UnitPowers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let spelled = |wanted: fn(i8) -> bool| {
            let chosen = self.0.iter().filter(move |(_, power)| wanted(**power));
            chosen
                .map(|(name, power)| match power.unsigned_abs() {
                    1 => name.clone(),
                    power => format!("{name}^{power}"),
                })
                .collect::<Vec<_>>()
                .join("*")
        };
        let (above, below) = (spelled(|power| power > 0), spelled(|power| power < 0));
        match (above.is_empty(), below.is_empty()) {
            (_, true) => f.write_str(&above),
            (true, false) => write!(f, "1/{below}"),
            (false, false) => write!(f, "{above}/{below}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_a_file_are_brought_to_base_units() {
        for (text, unit, raw, base) in [
            ("s", Unit::Seconds, 1.5, 1.5),
            ("ms", Unit::Seconds, 3.0, 0.003),
            ("us", Unit::Seconds, 250.0, 0.000_25),
            ("min", Unit::Seconds, 2.0, 120.0),
            ("bytes", Unit::Bytes, 7.0, 7.0),
            ("MiB", Unit::Bytes, 1.0, 1_048_576.0),
            ("millicores", Unit::Cores, 1500.0, 1.5),
            ("%", Unit::Ratio, 5.0, 0.05),
            ("orders", Unit::Custom("orders".into()), 3.0, 3.0),
        ] {
            let scaled = ScaledUnit::parse(text).unwrap();
            assert_eq!(scaled.unit, unit, "{text}");
            assert!(
                (scaled.to_base(raw) - base).abs() <= f64::EPSILON * base,
                "{text}"
            );
        }
    }

    #[test]
    fn a_misspelt_unit_is_not_taken_for_a_new_one() {
        for (text, message) in [
            ("sec", r#""sec" is not a unit (did you mean "s"?)"#),
            ("MS", r#""MS" is not a unit (did you mean "ms"?)"#),
            ("Bytes", r#""Bytes" is not a unit (did you mean "bytes"?)"#),
            ("rps", r#""rps" is not a unit (did you mean "per_second"?)"#),
            (
                "",
                r#""" is not a unit (a unit of your own is one word of at most 32 characters)"#,
            ),
            (
                "a b",
                r#""a b" is not a unit (a unit of your own is one word of at most 32 characters)"#,
            ),
        ] {
            assert_eq!(ScaledUnit::parse(text).unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn products_and_quotients_have_the_unit_they_should() {
        let (s, bytes) = (Unit::Seconds, Unit::Bytes);
        assert_eq!(s.per(&s), Some(Unit::Dimensionless));
        assert_eq!(Unit::Count.per(&s), Some(Unit::PerSecond));
        assert_eq!(Unit::Dimensionless.per(&s), Some(Unit::PerSecond));
        assert_eq!(Unit::PerSecond.times(&s), Some(Unit::Dimensionless));
        assert_eq!(bytes.rate().to_string(), "B/s");
        assert_eq!(bytes.rate().times(&s), Some(Unit::Bytes));
        assert_eq!(Unit::Count.times(&Unit::Dimensionless), Some(Unit::Count));
        assert_eq!(s.power(2).unwrap().to_string(), "s^2");
        assert_eq!(s.power(2).unwrap().square_root(), Some(Unit::Seconds));
        assert_eq!(s.square_root(), None);
        assert_eq!(s.power(-2).unwrap().to_string(), "1/s^2");
        assert_eq!(s.power(2).unwrap().power(100), None);
    }

    #[test]
    fn a_bare_number_fits_where_no_ending_exists() {
        let plain = Unit::Dimensionless;
        assert_eq!(plain.fit(&Unit::PerSecond), Ok(Unit::PerSecond));
        assert_eq!(Unit::Cores.fit(&plain), Ok(Unit::Cores));
        assert_eq!(
            Unit::Seconds.fit(&plain).unwrap_err().to_string(),
            "seconds and a plain number do not fit (write the unit: 200ms, 1.5s, 2min)"
        );
        assert_eq!(
            Unit::Count.fit(&Unit::Ratio).unwrap_err().to_string(),
            "a count and a share do not fit"
        );
    }
}
