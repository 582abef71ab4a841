//! One tunable as a search sees it: coordinates, their distances and their neighbours.

use crate::draws::Draws;
use crate::normal;

/// One axis of the space.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    /// Its values.
    pub kind: Kind,
    /// Values outside the range with a meaning of their own: the share of first samples of each.
    pub specials: Vec<f64>,
    /// Under which coordinates of other axes it exists; all must hold. Empty: always.
    pub when: Vec<Condition>,
    /// Mean and standard deviation of what is believed good, as positions in 0..=1.
    pub prior: Option<(f64, f64)>,
}

/// The values of an axis.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// So many choices without order.
    Choices(usize),
    /// Numbers in order.
    Ordered(Ordered),
}

/// Numbers in order.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ordered {
    /// Least value.
    pub low: f64,
    /// Greatest value; on a stepped axis that of the last level.
    pub high: f64,
    /// How many evenly spaced values there are; none: all in between.
    pub levels: Option<u64>,
    /// Whether distances are ratios. Needs `low` > 0; elsewhere it is taken as linear.
    pub log: bool,
}

/// An axis exists only where another one has one of these coordinates.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    /// Index of the other axis.
    pub axis: usize,
    /// Its coordinates.
    pub is: Vec<Coordinate>,
}

/// The place of a point on one axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Coordinate {
    /// The axis does not exist at this point.
    Absent,
    /// A special value, by index.
    Special(usize),
    /// A choice, by index.
    Choice(usize),
    /// A level of a stepped axis, counted from 0.
    Level(u64),
    /// A value of an axis without steps, as its position in 0..=1.
    Real(f64),
}

impl Coordinate {
    /// Equal for equal coordinates; for sets of points. Positions that differ by less than 1e-9 are
    /// one: on the way through the tunable's own unit they lose their last digits.
    pub(crate) fn key(self) -> (u8, u64) {
        match self {
            Self::Absent => (0, 0),
            Self::Special(index) => (1, index as u64),
            Self::Choice(index) => (2, index as u64),
            Self::Level(level) => (3, level),
            Self::Real(position) => (4, share(position, 1 << 30)),
        }
    }
}

impl Axis {
    /// The coordinate at quantile `u` (0..1) of the distribution of first samples: specials take
    /// their shares, the rest is uniform on the axis's scale, or follows the prior.
    pub fn at(&self, u: f64) -> Coordinate {
        let mut below = 0.0;
        for (index, share) in self.specials.iter().enumerate() {
            if u < below + share {
                return Coordinate::Special(index);
            }
            below += share;
        }
        let rest = ((u - below) / (1.0 - below).max(f64::MIN_POSITIVE)).clamp(0.0, 1.0);
        match &self.kind {
            Kind::Choices(count) => Coordinate::Choice(slot(rest, *count)),
            Kind::Ordered(ordered) => match self.prior {
                Some((mean, sd)) => ordered.nearest(truncated_normal(rest, mean, sd)),
                None => ordered.at(rest),
            },
        }
    }

    /// Where a coordinate lies between both ends, 0..=1; none where there is no order.
    pub fn position(&self, coordinate: Coordinate) -> Option<f64> {
        match (&self.kind, coordinate) {
            (Kind::Ordered(ordered), Coordinate::Level(level)) => Some(ordered.position(level)),
            (Kind::Ordered(_), Coordinate::Real(position)) => Some(position),
            _ => None,
        }
    }

    /// Another coordinate not far away: `reach` is the standard deviation of a step along an
    /// ordered axis. Now and then it jumps to or from a special value.
    pub(crate) fn neighbour(&self, from: Coordinate, reach: f64, draws: &mut Draws) -> Coordinate {
        let Kind::Ordered(ordered) = &self.kind else {
            return self.at(draws.uniform());
        };
        let leaves = !self.specials.is_empty() && draws.uniform() < 0.2;
        match self.position(from) {
            Some(position) if !leaves => {
                let step = reach * draws.normal();
                let to = ordered.nearest((position + step).clamp(0.0, 1.0));
                if to == from {
                    ordered.beside(from, step > 0.0)
                } else {
                    to
                }
            }
            Some(_) => Coordinate::Special(draws.below(self.specials.len())),
            None => self.at(draws.uniform()),
        }
    }

    /// How many coordinates there are; none when there is no end of them.
    pub fn size(&self) -> Option<u64> {
        let of_kind = match &self.kind {
            Kind::Choices(count) => *count as u64,
            Kind::Ordered(ordered) => ordered.levels?,
        };
        of_kind.checked_add(self.specials.len() as u64)
    }

