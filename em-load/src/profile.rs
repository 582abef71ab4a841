//! How the offered rate moves over time: ramps and plateaus, and their integral.
//!
//! The planned number of arrivals by time `t` is `L(t)`, the integral of the rate. Turning it
//! round, `time_of(L)`, gives the due time of the k-th arrival of *any* rate curve; that is the
//! textbook way to draw a non-homogeneous Poisson process from a homogeneous one
//! (Çınlar, *Introduction to Stochastic Processes*, 1975).

use std::time::Duration;

/// One piece of the load profile.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Phase {
    /// The rate moves on a straight line.
    Ramp {
        /// Requests per second at the beginning.
        from: f64,
        /// Requests per second at the end.
        to: f64,
        /// How long the way takes.
        lasts: Duration,
    },
    /// The rate stays.
    Constant {
        /// Requests per second.
        rate: f64,
        /// How long it stays; only the last phase may leave this open.
        lasts: Option<Duration>,
    },
}

/// Why a list of phases is no load profile.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ProfileError {
    /// There is nothing to run.
    #[error("a load profile needs at least one phase")]
    Empty,
    /// A rate is negative or not a number.
    #[error("phase {phase}: {rate} requests/s is not a rate; give a number >= 0")]
    Rate {
        /// Which phase, counted from 0.
        phase: usize,
        /// What was given.
        rate: f64,
    },
    /// A phase before the last has no end.
    #[error(
        "phase {phase}: only the last phase may leave its duration open; say how long it lasts"
    )]
    Open {
        /// Which phase, counted from 0.
        phase: usize,
    },
    /// The rate at which the load is measured is zero.
    #[error("the last phase offers 0 requests/s, so there would be nothing to measure")]
    Silent,
}

/// A validated load profile. Its last phase is a plateau without end: the load is held as long
/// as somebody measures.
///
/// ```
/// use std::time::Duration;
/// use em_load::{Phase, Profile};
///
/// let profile = Profile::new(&[
///     Phase::Ramp { from: 0.0, to: 100.0, lasts: Duration::from_secs(10) },
///     Phase::Constant { rate: 100.0, lasts: None },
/// ])?;
/// assert_eq!(profile.steady_after(), Duration::from_secs(10));
/// assert_eq!(profile.expected_by(20.0), 1500.0);
/// # Ok::<(), em_load::ProfileError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    pieces: Vec<Piece>,
}

/// A phase with its place in time (seconds) and in the count of arrivals.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Piece {
    starts: f64,
    arrived_before: f64,
    rate: f64,
    slope: f64,
    lasts: f64,
}

impl Profile {
    /// Checks the phases. A profile that ends with a ramp is held at the rate the ramp reached.
    pub fn new(phases: &[Phase]) -> Result<Self, ProfileError> {
        let last = phases.len().checked_sub(1).ok_or(ProfileError::Empty)?;
        let mut profile = Self {
            pieces: Vec::with_capacity(phases.len() + 1),
        };
        for (index, phase) in phases.iter().enumerate() {
            match *phase {
                Phase::Ramp { from, to, lasts } => {
                    check_rate(index, from)?;
                    check_rate(index, to)?;
                    profile.push(from, to, lasts.as_secs_f64());
                    if index == last {
                        profile.push(to, to, f64::INFINITY);
                    }
                }
                Phase::Constant { rate, .. } if index == last => {
                    check_rate(index, rate)?;
                    profile.push(rate, rate, f64::INFINITY);
                }
                Phase::Constant { rate, lasts } => {
                    check_rate(index, rate)?;
                    let lasts = lasts.ok_or(ProfileError::Open { phase: index })?;
                    profile.push(rate, rate, lasts.as_secs_f64());
                }
            }
        }
        if profile.steady_rate() <= 0.0 {
            return Err(ProfileError::Silent);
        }
        Ok(profile)
    }

    /// One plateau from the first moment on.
    pub fn constant(rate: f64) -> Result<Self, ProfileError> {
        Self::new(&[Phase::Constant { rate, lasts: None }])
    }

    /// When the last phase begins: from here on the load counts as steady.
    pub fn steady_after(&self) -> Duration {
        Duration::from_secs_f64(self.last().starts)
    }

    /// Requests per second of the last phase.
    pub fn steady_rate(&self) -> f64 {
        self.last().rate
    }

    /// `L(t)`: arrivals planned until `seconds` after the start.
    pub fn expected_by(&self, seconds: f64) -> f64 {
        let reached = self
            .pieces
            .iter()
            .rev()
            .find(|piece| piece.starts <= seconds);
        reached.map_or(0.0, |piece| {
            piece.arrived_before + piece.arrived_within(seconds - piece.starts)
        })
    }

