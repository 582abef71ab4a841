//! Filters: how a value is counted where it enters a template.

use crate::expression::closest;
use crate::value::{Quantity, Value, duration};

/// One filter of a placeholder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Filter {
    /// Whole KiB, rounded down.
    Ki,
    /// Whole MiB, rounded down.
    Mi,
    /// Whole GiB, rounded down.
    Gi,
    /// Whole bytes, rounded down.
    Bytes,
    /// Milliseconds; numbers are seconds, text is a duration.
    Milliseconds,
    /// Seconds; numbers are seconds, text is a duration.
    Seconds,
    /// A whole number, the fraction dropped; booleans are 1 and 0.
    Int,
}

const NANO: i128 = 1_000_000_000;

impl Filter {
    const NAMES: [(&str, Self); 7] = [
        ("Ki", Self::Ki),
        ("Mi", Self::Mi),
        ("Gi", Self::Gi),
        ("bytes", Self::Bytes),
        ("ms", Self::Milliseconds),
        ("s", Self::Seconds),
        ("int", Self::Int),
    ];

    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if let Some((_, filter)) = Self::NAMES.iter().find(|(name, _)| *name == text) {
            return Ok(*filter);
        }
        let names = Self::NAMES.map(|(name, _)| name);
        let same = names
            .into_iter()
            .find(|name| name.eq_ignore_ascii_case(text));
        let hint = match same.or_else(|| closest(text, names)) {
            Some(meant) => format!("did you mean {meant:?}?"),
            None => format!("one of {}", names.join(" ")),
        };
        Err(format!("there is no filter {text:?} ({hint})"))
    }

    /// The value as the filter counts it, or why it cannot be counted so.
    pub fn apply(self, value: &Value) -> Result<Value, String> {
        match self {
            Self::Ki => bytes(value, 1 << 10, "1Ki"),
            Self::Mi => bytes(value, 1 << 20, "1Mi"),
            Self::Gi => bytes(value, 1 << 30, "1Gi"),
            Self::Bytes => bytes(value, 1, "one byte"),
            Self::Milliseconds => seconds(value).and_then(|seconds| tidy(seconds * 1e3)),
            Self::Seconds => seconds(value).and_then(tidy),
            Self::Int => whole(nanos(value)? / NANO),
        }
    }
}

fn bytes(value: &Value, unit: i128, name: &str) -> Result<Value, String> {
    if matches!(value, Value::Bool(_)) {
        return Err(format!("{value} is not a number of bytes"));
    }
    let nanos = nanos(value)?;
    if nanos < 0 {
        return Err(format!("{value} bytes are less than none"));
    }
    let units = nanos / (unit * NANO);
    // A heap of 0 MiB means "no limit" to many programs: the opposite of what was asked for.
    if units == 0 && nanos > 0 {
        return Err(format!("{value} is less than {name} and would become 0"));
    }
    whole(units)
}

/// The exact value in billionths.
fn nanos(value: &Value) -> Result<i128, String> {
    match value {
        Value::Bool(value) => Ok(i128::from(*value) * NANO),
        Value::Integer(value) => Ok(i128::from(*value) * NANO),
        Value::Quantity(value) => Ok(value.nanos()),
        Value::Real(_) | Value::Text(_) => {
            let text = value.to_string();
            match (text.parse::<Quantity>(), value.to_f64()) {
                (Ok(quantity), _) => Ok(quantity.nanos()),
                // Finer than a billionth: the rest does not matter to any filter.
                (Err(_), Some(real)) => {
                    Quantity::from_f64(real, crate::value::QuantityFormat::Decimal)
                        .map(Quantity::nanos)
                        .map_err(|error| error.to_string())
                }
                (Err(error), None) => Err(error.to_string()),
            }
        }
    }
}

fn seconds(value: &Value) -> Result<f64, String> {
    match (value, value.to_f64()) {
        (Value::Text(text), _) => duration::parse(text)
            .map(|duration| duration.as_secs_f64())
            .map_err(|error| error.to_string()),
        (Value::Bool(_), _) | (_, None) => Err(format!("{value} is not a time")),
        (_, Some(seconds)) => Ok(seconds),
    }
}

fn whole(value: i128) -> Result<Value, String> {
    i64::try_from(value)
        .map(Value::Integer)
        .map_err(|_| format!("{value} is too large"))
}

/// A float without the dust of the last operation: 1.1 and not 1.1000000000000001.
fn tidy(value: f64) -> Result<Value, String> {
    let rounded = format!("{value:.12e}").parse().unwrap_or(value);
    Value::real(rounded).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_counted_in_what_the_filter_says() {
        let quantity = |text: &str| Value::Quantity(text.parse().unwrap());
        let real = |value| Value::real(value).unwrap();
        for (value, filter, counted) in [
            (quantity("1.5Gi"), Filter::Mi, "1536"),
            (real(0.7 * 1_073_741_824.0), Filter::Mi, "716"),
            (quantity("1Gi"), Filter::Ki, "1048576"),
            (quantity("3Gi"), Filter::Gi, "3"),
            (Value::from("512Mi"), Filter::Bytes, "536870912"),
            (Value::Integer(4096), Filter::Ki, "4"),
            (quantity("0"), Filter::Mi, "0"),
            (real(0.0011), Filter::Milliseconds, "1.1"),
            (Value::from("2m30s"), Filter::Seconds, "150"),
            (Value::Integer(2), Filter::Milliseconds, "2000"),
            (real(-2.7), Filter::Int, "-2"),
            (real(1e-12), Filter::Int, "0"),
            (Value::Bool(true), Filter::Int, "1"),
            (Value::from("8"), Filter::Int, "8"),
        ] {
            assert_eq!(
                filter.apply(&value).unwrap().to_string(),
                counted,
                "{value} {filter:?}"
            );
        }
    }

    #[test]
    fn what_cannot_be_counted_so_is_refused() {
        for (value, filter, message) in [
            (
                Value::from("512Ki"),
                Filter::Mi,
                "512Ki is less than 1Mi and would become 0",
            ),
            (Value::from("lru"), Filter::Mi, r#""lru" is not a quantity"#),
            (
                Value::Integer(-1),
                Filter::Bytes,
                "-1 bytes are less than none",
            ),
            (
                Value::Bool(true),
                Filter::Gi,
                "true is not a number of bytes",
            ),
            (Value::Bool(true), Filter::Seconds, "true is not a time"),
            (
                Value::from("90"),
                Filter::Seconds,
                r#""90" is not a duration: it has no unit (write "90s" or "90ms")"#,
            ),
        ] {
            assert_eq!(filter.apply(&value).unwrap_err(), message);
        }
    }
}
