//! Kubernetes quantities, exactly: `250m` CPU, `512Mi` memory, `1e3`.
//!
//! A quantity is kept as a whole number of nano-units, so nothing is ever rounded: what Kubernetes would round (finer than `1n`)
//! or cap (beyond 64 bits) is refused instead, because a configuration that silently became another one was not measured.

mod print;
mod read;

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};

use serde::{Deserialize, Serialize};

const NANOS_PER_UNIT: i128 = 1_000_000_000;
const LARGEST: i128 = i64::MAX as i128 * NANOS_PER_UNIT;

/// How a quantity is written. It has no part in equality: `1024Mi` equals `1Gi` equals `1073741824`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QuantityFormat {
    /// Powers of 1000: `n u m` (none) `k M G T P E`.
    Decimal,
    /// Powers of 1024: `Ki Mi Gi Ti Pi Ei`.
    Binary,
    /// Powers of ten: `1e3`.
    Exponent,
}

/// An exact Kubernetes quantity between -(2^63 - 1) and 2^63 - 1, with nine decimal places.
///
/// Display is the canonical form of Kubernetes: no fraction, the largest suffix that loses nothing, the format that was read.
///
/// ```
/// use em_core::value::Quantity;
/// let memory: Quantity = "1.5Gi".parse()?;
/// assert_eq!(memory.to_string(), "1536Mi");
/// assert_eq!("0.5".parse::<Quantity>()?.to_string(), "500m");
/// # Ok::<(), em_core::value::QuantityError>(())
/// ```
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Quantity {
    nanos: i128,
    format: QuantityFormat,
}

/// Why a text or number is not a quantity.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum QuantityError {
    /// The text does not follow the grammar of quantities.
    #[error("{text:?} is not a quantity{hint}")]
    Malformed {
        /// What was read (shortened when very long).
        text: String,
        /// Empty, or ` (what to do)`.
        hint: String,
    },
    /// Beyond what Kubernetes can hold; it would cap the value silently.
    #[error("quantity {text:?} is too large (the largest is {max})", max = i64::MAX)]
    TooLarge {
        /// What was read.
        text: String,
    },
    /// Finer than `1n`; Kubernetes would round it up silently.
    #[error("quantity {text:?} is finer than 1n, the smallest step of a quantity")]
    TooFine {
        /// What was read.
        text: String,
    },
    /// A computed number that is NaN or infinite.
    #[error("a quantity cannot be made from {value}")]
    NotFinite {
        /// The number.
        value: f64,
    },
    /// A step that is zero or negative.
    #[error("cannot round {quantity} to a step of {step} (a step is greater than zero)")]
    BadStep {
        /// What was to be rounded.
        quantity: Quantity,
        /// The step.
        step: Quantity,
    },
}

impl Quantity {
    /// Zero, written `0`.
    pub const ZERO: Self = Self {
        nanos: 0,
        format: QuantityFormat::Decimal,
    };

    /// A number of bytes, written with binary suffixes where that loses nothing.
    pub fn from_bytes(bytes: i64) -> Self {
        Self {
            nanos: i128::from(bytes) * NANOS_PER_UNIT,
            format: QuantityFormat::Binary,
        }
    }

    /// A number of thousandths, as CPU is usually counted.
    pub fn from_milli(thousandths: i64) -> Self {
        Self {
            nanos: i128::from(thousandths) * 1_000_000,
            format: QuantityFormat::Decimal,
        }
    }

    /// The quantity nearest to `value` (to nine decimal places), written in `format`.
    pub fn from_f64(value: f64, format: QuantityFormat) -> Result<Self, QuantityError> {
        if !value.is_finite() {
            return Err(QuantityError::NotFinite { value });
        }
        let too_large = || QuantityError::TooLarge {
            text: value.to_string(),
        };
        if value.abs() > 1e19 {
            return Err(too_large());
        }
        // The shortest text that means this float, where nine places hold it: 0.1 is 100m, not 100m and a little more.
        let shortest = value.to_string();
        let places = shortest
            .split_once('.')
            .map_or(0, |(_, fraction)| fraction.len());
        let text = match places {
            0 => format!("{shortest}000000000"),
            1..=9 => format!("{shortest}{zeros}", zeros = "0".repeat(9 - places)),
            _ => format!("{value:.9}"),
        };
        let nanos: i128 = text.replace('.', "").parse().map_err(|_| too_large())?;
        Self::bounded(nanos, format).ok_or_else(too_large)
    }

    /// The number of nano-units: the exact value, the same for all ways to write it (what digests take).
    pub fn nanos(self) -> i128 {
        self.nanos
    }

    /// How it is written.
    pub fn format(self) -> QuantityFormat {
        self.format
    }

    /// The same value, written in another format.
    #[must_use]
    pub fn written_as(self, format: QuantityFormat) -> Self {
        Self { format, ..self }
    }

