//! The space of all configurations, as points with one coordinate per tunable.

use std::collections::HashSet;

use crate::axis::{Axis, Coordinate, Kind};
use crate::draws::Draws;

/// A space to search: one axis per tunable that is searched.
#[derive(Debug, Clone, PartialEq)]
pub struct Space {
    axes: Vec<Axis>,
}

/// One configuration as the search sees it: a coordinate per axis, in the axes' order.
#[derive(Debug, Clone, PartialEq)]
pub struct Point(Vec<Coordinate>);

impl Point {
    /// The coordinates in the order of the axes.
    pub fn coordinates(&self) -> &[Coordinate] {
        &self.0
    }

    fn key(&self) -> Vec<(u8, u64)> {
        self.0.iter().map(|coordinate| coordinate.key()).collect()
    }
}

impl Space {
    /// A space of these axes.
    pub fn new(axes: Vec<Axis>) -> Self {
        Self { axes }
    }

    /// The axes.
    pub fn axes(&self) -> &[Axis] {
        &self.axes
    }

    /// The point with these coordinates, after axes that do not exist there became absent.
    pub fn point(&self, mut coordinates: Vec<Coordinate>) -> Point {
        // A chain of conditions is settled after as many passes as there are axes.
        for _ in 0..self.axes.len() {
            let before = coordinates.clone();
            for (index, axis) in self.axes.iter().enumerate() {
                let exists = axis.when.iter().all(|condition| {
                    coordinates
                        .get(condition.axis)
                        .is_some_and(|at| condition.is.contains(at))
                });
                if !exists {
                    coordinates[index] = Coordinate::Absent;
                }
            }
            if coordinates == before {
                break;
            }
        }
        Point(coordinates)
    }

    /// The point at these quantiles (0..1 each, one per axis) of the first samples.
    pub fn at(&self, quantiles: &[f64]) -> Point {
        let pairs = self.axes.iter().zip(quantiles);
        self.point(pairs.map(|(axis, u)| axis.at(*u)).collect())
    }

    /// A point drawn as first samples are.
    pub fn draw(&self, draws: &mut Draws) -> Point {
        let quantiles: Vec<f64> = self.axes.iter().map(|_| draws.uniform()).collect();
        self.at(&quantiles)
    }

    /// A point near another: one axis at least moves, by about `reach` where there is an order.
    pub(crate) fn near(&self, point: &Point, reach: f64, draws: &mut Draws) -> Point {
        let mut coordinates = point.0.clone();
        let forced = draws.below(self.axes.len().max(1));
        for (index, axis) in self.axes.iter().enumerate() {
            if index == forced || draws.uniform() < 0.3 {
                coordinates[index] = axis.neighbour(point.0[index], reach, draws);
            } else if coordinates[index] == Coordinate::Absent {
                // The move of another axis may call it into being.
                coordinates[index] = axis.at(draws.uniform());
            }
        }
        self.point(coordinates)
    }

    /// How many distinct points there are at most; none when axes without steps make it infinite.
    pub fn size(&self) -> Option<u64> {
        self.axes
            .iter()
            .try_fold(1_u64, |size, axis| size.checked_mul(axis.size()?))
    }

    /// A point as coordinates of a Euclidean space, axis by axis.
    ///
    /// A position stays as it is. Choices become corners of a simplex with edge 1; special values
    /// and absence lie beside the middle of the range, apart from it and from one another. Being
    /// Euclidean, these distances keep every kernel matrix positive definite.
    pub(crate) fn features(&self, point: &Point) -> Vec<Vec<f64>> {
        self.axes
            .iter()
            .zip(&point.0)
            .map(|(axis, at)| embed(axis, *at))
            .collect()
    }
}

const CORNER: f64 = std::f64::consts::FRAC_1_SQRT_2;

fn embed(axis: &Axis, at: Coordinate) -> Vec<f64> {
    // [position | one corner per choice, one per special, one for absence]
    let (lead, choices) = match &axis.kind {
        Kind::Choices(count) => (0, *count),
        Kind::Ordered(_) => (1, 0),
    };
    let corners = choices + axis.specials.len() + usize::from(!axis.when.is_empty());
    let mut feature = vec![0.0; lead + corners];
    if lead == 1 {
        feature[0] = axis.position(at).unwrap_or(0.5);
    }
    let corner = match at {
        Coordinate::Level(_) | Coordinate::Real(_) => None,
        Coordinate::Choice(index) => Some(index),
        Coordinate::Special(index) => Some(choices + index),
        Coordinate::Absent => Some(corners - 1),
    };
    if let Some(corner) = corner {
        feature[lead + corner] = CORNER;
    }
    feature
}

