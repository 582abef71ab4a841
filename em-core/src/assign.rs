//! From a configuration to the value of every tunable: searched, conditional and derived ones.

use std::collections::BTreeMap;
use std::fmt;

use crate::configuration::Configuration;
use crate::expression::{EvaluationError, Meaning, Name, closest};
use crate::id::TunableName;
use crate::plan::{Apply, Condition, Domain, Plan, ResourceKind, Tunable};
use crate::value::{Quantity, QuantityFormat, Value};

/// Why a configuration does not give every tunable a value.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AssignError {
    /// A tunable that exists under this configuration has no value.
    #[error("tunable {name} has no value in the configuration (give it one, or a default)")]
    Missing {
        /// The tunable.
        name: TunableName,
    },
    /// The configuration gives a value to something that is no searched tunable.
    #[error("the configuration cannot be assigned: {0}")]
    Refused(ConfigurationViolation),
    /// A derived value cannot be computed from the others.
    #[error("failed to compute the derived tunable {name} = {expression}")]
    Derived {
        /// The tunable.
        name: TunableName,
        /// Its expression.
        expression: String,
        /// What is in the way.
        #[source]
        source: EvaluationError,
    },
    /// A derived value cannot be written as what it is applied to.
    #[error("derived tunable {name} is {value}, which {problem}")]
    Unwritable {
        /// The tunable.
        name: TunableName,
        /// What came out.
        value: f64,
        /// Why it cannot be used.
        problem: String,
    },
    /// Derived values or conditions need each other.
    #[error("{0}")]
    Cycle(#[from] TunableCycle),
}

/// Tunables that need each other's values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("tunables need each other: {path}", path = self.path())]
pub struct TunableCycle {
    /// They, each needing the next, the last needing the first.
    pub names: Vec<TunableName>,
}

impl TunableCycle {
    fn path(&self) -> String {
        let around = self.names.iter().chain(self.names.first());
        around
            .map(TunableName::as_str)
            .collect::<Vec<_>>()
            .join(" -> ")
    }
}

/// A value of a configuration that its tunables do not allow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigurationViolation {
    /// The tunable that the configuration names.
    pub tunable: TunableName,
    /// What is wrong and what to do.
    pub problem: String,
}

impl fmt::Display for ConfigurationViolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.tunable, self.problem)
    }
}

/// The value of every tunable that exists under the configuration: searched values with their kinds, derived ones computed in
/// order of need. A conditional tunable exists only where all its conditions hold; its value is left out elsewhere.
///
/// A derived value is a boolean where its expression is a comparison, a quantity where it is applied as a resource (rounded down
/// to whole bytes or thousandths of a core), else a whole number where it is one, else real.
///
/// Values of an observed target are noted, not applied: they pass as they are.
pub fn assign(
    plan: &Plan,
    configuration: &Configuration,
) -> Result<BTreeMap<TunableName, Value>, AssignError> {
    let mut values = BTreeMap::new();
    if plan.target.is_observed() {
        values.extend(configuration.iter().map(|(n, v)| (n.clone(), v.clone())));
    } else if let Some((name, _)) = configuration
        .iter()
        .find(|(name, _)| plan.tunable(name).is_none_or(Tunable::is_derived))
    {
        let refused = misplaced(name, &plan.tunables);
        return Err(AssignError::Refused(refused));
    }
    for tunable in in_order_of_need(&plan.tunables)? {
        if !exists(tunable, &values) {
            continue;
        }
        let value = match (&tunable.domain, configuration.get(&tunable.name)) {
            (Domain::Derived { .. }, _) => derive(tunable, plan, &values)?,
            (domain, Some(value)) => domain.typed(value),
            (_, None) => {
                let name = tunable.name.clone();
                return Err(AssignError::Missing { name });
            }
        };
        values.insert(tunable.name.clone(), value);
    }
    Ok(values)
}

/// Whether all conditions of a tunable hold under the values so far.
fn exists(tunable: &Tunable, values: &BTreeMap<TunableName, Value>) -> bool {
    tunable.when.iter().all(|condition| {
        let value = values.get(&condition.tunable);
        value.is_some_and(|value| condition.is.contains(value))
    })
}

fn derive(
    tunable: &Tunable,
    plan: &Plan,
    values: &BTreeMap<TunableName, Value>,
) -> Result<Value, AssignError> {
    let Domain::Derived { value: expression } = &tunable.domain else {
        unreachable!("only derived tunables are computed")
    };
    let resolve = |name: &Name| match name {
        Name::Tunable(name) => values
            .iter()
            .find(|(known, _)| known.as_str() == name)
            .and_then(|(_, value)| value.to_f64()),
        Name::Metric { .. } => None,
    };
    let value = expression
        .evaluate(&resolve)
        .map_err(|source| AssignError::Derived {
            name: tunable.name.clone(),
            expression: expression.text().to_owned(),
            source,
        })?;
    let meaning = expression.check(&|name| meaning_of(name, &plan.tunables));
    written(tunable, value, meaning.ok().as_ref()).map_err(|problem| AssignError::Unwritable {
        name: tunable.name.clone(),
        value,
        problem,
    })
}

