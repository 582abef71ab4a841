//! Values and units: what a tunable can be set to, and what a measured number means.
//!
//! Not here: domains of tunables (what values are allowed), and arithmetic over measured numbers (`expression`).

pub mod duration;
mod finite;
mod quantity;
mod rate;
mod unit;

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub use duration::DurationError;
pub use finite::{Finite, NotFinite};
pub use quantity::{Quantity, QuantityError, QuantityFormat};
pub use rate::{Rate, RateError};
pub use unit::{ScaledUnit, Unit, UnitError, UnitMismatch, UnitPowers};

/// One value of one tunable.
///
/// Values of different kinds are different values; within a kind, equality and order are those of the value, not of its spelling
/// (`1Gi` equals `1024Mi`, `-0.0` equals `0.0`). Display is what enters environment, arguments and templates.
///
/// JSON is the plain scalar. A quantity is its string and therefore reads back as `Text`: whoever knows the tunable's kind asks
/// for it with [`Value::into_kind`].
///
/// ```
/// use em_core::value::{Value, ValueKind};
/// let read: Value = serde_json::from_str(r#""1024Mi""#)?;
/// let memory = read.into_kind(ValueKind::Quantity)?;
/// assert_eq!(memory.to_string(), "1Gi");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Value {
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// A finite real number.
    Real(Finite),
    /// A Kubernetes quantity.
    Quantity(Quantity),
    /// Anything else.
    Text(String),
}

/// The kind of a [`Value`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ValueKind {
    /// `true` or `false`.
    Bool,
    /// A whole number of 64 bits.
    Integer,
    /// A finite float.
    Real,
    /// A Kubernetes quantity.
    Quantity,
    /// Text.
    Text,
}

/// A value that is not of the kind that is needed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{value} is not {kind}{hint}")]
pub struct ValueKindError {
    /// The value, as it is written.
    pub value: String,
    /// The kind that is needed.
    pub kind: ValueKind,
    /// Empty, or ` (what to do)`.
    pub hint: String,
}

impl Value {
    /// A real number.
    pub fn real(value: f64) -> Result<Self, NotFinite> {
        Finite::try_from(value).map(Self::Real)
    }

    /// The kind it is of.
    pub fn kind(&self) -> ValueKind {
        match self {
            Self::Bool(_) => ValueKind::Bool,
            Self::Integer(_) => ValueKind::Integer,
            Self::Real(_) => ValueKind::Real,
            Self::Quantity(_) => ValueKind::Quantity,
            Self::Text(_) => ValueKind::Text,
        }
    }

    /// The number that expressions see: booleans are 1 and 0, quantities their value in base units, text has none.
    #[expect(
        clippy::cast_precision_loss,
        reason = "whole numbers beyond 2^53 are not tunables' values"
    )]
    pub fn to_f64(&self) -> Option<f64> {
        match self {
            Self::Bool(value) => Some(f64::from(u8::from(*value))),
            Self::Integer(value) => Some(*value as f64),
            Self::Real(value) => Some(value.get()),
            Self::Quantity(value) => Some(value.to_f64()),
            Self::Text(_) => None,
        }
    }

    /// The same value as another kind, where nothing is lost by it.
    pub fn into_kind(self, kind: ValueKind) -> Result<Self, ValueKindError> {
        let converted = match (&self, kind) {
            (value, kind) if value.kind() == kind => return Ok(self),
            (Self::Real(value), ValueKind::Integer) => whole(value.get()).map(Self::Integer),
            (Self::Integer(value), ValueKind::Real) => exact_real(*value),
            (Self::Quantity(value), ValueKind::Integer) => value.to_integer().map(Self::Integer),
            (Self::Quantity(value), ValueKind::Real) => Self::real(value.to_f64()).ok(),
            (Self::Integer(_) | Self::Real(_) | Self::Text(_), ValueKind::Quantity) => {
                match self.to_string().parse::<Quantity>() {
                    Ok(quantity) => Some(Self::Quantity(quantity)),
                    Err(error) => return Err(self.not(kind, &quantity_hint(&error))),
                }
            }
            (
                Self::Integer(_) | Self::Real(_) | Self::Quantity(_) | Self::Bool(_),
                ValueKind::Text,
            ) => Some(Self::Text(self.to_string())),
            _ => None,
        };
        converted.ok_or_else(|| self.not(kind, ""))
    }

    fn not(&self, kind: ValueKind, hint: &str) -> ValueKindError {
        let value = if let Self::Text(text) = self {
            format!("{text:?}")
        } else {
            self.to_string()
        };
        ValueKindError {
            value,
            kind,
            hint: hint.into(),
        }
    }
}

