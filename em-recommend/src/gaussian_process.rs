//! Gaussian-process regression: Matern 5/2, one length scale per tunable, noise included.

use crate::draws::Draws;
use crate::matrix::{Factor, Symmetric, dot};

/// Hyper-parameters tried before the likeliest are kept: first anywhere, then near the best.
const ANYWHERE: usize = 100;
const NEAR_BEST: usize = 50;

/// Length scales in units of a whole axis, and noise as a share of the signal's variance.
const LENGTHS: (f64, f64) = (0.05, 4.0);
const NOISE: (f64, f64) = (1e-6, 2.0);

/// Keeps matrices of nearly equal points invertible; far below any noise that matters.
const JITTER: f64 = 1e-9;

/// One measured value at a place.
#[derive(Debug, Clone)]
pub(crate) struct Observation {
    /// The place, axis by axis.
    pub(crate) features: Vec<Vec<f64>>,
    /// The value.
    pub(crate) value: f64,
    /// How many independent measurements it is the mean of, at least 1.
    pub(crate) weight: f64,
}

/// What the model expects at a place, without the noise of measuring there.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Prediction {
    pub(crate) mean: f64,
    pub(crate) sd: f64,
}

/// A fitted model.
#[derive(Debug, Clone)]
pub(crate) struct Model {
    observations: Vec<Observation>,
    hyper: Hyper,
    solved: Solved,
}

#[derive(Debug, Clone)]
struct Hyper {
    /// Length scale per axis.
    lengths: Vec<f64>,
    /// Variance of one measurement's noise over that of the signal.
    noise: f64,
}

#[derive(Debug, Clone)]
struct Solved {
    /// The observed places in units of the length scales.
    places: Vec<Vec<f64>>,
    factor: Factor,
    /// Generalised least-squares mean of all values.
    mean: f64,
    /// Signal variance, the likeliest given all else.
    variance: f64,
    /// Inverse covariance times (values - mean).
    weights: Vec<f64>,
    /// L^-1 times a vector of ones.
    ones: Vec<f64>,
    log_likelihood: f64,
}

impl Model {
    /// Fits the likeliest of 150 random sets of hyper-parameters; none without two observations
    /// or without any spread among their values.
    pub(crate) fn fit(observations: Vec<Observation>, draws: &mut Draws) -> Option<Self> {
        let first = observations.first()?.value;
        if observations
            .iter()
            .all(|o| (o.value - first).abs() <= f64::EPSILON * first.abs())
        {
            return None;
        }
        let axes = observations[0].features.len();
        let mut best: Option<(Hyper, Solved)> = None;
        for round in 0..ANYWHERE + NEAR_BEST {
            let hyper = match &best {
                Some((hyper, _)) if round >= ANYWHERE => hyper.near(draws),
                _ => Hyper::anywhere(axes, draws),
            };
            let Some(solved) = solve(&observations, &hyper) else {
                continue;
            };
            if best
                .as_ref()
                .is_none_or(|(_, b)| solved.log_likelihood > b.log_likelihood)
            {
                best = Some((hyper, solved));
            }
        }
        best.map(|(hyper, solved)| Self {
            observations,
            hyper,
            solved,
        })
    }

    /// The expectation at a place.
    pub(crate) fn predict(&self, features: &[Vec<f64>]) -> Prediction {
        let solved = &self.solved;
        let place = self.hyper.scaled(features);
        let near: Vec<f64> = solved
            .places
            .iter()
            .map(|other| correlation(other, &place))
            .collect();
        let mean = solved.mean + dot(&near, &solved.weights);
        let reach = solved.factor.forward(&near);
        // The last term is the doubt about the mean itself.
        let apart = 1.0 - dot(&solved.ones, &reach);
        let doubt = apart * apart / dot(&solved.ones, &solved.ones);
        let variance = solved.variance * (1.0 - dot(&reach, &reach) + doubt);
        Prediction {
            mean,
            sd: variance.max(0.0).sqrt(),
        }
    }

    /// This model after it was told that the value at a place is what it expects there anyway:
    /// how several suggestions are kept apart before any of them is measured.
    pub(crate) fn believing(&self, features: Vec<Vec<f64>>) -> Self {
        let value = self.predict(&features).mean;
        let mut observations = self.observations.clone();
        observations.push(Observation {
            features,
            value,
            weight: 1.0,
        });
        match solve(&observations, &self.hyper) {
            // The belief narrows the doubt; the scale of the signal stays what was measured.
            Some(solved) => {
                let solved = Solved {
                    variance: self.solved.variance,
                    ..solved
                };
                Self {
                    observations,
                    hyper: self.hyper.clone(),
                    solved,
                }
            }
            None => self.clone(),
        }
    }
}

impl Hyper {
    fn anywhere(axes: usize, draws: &mut Draws) -> Self {
        let lengths = (0..axes)
            .map(|_| draws.log_uniform(LENGTHS.0, LENGTHS.1))
            .collect();
        Self {
            lengths,
            noise: draws.log_uniform(NOISE.0, NOISE.1),
        }
    }

    fn near(&self, draws: &mut Draws) -> Self {
        let mut moved = |value: f64, (low, high): (f64, f64), spread: f64| {
            (value * (spread * draws.normal()).exp()).clamp(low, high)
        };
        let lengths = self
            .lengths
            .iter()
            .map(|length| moved(*length, LENGTHS, 0.3))
            .collect();
        Self {
            lengths,
            noise: moved(self.noise, NOISE, 0.7),
        }
    }

