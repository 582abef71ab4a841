//! The standard normal distribution.

use std::f64::consts::{PI, SQRT_2};

/// Density at `z`.
pub(crate) fn density(z: f64) -> f64 {
    (-0.5 * z * z).exp() / (2.0 * PI).sqrt()
}

/// P(Z <= `z`).
pub(crate) fn cumulative(z: f64) -> f64 {
    let tail = 0.5 * complementary_error(z.abs() / SQRT_2);
    if z > 0.0 { 1.0 - tail } else { tail }
}

/// The z with P(Z <= z) = `p`, by bisection; `p` is kept away from 0 and 1.
pub(crate) fn quantile(p: f64) -> f64 {
    let p = p.clamp(1e-15, 1.0 - 1e-15);
    let (mut low, mut high) = (-9.0, 9.0);
    for _ in 0..64 {
        let middle = f64::midpoint(low, high);
        if cumulative(middle) < p {
            low = middle;
        } else {
            high = middle;
        }
    }
    f64::midpoint(low, high)
}

/// erfc(x) for x >= 0: the power series of erf near zero, a continued fraction in the tail.
fn complementary_error(x: f64) -> f64 {
    if x < 2.5 {
        let (mut term, mut sum) = (x, x);
        for k in 1..80 {
            let k = f64::from(k);
            term *= -x * x / k;
            sum += term / (2.0 * k + 1.0);
        }
        1.0 - 2.0 / PI.sqrt() * sum
    } else {
        let mut fraction = x;
        for k in (1..60).rev() {
            fraction = x + f64::from(k) / 2.0 / fraction;
        }
        (-x * x).exp() / (PI.sqrt() * fraction)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_agree_with_scipy() {
        // scipy.stats.norm.cdf, SciPy 1.17.1.
        let table = [
            (-8.0, 6.220_960_574_271_785e-16),
            (-4.0, 3.167_124_183_311_992e-5),
            (-1.96, 0.024_997_895_148_220_435),
            (-0.3, 0.382_088_577_811_047_3),
            (0.0, 0.5),
            (1.0, 0.841_344_746_068_542_9),
            (3.0, 0.998_650_101_968_369_9),
        ];
        for (z, want) in table {
            let got: f64 = cumulative(z);
            assert!((got / want - 1.0).abs() < 1e-9, "{z}: {got:e} {want:e}");
        }
    }

    #[test]
    fn a_quantile_is_the_inverse() {
        for p in [1e-9, 0.01, 0.3, 0.5, 0.975] {
            assert!((cumulative(quantile(p)) / p - 1.0).abs() < 1e-9, "{p}");
        }
    }
}
