//! A value for every tunable.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::id::{Digest, TunableName};
use crate::value::Value;

/// A value for every tunable that is searched. Same values = same [`digest`](Self::digest).
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
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

    /// Digest of the canonical JSON of all values.
    pub fn digest(&self) -> Digest {
        let text = serde_json::to_vec(&self.0).expect("values are plain JSON scalars");
        Digest::of(&text)
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
