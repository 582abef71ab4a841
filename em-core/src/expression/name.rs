//! Names in expressions.

use std::fmt;

/// A number that an expression needs from outside.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Name {
    /// `NAME.STATISTIC`, `load.NAME.STATISTIC`, `load.NAME`, each also of the `baseline` of the same block.
    Metric {
        /// Whether the same block's baseline is meant.
        of_baseline: bool,
        /// The metric; those of the load driver start with `load.`.
        metric: String,
        /// The statistic as written, such as `p99.9`; absent when only a metric is named.
        statistic: Option<String>,
    },
    /// `values.NAME`: the value of a tunable in the configuration under test.
    Tunable(String),
}

impl Name {
    /// The name that the parts of a dotted path make, or what is wrong with them.
    pub(super) fn of_path(mut parts: Vec<String>) -> Result<Self, String> {
        let of_baseline = parts.first().is_some_and(|first| first == "baseline");
        if of_baseline {
            parts.remove(0);
        }
        match parts
            .iter()
            .map(String::as_str)
            .collect::<Vec<_>>()
            .as_slice()
        {
            [] => Err("\"baseline\" alone is not a number (write baseline.NAME.STATISTIC)".into()),
            ["baseline", ..] => Err("\"baseline\" comes twice".into()),
            ["values", ..] if of_baseline => {
                Err("a tunable of the baseline cannot be used (only its metrics)".into())
            }
            ["values", name] => Ok(Self::Tunable((*name).into())),
            ["values"] => Err("\"values\" alone is not a number (write values.NAME)".into()),
            ["values", rest @ ..] => Err(format!(
                "values has too many parts (quote the name: values.{:?})",
                rest.join(".")
            )),
            ["load"] => Err("\"load\" alone is not a number (write load.NAME.STATISTIC)".into()),
            ["load", metric] => Ok(Self::metric(of_baseline, format!("load.{metric}"), None)),
            ["load", metric, statistic] => Ok(Self::metric(
                of_baseline,
                format!("load.{metric}"),
                Some(statistic),
            )),
            [metric] => Ok(Self::metric(of_baseline, (*metric).into(), None)),
            [metric, statistic] => Ok(Self::metric(of_baseline, (*metric).into(), Some(statistic))),
            _ => Err(
                "the name has too many parts (NAME.STATISTIC; quote a name that has dots)".into(),
            ),
        }
    }

    fn metric(of_baseline: bool, metric: String, statistic: Option<&&str>) -> Self {
        Self::Metric {
            of_baseline,
            metric,
            statistic: statistic.map(|text| (*text).into()),
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tunable(name) => write!(f, "values.{}", Part(name)),
            Self::Metric {
                of_baseline,
                metric,
                statistic,
            } => {
                if *of_baseline {
                    f.write_str("baseline.")?;
                }
                match metric.strip_prefix("load.") {
                    Some(rest) => write!(f, "load.{}", Part(rest))?,
                    None => write!(f, "{}", Part(metric))?,
                }
                match statistic {
                    None => Ok(()),
                    Some(statistic) if is_percentile(statistic) => write!(f, ".{statistic}"),
                    Some(statistic) => write!(f, ".{}", Part(statistic)),
                }
            }
        }
    }
}

/// One part of a path, quoted when it must be.
struct Part<'a>(&'a str);

impl fmt::Display for Part<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if is_plain(self.0) {
            f.write_str(self.0)
        } else {
            write!(f, "\"{}\"", self.0)
        }
    }
}

fn is_plain(part: &str) -> bool {
    part.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn is_percentile(statistic: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    statistic
        .strip_prefix('p')
        .is_some_and(|number| match number.split_once('.') {
            Some((whole, fraction)) => digits(whole) && digits(fraction),
            None => digits(number),
        })
}
