//! Statistics of a short window of rates.

use super::count;

/// Relative difference between the means of the two halves.
pub(super) fn halves_differ(rates: &[f64]) -> f64 {
    let (first, second) = rates.split_at(rates.len() / 2);
    let (first, second) = (mean(first), mean(second));
    let level = f64::midpoint(first, second);
    if level > 0.0 {
        (second - first).abs() / level
    } else {
        0.0
    }
}

/// Coefficient of variation (sample standard deviation over mean).
pub(super) fn variation(rates: &[f64]) -> f64 {
    let mean = mean(rates);
    let squares: f64 = rates.iter().map(|rate| (rate - mean).powi(2)).sum();
    if mean > 0.0 {
        (squares / count(rates.len() - 1)).sqrt() / mean
    } else {
        0.0
    }
}

/// Standardised Mann-Kendall statistic with the correction for ties (Mann 1945, Kendall 1975):
/// S = sum of the signs of all later-minus-earlier differences, less its sign for continuity.
pub(super) fn mann_kendall(rates: &[f64]) -> f64 {
    let mut s = 0.0;
    for (at, earlier) in rates.iter().enumerate() {
        for later in &rates[at + 1..] {
            s += sign(later - earlier);
        }
    }
    let term = |n: f64| n * (n - 1.0) * (2.0 * n + 5.0);
    let ties: f64 = tie_groups(rates).into_iter().map(term).sum();
    let variance = (term(count(rates.len())) - ties) / 18.0;
    if variance > 0.0 {
        (s - sign(s)) / variance.sqrt()
    } else {
        0.0
    }
}

/// First-order autocorrelation with its bias for short series taken out, within 0 ..= 0.8.
pub(super) fn autocorrelation(rates: &[f64]) -> f64 {
    let mean = mean(rates);
    let n = count(rates.len());
    let products: f64 = rates
        .windows(2)
        .map(|pair| (pair[0] - mean) * (pair[1] - mean))
        .sum();
    let squares: f64 = rates.iter().map(|rate| (rate - mean).powi(2)).sum();
    if squares <= 0.0 {
        return 0.0;
    }
    let plain = products / squares;
    (plain + (1.0 + 3.0 * plain) / n).clamp(0.0, 0.8)
}

pub(super) fn mean(rates: &[f64]) -> f64 {
    rates.iter().sum::<f64>() / count(rates.len())
}

fn tie_groups(rates: &[f64]) -> Vec<f64> {
    let mut sorted = rates.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
        .chunk_by(|a, b| a.total_cmp(b).is_eq())
        .map(|group| count(group.len()))
        .collect()
}

/// Unlike `f64::signum`, zero for zero.
fn sign(value: f64) -> f64 {
    if value > 0.0 {
        1.0
    } else if value < 0.0 {
        -1.0
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mann_kendall_of_a_rise_without_ties() {
        // S = 28, Var S = 8 * 7 * 21 / 18 = 65.33; z = 27 / 8.083 = 3.3404.
        let z = mann_kendall(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]);
        assert!((z - 3.340_4).abs() < 1e-3, "{z}");
        assert!((mann_kendall(&[8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0]) + z).abs() < 1e-12);
    }

    #[test]
    fn mann_kendall_with_ties_uses_the_smaller_variance() {
        // 1 1 2 3 3: S = 8; Var = (5*4*15 - 2 * 2*1*9) / 18 = 264 / 18; z = 7 / 3.8297.
        let z = mann_kendall(&[1.0, 1.0, 2.0, 3.0, 3.0]);
        assert!((z - 7.0 / (264.0_f64 / 18.0).sqrt()).abs() < 1e-12, "{z}");
        assert!(mann_kendall(&[2.0; 9]).abs() < f64::EPSILON);
    }

    #[test]
    fn halves_and_variation_are_relative() {
        assert!((halves_differ(&[90.0, 90.0, 110.0, 110.0]) - 0.2).abs() < 1e-12);
        assert!((variation(&[9.0, 11.0, 9.0, 11.0]) - (4.0_f64 / 3.0).sqrt() / 10.0).abs() < 1e-12);
        assert!((halves_differ(&[0.0; 4]), variation(&[0.0; 4])) == (0.0, 0.0));
    }
}
