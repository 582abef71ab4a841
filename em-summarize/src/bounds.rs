//! One-sided bounds of constraint margins.

use crate::moments::to_f64;
use crate::{Moments, Sample, student};

/// The mean of a margin with its one-sided bounds, each at the same confidence.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Margin {
    /// Mean over blocks.
    pub mean: f64,
    /// Lower and upper one-sided bound; none with a single block.
    pub bounds: Option<(f64, f64)>,
    /// How many blocks.
    pub blocks: usize,
}

impl Margin {
    /// The margin over blocks, bounded by Student's t at `confidence` (one-sided).
    pub fn of(blocks: &Sample, confidence: f64) -> Self {
        let moments = Moments::of(blocks);
        let n = to_f64(moments.n);
        let bounds = moments.sd.map(|sd| {
            let half = student::quantile(confidence, n - 1.0) * sd / n.sqrt();
            (moments.mean - half, moments.mean + half)
        });
        Self {
            mean: moments.mean,
            bounds,
            blocks: moments.n,
        }
    }

    /// True where the constraint holds, false where it is broken, none where neither is proven.
    pub fn holds(&self) -> Option<bool> {
        match self.bounds? {
            (low, _) if low >= 0.0 => Some(true),
            (_, high) if high < 0.0 => Some(false),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn margin(values: &[f64]) -> Margin {
        Margin::of(&Sample::try_from(values).unwrap(), 0.95)
    }

    #[test]
    fn a_bound_on_the_safe_side_holds_and_on_the_other_is_broken() {
        assert_eq!(margin(&[1.0, 1.1, 0.9]).holds(), Some(true));
        assert_eq!(margin(&[-1.0, -1.1, -0.9]).holds(), Some(false));
        assert_eq!(margin(&[1.0, -0.5, 0.3]).holds(), None);
    }

    #[test]
    fn a_margin_that_never_moves_is_known_from_two_blocks_on() {
        assert_eq!(margin(&[0.0, 0.0]).holds(), Some(true));
        assert_eq!(margin(&[-0.1, -0.1]).holds(), Some(false));
        assert_eq!(margin(&[5.0]).holds(), None);
    }

    #[test]
    fn bounds_agree_with_scipy() {
        // scipy.stats.t.ppf(.95, 2) = 2.919985580355516; sd 0.1, n 3.
        let (low, high) = margin(&[1.0, 1.1, 0.9]).bounds.unwrap();
        let half = 2.919_985_580_355_516 * 0.1 / 3.0_f64.sqrt();
        assert!((low - (1.0 - half)).abs() < 1e-12 && (high - (1.0 + half)).abs() < 1e-12);
    }
}
