//! Latin hypercube: every axis is cut into as many slices as there are points, each used once.

use crate::draws::Draws;
use crate::history::{Past, seen};
use crate::random::random;
use crate::space::{Point, Space};

/// Stream of the design's draws, apart from those that count the history.
const STREAM: u64 = u64::MAX;

/// The design of `size` points for this seed.
///
/// Small discrete spaces can give one point twice; callers skip repetitions.
pub fn design(space: &Space, size: usize, seed: u64) -> Vec<Point> {
    let mut draws = Draws::new(seed, STREAM);
    let slices = f64::from(u32::try_from(size).unwrap_or(u32::MAX));
    let columns: Vec<Vec<f64>> = space
        .axes()
        .iter()
        .map(|_| {
            let mut order: Vec<u32> = (0..u32::try_from(size).unwrap_or(u32::MAX)).collect();
            draws.shuffle(&mut order);
            order
                .iter()
                .map(|slice| (f64::from(*slice) + draws.uniform()) / slices)
                .collect()
        })
        .collect();
    (0..size)
        .map(|i| space.at(&columns.iter().map(|column| column[i]).collect::<Vec<_>>()))
        .collect()
}

/// Up to `wanted` points of the design of `size`, those proposed before left out; beyond the
/// design, random ones.
pub fn latin_hypercube(
    space: &Space,
    history: &[Past],
    wanted: usize,
    size: usize,
    seed: u64,
) -> Vec<Point> {
    let mut seen = seen(history);
    let mut points: Vec<Point> = design(space, size, seed)
        .into_iter()
        .filter(|point| seen.insert(point))
        .take(wanted)
        .collect();
    if points.len() < wanted {
        let mut known = history.to_vec();
        known.extend(points.iter().cloned().map(Past::pending));
        points.extend(random(space, &known, wanted - points.len(), seed));
    }
    points
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::axis::Coordinate;
    use crate::space::tests::{choices, ordered};

    #[test]
    fn every_level_is_used_once_when_there_are_as_many_points() {
        let space = Space::new(vec![ordered(1.0, 16.0, Some(16)), choices(4)]);
        let points = design(&space, 16, 3);
        for level in 0..16 {
            let uses = points
                .iter()
                .filter(|p| p.coordinates()[0] == Coordinate::Level(level));
            assert_eq!(uses.count(), 1);
        }
        for choice in 0..4 {
            let uses = points
                .iter()
                .filter(|p| p.coordinates()[1] == Coordinate::Choice(choice));
            assert_eq!(uses.count(), 4);
        }
    }

    #[test]
    fn asking_in_portions_gives_the_same_design() {
        let space = Space::new(vec![ordered(0.0, 1.0, None), ordered(0.0, 1.0, None)]);
        let whole = latin_hypercube(&space, &[], 6, 6, 1);
        let known: Vec<Past> = whole[..2].iter().cloned().map(Past::pending).collect();
        assert_eq!(latin_hypercube(&space, &known, 4, 6, 1), whole[2..]);
    }

    #[test]
    fn beyond_the_design_come_new_points() {
        let space = Space::new(vec![ordered(1.0, 9.0, Some(9))]);
        assert_eq!(latin_hypercube(&space, &[], 20, 4, 1).len(), 9);
    }
}
