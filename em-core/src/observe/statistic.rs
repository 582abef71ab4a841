//! Names of statistics.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A statistic of one metric.
#[derive(Debug, Clone, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[non_exhaustive]
pub enum Statistic {
    /// Number of values or events.
    Count,
    /// Least value.
    Min,
    /// Greatest value.
    Max,
    /// Arithmetic mean.
    Mean,
    /// Half of the values lie below.
    Median,
    /// Standard deviation, n - 1 in the denominator.
    Sd,
    /// Standard deviation over mean.
    Cv,
    /// Increase per second of a counter.
    Rate,
    /// Increase of a counter.
    Total,
    /// The one number of a cycle.
    Value,
    /// The last value.
    Last,
    /// This percentile, above 0 and below 100.
    Percentile(f64),
    /// A statistic of a summarizer that the embedding program registered.
    Custom(String),
}

/// A name that is no statistic.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not a statistic: use count, min, max, mean, median, sd, cv, rate, total, value, last \
     or a percentile such as p99 or p99.9"
)]
pub struct StatisticError(pub String);

impl Statistic {
    /// The share below the percentile, between 0 and 1; the median counts as one.
    pub fn quantile(&self) -> Option<f64> {
        match self {
            Self::Percentile(percent) => Some(percent / 100.0),
            Self::Median => Some(0.5),
            Self::Count
            | Self::Min
            | Self::Max
            | Self::Mean
            | Self::Sd
            | Self::Cv
            | Self::Rate
            | Self::Total
            | Self::Value
            | Self::Last
            | Self::Custom(_) => None,
        }
    }
}

impl FromStr for Statistic {
    type Err = StatisticError;

    fn from_str(text: &str) -> Result<Self, StatisticError> {
        let percentile = |digits: &str| {
            let plain = digits.chars().all(|c| c.is_ascii_digit() || c == '.');
            let percent = digits.parse::<f64>().ok().filter(|_| plain)?;
            (percent > 0.0 && percent < 100.0).then_some(Self::Percentile(percent))
        };
        let known = match text {
            "count" => Some(Self::Count),
            "min" => Some(Self::Min),
            "max" => Some(Self::Max),
            "mean" => Some(Self::Mean),
            "median" => Some(Self::Median),
            "sd" => Some(Self::Sd),
            "cv" => Some(Self::Cv),
            "rate" => Some(Self::Rate),
            "total" => Some(Self::Total),
            "value" => Some(Self::Value),
            "last" => Some(Self::Last),
            other => match other.strip_prefix("custom:") {
                Some(name) if !name.is_empty() => Some(Self::Custom(name.to_owned())),
                Some(_) => None,
                None => other.strip_prefix('p').and_then(percentile),
            },
        };
        known.ok_or_else(|| StatisticError(text.to_owned()))
    }
}

impl fmt::Display for Statistic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count => f.write_str("count"),
            Self::Min => f.write_str("min"),
            Self::Max => f.write_str("max"),
            Self::Mean => f.write_str("mean"),
            Self::Median => f.write_str("median"),
            Self::Sd => f.write_str("sd"),
            Self::Cv => f.write_str("cv"),
            Self::Rate => f.write_str("rate"),
            Self::Total => f.write_str("total"),
            Self::Value => f.write_str("value"),
            Self::Last => f.write_str("last"),
            Self::Percentile(percent) => write!(f, "p{percent}"),
            Self::Custom(name) => write!(f, "custom:{name}"),
        }
    }
}

impl TryFrom<String> for Statistic {
    type Error = StatisticError;

    fn try_from(text: String) -> Result<Self, StatisticError> {
        text.parse()
    }
}

impl From<Statistic> for String {
    fn from(statistic: Statistic) -> Self {
        statistic.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_survive_their_text() {
        for text in ["mean", "p99", "p99.9", "p50", "custom:gini"] {
            assert_eq!(text.parse::<Statistic>().unwrap().to_string(), text);
        }
        for text in ["p0", "p100", "p1e1", "pq", "average", "custom:"] {
            assert!(text.parse::<Statistic>().is_err(), "{text}");
        }
    }
}
