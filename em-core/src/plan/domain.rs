//! Which values a domain holds, and the nearest of them.

use super::tunable::{Apply, Domain, ResourceKind, Tunable};
use crate::expression::Meaning;
use crate::value::{Quantity, QuantityFormat, Unit, Value, ValueKind};

impl Domain {
    /// The kind of its values; choices and derived values have none of their own.
    pub fn kind(&self) -> Option<ValueKind> {
        match self {
            Self::Integer { .. } => Some(ValueKind::Integer),
            Self::Real { .. } => Some(ValueKind::Real),
            Self::Quantity { .. } => Some(ValueKind::Quantity),
            Self::Categorical { .. } | Self::Derived { .. } => None,
        }
    }

    /// Whether the value is one of the domain: of its kind, within its ends, on its steps.
    pub fn contains(&self, value: &Value) -> bool {
        self.closest(value).as_ref() == Some(value)
    }

    /// The value of the domain that is nearest to a number (quantities: in base units). Nothing for choices and derived values.
    pub fn snap(&self, number: f64) -> Option<Value> {
        if !number.is_finite() {
            return None;
        }
        match self {
            Self::Integer {
                low, high, step, ..
            } => Some(Value::Integer(snap_integer(number, *low, *high, *step))),
            Self::Real {
                low, high, step, ..
            } => Value::real(snap_real(number, *low, *high, *step)).ok(),
            Self::Quantity { low, high, .. } => {
                // The ends themselves may be beyond what a float holds exactly.
                if number >= high.to_f64() || number <= low.to_f64() {
                    let is_high = number >= high.to_f64();
                    return Some(Value::Quantity(if is_high { *high } else { *low }));
                }
                let format = low.format();
                let near = number.clamp(low.to_f64(), high.to_f64());
                let exact = Quantity::from_f64(near, format).ok()?;
                self.snap_quantity(exact).map(Value::Quantity)
            }
            Self::Categorical { .. } | Self::Derived { .. } => None,
        }
    }

    /// The value of the domain that is nearest to a value; for choices only the same one. Nothing where kinds do not fit.
    ///
    /// ```
    /// use em_core::plan::{Domain, Scale};
    /// use em_core::value::Value;
    /// let workers = Domain::Integer { low: 1, high: 16, step: 5, scale: Scale::Linear };
    /// assert_eq!(workers.closest(&Value::Integer(9)), Some(Value::Integer(11)));
    /// assert_eq!(workers.closest(&Value::Integer(99)), Some(Value::Integer(16)));
    /// ```
    pub fn closest(&self, value: &Value) -> Option<Value> {
        match (self, value) {
            (
                Self::Integer {
                    low, high, step, ..
                },
                Value::Integer(number),
            ) => {
                // Exact beyond 2^53, where the way through a float is not.
                if on_step(*number, *low, *high, *step) {
                    return Some(value.clone());
                }
                self.snap(value.to_f64()?)
            }
            (Self::Real { .. }, Value::Real(number)) => {
                let near = self.snap(number.get())?;
                let distance = (near.to_f64()? - number.get()).abs();
                // A step such as 0.1 has no exact float: what is that near is the same step.
                let same = distance <= 1e-9 * number.get().abs().max(f64::MIN_POSITIVE);
                Some(if same { value.clone() } else { near })
            }
            (Self::Quantity { .. }, Value::Quantity(quantity)) => {
                self.snap_quantity(*quantity).map(Value::Quantity)
            }
            (Self::Categorical { choices }, _) => {
                choices.iter().find(|choice| *choice == value).cloned()
            }
            (
                Self::Integer { .. }
                | Self::Real { .. }
                | Self::Quantity { .. }
                | Self::Derived { .. },
                _,
            ) => None,
        }
    }

    /// A value as its kind in this domain, where nothing is lost by it; else as it is. Journals and wires know plain scalars
    /// only, so that a quantity comes back as text.
    #[must_use]
    pub fn typed(&self, value: &Value) -> Value {
        match self {
            Self::Categorical { choices } => {
                let same = choices.iter().find(|choice| *choice == value);
                let written = || {
                    let is_text = matches!(value, Value::Text(_));
                    choices.iter().find(|choice| {
                        let is_quantity = matches!(choice, Value::Quantity(_));
                        (is_text && is_quantity || number_equal(choice, value))
                            && value.clone().into_kind(choice.kind()).as_ref() == Ok(*choice)
                    })
                };
                same.or_else(written).cloned()
            }
            Self::Integer { .. } | Self::Real { .. } | Self::Quantity { .. } => {
                let kind = self.kind().unwrap_or(ValueKind::Text);
                value.clone().into_kind(kind).ok()
            }
            Self::Derived { .. } => None,
        }
        .unwrap_or_else(|| value.clone())
    }