fn written(tunable: &Tunable, value: f64, meaning: Option<&Meaning>) -> Result<Value, String> {
    if tunable.apply.contains(&Apply::Replicas) {
        return replicas(value);
    }
    if meaning == Some(&Meaning::Truth) {
        return Ok(Value::Bool(value != 0.0));
    }
    let (rounded, format) = match tunable.resource() {
        Some(ResourceKind::Memory) => (value.floor(), QuantityFormat::Binary),
        Some(ResourceKind::Cpu) => ((value * 1000.0).floor() / 1000.0, QuantityFormat::Decimal),
        None => return number(value),
    };
    if rounded <= 0.0 {
        return Err("is no size of a resource (it must be above 0)".into());
    }
    Quantity::from_f64(rounded, format)
        .map(Value::Quantity)
        .map_err(|error| format!("cannot be used: {error}"))
}

/// Pods are counted: half of one would be rounded behind the user's back.
fn replicas(value: f64) -> Result<Value, String> {
    let replicas = number(value)?;
    if matches!(replicas, Value::Integer(1..=2_147_483_647)) {
        return Ok(replicas);
    }
    Err("is no number of replicas (a whole number from 1: floor(..) makes one)".into())
}

fn number(value: f64) -> Result<Value, String> {
    let real = Value::real(value).map_err(|error| format!("cannot be used: {error}"))?;
    let whole = real
        .clone()
        .into_kind(crate::value::ValueKind::Integer)
        .ok();
    Ok(whole.unwrap_or(real))
}

/// What a name of a derived expression means: only tunables mean something there, derived ones what their expression means.
pub fn meaning_of(name: &Name, tunables: &[Tunable]) -> Result<Meaning, String> {
    let Name::Tunable(wanted) = name else {
        return Err(format!(
            "{name} is measured; a derived value can only use values.NAME"
        ));
    };
    meaning_within(wanted, tunables, tunables.len())
}

/// `depth` ends the search where tunables need each other, which is refused elsewhere.
fn meaning_within(wanted: &str, tunables: &[Tunable], depth: usize) -> Result<Meaning, String> {
    let found = tunables
        .iter()
        .find(|tunable| tunable.name.as_str() == wanted);
    let Some(tunable) = found else {
        let known = tunables.iter().map(|tunable| tunable.name.as_str());
        let hint = closest(wanted, known).map_or_else(String::new, |near| {
            format!(" (did you mean \"values.{near}\"?)")
        });
        return Err(format!("there is no tunable {wanted:?}{hint}"));
    };
    match &tunable.domain {
        Domain::Derived { value } if tunable.resource().is_none() => {
            let Some(depth) = depth.checked_sub(1) else {
                return Err(format!("the value of {wanted} needs itself"));
            };
            let resolve = |name: &Name| match name {
                Name::Tunable(next) => meaning_within(next, tunables, depth),
                Name::Metric { .. } => Err(format!("{name} is measured")),
            };
            value.check(&resolve).map_err(|error| error.problem)
        }
        Domain::Integer { .. }
        | Domain::Real { .. }
        | Domain::Quantity { .. }
        | Domain::Categorical { .. }
        | Domain::Derived { .. } => tunable.meaning(),
    }
}

/// The tunables so that each comes after those that its expression and its conditions name; file order otherwise.
pub fn in_order_of_need(tunables: &[Tunable]) -> Result<Vec<&Tunable>, TunableCycle> {
    let mut walk = Walk {
        tunables,
        done: vec![false; tunables.len()],
        order: Vec::with_capacity(tunables.len()),
        path: Vec::new(),
    };
    for index in 0..tunables.len() {
        walk.visit(index)?;
    }
    Ok(walk.order)
}

struct Walk<'a> {
    tunables: &'a [Tunable],
    done: Vec<bool>,
    order: Vec<&'a Tunable>,
    path: Vec<usize>,
}

impl Walk<'_> {
    fn visit(&mut self, index: usize) -> Result<(), TunableCycle> {
        if self.done[index] {
            return Ok(());
        }
        if let Some(start) = self.path.iter().position(|before| *before == index) {
            let names = self.path[start..]
                .iter()
                .map(|index| self.tunables[*index].name.clone())
                .collect();
            return Err(TunableCycle { names });
        }
        self.path.push(index);
        for needed in needs(&self.tunables[index]) {
            let found = self
                .tunables
                .iter()
                .position(|tunable| tunable.name.as_str() == needed);
            if let Some(next) = found {
                self.visit(next)?;
            }
        }
        self.path.pop();
        self.done[index] = true;
        self.order.push(&self.tunables[index]);
        Ok(())
    }
}