/// Points that must not be proposed again.
#[derive(Debug, Clone, Default)]
pub struct Seen(HashSet<Vec<(u8, u64)>>);

impl Seen {
    /// Adds a point; false when it was there before.
    pub fn insert(&mut self, point: &Point) -> bool {
        self.0.insert(point.key())
    }

    /// How many points.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether a point was seen.
    pub fn contains(&self, point: &Point) -> bool {
        self.0.contains(&point.key())
    }
}

impl<'a> FromIterator<&'a Point> for Seen {
    fn from_iter<I: IntoIterator<Item = &'a Point>>(points: I) -> Self {
        Self(points.into_iter().map(Point::key).collect())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::axis::{Condition, Ordered};

    pub(crate) fn ordered(low: f64, high: f64, levels: Option<u64>) -> Axis {
        let kind = Kind::Ordered(Ordered {
            low,
            high,
            levels,
            log: false,
        });
        Axis {
            kind,
            specials: vec![],
            when: vec![],
            prior: None,
        }
    }

    pub(crate) fn choices(count: usize) -> Axis {
        Axis {
            kind: Kind::Choices(count),
            specials: vec![],
            when: vec![],
            prior: None,
        }
    }

    fn conditional() -> Space {
        let only_first = Condition {
            axis: 0,
            is: vec![Coordinate::Choice(0)],
        };
        let region = Axis {
            when: vec![only_first],
            ..ordered(1.0, 8.0, Some(8))
        };
        let only_low = Condition {
            axis: 1,
            is: vec![Coordinate::Level(0)],
        };
        let nested = Axis {
            when: vec![only_low],
            ..choices(2)
        };
        Space::new(vec![choices(2), region, nested])
    }

    #[test]
    fn an_axis_is_absent_where_its_condition_fails() {
        let space = conditional();
        let at = |first, level| {
            let region = Coordinate::Level(level);
            space.point(vec![
                Coordinate::Choice(first),
                region,
                Coordinate::Choice(1),
            ])
        };
        assert_eq!(at(0, 0).coordinates()[2], Coordinate::Choice(1));
        assert_eq!(at(0, 3).coordinates()[2], Coordinate::Absent);
        assert_eq!(at(1, 0).coordinates()[1..], [Coordinate::Absent; 2]);
    }

    #[test]
    fn points_that_differ_only_in_absent_axes_are_one_point() {
        let space = conditional();
        let mut seen = Seen::default();
        let point = |level| {
            let region = Coordinate::Level(level);
            space.point(vec![Coordinate::Choice(1), region, Coordinate::Choice(0)])
        };
        assert!(seen.insert(&point(1)));
        assert!(!seen.insert(&point(2)));
    }

    #[test]
    fn a_move_of_the_parent_calls_the_child_into_being() {
        let space = conditional();
        let from = space.point(vec![
            Coordinate::Choice(1),
            Coordinate::Absent,
            Coordinate::Absent,
        ]);
        let mut draws = Draws::new(5, 0);
        let found = (0..200).map(|_| space.near(&from, 0.1, &mut draws));
        let mut born = found
            .filter(|p| p.coordinates()[0] == Coordinate::Choice(0))
            .peekable();
        assert!(born.peek().is_some());
        assert!(born.all(|point| point.coordinates()[1] != Coordinate::Absent));
    }

    #[test]
    fn choices_are_equally_far_from_one_another() {
        let space = Space::new(vec![choices(4)]);
        let feature = |i| {
            space
                .features(&space.point(vec![Coordinate::Choice(i)]))
                .concat()
        };
        for (a, b) in [(0, 1), (1, 3), (2, 0)] {
            let pairs = feature(a).into_iter().zip(feature(b));
            let squared: f64 = pairs.map(|(x, y)| (x - y).powi(2)).sum();
            assert!((squared - 1.0).abs() < 1e-12);
        }
    }

    #[test]
    fn the_size_of_a_space_is_known_when_every_axis_has_steps() {
        assert_eq!(
            Space::new(vec![choices(4), ordered(1.0, 16.0, Some(16))]).size(),
            Some(64)
        );
        assert_eq!(
            Space::new(vec![choices(4), ordered(0.0, 1.0, None)]).size(),
            None
        );
    }
}
