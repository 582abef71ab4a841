//! The detector on seeded traces: 5 s scrapes, 200 requests/s, Poisson counts on top of 7 %
//! correlated noise (AR(1), 0.5).

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;

const PERIOD: Duration = Duration::from_secs(5);
const LEVEL: f64 = 200.0;
/// Scrapes before the load begins.
const QUIET: u32 = 12;
const TRACES: u64 = 200;

/// Shapes, as a share of the level at `seconds` after the load began.
type Shape = fn(f64) -> f64;
const STEP: Shape = |_| 1.0;
const RAMP_60: Shape = |seconds| (seconds / 60.0).min(1.0);
const RAMP_300: Shape = |seconds| (seconds / 300.0).min(1.0);
const BURST: Shape = |seconds| {
    if (30.0..90.0).contains(&seconds) {
        0.0
    } else {
        1.0
    }
};
const PROBES: Shape = |_| 0.4 / LEVEL;
const SQUARE: Shape = |seconds| if seconds % 60.0 < 30.0 { 1.0 } else { 0.4 };

struct Trace {
    random: ChaCha8Rng,
    noise: f64,
    count: f64,
    deviation: f64,
}

impl Trace {
    fn new(seed: u64, deviation: f64) -> Self {
        Self {
            random: ChaCha8Rng::seed_from_u64(seed),
            noise: 0.0,
            count: 0.0,
            deviation,
        }
    }

    /// The next scrape of a counter that grows by `rate` per second on average.
    fn scrape(&mut self, k: u32, rate: f64) -> CounterSample {
        const CORRELATION: f64 = 0.5;
        let innovation = self.deviation * (1.0 - CORRELATION * CORRELATION).sqrt();
        self.noise = CORRELATION * self.noise + innovation * self.normal();
        let mean = (rate * (1.0 + self.noise)).max(0.0) * PERIOD.as_secs_f64();
        self.count += self.poisson(mean);
        CounterSample {
            at: PERIOD * k,
            count: self.count,
        }
    }

    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.random.random::<f64>()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.random.random::<f64>()).cos()
    }

    fn poisson(&mut self, mean: f64) -> f64 {
        if mean > 50.0 {
            return (mean + mean.sqrt() * self.normal()).round().max(0.0);
        }
        let (mut left, mut count) = (mean, 0.0);
        loop {
            left += (1.0 - self.random.random::<f64>()).ln();
            if left < 0.0 {
                return count;
            }
            count += 1.0;
        }
    }
}

fn rule(rate: Option<f64>) -> ExternalRule {
    ExternalRule {
        rate,
        period: PERIOD,
        timeout: Duration::from_mins(20),
        shift: 0.2,
    }
}

/// Seconds after the load began at which it counts as steady, or what came instead.
fn wait(shape: Shape, rate: Option<f64>, seed: u64) -> Result<f64, LoadProblem> {
    let mut trace = Trace::new(seed, 0.07);
    let mut detector = ExternalDetector::new(rule(rate));
    for k in 0.. {
        let seconds = PERIOD.as_secs_f64() * (f64::from(k) - f64::from(QUIET));
        let share = if seconds < 0.0 { 0.0 } else { shape(seconds) };
        let sample = trace.scrape(k, LEVEL * share);
        match detector.look(sample.at, Some(sample)) {
            ExternalStatus::Waiting { .. } => {}
            ExternalStatus::Steady { since } => {
                return Ok(since.as_secs_f64() - (PERIOD * QUIET).as_secs_f64());
            }
            ExternalStatus::Failed(problem) => return Err(problem),
        }
    }
    unreachable!("the detector has a time-out")
}

/// Share of traces that end before `reached`, and the median delay after it.
fn early_and_delay(shape: Shape, rate: Option<f64>, reached: f64) -> (f64, f64) {
    let mut waits: Vec<f64> = (0..TRACES)
        .map(|seed| wait(shape, rate, seed).unwrap_or(f64::INFINITY) - reached)
        .collect();
    waits.sort_by(f64::total_cmp);
    let early = waits.iter().filter(|wait| **wait < 0.0).count();
    (count(early) / count(waits.len()), waits[waits.len() / 2])
}

#[test]
fn load_of_unknown_rate_counts_when_it_is_really_there_and_within_two_minutes() {
    for (name, shape, reached) in [
        ("step", STEP, 0.0),
        ("ramp 60", RAMP_60, 60.0),
        ("ramp 300", RAMP_300, 300.0),
        ("burst", BURST, 90.0),
    ] {
        let (early, delay) = early_and_delay(shape, None, reached);
        assert!(early <= 0.05, "{name}: {early} early");
        assert!(delay <= 125.0, "{name}: {delay} s late");
        eprintln!("{name}: {early} early, delay {delay}");
    }
}

#[test]
fn load_of_known_rate_counts_when_it_is_really_there_and_within_two_minutes() {
    for (name, shape, reached) in [
        ("step", STEP, 0.0),
        ("ramp 60", RAMP_60, 60.0),
        ("ramp 300", RAMP_300, 300.0),
        ("burst", BURST, 90.0),
    ] {
        let (early, delay) = early_and_delay(shape, Some(LEVEL), reached);
        assert!(early <= 0.05, "{name}: {early} early");
        assert!(delay <= 125.0, "{name}: {delay} s late");
        eprintln!("{name}: {early} early, delay {delay}");
    }
}

