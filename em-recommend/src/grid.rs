//! Every combination, in a seeded order that spreads over the whole grid from the start.

use crate::draws::Draws;
use crate::history::{Past, seen};
use crate::space::{Point, Space};

/// Positions of an axis without steps.
pub const CUTS: u64 = 5;

/// Up to `wanted` points of the grid that were not proposed before; empty when there is none left.
///
/// A choice, a level, a special value each is one line of the grid; an axis without steps has
/// [`CUTS`]. Combinations that differ only in absent axes are one.
pub fn grid(space: &Space, history: &[Past], wanted: usize, seed: u64) -> Vec<Point> {
    let lines: Vec<u64> = space.axes().iter().map(|axis| axis.grid(CUTS)).collect();
    // A larger grid is never walked to its end: its first 2^62 combinations do.
    let size = lines
        .iter()
        .fold(1_u64, |size, line| size.saturating_mul(*line))
        .min(1 << 62);
    let mut seen = seen(history);
    order(size, seed)
        .map(|index| at(space, &lines, index))
        .filter(|point| seen.insert(point))
        .take(wanted)
        .collect()
}

/// All numbers below `size`, each once: i -> (start + i stride) mod size, stride prime to size.
fn order(size: u64, seed: u64) -> impl Iterator<Item = u64> {
    let mut draws = Draws::new(seed, 0);
    let mut below = |bound: u64| draws.below(usize::try_from(bound).unwrap_or(usize::MAX)) as u64;
    let start = below(size.max(1));
    let mut stride = below(size.max(1)).max(1);
    while greatest_common_divisor(stride, size) > 1 {
        stride = stride % size.max(1) + 1;
    }
    (0..size).scan(start, move |at, _| {
        let now = *at;
        *at = (now + stride) % size;
        Some(now)
    })
}

fn at(space: &Space, lines: &[u64], mut index: u64) -> Point {
    let coordinates = space.axes().iter().zip(lines).map(|(axis, line)| {
        let coordinate = axis.grid_point(index % line, CUTS);
        index /= line;
        coordinate
    });
    space.point(coordinates.collect())
}

fn greatest_common_divisor(a: u64, b: u64) -> u64 {
    if b == 0 {
        a
    } else {
        greatest_common_divisor(b, a % b)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::space::tests::{choices, ordered};

    #[test]
    fn every_combination_comes_exactly_once() {
        let axes = vec![
            choices(3),
            ordered(1.0, 4.0, Some(4)),
            ordered(0.0, 1.0, None),
        ];
        let space = Space::new(axes);
        let all = grid(&space, &[], 1000, 5);
        assert_eq!(all.len(), 3 * 4 * 5);
        let past: Vec<Past> = all[..50].iter().cloned().map(Past::pending).collect();
        assert_eq!(grid(&space, &past, 1000, 5), all[50..]);
    }

    #[test]
    fn a_huge_grid_answers_at_once() {
        let space = Space::new(vec![ordered(0.0, 4000.0, Some(4001)); 12]);
        assert_eq!(grid(&space, &[], 7, 5).len(), 7);
    }

    #[test]
    fn a_space_without_axes_has_one_point() {
        assert_eq!(grid(&Space::new(vec![]), &[], 3, 1).len(), 1);
    }
}