    /// A place in units of the length scales, all axes in one list.
    fn scaled(&self, features: &[Vec<f64>]) -> Vec<f64> {
        let axes = features.iter().zip(&self.lengths);
        axes.flat_map(|(axis, length)| axis.iter().map(move |x| x / length))
            .collect()
    }
}

/// Matern 5/2 of the distance of two scaled places.
fn correlation(a: &[f64], b: &[f64]) -> f64 {
    let r2: f64 = a.iter().zip(b).map(|(x, y)| (x - y) * (x - y)).sum();
    let r = (5.0 * r2).sqrt();
    (1.0 + r + 5.0 / 3.0 * r2) * (-r).exp()
}

fn solve(observations: &[Observation], hyper: &Hyper) -> Option<Solved> {
    let places: Vec<Vec<f64>> = observations
        .iter()
        .map(|o| hyper.scaled(&o.features))
        .collect();
    let covariance = Symmetric::from_fn(observations.len(), |row, column| {
        if row == column {
            1.0 + hyper.noise / observations[row].weight
        } else {
            correlation(&places[row], &places[column])
        }
    });
    // Points that nearly coincide may need more than the usual jitter.
    let factor = [JITTER, 1e-7, 1e-5]
        .into_iter()
        .find_map(|jitter| covariance.cholesky(jitter))?;
    let values: Vec<f64> = observations.iter().map(|o| o.value).collect();
    let ones = factor.forward(&vec![1.0; values.len()]);
    let half = factor.forward(&values);
    let mean = dot(&ones, &half) / dot(&ones, &ones);
    let residual: Vec<f64> = half
        .iter()
        .zip(&ones)
        .map(|(v, one)| v - mean * one)
        .collect();
    let n = f64::from(u32::try_from(values.len()).ok()?);
    let variance = dot(&residual, &residual) / n;
    let log_likelihood = -0.5 * (n * variance.ln() + factor.log_determinant());
    let weights = factor.backward(&residual);
    (variance > 0.0 && log_likelihood.is_finite()).then_some(Solved {
        places,
        factor,
        mean,
        variance,
        weights,
        ones,
        log_likelihood,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn observed(f: impl Fn(f64) -> f64, at: &[f64]) -> Vec<Observation> {
        let one = |&x: &f64| Observation {
            features: vec![vec![x]],
            value: f(x),
            weight: 1.0,
        };
        at.iter().map(one).collect()
    }

    fn wave(x: f64) -> f64 {
        (6.0 * x).sin() + x
    }

    const EIGHT: [f64; 8] = [0.0, 0.14, 0.28, 0.43, 0.57, 0.71, 0.86, 1.0];

    #[test]
    fn a_smooth_function_is_recovered_between_its_points() {
        let model = Model::fit(observed(wave, &EIGHT), &mut Draws::new(1, 0)).unwrap();
        for x in [0.07, 0.35, 0.64, 0.93] {
            let got = model.predict(&[vec![x]]);
            assert!(
                (got.mean - wave(x)).abs() < 0.05,
                "{x}: {got:?} {}",
                wave(x)
            );
            assert!(got.sd < 0.2);
        }
    }

    #[test]
    fn doubt_grows_with_the_distance_from_what_was_measured() {
        let model = Model::fit(observed(wave, &EIGHT[..4]), &mut Draws::new(1, 0)).unwrap();
        assert!(model.predict(&[vec![1.0]]).sd > 5.0 * model.predict(&[vec![0.2]]).sd);
    }

    #[test]
    fn noise_is_smoothed_and_not_followed() {
        let at: Vec<f64> = (0..40).map(|i| f64::from(i) / 39.0).collect();
        let zigzag = |x: f64| {
            x + if (x * 39.0).round() % 2.0 == 0.0 {
                0.3
            } else {
                -0.3
            }
        };
        let model = Model::fit(observed(zigzag, &at), &mut Draws::new(2, 0)).unwrap();
        assert!((model.predict(&[vec![0.5]]).mean - 0.5).abs() < 0.15);
    }

    #[test]
    fn a_belief_leaves_the_expectation_and_removes_the_doubt() {
        let model = Model::fit(observed(wave, &EIGHT[..4]), &mut Draws::new(1, 0)).unwrap();
        let place = vec![vec![0.8]];
        let (before, after) = (
            model.predict(&place),
            model.believing(place.clone()).predict(&place),
        );
        assert!(
            (before.mean - after.mean).abs() < 0.05,
            "{before:?} {after:?}"
        );
        assert!(after.sd < 0.3 * before.sd);
    }

    #[test]
    fn values_without_spread_have_no_model() {
        assert!(Model::fit(observed(|_| 2.0, &EIGHT), &mut Draws::new(1, 0)).is_none());
        assert!(Model::fit(vec![], &mut Draws::new(1, 0)).is_none());
    }

    #[test]
    fn the_same_place_twice_is_no_problem() {
        let model = Model::fit(
            observed(wave, &[0.2, 0.2, 0.9, 0.9, 0.5]),
            &mut Draws::new(1, 0),
        );
        assert!(model.unwrap().predict(&[vec![0.2]]).mean.is_finite());
    }
}