    /// How many coordinates a grid has here: choices or levels, then specials. An axis without
    /// steps, or with more than [`FINE`] of them, is cut into `cuts` evenly spaced positions.
    pub fn grid(&self, cuts: u64) -> u64 {
        let of_kind = match &self.kind {
            Kind::Choices(count) => *count as u64,
            Kind::Ordered(ordered) => ordered.coarse().unwrap_or(cuts),
        };
        of_kind.saturating_add(self.specials.len() as u64)
    }

    /// The coordinate with this index among those that [`Axis::grid`] counts.
    pub fn grid_point(&self, index: u64, cuts: u64) -> Coordinate {
        let specials = self.specials.len() as u64;
        let of_kind = self.grid(cuts) - specials;
        if index >= of_kind {
            return Coordinate::Special(to_usize(index - of_kind));
        }
        match &self.kind {
            Kind::Choices(_) => Coordinate::Choice(to_usize(index)),
            Kind::Ordered(ordered) if ordered.coarse().is_some() => Coordinate::Level(index),
            Kind::Ordered(ordered) => ordered.nearest(ratio(index, cuts.saturating_sub(1).max(1))),
        }
    }
}

/// An axis with more steps than this is taken as one without steps by a grid.
pub const FINE: u64 = 4096;

impl Ordered {
    /// The coordinate of a number: its nearest level, or its position.
    pub fn coordinate_of(&self, value: f64) -> Coordinate {
        match self.levels {
            None => Coordinate::Real(self.position_of(value)),
            Some(levels) => {
                let exact = (value - self.low) / self.step(levels);
                Coordinate::Level(share((exact + 0.5) / as_f64(levels), levels))
            }
        }
    }

    fn coarse(&self) -> Option<u64> {
        self.levels.filter(|levels| *levels <= FINE)
    }

    /// The number of a level on the axis's own scale.
    pub fn value(&self, level: u64) -> f64 {
        let last = self.levels.unwrap_or(1).saturating_sub(1).max(1);
        self.low + (self.high - self.low) * ratio(level, last)
    }

    /// The number at a position in 0..=1.
    pub fn value_at(&self, position: f64) -> f64 {
        if self.is_log() {
            (self.low.ln() + position * (self.high / self.low).ln())
                .exp()
                .clamp(self.low, self.high)
        } else {
            self.low + position * (self.high - self.low)
        }
    }

    /// The position of a number, 0..=1.
    pub fn position_of(&self, value: f64) -> f64 {
        let position = if self.high <= self.low {
            0.0
        } else if self.is_log() {
            (value / self.low).ln() / (self.high / self.low).ln()
        } else {
            (value - self.low) / (self.high - self.low)
        };
        position.clamp(0.0, 1.0)
    }

    fn is_log(&self) -> bool {
        self.log && self.low > 0.0
    }

    fn position(&self, level: u64) -> f64 {
        match self.levels {
            None | Some(0 | 1) => 0.5,
            Some(levels) if !self.is_log() => ratio(level, levels - 1),
            Some(_) => self.position_of(self.value(level)),
        }
    }

    /// Every level gets an equal share of 0..1 (on a log scale: equal shares of the logarithm).
    fn at(&self, u: f64) -> Coordinate {
        let Some(levels) = self.levels else {
            return Coordinate::Real(u);
        };
        if !self.is_log() {
            return Coordinate::Level(share(u, levels));
        }
        let step = self.step(levels);
        let top = (self.high + step) / self.low;
        let value = self.low * (u * top.ln()).exp();
        Coordinate::Level(share((value - self.low) / (step * as_f64(levels)), levels))
    }

    fn nearest(&self, position: f64) -> Coordinate {
        let Some(levels) = self.levels else {
            return Coordinate::Real(position);
        };
        if levels < 2 {
            return Coordinate::Level(0);
        }
        let exact = (self.value_at(position) - self.low) / self.step(levels);
        Coordinate::Level(share((exact + 0.5) / as_f64(levels), levels))
    }

    fn step(&self, levels: u64) -> f64 {
        let step = (self.high - self.low) / as_f64(levels.saturating_sub(1).max(1));
        if step > 0.0 { step } else { 1.0 }
    }

    fn beside(&self, from: Coordinate, up: bool) -> Coordinate {
        match (from, self.levels) {
            (Coordinate::Level(level), Some(levels)) if up && level + 1 < levels => {
                Coordinate::Level(level + 1)
            }
            (Coordinate::Level(level), Some(_)) if !up && level > 0 => Coordinate::Level(level - 1),
            _ => from,
        }
    }
}

fn truncated_normal(u: f64, mean: f64, sd: f64) -> f64 {
    let sd = sd.max(1e-6);
    let (low, high) = (
        normal::cumulative(-mean / sd),
        normal::cumulative((1.0 - mean) / sd),
    );
    (mean + sd * normal::quantile(low + u * (high - low))).clamp(0.0, 1.0)
}

