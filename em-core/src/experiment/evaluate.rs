//! Objective and constraints as numbers of one block.

use std::collections::BTreeMap;

use crate::expression::{Constraint, Expression, Name};
use crate::id::{MetricName, TunableName};
use crate::journal::IterationResult;
use crate::observe::{Statistic, Summary};
use crate::value::Value;

/// A number that an expression needs and the block does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{expression} has no value in this block: {why}")]
pub struct MissingNumber {
    /// The expression.
    pub expression: String,
    /// What is missing.
    pub why: String,
}

/// Numbers of one iteration of one block, and of the same block's baseline.
#[derive(Debug, Clone, Copy)]
pub struct Numbers<'a> {
    /// What the iteration measured.
    pub result: &'a IterationResult,
    /// What the baseline measured in the same block.
    pub baseline: Option<&'a IterationResult>,
    /// The iteration's values, derived ones included.
    pub values: &'a BTreeMap<TunableName, Value>,
}

impl Numbers<'_> {
    fn look_up(&self, name: &Name) -> Option<f64> {
        match name {
            Name::Tunable(name) => {
                let name: TunableName = name.parse().ok()?;
                self.values.get(&name).and_then(Value::to_f64)
            }
            Name::Metric {
                of_baseline,
                metric,
                statistic,
            } => {
                let result = if *of_baseline {
                    self.baseline?
                } else {
                    self.result
                };
                statistic_of(&result.summary, metric, statistic.as_deref())
            }
        }
    }
}

/// The statistic of a metric. A metric alone is its one natural number: the value of a `value`,
/// the mean of a gauge, the rate of a counter.
fn statistic_of(summary: &Summary, metric: &str, statistic: Option<&str>) -> Option<f64> {
    let name: MetricName = metric.parse().ok()?;
    let metric = summary.get(&name)?;
    let find = |statistic: &Statistic| metric.get(statistic).map(|estimate| estimate.value);
    match statistic {
        Some(text) => {
            let custom = || Statistic::Custom(text.to_owned());
            find(&text.parse().unwrap_or_else(|_| custom()))
        }
        None => [Statistic::Value, Statistic::Rate, Statistic::Mean]
            .iter()
            .find_map(find),
    }
}

/// The value of an expression in one block.
pub fn evaluate(expression: &Expression, numbers: &Numbers<'_>) -> Result<f64, MissingNumber> {
    expression
        .evaluate(&|name| numbers.look_up(name))
        .map_err(|error| MissingNumber {
            expression: expression.text().to_owned(),
            why: error.to_string(),
        })
}

/// How far a constraint is from its edge in one block, in the unit of its sides: above 0 it holds.
pub fn margin(constraint: &Constraint, numbers: &Numbers<'_>) -> Result<f64, MissingNumber> {
    constraint
        .margin(&|name| numbers.look_up(name))
        .map(|margin| margin.difference())
        .map_err(|error| MissingNumber {
            expression: constraint.to_string(),
            why: error.to_string(),
        })
}