    /// The value as a float: the nearest one for whole numbers and below 9 million, else within one unit in the last place.
    #[expect(clippy::cast_precision_loss, reason = "a float is asked for")]
    pub fn to_f64(self) -> f64 {
        if self.nanos % NANOS_PER_UNIT == 0 {
            return (self.nanos / NANOS_PER_UNIT) as f64;
        }
        // Both sides are exact below 2^53 nano-units, so the quotient is rounded once; a product with 1e-9 is rounded twice.
        self.nanos as f64 / NANOS_PER_UNIT as f64
    }

    /// The value as a whole number, when it is one.
    pub fn to_integer(self) -> Option<i64> {
        (self.nanos % NANOS_PER_UNIT == 0)
            .then(|| i64::try_from(self.nanos / NANOS_PER_UNIT).ok())
            .flatten()
    }

    /// The sum, in the format of `self`; nothing when it is out of range.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        Self::bounded(self.nanos.checked_add(other.nanos)?, self.format)
    }

    /// The difference, in the format of `self`; nothing when it is out of range.
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        Self::bounded(self.nanos.checked_sub(other.nanos)?, self.format)
    }

    /// The product with a whole number; nothing when it is out of range.
    pub fn checked_mul(self, factor: i64) -> Option<Self> {
        Self::bounded(self.nanos.checked_mul(i128::from(factor))?, self.format)
    }

    /// The nearest multiple of `step` counted from `start` (halves go up), in the format of `self`.
    pub fn round_to_step(self, start: Self, step: Self) -> Result<Self, QuantityError> {
        if step.nanos <= 0 {
            return Err(QuantityError::BadStep {
                quantity: self,
                step,
            });
        }
        let offset = self.nanos - start.nanos; // both are within 2^93: no overflow
        let steps = (2 * offset + step.nanos).div_euclid(2 * step.nanos);
        let nanos = start.nanos + steps * step.nanos;
        Self::bounded(nanos, self.format).ok_or_else(|| QuantityError::TooLarge {
            text: self.to_string(),
        })
    }

    fn bounded(nanos: i128, format: QuantityFormat) -> Option<Self> {
        (-LARGEST..=LARGEST)
            .contains(&nanos)
            .then_some(Self { nanos, format })
    }
}

impl TryFrom<String> for Quantity {
    type Error = QuantityError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Quantity> for String {
    fn from(quantity: Quantity) -> Self {
        quantity.to_string()
    }
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Self) -> bool {
        self.nanos == other.nanos
    }
}

impl Eq for Quantity {}

impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Quantity {
    fn cmp(&self, other: &Self) -> Ordering {
        self.nanos.cmp(&other.nanos)
    }
}

impl Hash for Quantity {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.nanos.hash(state);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn quantity(text: &str) -> Quantity {
        text.parse().unwrap()
    }

    #[test]
    fn the_canonical_form_is_that_of_kubernetes() {
        // (written, canonical) by the rules documented for resource.Quantity
        for (text, canonical) in [
            ("0", "0"),
            ("-0", "0"),
            ("0Ki", "0"),
            ("1", "1"),
            ("+1", "1"),
            (".5", "500m"),
            ("1.", "1"),
            ("0.1", "100m"),
            ("100m", "100m"),
            ("1000m", "1"),
            ("1500m", "1500m"),
            ("2000", "2k"),
            ("1100", "1100"),
            ("12345k", "12345k"),
            ("1E", "1E"),
            ("1E3", "1e3"),
            ("1e4", "10e3"),
            ("1e-3", "1e-3"),
            ("12e0", "12"),
            ("1.5Gi", "1536Mi"),
            ("1024Mi", "1Gi"),
            ("0.5Ki", "512"),
            ("1023Ki", "1023Ki"),
            ("0.1Gi", "107374182400m"),
            ("-2Mi", "-2Mi"),
            ("7Ei", "7Ei"),
            ("1n", "1n"),
            ("1000000n", "1m"),
            ("0.000000001", "1n"),
            ("1.1000000000000", "1100m"),
            ("9223372036854775807", "9223372036854775807"),
        ] {
            assert_eq!(quantity(text).to_string(), canonical, "{text}");
        }
    }