fn slot(u: f64, count: usize) -> usize {
    to_usize(share(u, count as u64))
}

/// The slot of `u` among `count` equal ones; the last for 1 and beyond.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped below; a float cast saturates"
)]
fn share(u: f64, count: u64) -> u64 {
    ((u.max(0.0) * as_f64(count)) as u64).min(count.saturating_sub(1))
}

fn ratio(part: u64, whole: u64) -> f64 {
    as_f64(part) / as_f64(whole)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a position needs no more than 53 bits"
)]
fn as_f64(count: u64) -> f64 {
    count as f64
}

fn to_usize(index: u64) -> usize {
    usize::try_from(index).expect("an index into a list in memory")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn integers(low: f64, high: f64, levels: u64, log: bool) -> Axis {
        let kind = Kind::Ordered(Ordered {
            low,
            high,
            levels: Some(levels),
            log,
        });
        Axis {
            kind,
            specials: vec![],
            when: vec![],
            prior: None,
        }
    }

    fn histogram(axis: &Axis, bins: usize) -> Vec<u32> {
        let mut counts = vec![0; bins];
        for i in 0..1000 {
            match axis.at((f64::from(i) + 0.5) / 1000.0) {
                Coordinate::Level(level) => counts[usize::try_from(level).unwrap()] += 1,
                Coordinate::Choice(index) | Coordinate::Special(index) => counts[index] += 1,
                Coordinate::Absent | Coordinate::Real(_) => panic!("not on this axis"),
            }
        }
        counts
    }

    #[test]
    fn every_level_gets_an_equal_share() {
        assert_eq!(
            histogram(&integers(1.0, 10.0, 10, false), 10),
            vec![100; 10]
        );
    }

    #[test]
    fn on_a_log_scale_every_doubling_gets_an_equal_share() {
        let counts = histogram(&integers(1.0, 31.0, 31, true), 31);
        let octave = |from: usize, to: usize| counts[from - 1..to].iter().sum::<u32>();
        for sum in [
            octave(1, 1),
            octave(2, 3),
            octave(4, 7),
            octave(8, 15),
            octave(16, 31),
        ] {
            assert!((195..=205).contains(&sum), "{counts:?}");
        }
    }

    #[test]
    fn specials_get_their_share_and_the_range_the_rest() {
        let mut axis = integers(1.0, 9.0, 9, false);
        axis.specials = vec![0.1];
        let special = (0..1000)
            .filter(|&i| axis.at(f64::from(i) / 1000.0) == Coordinate::Special(0))
            .count();
        assert_eq!(special, 100);
        assert_eq!(axis.at(0.999), Coordinate::Level(8));
    }

    #[test]
    fn a_prior_draws_first_samples_near_its_mean() {
        let mut axis = integers(0.0, 100.0, 101, false);
        axis.prior = Some((0.3, 0.05));
        let counts = histogram(&axis, 101);
        let near: u32 = counts[20..=40].iter().sum();
        assert!(near > 940, "{near}");
    }

    #[test]
    fn positions_and_levels_are_inverse() {
        for axis in [
            integers(1.0, 16.0, 16, false),
            integers(2.0, 1024.0, 512, true),
        ] {
            let Kind::Ordered(ordered) = axis.kind.clone() else {
                panic!()
            };
            for level in 0..ordered.levels.unwrap() {
                let coordinate = Coordinate::Level(level);
                assert_eq!(
                    ordered.nearest(axis.position(coordinate).unwrap()),
                    coordinate
                );
            }
        }
    }

    #[test]
    fn a_neighbour_on_a_stepped_axis_is_another_level() {
        let axis = integers(1.0, 16.0, 16, false);
        let mut draws = Draws::new(1, 0);
        for _ in 0..200 {
            let from = Coordinate::Level(7);
            assert_ne!(axis.neighbour(from, 0.001, &mut draws), from);
        }
    }

    #[test]
    fn a_grid_counts_and_lists_specials_too() {
        let mut axis = integers(1.0, 3.0, 3, false);
        axis.specials = vec![0.1];
        let all: Vec<_> = (0..axis.grid(5)).map(|i| axis.grid_point(i, 5)).collect();
        let levels = [0, 1, 2].map(Coordinate::Level);
        assert_eq!(all, [&levels[..], &[Coordinate::Special(0)]].concat());
        let real = Ordered {
            low: 0.0,
            high: 1.0,
            levels: None,
            log: false,
        };
        let real = Axis {
            kind: Kind::Ordered(real),
            specials: vec![],
            when: vec![],
            prior: None,
        };
        assert_eq!(real.grid(5), 5);
        assert_eq!(real.grid_point(4, 5), Coordinate::Real(1.0));
        assert_eq!(real.size(), None);
    }
}
