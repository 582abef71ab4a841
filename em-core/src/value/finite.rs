//! A float that is a number: no NaN, no infinity, one zero.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

use serde::{Deserialize, Serialize};

/// A finite float with a total order and an equality that hashing can rely on; `-0.0` becomes `0.0`.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Finite(f64);

/// A number that is NaN or infinite where a finite one is needed.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error("{0} is not a finite number")]
pub struct NotFinite(pub f64);

impl Finite {
    /// The number.
    pub fn get(self) -> f64 {
        self.0
    }
}

impl TryFrom<f64> for Finite {
    type Error = NotFinite;

    fn try_from(value: f64) -> Result<Self, Self::Error> {
        // Adding a positive zero turns the negative one into it and changes no other number.
        if value.is_finite() {
            Ok(Self(value + 0.0))
        } else {
            Err(NotFinite(value))
        }
    }
}

impl From<Finite> for f64 {
    fn from(value: Finite) -> Self {
        value.0
    }
}

impl PartialEq for Finite {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Finite {}

impl PartialOrd for Finite {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Finite {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl Hash for Finite {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.to_bits().hash(state);
    }
}

impl fmt::Display for Finite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_one_zero_and_no_nan() {
        let zero = Finite::try_from(0.0).unwrap();
        assert_eq!(Finite::try_from(-0.0).unwrap(), zero);
        assert_eq!(Finite::try_from(-0.0).unwrap().to_string(), "0");
        assert!(Finite::try_from(-1.0).unwrap() < zero);
        assert!(Finite::try_from(f64::NAN).is_err());
        assert_eq!(
            Finite::try_from(f64::INFINITY).unwrap_err().to_string(),
            "inf is not a finite number"
        );
    }
}
