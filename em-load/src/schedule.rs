//! When requests are due: a plan made ahead of the run, the same for the same seed.
//!
//! The schedule knows nothing of the target. That is what makes the load *open*: a slow target
//! gets its requests at the same moments as a fast one, and two configurations under the same
//! seed get the very same arrivals.

use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::profile::Profile;

/// How the gaps between arrivals are distributed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub enum Arrivals {
    /// Evenly spaced: the k-th request is due when exactly `k` were planned.
    Constant,
    /// As from many independent users: exponential gaps. At the same rate this queues more than
    /// evenly spaced arrivals do, so results under one do not carry over to the other.
    #[default]
    Poisson,
}

/// The due times of a run, from its start on. Endless; take what is needed.
///
/// ```
/// use em_load::{Arrivals, Profile, Schedule};
///
/// let profile = Profile::constant(250.0)?;
/// let mut due = Schedule::new(profile, Arrivals::Constant, 1);
/// assert_eq!(due.nth(2).unwrap().as_millis(), 8);
/// # Ok::<(), em_load::ProfileError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Schedule {
    profile: Profile,
    arrivals: Arrivals,
    random: ChaCha8Rng,
    /// Position on the axis of planned arrivals.
    planned: f64,
    index: u64,
}

impl Schedule {
    /// A schedule is a pure function of these three. Constant arrivals do not use the seed.
    pub fn new(profile: Profile, arrivals: Arrivals, seed: u64) -> Self {
        Self {
            profile,
            arrivals,
            random: ChaCha8Rng::seed_from_u64(seed),
            planned: 0.0,
            index: 0,
        }
    }

    /// The profile behind the schedule.
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// A draw from the exponential distribution with mean one; never infinite, since the
    /// generator answers numbers below one.
    fn exponential(&mut self) -> f64 {
        -(1.0 - self.random.random::<f64>()).ln()
    }
}

impl Iterator for Schedule {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        self.planned = match self.arrivals {
            #[expect(clippy::cast_precision_loss, reason = "exact up to 2^53 requests")]
            Arrivals::Constant => self.index as f64,
            Arrivals::Poisson => self.planned + self.exponential(),
        };
        self.index += 1;
        Duration::try_from_secs_f64(self.profile.time_of(self.planned)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::Phase;

    fn due(profile: &Profile, arrivals: Arrivals, seed: u64, n: usize) -> Vec<f64> {
        let schedule = Schedule::new(profile.clone(), arrivals, seed);
        schedule.take(n).map(|due| due.as_secs_f64()).collect()
    }

    #[test]
    fn constant_arrivals_are_evenly_spaced_from_zero() {
        let times = due(
            &Profile::constant(400.0).unwrap(),
            Arrivals::Constant,
            7,
            1000,
        );
        for (k, time) in (0_u32..).zip(&times) {
            assert!((time - f64::from(k) / 400.0).abs() < 1e-9);
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_arrivals_and_another_seed_others() {
        let profile = Profile::constant(400.0).unwrap();
        let first = due(&profile, Arrivals::Poisson, 7, 100);
        assert_eq!(first, due(&profile, Arrivals::Poisson, 7, 100));
        assert_ne!(first, due(&profile, Arrivals::Poisson, 8, 100));
    }

    /// Gaps of a Poisson process: mean and standard deviation are both 1/rate, and the share of
    /// gaps longer than the mean is 1/e. With 100,000 gaps the bounds are five standard errors.
    #[test]
    fn poisson_gaps_are_exponential() {
        let times = due(
            &Profile::constant(1.0).unwrap(),
            Arrivals::Poisson,
            42,
            100_001,
        );
        let gaps: Vec<f64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let mean = gaps.iter().sum::<f64>() / 1e5;
        let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / 1e5;
        let long = f64::from(u32::try_from(gaps.iter().filter(|gap| **gap > 1.0).count()).unwrap());
        assert!((mean - 1.0).abs() < 0.016, "mean {mean}");
        assert!(
            (variance.sqrt() - 1.0).abs() < 0.023,
            "sd {}",
            variance.sqrt()
        );
        assert!(
            (long / 1e5 - (-1.0_f64).exp()).abs() < 0.008,
            "share {}",
            long / 1e5
        );
    }

    /// Counts per second of a ramp 0 -> 200/s over 10 s are Poisson with mean 20 s + 10; the sum
    /// of squared standardised counts is chi-squared with 10 degrees of freedom (99.9 %: 29.6).
    #[test]
    fn poisson_arrivals_follow_a_ramp() {
        let lasts = Duration::from_secs(10);
        let profile = Profile::new(&[Phase::Ramp {
            from: 0.0,
            to: 200.0,
            lasts,
        }])
        .unwrap();
        let times = due(&profile, Arrivals::Poisson, 3, 2000);
        let mut chi_squared = 0.0;
        for second in 0_u32..10 {
            let expected = 20.0 * f64::from(second) + 10.0;
            let from = f64::from(second);
            let came = times
                .iter()
                .filter(|time| (from..from + 1.0).contains(*time))
                .count();
            let came = f64::from(u32::try_from(came).unwrap());
            chi_squared += (came - expected).powi(2) / expected;
        }
        assert!(chi_squared < 29.6, "chi squared {chi_squared}");
    }
}
