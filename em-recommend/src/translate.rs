//! Between the plan's tunables and the axes of a search.

use em_core::configuration::Configuration;
use em_core::id::TunableName;
use em_core::plan::{Domain, Prior, Scale, Tunable};
use em_core::value::{Quantity, QuantityFormat, Value};

use crate::axis::{Axis, Condition, Coordinate, Kind, Ordered};
use crate::space::{Point, Space};

/// The searched tunables of a plan as a space, with the way there and back.
#[derive(Debug, Clone)]
pub struct Translation {
    tunables: Vec<Tunable>,
    space: Space,
}

impl Translation {
    /// The space of all tunables that are not derived, in file order.
    ///
    /// A condition on a tunable that is not searched itself cannot be followed and is left out.
    pub fn new(tunables: &[Tunable]) -> Self {
        let searched: Vec<Tunable> = tunables
            .iter()
            .filter(|tunable| !tunable.is_derived())
            .cloned()
            .collect();
        let axes = searched
            .iter()
            .map(|tunable| axis(tunable, &searched))
            .collect();
        Self {
            tunables: searched,
            space: Space::new(axes),
        }
    }

    /// The space.
    pub fn space(&self) -> &Space {
        &self.space
    }

    /// The point of a configuration; none when a value is missing, or outside of its domain, and
    /// the tunable exists there.
    pub fn encode(&self, configuration: &Configuration) -> Option<Point> {
        let coordinates = self
            .tunables
            .iter()
            .map(|tunable| match configuration.get(&tunable.name) {
                Some(value) => coordinate(tunable, value),
                None => Some(Coordinate::Absent),
            })
            .collect::<Option<Vec<_>>>()?;
        let given = coordinates.clone();
        let point = self.space.point(coordinates);
        // A tunable without a value is no problem where it does not exist.
        let whole = point.coordinates().iter().zip(given).zip(self.space.axes());
        let complete = |((at, given), axis): ((&Coordinate, Coordinate), &Axis)| {
            given != Coordinate::Absent || (*at == Coordinate::Absent && !axis.when.is_empty())
        };
        let mut parts = whole;
        parts.all(complete).then_some(point)
    }

    /// The configuration of a point: a value for every tunable that exists there.
    pub fn decode(&self, point: &Point) -> Configuration {
        let pairs = self
            .tunables
            .iter()
            .zip(self.space.axes())
            .zip(point.coordinates());
        pairs
            .filter_map(|((tunable, axis), at)| {
                Some((tunable.name.clone(), value(tunable, axis, *at)?))
            })
            .collect()
    }
}

fn axis(tunable: &Tunable, searched: &[Tunable]) -> Axis {
    let kind = match &tunable.domain {
        Domain::Categorical { choices } => Kind::Choices(choices.len()),
        Domain::Integer { .. }
        | Domain::Real { .. }
        | Domain::Quantity { .. }
        | Domain::Derived { .. } => Kind::Ordered(ordered(&tunable.domain)),
    };
    let prior = match (&kind, tunable.prior) {
        (Kind::Ordered(ordered), Some(Prior::Normal { mean, sd })) => {
            Some(prior(ordered, mean, sd))
        }
        (Kind::Choices(_), _) | (Kind::Ordered(_), None) => None,
    };
    let when = tunable.when.iter().filter_map(|condition| {
        let index = index_of(searched, &condition.tunable)?;
        let is = condition
            .is
            .iter()
            .filter_map(|value| coordinate(&searched[index], value));
        Some(Condition {
            axis: index,
            is: is.collect(),
        })
    });
    Axis {
        kind,
        specials: tunable
            .special
            .iter()
            .map(|special| special.share)
            .collect(),
        when: when.collect(),
        prior,
    }
}

fn index_of(tunables: &[Tunable], name: &TunableName) -> Option<usize> {
    tunables.iter().position(|tunable| &tunable.name == name)
}