    /// The inverse of `L`: seconds after the start at which `arrivals` are planned to have come.
    pub fn time_of(&self, arrivals: f64) -> f64 {
        let piece = self
            .pieces
            .iter()
            .rev()
            .find(|piece| piece.arrived_before <= arrivals && piece.rises())
            .unwrap_or(self.last());
        // Rounding must not carry an arrival past the end of its own phase.
        piece.starts
            + piece
                .time_within(arrivals - piece.arrived_before)
                .min(piece.lasts)
    }

    fn push(&mut self, from: f64, to: f64, lasts: f64) {
        if lasts <= 0.0 {
            return;
        }
        let (starts, arrived_before) = self.pieces.last().map_or((0.0, 0.0), |piece| {
            (
                piece.starts + piece.lasts,
                piece.arrived_before + piece.arrived_within(piece.lasts),
            )
        });
        self.pieces.push(Piece {
            starts,
            arrived_before,
            rate: from,
            slope: (to - from) / lasts,
            lasts,
        });
    }

    fn last(&self) -> &Piece {
        self.pieces
            .last()
            .expect("`new` always ends with a plateau without end")
    }
}

impl Piece {
    fn arrived_within(&self, seconds: f64) -> f64 {
        (self.rate + 0.5 * self.slope * seconds) * seconds
    }

    /// Solves `rate * t + slope * t^2 / 2 = arrivals`. This form of the root does not cancel,
    /// neither for a slope near zero nor for a ramp from zero.
    fn time_within(&self, arrivals: f64) -> f64 {
        if arrivals <= 0.0 {
            return 0.0;
        }
        let root = (self.rate * self.rate + 2.0 * self.slope * arrivals)
            .max(0.0)
            .sqrt();
        2.0 * arrivals / (self.rate + root)
    }

    /// Whether any arrival falls into this phase.
    fn rises(&self) -> bool {
        self.rate > 0.0 || self.slope > 0.0
    }
}

fn check_rate(phase: usize, rate: f64) -> Result<(), ProfileError> {
    if rate.is_finite() && rate >= 0.0 {
        Ok(())
    } else {
        Err(ProfileError::Rate { phase, rate })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stairs() -> Profile {
        Profile::new(&[
            Phase::Ramp {
                from: 0.0,
                to: 200.0,
                lasts: Duration::from_secs(10),
            },
            Phase::Constant {
                rate: 0.0,
                lasts: Some(Duration::from_secs(3)),
            },
            Phase::Constant {
                rate: 50.0,
                lasts: Some(Duration::from_secs(4)),
            },
            Phase::Ramp {
                from: 50.0,
                to: 10.0,
                lasts: Duration::from_secs(5),
            },
            Phase::Constant {
                rate: 10.0,
                lasts: None,
            },
        ])
        .unwrap()
    }

    #[test]
    fn the_integral_of_the_rate_is_what_the_trapezoids_say() {
        let profile = stairs();
        assert!((profile.expected_by(10.0) - 1000.0).abs() < 1e-9);
        assert!((profile.expected_by(12.0) - 1000.0).abs() < 1e-9);
        assert!((profile.expected_by(17.0) - 1200.0).abs() < 1e-9);
        assert!((profile.expected_by(22.0) - 1350.0).abs() < 1e-9);
        assert!((profile.expected_by(32.0) - 1450.0).abs() < 1e-9);
    }

    #[test]
    fn inverting_the_integral_comes_back_to_where_it_started() {
        let profile = stairs();
        for step in 1_u32..290 {
            let arrivals = f64::from(step) * 5.0;
            let time = profile.time_of(arrivals);
            let back = profile.expected_by(time);
            assert!(
                (back - arrivals).abs() < 1e-6,
                "L({time}) = {back}, not {arrivals}"
            );
        }
    }

    #[test]
    fn nothing_arrives_while_the_rate_is_zero() {
        let profile = stairs();
        let before = profile.time_of(999.999);
        let after = profile.time_of(1000.001);
        assert!(before <= 10.0 && after >= 13.0, "{before} .. {after}");
    }

    #[test]
    fn a_profile_that_ends_in_a_ramp_holds_the_rate_it_reached() {
        let lasts = Duration::from_secs(2);
        let profile = Profile::new(&[Phase::Ramp {
            from: 10.0,
            to: 30.0,
            lasts,
        }])
        .unwrap();
        assert_eq!(profile.steady_after(), lasts);
        assert!((profile.expected_by(3.0) - 70.0).abs() < 1e-9);
    }

    #[test]
    fn what_is_no_profile_is_refused_with_the_phase_at_fault() {
        let open = Phase::Constant {
            rate: 5.0,
            lasts: None,
        };
        let broken = Phase::Constant {
            rate: f64::NAN,
            lasts: None,
        };
        assert_eq!(Profile::new(&[]), Err(ProfileError::Empty));
        assert_eq!(
            Profile::new(&[open, open]),
            Err(ProfileError::Open { phase: 0 })
        );
        assert!(matches!(
            Profile::new(&[broken]),
            Err(ProfileError::Rate { phase: 0, .. })
        ));
        assert_eq!(Profile::constant(0.0), Err(ProfileError::Silent));
    }
}