    fn snap_quantity(&self, quantity: Quantity) -> Option<Quantity> {
        let Self::Quantity {
            low, high, step, ..
        } = self
        else {
            return None;
        };
        let inside = quantity.max(*low).min(*high);
        let step = step.unwrap_or_else(|| finest_step(*low));
        let near = inside.round_to_step(*low, step).ok()?;
        let near = if near > *high {
            near.checked_sub(step)?
        } else {
            near
        };
        // The ends belong to the domain even where the step misses them.
        let is_end = inside == *high && quantity >= *high;
        Some(if is_end { *high } else { near })
    }
}

/// Bytes are whole; cores are counted in thousandths.
fn finest_step(low: Quantity) -> Quantity {
    if low.format() == QuantityFormat::Binary {
        Quantity::from_bytes(1)
    } else {
        Quantity::from_milli(1)
    }
}

fn number_equal(left: &Value, right: &Value) -> bool {
    matches!(left, Value::Integer(_) | Value::Real(_)) && left.to_f64() == right.to_f64()
}

fn on_step(number: i64, low: i64, high: i64, step: i64) -> bool {
    let offset = i128::from(number) - i128::from(low);
    (low..=high).contains(&number)
        && (offset % i128::from(step.max(1)) == 0 || number == high || number == low)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "clamped to the ends of the domain, which are whole numbers of 64 bits"
)]
fn snap_integer(number: f64, low: i64, high: i64, step: i64) -> i64 {
    let step = step.max(1);
    if number >= high as f64 {
        return high;
    }
    let steps = ((number.max(low as f64) - low as f64) / step as f64).round() as i128;
    let near = i128::from(low) + steps * i128::from(step);
    let last = i128::from(high) - (i128::from(high) - i128::from(low)) % i128::from(step);
    i64::try_from(near.min(last)).unwrap_or(high)
}

fn snap_real(number: f64, low: f64, high: f64, step: Option<f64>) -> f64 {
    let inside = number.clamp(low, high);
    let Some(step) = step.filter(|step| *step > 0.0) else {
        return inside;
    };
    if number >= high {
        return high;
    }
    let near = low + ((inside - low) / step).round() * step;
    // Without the dust of the last operation: 0.3 and not 0.30000000000000004.
    let tidy = format!("{near:.12e}").parse().unwrap_or(near);
    if tidy > high {
        (tidy - step).max(low)
    } else {
        tidy
    }
}

impl Tunable {
    /// What `values.NAME` means in an expression: a number with its unit, a truth value, or why it is neither.
    ///
    /// A derived value that is no resource means what its expression means: see [`crate::assign::meaning_of`].
    ///
    /// Memory is bytes and CPU is cores where the tunable is applied as such a resource, or its range is written in `Ki`, `Mi`...
    pub fn meaning(&self) -> Result<Meaning, String> {
        let resource = self.resource();
        match &self.domain {
            Domain::Quantity { low, high, .. } => Ok(quantity_unit(*low, *high, resource).into()),
            Domain::Categorical { choices } => self.meaning_of_choices(choices),
            Domain::Integer { .. } | Domain::Real { .. } | Domain::Derived { .. } => {
                Ok(resource_unit(resource).into())
            }
        }
    }

    /// The resource that it is applied to, if it is.
    pub fn resource(&self) -> Option<ResourceKind> {
        self.apply.iter().find_map(|apply| match apply {
            Apply::Resource { resource, .. } => Some(*resource),
            Apply::Env { .. }
            | Apply::Arg { .. }
            | Apply::Replicas
            | Apply::Image { .. }
            | Apply::Patch { .. } => None,
        })
    }

