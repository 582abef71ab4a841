//! Reading scalars as what the plan needs: numbers in a range, times, shares, quantities, words.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::reader::Reader;
use super::tree::NodeKind;
use crate::expression::closest;
use crate::id::NameError;
use crate::value::{Quantity, ScaledUnit, Value, duration};

impl Reader<'_> {
    pub(super) fn bool(&self) -> Option<bool> {
        if let NodeKind::Bool(value) = self.kind() {
            return Some(*value);
        }
        self.wanted("true or false");
        None
    }

    pub(super) fn integer(&self, allowed: RangeInclusive<i64>) -> Option<i64> {
        let value = match self.kind() {
            NodeKind::Integer(value) => *value,
            NodeKind::Real(_, text) if text.bytes().all(|b| b.is_ascii_digit()) => {
                self.refuse(format!("{text} is too large (at most {})", allowed.end()));
                return None;
            }
            NodeKind::Null
            | NodeKind::Bool(_)
            | NodeKind::Real(..)
            | NodeKind::Text(_)
            | NodeKind::List(_)
            | NodeKind::Map(_) => {
                self.wanted("a whole number");
                return None;
            }
        };
        self.in_range(value, &allowed)
    }

    /// A whole number of 32 bits.
    pub(super) fn count(&self, allowed: RangeInclusive<u32>) -> Option<u32> {
        let allowed = i64::from(*allowed.start())..=i64::from(*allowed.end());
        self.integer(allowed)
            .and_then(|value| u32::try_from(value).ok())
    }

    /// A finite number.
    #[expect(
        clippy::cast_precision_loss,
        reason = "numbers of a file, not counters"
    )]
    pub(super) fn number(&self, allowed: RangeInclusive<f64>) -> Option<f64> {
        let value = match self.kind() {
            NodeKind::Integer(value) => *value as f64,
            NodeKind::Real(value, _) if value.is_finite() => *value,
            NodeKind::Real(_, text) => {
                self.refuse(format!("{text} is too large for a number"));
                return None;
            }
            NodeKind::Null
            | NodeKind::Bool(_)
            | NodeKind::Text(_)
            | NodeKind::List(_)
            | NodeKind::Map(_) => {
                self.wanted("a number");
                return None;
            }
        };
        self.in_range(value, &allowed)
    }

    fn in_range<T: PartialOrd + Display>(
        &self,
        value: T,
        allowed: &RangeInclusive<T>,
    ) -> Option<T> {
        if allowed.contains(&value) {
            return Some(value);
        }
        let (low, high) = (allowed.start(), allowed.end());
        let huge = high.to_string().len() > 15;
        if value < *low {
            self.refuse(format!("{value} is too small (at least {low})"));
        } else if huge {
            self.refuse(format!("{value} is too large"));
        } else {
            self.refuse(format!("{value} is too large (at most {high})"));
        }
        None
    }

    /// A share: a number between 0 and 1, or a percentage.
    pub(super) fn share(&self) -> Option<f64> {
        let NodeKind::Text(text) = self.kind() else {
            return self.number(0.0..=1.0);
        };
        let percent = text
            .strip_suffix('%')
            .and_then(|number| number.trim().parse::<f64>().ok());
        let Some(percent) = percent.filter(|percent| percent.is_finite()) else {
            self.refuse_with(
                format!("{text:?} is not a share"),
                "write a percentage, \"2%\", or a number between 0 and 1",
            );
            return None;
        };
        self.in_range(percent / 100.0, &(0.0..=1.0))
    }

    pub(super) fn duration(&self) -> Option<Duration> {
        if let NodeKind::Integer(_) | NodeKind::Real(..) = self.kind() {
            let text = self.shown().unwrap_or_default();
            self.refuse_with(
                format!("{text} has no unit"),
                format!("write \"{text}s\" or \"{text}ms\""),
            );
            return None;
        }
        let text = self.text()?;
        duration::parse(text)
            .map_err(|error| self.refuse(error))
            .ok()
    }

    /// A duration above zero.
    pub(super) fn some_time(&self) -> Option<Duration> {
        let duration = self.duration()?;
        if duration.is_zero() {
            self.refuse("it must be longer than nothing");
            return None;
        }
        Some(duration)
    }

    pub(super) fn quantity(&self) -> Option<Quantity> {
        let text = self.word()?;
        text.parse().map_err(|error| self.refuse(error)).ok()
    }

    pub(super) fn unit(&self) -> Option<ScaledUnit> {
        let text = self.text()?;
        ScaledUnit::parse(text)
            .map_err(|error| self.refuse(error))
            .ok()
    }

    /// A scalar as the value of a tunable.
    pub(super) fn value(&self) -> Option<Value> {
        match self.kind() {
            NodeKind::Bool(value) => Some(Value::Bool(*value)),
            NodeKind::Integer(value) => Some(Value::Integer(*value)),
            NodeKind::Real(..) => self
                .number(f64::MIN..=f64::MAX)
                .and_then(|value| Value::real(value).ok()),
            NodeKind::Text(text) => Some(Value::from(text.as_str())),
            NodeKind::Null | NodeKind::List(_) | NodeKind::Map(_) => {
                self.wanted("a value");
                None
            }
        }
    }

    /// One of a few words.
    pub(super) fn one_of<T: Clone>(&self, words: &[(&str, T)]) -> Option<T> {
        let text = self.text()?;
        if let Some((_, meaning)) = words.iter().find(|(word, _)| *word == text) {
            return Some(meaning.clone());
        }
        let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let remedy = match closest(text, names.iter().copied()) {
            Some(near) => format!("did you mean {near:?}?"),
            None => format!("one of {}", names.join(", ")),
        };
        self.refuse_with(format!("{text:?} has no meaning here"), remedy);
        None
    }

    /// A name. What may stand around names elsewhere (after the `;` of the rule) has no place in a file.
    pub(super) fn name<T: std::str::FromStr<Err = NameError>>(&self) -> Option<T> {
        let text = self.text()?;
        let refuse = |error: NameError| {
            let rule = error.rule.split(';').next().unwrap_or_default();
            self.refuse_with(format!("{:?} is not {}", error.name, error.kind), rule);
        };
        text.parse().map_err(refuse).ok()
    }

    /// Text that follows the rule of its type.
    pub(super) fn parsed<T: std::str::FromStr<Err: Display>>(&self) -> Option<T> {
        let text = self.text()?;
        text.parse().map_err(|error| self.refuse(error)).ok()
    }
}