#[test]
fn health_probes_are_no_load_and_a_square_wave_is_no_steady_load() {
    for seed in 0..TRACES {
        assert_eq!(wait(PROBES, None, seed), Err(LoadProblem::Absent));
        assert_eq!(wait(PROBES, Some(LEVEL), seed), Err(LoadProblem::Absent));
        assert_eq!(wait(SQUARE, None, seed), Err(LoadProblem::Unstable));
        assert_eq!(wait(SQUARE, Some(LEVEL), seed), Err(LoadProblem::Unstable));
    }
}

#[test]
fn a_sample_of_a_target_that_has_gone_is_not_load() {
    let mut detector = ExternalDetector::new(rule(None));
    let at = |k: u32| PERIOD * k;
    for k in 0..20 {
        detector.look(
            at(k),
            Some(CounterSample {
                at: at(k),
                count: 1000.0 * f64::from(k),
            }),
        );
    }
    // The database goes on answering the last sample, then the target is back.
    let last = CounterSample {
        at: at(19),
        count: 19_000.0,
    };
    for k in 20..40 {
        let status = detector.look(at(k), Some(last));
        assert!(matches!(status, ExternalStatus::Waiting { .. }));
    }
    for k in 40..64 {
        let sample = CounterSample {
            at: at(k),
            count: 1000.0 * f64::from(k),
        };
        let status = detector.look(at(k), Some(sample));
        assert!(
            matches!(status, ExternalStatus::Waiting { .. }),
            "{k}: {status:?}"
        );
    }
    let sample = CounterSample {
        at: at(64),
        count: 64_000.0,
    };
    assert_eq!(
        detector.look(at(64), Some(sample)),
        ExternalStatus::Steady { since: at(64) }
    );
}

#[test]
fn a_counter_reset_is_not_a_negative_rate() {
    let mut detector = ExternalDetector::new(rule(Some(LEVEL)));
    let mut status = None;
    for k in 0..40_u32 {
        let at = PERIOD * k;
        let since_restart = if k < 10 { k } else { k - 9 };
        let count = 1000.0 * f64::from(since_restart);
        status = Some(detector.look(at, Some(CounterSample { at, count })));
    }
    assert!(
        matches!(status, Some(ExternalStatus::Steady { .. })),
        "{status:?}"
    );
}

/// Samples until the watch answers, when the level changes by `factor` after `calm` samples.
fn shift_after(factor: f64, calm: u32, deviation: f64, seed: u64) -> Option<i64> {
    let mut trace = Trace::new(seed, deviation);
    let mut detector = ExternalDetector::new(rule(Some(LEVEL)));
    let mut k = 0;
    while detector.watch().is_none() {
        let sample = trace.scrape(k, LEVEL);
        detector.look(sample.at, Some(sample));
        k += 1;
    }
    let mut watch = detector.watch()?;
    (0..120_u32).find_map(|step| {
        let rate = if step < calm { LEVEL } else { LEVEL * factor };
        let sample = trace.scrape(k + step, rate);
        watch
            .look(sample.at, Some(sample))
            .map(|_| i64::from(step) - i64::from(calm))
    })
}

#[test]
fn a_fifth_more_or_less_is_noticed_within_six_samples() {
    for factor in [0.8, 1.2] {
        let found = (0..TRACES).filter_map(|seed| shift_after(factor, 20, 0.0, seed));
        let in_time = found.filter(|late| (0..6).contains(late)).count();
        assert!(
            count(in_time) >= 0.95 * 200.0,
            "{factor}: {in_time} of {TRACES}"
        );
    }
}

#[test]
fn load_that_stays_is_not_called_a_shift() {
    let alarms = |deviation| {
        (0..TRACES)
            .filter(|seed| shift_after(1.0, 0, deviation, *seed).is_some())
            .count()
    };
    assert!(
        alarms(0.0) <= 2,
        "{} of {TRACES} in ten minutes",
        alarms(0.0)
    );
    // Correlated noise of 7 % is nearly a shift itself; the limit grows with it.
    assert!(
        alarms(0.07) <= 30,
        "{} of {TRACES} in ten minutes",
        alarms(0.07)
    );
}

#[test]
fn samples_that_stop_coming_void_the_measurement() {
    let mut detector = ExternalDetector::new(rule(Some(LEVEL)));
    let sample = |k: u32| CounterSample {
        at: PERIOD * k,
        count: 1000.0 * f64::from(k),
    };
    for k in 0..25 {
        detector.look(PERIOD * k, Some(sample(k)));
    }
    let mut watch = detector.watch().unwrap();
    assert_eq!(watch.look(PERIOD * 25, Some(sample(25))), None);
    assert_eq!(watch.look(PERIOD * 27, None), None);
    let shift = watch.look(PERIOD * 28, None).unwrap();
    assert_eq!(shift.now, None);
    assert_eq!((shift.since, shift.at), (PERIOD * 25, PERIOD * 28));
}