fn needs(tunable: &Tunable) -> Vec<&str> {
    let conditions = tunable.when.iter().map(|condition| &condition.tunable);
    let mut names: Vec<&str> = conditions.map(TunableName::as_str).collect();
    if let Domain::Derived { value } = &tunable.domain {
        names.extend(value.names().filter_map(|name| match name {
            Name::Tunable(name) => Some(name.as_str()),
            Name::Metric { .. } => None,
        }));
    }
    names
}

impl Configuration {
    /// The same values with the kinds that their tunables have: quantities come back from JSON as text.
    #[must_use]
    pub fn typed(&self, tunables: &[Tunable]) -> Self {
        let kind = |name: &TunableName, value: &Value| {
            let found = tunables.iter().find(|tunable| &tunable.name == name);
            found.map_or_else(|| value.clone(), |tunable| tunable.domain.typed(value))
        };
        self.iter()
            .map(|(name, value)| (name.clone(), kind(name, value)))
            .collect()
    }

    /// Every value that the tunables do not allow: unknown names, derived tunables, values outside of domain and specials.
    pub fn check(&self, tunables: &[Tunable]) -> Vec<ConfigurationViolation> {
        let problems = self.iter().filter_map(|(name, value)| {
            let found = tunables.iter().find(|tunable| &tunable.name == name);
            match found {
                Some(tunable) if !tunable.is_derived() => {
                    let problem = tunable.refusal(value)?;
                    Some(ConfigurationViolation {
                        tunable: name.clone(),
                        problem,
                    })
                }
                Some(_) | None => Some(misplaced(name, tunables)),
            }
        });
        problems.collect()
    }
}

impl Tunable {
    /// Why the value is none of this tunable's, or nothing where it is one (of its domain or a special one).
    pub fn refusal(&self, value: &Value) -> Option<String> {
        let value = self.domain.typed(value);
        let is_special = self.special.iter().any(|special| special.value == value);
        if is_special || self.domain.contains(&value) {
            return None;
        }
        let allowed = self.domain.to_string();
        let hint = self
            .domain
            .closest(&value)
            .filter(|near| near.to_string() != value.to_string())
            .or_else(|| self.domain.misspelt(&value))
            .map_or_else(String::new, |near| format!(" (nearest: {near})"));
        Some(format!("{value} is not one of {allowed}{hint}"))
    }
}

impl Domain {
    fn misspelt(&self, value: &Value) -> Option<Value> {
        let Self::Categorical { choices } = self else {
            return None;
        };
        let texts: Vec<String> = choices.iter().map(Value::to_string).collect();
        let near = closest(&value.to_string(), texts.iter().map(String::as_str))?;
        let index = texts.iter().position(|text| text == near)?;
        choices.get(index).cloned()
    }
}

impl fmt::Display for Domain {
    /// The domain as people read it: `1 to 16`, `512Mi to 4Gi in steps of 256Mi`, `lru, none`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer {
                low, high, step, ..
            } => {
                write!(f, "the whole numbers {low} to {high}")?;
                if *step == 1 {
                    Ok(())
                } else {
                    write!(f, " in steps of {step}")
                }
            }
            Self::Real {
                low, high, step, ..
            } => {
                write!(f, "the numbers {low} to {high}")?;
                step.map_or(Ok(()), |step| write!(f, " in steps of {step}"))
            }
            Self::Quantity {
                low, high, step, ..
            } => {
                write!(f, "the quantities {low} to {high}")?;
                step.map_or(Ok(()), |step| write!(f, " in steps of {step}"))
            }
            Self::Categorical { choices } => {
                let texts: Vec<String> = choices.iter().map(Value::to_string).collect();
                f.write_str(&texts.join(", "))
            }
            Self::Derived { value } => write!(f, "{value}"),
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts: Vec<String> = self.is.iter().map(Value::to_string).collect();
        write!(f, "{} is {}", self.tunable, texts.join(" or "))
    }
}

fn misplaced(name: &TunableName, tunables: &[Tunable]) -> ConfigurationViolation {
    let derived = tunables
        .iter()
        .any(|tunable| &tunable.name == name && tunable.is_derived());
    let problem = if derived {
        "it follows from the others and cannot be given a value".to_owned()
    } else {
        let known = tunables.iter().map(|tunable| tunable.name.as_str());
        let hint = closest(name.as_str(), known)
            .map_or_else(String::new, |near| format!(" (did you mean {near:?}?)"));
        format!("there is no such tunable{hint}")
    };
    ConfigurationViolation {
        tunable: name.clone(),
        problem,
    }
}

#[cfg(test)]
mod tests;
