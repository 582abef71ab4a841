//! Equivalence: two one-sided tests (Schuirmann 1987). Absence of proof is no proof of absence.

use crate::moments::to_f64;
use crate::{Moments, Sample, student};

/// The p value of "the mean difference lies outside -margin..=margin".
///
/// It is the larger of two one-sided t tests; at or below 0.05 the 90 % interval of the mean lies
/// inside the margin. Absent for a single block; 1 for a margin that is not positive.
pub fn tost(differences: &Sample, margin: f64) -> Option<f64> {
    let moments = Moments::of(differences);
    let n = to_f64(moments.n);
    let error = moments.sd? / n.sqrt();
    let distance = margin - moments.mean.abs();
    if margin <= 0.0 {
        return Some(1.0);
    }
    if error <= 0.0 {
        // Without any spread the mean is known: inside or not.
        return Some(if distance > 0.0 { 0.0 } else { 1.0 });
    }
    // The nearer bound decides; the other test always has the smaller p.
    Some(student::upper_tail(distance / error, n - 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn p(differences: &[f64], margin: f64) -> Option<f64> {
        tost(&Sample::try_from(differences).unwrap(), margin)
    }

    #[test]
    fn differences_well_inside_the_margin_are_equivalent() {
        assert!(p(&[0.001, -0.001, 0.0005, -0.0004, 0.0, 0.0002], 0.01).unwrap() < 0.001);
    }

    #[test]
    fn a_mean_on_the_margin_is_a_coin_toss() {
        assert!((p(&[0.009, 0.011, 0.01], 0.01).unwrap() - 0.5).abs() < 1e-9);
    }

    #[test]
    fn noise_wider_than_the_margin_proves_nothing() {
        assert!(p(&[0.1, -0.1, 0.05, -0.05], 0.01).unwrap() > 0.4);
    }

    #[test]
    fn one_block_or_no_margin_proves_nothing() {
        assert_eq!(p(&[0.0], 0.01), None);
        assert_eq!(p(&[0.0, 0.0], 0.0), Some(1.0));
        assert_eq!(p(&[0.0, 0.0], 0.01), Some(0.0));
    }
}
