//! Student's t distribution: tail probabilities and quantiles.

use statrs::distribution::{Continuous, ContinuousCDF, StudentsT};

/// P(T > t) for Student's t with `df` degrees of freedom (`df` > 0, need not be whole).
pub(crate) fn upper_tail(t: f64, df: f64) -> f64 {
    distribution(df).sf(t)
}

/// The t with P(T <= t) = `p`, for `df` > 0 degrees of freedom and 0 < p < 1.
pub(crate) fn quantile(p: f64, df: f64) -> f64 {
    let student = distribution(df);
    let tail = p.min(1.0 - p);
    let mut t = -student.inverse_cdf(tail);
    // The library's start value loses digits where the tail is thin or df large; Newton regains them.
    for _ in 0..3 {
        let density = student.pdf(t);
        if density <= f64::MIN_POSITIVE || !t.is_finite() {
            break;
        }
        t += (student.sf(t) - tail) / density;
    }
    if p < 0.5 { -t } else { t }
}

fn distribution(df: f64) -> StudentsT {
    StudentsT::new(0.0, 1.0, df).expect("callers pass degrees of freedom above zero")
}