fn quantity_hint(error: &QuantityError) -> String {
    if let QuantityError::Malformed { hint, .. } = error {
        return hint.clone();
    }
    format!(" ({error})")
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the range is checked on the line before"
)]
fn whole(value: f64) -> Option<i64> {
    (value.fract() == 0.0 && value.abs() < 9_007_199_254_740_992.0).then_some(value as i64)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "only taken when it loses nothing"
)]
fn exact_real(value: i64) -> Option<Value> {
    (value.unsigned_abs() <= 1 << 53)
        .then(|| Value::real(value as f64).ok())
        .flatten()
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}

impl From<Quantity> for Value {
    fn from(value: Quantity) -> Self {
        Self::Quantity(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.into())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => fmt::Display::fmt(value, f),
            Self::Integer(value) => fmt::Display::fmt(value, f),
            Self::Real(value) => fmt::Display::fmt(value, f),
            Self::Quantity(value) => fmt::Display::fmt(value, f),
            Self::Text(value) => fmt::Display::fmt(value, f),
        }
    }
}

impl fmt::Display for ValueKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Bool => "a boolean",
            Self::Integer => "a whole number",
            Self::Real => "a number",
            Self::Quantity => "a quantity",
            Self::Text => "text",
        })
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Integer(value) => serializer.serialize_i64(*value),
            Self::Real(value) => serializer.serialize_f64(value.get()),
            Self::Quantity(value) => serializer.collect_str(value),
            Self::Text(value) => serializer.serialize_str(value),
        }
    }
}

impl JsonSchema for Value {
    fn schema_name() -> Cow<'static, str> {
        "Value".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A boolean, a number, or a string; Kubernetes quantities are strings.",
            "type": ["boolean", "number", "string"],
        })
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor)
    }
}

struct ScalarVisitor;

impl Visitor<'_> for ScalarVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a boolean, a number or a string")
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Integer(value))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Value, E> {
        i64::try_from(value).map(Value::Integer).map_err(|_| {
            E::custom(format!(
                "whole number {value} is too large (at most {})",
                i64::MAX
            ))
        })
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        Value::real(value).map_err(E::custom)
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Text(value.into()))
    }

    fn visit_string<E: de::Error>(self, value: String) -> Result<Value, E> {
        Ok(Value::Text(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_plain_scalars_in_json() {
        let values = vec![
            Value::Bool(true),
            Value::Integer(-3),
            Value::real(2.0).unwrap(),
            Value::Quantity("1024Mi".parse().unwrap()),
            Value::from("lru"),
        ];
        let json = serde_json::to_string(&values).unwrap();
        assert_eq!(json, r#"[true,-3,2.0,"1Gi","lru"]"#);
        let read: Vec<Value> = serde_json::from_str(&json).unwrap();
        let again: Vec<Value> = read
            .into_iter()
            .zip(&values)
            .map(|(value, original)| value.into_kind(original.kind()).unwrap())
            .collect();
        assert_eq!(again, values);
    }

    #[test]
    fn what_is_not_a_scalar_is_refused_with_its_reason() {
        let refusal = |json: &str| serde_json::from_str::<Value>(json).unwrap_err().to_string();
        assert!(refusal("[1]").starts_with("invalid type: sequence, expected a boolean, a number"));
        assert!(refusal("null").starts_with("invalid type: null"));
        assert!(
            refusal("18446744073709551615").contains("is too large (at most 9223372036854775807)")
        );
    }

    #[test]
    fn what_enters_a_command_line_is_the_shortest_exact_text() {
        for (value, text) in [(2.0, "2"), (0.1, "0.1"), (1e-7, "0.0000001"), (-0.0, "0")] {
            assert_eq!(Value::real(value).unwrap().to_string(), text);
        }
        assert_eq!(Value::Bool(false).to_string(), "false");
    }

    #[test]
    fn a_change_of_kind_never_loses_anything() {
        let refusal = |value: Value, kind| value.into_kind(kind).unwrap_err().to_string();
        assert_eq!(
            refusal(Value::real(1.5).unwrap(), ValueKind::Integer),
            "1.5 is not a whole number"
        );
        assert_eq!(
            refusal("512Mb".into(), ValueKind::Quantity),
            r#""512Mb" is not a quantity (did you mean "512Mi"?)"#
        );
        assert_eq!(
            refusal("yes".into(), ValueKind::Bool),
            r#""yes" is not a boolean"#
        );
        assert_eq!(
            refusal((i64::MAX).into(), ValueKind::Real),
            "9223372036854775807 is not a number"
        );
        assert_eq!(
            Value::real(3.0).unwrap().into_kind(ValueKind::Integer),
            Ok(Value::Integer(3))
        );
        assert_eq!(
            Value::Integer(2)
                .into_kind(ValueKind::Quantity)
                .unwrap()
                .to_f64(),
            Some(2.0)
        );
    }
}
