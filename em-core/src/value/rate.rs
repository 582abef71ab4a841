//! Rates: how many per second.

use std::fmt;
use std::str::FromStr;

use super::Finite;

/// A rate per second, zero or more. Read from `500`, `500/s`, `30000/min` or `1e6/h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rate(Finite);

/// Why a text or number is not a rate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a rate (write a number per second, \"500/s\" or \"30000/min\")")]
pub struct RateError {
    /// What was read (shortened when very long).
    pub text: String,
}

impl Rate {
    /// The rate per second.
    pub fn per_second(self) -> f64 {
        self.0.get()
    }
}

impl TryFrom<f64> for Rate {
    type Error = RateError;

    fn try_from(per_second: f64) -> Result<Self, Self::Error> {
        Finite::try_from(per_second)
            .ok()
            .filter(|rate| rate.get() >= 0.0)
            .map(Self)
            .ok_or_else(|| RateError {
                text: per_second.to_string(),
            })
    }
}

impl FromStr for Rate {
    type Err = RateError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refused = || RateError {
            text: text.chars().take(64).collect(),
        };
        let (number, period) = text.split_once('/').unwrap_or((text, "s"));
        let seconds = match period.trim() {
            "s" => 1.0,
            "min" => 60.0,
            "h" => 3600.0,
            _ => return Err(refused()),
        };
        let number: f64 = number.trim().parse().map_err(|_| refused())?;
        Self::try_from(number / seconds).map_err(|_| refused())
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/s", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_per_second_whatever_it_is_written_in() {
        for (text, rate) in [
            ("500", 500.0),
            ("0", 0.0),
            ("1.5/s", 1.5),
            ("30000/min", 500.0),
            ("3600 / h", 1.0),
        ] {
            let read = text.parse::<Rate>().unwrap();
            assert!((read.per_second() - rate).abs() < 1e-12, "{text}");
            assert_eq!(read.to_string().parse::<Rate>().unwrap(), read);
        }
    }

    #[test]
    fn what_is_no_rate_is_refused() {
        for text in ["", "-1", "NaN", "inf/s", "5/d", "5rps", "1e308/s/s"] {
            assert!(text.parse::<Rate>().is_err(), "{text}");
        }
        assert_eq!(
            "5rps".parse::<Rate>().unwrap_err().to_string(),
            r#""5rps" is not a rate (write a number per second, "500/s" or "30000/min")"#
        );
    }
}
