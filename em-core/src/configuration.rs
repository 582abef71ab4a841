//! A value for every tunable.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::{Digest, TunableName};
use crate::value::Value;

/// A value for every tunable that is searched. Same values = same [`digest`](Self::digest).
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Configuration(BTreeMap<TunableName, Value>);

impl Configuration {
    /// A configuration without values: what an observed target runs.
    pub fn empty() -> Self {
        Self::default()
    }

    /// The value of a tunable.
    pub fn get(&self, name: &TunableName) -> Option<&Value> {
        self.0.get(name)
    }

    /// Sets a value.
    pub fn set(&mut self, name: TunableName, value: Value) {
        self.0.insert(name, value);
    }

    /// All values in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&TunableName, &Value)> {
        self.0.iter()
    }

    /// Whether it has no value.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// This configuration, with the values of `other` where it has none itself.
    #[must_use]
    pub fn or(&self, other: &Self) -> Self {
        let mut all = other.0.clone();
        all.extend(
            self.0
                .iter()
                .map(|(name, value)| (name.clone(), value.clone())),
        );
        Self(all)
    }

    /// Digest of all values: of what they are, not of how they are spelt (`1Gi` = `1024Mi`).
    pub fn digest(&self) -> Digest {
        let canonical: BTreeMap<_, _> = self
            .0
            .iter()
            .map(|(name, value)| (name, spelt_canonically(value)))
            .collect();
        let text = serde_json::to_vec(&canonical).expect("values are plain JSON scalars");
        Digest::of(&text)
    }
}

/// A quantity by its exact amount; everything else has one spelling already.
fn spelt_canonically(value: &Value) -> Cow<'_, Value> {
    match value {
        Value::Quantity(quantity) => Cow::Owned(Value::Text(format!("{}n", quantity.nanos()))),
        Value::Bool(_) | Value::Integer(_) | Value::Real(_) | Value::Text(_) => {
            Cow::Borrowed(value)
        }
    }
}

impl FromIterator<(TunableName, Value)> for Configuration {
    fn from_iter<I: IntoIterator<Item = (TunableName, Value)>>(values: I) -> Self {
        Self(values.into_iter().collect())
    }
}

impl fmt::Display for Configuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (name, value)) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { " " };
            write!(f, "{separator}{name}={value}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory(text: &str) -> Configuration {
        let value = Value::Quantity(text.parse().unwrap());
        [("memory".parse().unwrap(), value)].into_iter().collect()
    }

    #[test]
    fn the_same_amount_has_the_same_digest_however_it_is_spelt() {
        assert_eq!(memory("1Gi").digest(), memory("1024Mi").digest());
        assert_eq!(memory("1Gi").digest(), memory("1073741824").digest());
        assert_ne!(memory("1Gi").digest(), memory("1G").digest());
    }

    #[test]
    fn values_that_are_left_out_are_the_other_ones() {
        let of = |name: &str, value: i64| (name.parse().unwrap(), Value::from(value));
        let base: Configuration = [of("a", 1), of("b", 2)].into_iter().collect();
        let changed: Configuration = [of("b", 3)].into_iter().collect();
        assert_eq!(changed.or(&base).to_string(), "a=1 b=3");
    }
}