/// Mean and spread of a belief as positions; on a log scale the spread is taken at the mean.
fn prior(ordered: &Ordered, mean: f64, sd: f64) -> (f64, f64) {
    let (low, high) = (
        ordered.position_of(mean - sd),
        ordered.position_of(mean + sd),
    );
    let center = ordered.position_of(mean);
    (center, (center - low).max(high - center).max(1e-3))
}

/// Levels are counted exactly where there are steps; the last one is the last step within the
/// range. Quantities without steps have those of their kind: bytes, or thousandths.
fn ordered(domain: &Domain) -> Ordered {
    let linear = |low, high| Ordered {
        low,
        high,
        levels: None,
        log: false,
    };
    match domain {
        Domain::Integer {
            low,
            high,
            step,
            scale,
        } => {
            let step = i128::from((*step).max(1));
            let steps = ((i128::from(*high) - i128::from(*low)) / step).max(0);
            let levels = u64::try_from(steps).map_or(u64::MAX, |steps| steps.saturating_add(1));
            let last = i128::from(*low) + steps * step;
            let log = *scale == Scale::Log;
            Ordered {
                low: float(i128::from(*low)),
                high: float(last),
                levels: Some(levels),
                log,
            }
        }
        Domain::Real {
            low,
            high,
            step,
            scale,
        } => {
            let log = *scale == Scale::Log;
            match step.filter(|step| *step > 0.0) {
                Some(step) => stepped(*low, *high, step, log),
                None => Ordered {
                    log,
                    ..linear(*low, *high)
                },
            }
        }
        Domain::Quantity {
            low,
            high,
            step,
            scale,
        } => {
            let log = *scale == Scale::Log;
            let (format, low, high) = (low.format(), low.to_f64(), high.to_f64());
            let finest = if format == QuantityFormat::Binary {
                1.0
            } else {
                0.001
            };
            stepped(low, high, step.map_or(finest, Quantity::to_f64), log)
        }
        Domain::Categorical { .. } | Domain::Derived { .. } => linear(0.0, 1.0),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the number of steps is not negative, and a float cast saturates"
)]
fn stepped(low: f64, high: f64, step: f64, log: bool) -> Ordered {
    let steps = ((high - low) / step + 1e-9).floor().max(0.0);
    Ordered {
        low,
        high: low + steps * step,
        levels: Some((steps as u64).saturating_add(1)),
        log,
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "positions of a search need no more than 53 bits"
)]
fn float(number: i128) -> f64 {
    number as f64
}

fn coordinate(tunable: &Tunable, value: &Value) -> Option<Coordinate> {
    let value = tunable.domain.typed(value);
    if let Some(index) = tunable
        .special
        .iter()
        .position(|special| special.value == value)
    {
        return Some(Coordinate::Special(index));
    }
    if let Domain::Categorical { choices } = &tunable.domain {
        return choices
            .iter()
            .position(|choice| *choice == value)
            .map(Coordinate::Choice);
    }
    if !tunable.domain.contains(&value) {
        return None;
    }
    if let (Domain::Integer { low, step, .. }, Value::Integer(number)) = (&tunable.domain, &value) {
        let steps = (i128::from(*number) - i128::from(*low)) / i128::from((*step).max(1));
        return u64::try_from(steps).ok().map(Coordinate::Level);
    }
    let ordered = ordered(&tunable.domain);
    Some(ordered.coordinate_of(value.to_f64()?))
}

