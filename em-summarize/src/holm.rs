//! Holm's step-down correction for several comparisons at once (Holm 1979).

/// Adjusted p values in the order given: each may be compared with the family-wise level itself.
///
/// The i-th smallest of k values becomes max over j <= i of (k - j + 1) p(j), at most 1.
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    holm_among(p_values, p_values.len())
}

/// As [`holm`], in a family of `family` comparisons of which only those given can be computed.
///
/// Those that are missing count as the largest p values, so every one present pays for them.
/// A `family` below the number of values given is raised to it.
pub fn holm_among(p_values: &[f64], family: usize) -> Vec<f64> {
    let family = family.max(p_values.len());
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|&a, &b| p_values[a].total_cmp(&p_values[b]));
    let mut adjusted = vec![1.0; p_values.len()];
    let mut floor = 0.0_f64;
    for (rank, index) in order.into_iter().enumerate() {
        let factor = crate::moments::to_f64(family - rank);
        floor = floor.max((factor * p_values[index]).min(1.0));
        adjusted[index] = floor;
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_comparison_costs_nothing() {
        assert_eq!(holm(&[0.03]), [0.03]);
        assert!(holm(&[]).is_empty());
    }

    #[test]
    fn a_larger_p_never_ends_below_a_smaller_one() {
        let adjusted = holm(&[0.01, 0.04, 0.03, 0.005]);
        for (got, want) in adjusted.iter().zip([0.03, 0.06, 0.06, 0.02]) {
            assert!((got - want).abs() < 1e-15, "{adjusted:?}");
        }
    }

    #[test]
    fn comparisons_that_could_not_be_made_are_paid_for() {
        assert_eq!(holm_among(&[0.01], 5), [0.05]);
        assert_eq!(holm_among(&[0.5, 0.5], 1), [1.0, 1.0]);
    }
}
