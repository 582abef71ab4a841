//! How a tunable's value reaches a process: environment, argument, limit.

use std::collections::BTreeMap;

use em_core::id::TunableName;
use em_core::plan::{Apply, ResourceKind, Tunable};
use em_core::template::{Escape, Pieces, replace_argument};
use em_core::value::Value;
use regex::Regex;

use crate::cgroup::Limits;
use crate::fill::{FillError, Values, fill};

/// A value cannot be applied.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApplyError {
    /// A template.
    #[error(transparent)]
    Fill(#[from] FillError),
    /// A regular expression.
    #[error("tunable {tunable}: apply.replaces is not a regular expression")]
    Replaces {
        /// The tunable.
        tunable: TunableName,
        /// What is wrong.
        #[source]
        source: Box<regex::Error>,
    },
    /// A resource needs an amount.
    #[error("tunable {tunable}: {value} is not an amount of {resource}")]
    Resource {
        /// The tunable.
        tunable: TunableName,
        /// Its value.
        value: String,
        /// `cpu` or `memory`.
        resource: &'static str,
    },
    /// This kind of target cannot do it.
    #[error("tunable {tunable}: a process has no such thing to apply it to")]
    Unsupported {
        /// The tunable.
        tunable: TunableName,
    },
}

/// What is changed by tunables.
#[derive(Debug)]
pub(super) struct Applied {
    pub(super) command: Vec<String>,
    pub(super) env: BTreeMap<String, String>,
    pub(super) limits: Limits,
}

impl Applied {
    /// Applies every tunable that has a value, in file order.
    pub(super) fn with(
        mut self,
        tunables: &[Tunable],
        values: &Values,
        lookup: &dyn Fn(&str) -> Option<Value>,
    ) -> Result<Self, ApplyError> {
        let mut pieces: BTreeMap<String, Pieces> = BTreeMap::new();
        for tunable in tunables {
            let Some(value) = values.get(&tunable.name) else {
                continue;
            };
            for apply in &tunable.apply {
                self.apply(tunable, apply, value, lookup, &mut pieces)?;
            }
        }
        for (name, pieces) in pieces {
            let today = self
                .env
                .get(&name)
                .cloned()
                .or_else(|| std::env::var(&name).ok());
            self.env
                .insert(name, pieces.onto(&today.unwrap_or_default()));
        }
        Ok(self)
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "what other targets know is refused here"
    )]
    fn apply(
        &mut self,
        tunable: &Tunable,
        apply: &Apply,
        value: &Value,
        lookup: &dyn Fn(&str) -> Option<Value>,
        pieces: &mut BTreeMap<String, Pieces>,
    ) -> Result<(), ApplyError> {
        let name = &tunable.name;
        let own = |asked: &str| {
            if asked == "value" {
                Some(value.clone())
            } else {
                lookup(asked)
            }
        };
        let place = format!("tunable {name}");
        match apply {
            Apply::Env {
                name, piece: None, ..
            } => {
                self.env.insert(name.clone(), value.to_string());
            }
            Apply::Env {
                name: variable,
                piece: Some(piece),
                replaces,
            } => {
                let piece = fill(&place, piece, &own, Escape::None)?;
                pieces
                    .entry(variable.clone())
                    .or_default()
                    .add(piece, regex(name, replaces.as_deref())?);
            }
            Apply::Arg { text, replaces } => {
                let text = fill(&place, text, &own, Escape::None)?;
                apply_argument(
                    &mut self.command,
                    &text,
                    regex(name, replaces.as_deref())?.as_ref(),
                );
            }
            Apply::Resource { resource, .. } => {
                set_limit(&mut self.limits, *resource, name, value)?;
            }
            _ => {
                return Err(ApplyError::Unsupported {
                    tunable: name.clone(),
                });
            }
        }
        Ok(())
    }
}

fn regex(tunable: &TunableName, text: Option<&str>) -> Result<Option<Regex>, ApplyError> {
    let failed = |source| ApplyError::Replaces {
        tunable: tunable.clone(),
        source: Box::new(source),
    };
    text.map(Regex::new).transpose().map_err(failed)
}

/// In place of what matches in any argument, else at the end.
fn apply_argument(command: &mut Vec<String>, text: &str, replaced: Option<&Regex>) {
    let found =
        replaced.is_some_and(|regex| replace_argument(command.iter_mut().skip(1), text, regex));
    if !found {
        command.push(text.to_owned());
    }
}

fn set_limit(
    limits: &mut Limits,
    resource: ResourceKind,
    tunable: &TunableName,
    value: &Value,
) -> Result<(), ApplyError> {
    let refused = |resource| {
        let (tunable, value) = (tunable.clone(), value.to_string());
        ApplyError::Resource {
            tunable,
            value,
            resource,
        }
    };
    match resource {
        ResourceKind::Cpu => {
            let cpu = value.to_f64().filter(|cpu| *cpu > 0.0);
            limits.cpu = Some(cpu.ok_or_else(|| refused("cpu"))?);
        }
        ResourceKind::Memory => {
            limits.memory_bytes = Some(bytes(value).ok_or_else(|| refused("memory"))?);
        }
    }
    Ok(())
}

/// A whole positive number of bytes.
pub(super) fn bytes(value: &Value) -> Option<u64> {
    let whole = match value {
        Value::Quantity(quantity) => quantity.to_integer()?,
        Value::Integer(whole) => *whole,
        Value::Bool(_) | Value::Real(_) | Value::Text(_) => return None,
    };
    u64::try_from(whole).ok().filter(|bytes| *bytes > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_argument_replaces_what_matches_or_is_appended() {
        let replaces = Regex::new(r"^--threads=.*$").unwrap();
        let mut command = ["srv", "--threads=4", "x"].map(str::to_owned).to_vec();
        apply_argument(&mut command, "--threads=$8", Some(&replaces));
        assert_eq!(command, ["srv", "--threads=$8", "x"]);
        apply_argument(&mut command, "--cache=lru", None);
        assert_eq!(command.last().unwrap(), "--cache=lru");
    }

    #[test]
    fn limits_need_positive_amounts() {
        let (mut limits, name) = (Limits::default(), "memory".parse().unwrap());
        let half = Value::Quantity("512Mi".parse().unwrap());
        set_limit(&mut limits, ResourceKind::Memory, &name, &half).unwrap();
        assert_eq!(limits.memory_bytes, Some(512 << 20));
        let error = set_limit(&mut limits, ResourceKind::Cpu, &name, &Value::from("many"));
        assert_eq!(
            error.unwrap_err().to_string(),
            "tunable memory: many is not an amount of cpu"
        );
    }
}
