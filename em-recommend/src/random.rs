//! Independent draws, without repetition.

use crate::draws::Draws;
use crate::history::{Past, seen};
use crate::space::{Point, Space};

/// So many draws in a row that were seen before mean that there is hardly anything left.
const PATIENCE: usize = 1000;

/// Up to `wanted` points drawn as first samples are, none of them proposed before; fewer when the
/// space is (nearly) used up.
pub fn random(space: &Space, history: &[Past], wanted: usize, seed: u64) -> Vec<Point> {
    let mut seen = seen(history);
    let mut draws = Draws::new(seed, history.len() as u64);
    let mut points = Vec::with_capacity(wanted);
    let mut misses = 0;
    while points.len() < wanted && misses < PATIENCE {
        let point = space.draw(&mut draws);
        if seen.insert(&point) {
            points.push(point);
            misses = 0;
        } else {
            misses += 1;
        }
    }
    points
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Known;
    use crate::space::tests::{choices, ordered};

    #[test]
    fn no_point_comes_twice_and_the_end_is_noticed() {
        let space = Space::new(vec![choices(3), ordered(1.0, 4.0, Some(4))]);
        let mut history = Vec::new();
        for _ in 0..4 {
            let next = random(&space, &history, 5, 9);
            history.extend(next.into_iter().map(|point| Past {
                point,
                known: Known::Pending,
            }));
        }
        assert_eq!(history.len(), 12);
        assert_eq!(seen(&history).len(), 12);
    }

    #[test]
    fn one_seed_is_one_sequence() {
        let space = Space::new(vec![ordered(0.0, 1.0, None)]);
        assert_eq!(random(&space, &[], 3, 1), random(&space, &[], 3, 1));
        assert_ne!(random(&space, &[], 3, 1), random(&space, &[], 3, 2));
    }
}