    fn meaning_of_choices(&self, choices: &[Value]) -> Result<Meaning, String> {
        let all = |test: fn(&Value) -> bool| choices.iter().all(test);
        if all(|choice| matches!(choice, Value::Bool(_))) {
            return Ok(Meaning::Truth);
        }
        if let Some(text) = choices
            .iter()
            .find(|choice| matches!(choice, Value::Text(_) | Value::Bool(_)))
        {
            return Err(format!(
                "the choices of {} are not numbers ({text}), so nothing can be computed from it",
                self.name
            ));
        }
        let quantity = choices.iter().find_map(|choice| match choice {
            Value::Quantity(quantity) => Some(*quantity),
            Value::Bool(_) | Value::Integer(_) | Value::Real(_) | Value::Text(_) => None,
        });
        let unit = quantity.map_or(resource_unit(self.resource()), |quantity| {
            quantity_unit(quantity, quantity, self.resource())
        });
        Ok(unit.into())
    }
}

fn resource_unit(resource: Option<ResourceKind>) -> Unit {
    match resource {
        Some(ResourceKind::Memory) => Unit::Bytes,
        Some(ResourceKind::Cpu) => Unit::Cores,
        None => Unit::Dimensionless,
    }
}

fn quantity_unit(low: Quantity, high: Quantity, resource: Option<ResourceKind>) -> Unit {
    let is_binary = [low, high]
        .iter()
        .any(|end| end.format() == QuantityFormat::Binary);
    if resource.is_none() && is_binary {
        return Unit::Bytes;
    }
    resource_unit(resource)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Scale;

    fn quantity(text: &str) -> Value {
        Value::Quantity(text.parse().unwrap())
    }

    fn memory(low: &str, high: &str, step: Option<&str>) -> Domain {
        Domain::Quantity {
            low: low.parse().unwrap(),
            high: high.parse().unwrap(),
            step: step.map(|step| step.parse().unwrap()),
            scale: Scale::Linear,
        }
    }

    #[test]
    fn numbers_go_to_the_nearest_step_and_never_beyond_the_ends() {
        let domain = Domain::Integer {
            low: 1,
            high: 16,
            step: 4,
            scale: Scale::Linear,
        };
        for (number, near) in [
            (-5.0, 1),
            (2.9, 1),
            (3.1, 5),
            (14.0, 13),
            (15.9, 13),
            (99.0, 16),
        ] {
            assert_eq!(domain.snap(number), Some(Value::Integer(near)), "{number}");
        }
        assert!(domain.contains(&Value::Integer(16)), "ends belong to it");
        assert!(!domain.contains(&Value::Integer(4)));
        assert!(!domain.contains(&Value::from("4")));
        assert_eq!(domain.snap(f64::NAN), None);
        let share = Domain::Real {
            low: 0.1,
            high: 0.9,
            step: Some(0.1),
            scale: Scale::Linear,
        };
        assert_eq!(share.snap(0.31).unwrap().to_string(), "0.3");
        assert!(share.contains(&Value::real(0.7).unwrap()));
        assert!(!share.contains(&Value::real(0.75).unwrap()));
    }

    #[test]
    fn whole_numbers_beyond_what_floats_hold_stay_exact() {
        let domain = Domain::Integer {
            low: i64::MIN,
            high: i64::MAX,
            step: 1,
            scale: Scale::Linear,
        };
        for number in [i64::MIN, i64::MAX, (1 << 53) + 1] {
            assert!(domain.contains(&Value::Integer(number)), "{number}");
        }
    }

    #[test]
    fn quantities_keep_to_their_steps() {
        let domain = memory("512Mi", "4Gi", Some("256Mi"));
        assert!(domain.contains(&quantity("1Gi")));
        assert!(!domain.contains(&quantity("600Mi")));
        assert_eq!(
            domain.closest(&quantity("700Mi")),
            Some(quantity("768Mi")),
            "nearest step"
        );
        assert_eq!(domain.closest(&quantity("9Gi")), Some(quantity("4Gi")));
        assert_eq!(domain.snap(1.1e9), Some(quantity("1Gi")));
    }

    #[test]
    fn what_comes_back_from_json_gets_its_kind_again() {
        let domain = memory("512Mi", "4Gi", None);
        assert_eq!(domain.typed(&Value::from("1024Mi")), quantity("1Gi"));
        assert_eq!(domain.typed(&Value::from("auto")), Value::from("auto"));
        let choices = Domain::Categorical {
            choices: vec![quantity("1Gi"), Value::real(2.0).unwrap(), Value::from("8")],
        };
        assert_eq!(choices.typed(&Value::from("1Gi")), quantity("1Gi"));
        assert_eq!(choices.typed(&Value::Integer(2)), Value::real(2.0).unwrap());
        assert_eq!(
            choices.typed(&Value::Integer(8)),
            Value::Integer(8),
            "a number is not the text that looks like it"
        );
    }
}