    #[test]
    fn what_is_not_a_quantity_says_what_may_have_been_meant() {
        for (text, message) in [
            (
                "512Mb",
                r#""512Mb" is not a quantity (did you mean "512Mi"?)"#,
            ),
            ("1GB", r#""1GB" is not a quantity (did you mean "1Gi"?)"#),
            ("64K", r#""64K" is not a quantity (did you mean "64Ki"?)"#),
            (
                "512 Mi",
                r#""512 Mi" is not a quantity (no spaces: write "512Mi")"#,
            ),
            ("", r#""" is not a quantity (it is empty)"#),
            (
                "2 cores",
                r#""2 cores" is not a quantity (no spaces, please)"#,
            ),
            (
                "2cores",
                r#""2cores" is not a quantity (did you mean "2"?)"#,
            ),
            (".", r#""." is not a quantity"#),
            ("Mi", r#""Mi" is not a quantity"#),
            ("1e", r#""1e" is not a quantity"#),
            ("1e+", r#""1e+" is not a quantity"#),
            ("1e1.5", r#""1e1.5" is not a quantity"#),
            ("--1", r#""--1" is not a quantity"#),
            ("0x10", r#""0x10" is not a quantity"#),
            ("NaN", r#""NaN" is not a quantity"#),
            (
                "8Ei",
                r#"quantity "8Ei" is too large (the largest is 9223372036854775807)"#,
            ),
            (
                "1e99999999999",
                r#"quantity "1e99999999999" is too large (the largest is 9223372036854775807)"#,
            ),
            (
                "0.1n",
                r#"quantity "0.1n" is finer than 1n, the smallest step of a quantity"#,
            ),
            (
                "1e-99",
                r#"quantity "1e-99" is finer than 1n, the smallest step of a quantity"#,
            ),
        ] {
            assert_eq!(text.parse::<Quantity>().unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn equality_looks_at_the_value_and_not_at_the_spelling() {
        assert_eq!(quantity("1Gi"), quantity("1073741824"));
        assert!(quantity("1G") < quantity("1Gi"));
        assert!(quantity("-1") < quantity("1m"));
        assert_eq!(
            serde_json::to_string(&quantity("1024Mi")).unwrap(),
            r#""1Gi""#
        );
        assert_eq!(
            serde_json::from_str::<Quantity>(r#""1Gi""#).unwrap(),
            quantity("1024Mi")
        );
    }

    #[test]
    fn a_step_is_counted_from_the_start_of_the_range() {
        let round = |text: &str| {
            quantity(text)
                .round_to_step(quantity("512Mi"), quantity("256Mi"))
                .unwrap()
                .to_string()
        };
        assert_eq!(round("600Mi"), "512Mi");
        assert_eq!(round("640Mi"), "768Mi");
        assert_eq!(round("100Mi"), "0");
        assert_eq!(
            quantity("1")
                .round_to_step(Quantity::ZERO, Quantity::ZERO)
                .unwrap_err()
                .to_string(),
            "cannot round 1 to a step of 0 (a step is greater than zero)"
        );
    }

    #[test]
    fn arithmetic_leaves_the_range_as_nothing_and_never_wraps() {
        let largest = quantity("9223372036854775807");
        assert_eq!(largest.checked_add(quantity("1n")), None);
        assert_eq!(largest.checked_mul(2), None);
        assert_eq!(quantity("250m").checked_mul(4), Some(quantity("1")));
        assert_eq!(
            quantity("1")
                .checked_sub(quantity("1m"))
                .unwrap()
                .to_string(),
            "999m"
        );
        assert_eq!(quantity("1500m").to_integer(), None);
        assert_eq!(quantity("2k").to_integer(), Some(2000));
        assert!(Quantity::from_f64(f64::NAN, QuantityFormat::Decimal).is_err());
        assert!(Quantity::from_f64(1e300, QuantityFormat::Decimal).is_err());
        let half = Quantity::from_f64(0.7 * 1_073_741_824.0, QuantityFormat::Binary).unwrap();
        assert_eq!(half.to_string(), "751619276800m");
    }

    proptest! {
        #[test]
        fn printing_loses_nothing(nanos in -LARGEST..=LARGEST, kind in 0..3_u8) {
            let format = [QuantityFormat::Decimal, QuantityFormat::Binary, QuantityFormat::Exponent][usize::from(kind)];
            let original = Quantity { nanos, format };
            let printed = original.to_string();
            let read: Quantity = printed.parse().unwrap();
            prop_assert_eq!(read, original);
            prop_assert_eq!(read.to_string(), printed);
        }

        #[test]
        fn whole_binary_numbers_print_the_largest_suffix(number in 1_i64..1024, power in 0_u32..5) {
            // Below 1024 a number is decimal in Kubernetes, and 1000 of them are 1k.
            prop_assume!(power > 0 || number != 1000);
            let bytes = number << (10 * power);
            let printed = Quantity::from_bytes(bytes).to_string();
            let suffix = ["", "Ki", "Mi", "Gi", "Ti"][power as usize];
            prop_assert_eq!(printed, format!("{number}{suffix}"));
        }

        #[test]
        fn floats_are_the_nearest_ones(value in -1e9..1e9_f64) {
            let back = Quantity::from_f64(value, QuantityFormat::Decimal).unwrap().to_f64();
            prop_assert!((back - value).abs() <= 0.5e-9 + value.abs() * f64::EPSILON);
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,80}", number in "[-+]?[0-9.]{0,50}[eEKMGinumi]{0,2}[-+]?[0-9]{0,12}") {
            let _ = text.parse::<Quantity>();
            let _ = number.parse::<Quantity>();
        }
    }
}