fn value(tunable: &Tunable, axis: &Axis, at: Coordinate) -> Option<Value> {
    match (at, &tunable.domain, &axis.kind) {
        (Coordinate::Absent, _, _) => None,
        (Coordinate::Special(index), _, _) => Some(tunable.special.get(index)?.value.clone()),
        (Coordinate::Choice(index), Domain::Categorical { choices }, _) => {
            choices.get(index).cloned()
        }
        (Coordinate::Level(level), Domain::Integer { low, step, .. }, _) => {
            let number = i128::from(*low) + i128::from(level) * i128::from((*step).max(1));
            i64::try_from(number).ok().map(Value::Integer)
        }
        (Coordinate::Level(level), domain, Kind::Ordered(ordered)) => {
            domain.snap(ordered.value(level))
        }
        (Coordinate::Real(position), domain, Kind::Ordered(ordered)) => {
            domain.snap(ordered.value_at(position))
        }
        (Coordinate::Choice(_) | Coordinate::Level(_) | Coordinate::Real(_), _, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draws::Draws;
    use em_core::plan::{ChangeCost, Condition as When, Special};

    fn tunable(name: &str, domain: Domain) -> Tunable {
        Tunable {
            name: name.parse().unwrap(),
            domain,
            default: None,
            when: vec![],
            special: vec![],
            prior: None,
            apply: vec![],
            takes: ChangeCost::Restart,
        }
    }

    fn tunables() -> Vec<Tunable> {
        let linear = Scale::Linear;
        let memory = Domain::Quantity {
            low: "512Mi".parse().unwrap(),
            high: "4Gi".parse().unwrap(),
            step: Some("256Mi".parse().unwrap()),
            scale: linear,
        };
        let gc = Domain::Categorical {
            choices: vec!["G1".into(), "Parallel".into()],
        };
        let region = Domain::Integer {
            low: 1,
            high: 32,
            step: 1,
            scale: Scale::Log,
        };
        let region = Tunable {
            when: vec![When {
                tunable: "gc".parse().unwrap(),
                is: vec!["G1".into()],
            }],
            special: vec![Special {
                value: Value::Integer(0),
                share: 0.1,
            }],
            ..tunable("region", region)
        };
        let share = Domain::Real {
            low: 0.0,
            high: 1.0,
            step: Some(0.1),
            scale: linear,
        };
        let free = Domain::Real {
            low: 0.001,
            high: 10.0,
            step: None,
            scale: Scale::Log,
        };
        let workers = Domain::Integer {
            low: 1,
            high: 16,
            step: 4,
            scale: linear,
        };
        vec![
            tunable("memory", memory),
            tunable("gc", gc),
            region,
            tunable("share", share),
            tunable("free", free),
            tunable("workers", workers),
        ]
    }

    #[test]
    fn what_is_decoded_is_allowed_and_encodes_to_the_same_configuration() {
        let tunables = tunables();
        let translation = Translation::new(&tunables);
        let mut draws = Draws::new(11, 0);
        for _ in 0..500 {
            let configuration = translation.decode(&translation.space().draw(&mut draws));
            assert_eq!(configuration.check(&tunables), []);
            let again = translation.encode(&configuration).unwrap();
            let back = translation.decode(&again);
            for (name, value) in configuration.iter() {
                let near = back.get(name).unwrap();
                let same = value == near
                    || (value.to_f64().unwrap() / near.to_f64().unwrap() - 1.0).abs() < 1e-12;
                assert!(same, "{name}: {value} {near}");
            }
        }
    }

    #[test]
    fn a_conditional_tunable_is_left_out_where_it_does_not_exist() {
        let translation = Translation::new(&tunables());
        let mut draws = Draws::new(3, 0);
        let gc: TunableName = "gc".parse().unwrap();
        let region: TunableName = "region".parse().unwrap();
        for _ in 0..100 {
            let configuration = translation.decode(&translation.space().draw(&mut draws));
            let is_g1 = configuration.get(&gc) == Some(&"G1".into());
            assert_eq!(configuration.get(&region).is_some(), is_g1);
        }
    }

    #[test]
    fn a_configuration_from_outside_the_space_has_no_point() {
        let translation = Translation::new(&tunables());
        let mut configuration =
            translation.decode(&translation.space().draw(&mut Draws::new(1, 0)));
        configuration.set("workers".parse().unwrap(), Value::Integer(99));
        assert_eq!(translation.encode(&configuration), None);
        assert_eq!(translation.encode(&Configuration::empty()), None);
    }
}
