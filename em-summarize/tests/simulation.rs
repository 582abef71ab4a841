//! Promises that only many runs can test: false positives, power, coverage. All seeded.
//!
//! Sizes are small enough for every test run; `EM_SIMULATIONS` (a factor) makes them longer.

use em_summarize::interval::ar1;
use em_summarize::looks::Looks;
use em_summarize::verdict::{Contest, Criteria, Direction, Kind, judge};
use em_summarize::{Pair, PairedBlocks, Sample};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

struct Noise(ChaCha8Rng);

impl Noise {
    fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    fn uniform(&mut self) -> f64 {
        let bits = u32::try_from(self.0.next_u64() >> 32).expect("32 bits");
        (f64::from(bits) + 0.5) / 4_294_967_296.0
    }

    fn normal(&mut self) -> f64 {
        (-2.0 * self.uniform().ln()).sqrt() * (std::f64::consts::TAU * self.uniform()).cos()
    }
}

fn runs(usual: u32) -> u32 {
    let factor = std::env::var("EM_SIMULATIONS")
        .ok()
        .and_then(|text| text.parse().ok());
    usual.saturating_mul(factor.unwrap_or(1))
}

/// Blocks of `trials` against a baseline under 5 % drift and 1 % of noise per deployment.
fn blocks(trials: &[f64], count: usize, noise: &mut Noise) -> Vec<Vec<Pair>> {
    let mut all = vec![Vec::new(); trials.len()];
    for _ in 0..count {
        let drift = 100.0 * (0.05 * noise.normal()).exp();
        let baseline = drift * (0.01 * noise.normal()).exp();
        for (pairs, ratio) in all.iter_mut().zip(trials) {
            let trial = drift * ratio * (0.01 * noise.normal()).exp();
            pairs.push(Pair { baseline, trial });
        }
    }
    all
}

fn decided(pairs: &[Vec<Pair>], count: usize, looks: &Looks) -> bool {
    let contest = |pairs: &Vec<Pair>| Contest {
        blocks: PairedBlocks::new(&pairs[..count]).ok(),
        direction: Direction::Minimize,
        equivalent_within: None,
    };
    let contests: Vec<Contest> = pairs.iter().map(contest).collect();
    let criteria = Criteria {
        level: looks.level(count),
        ..Criteria::of(looks.comparisons)
    };
    let is_different = |kind| matches!(kind, Kind::Better | Kind::Worse);
    judge(&contests, &criteria)
        .into_iter()
        .any(|finding| is_different(finding.kind))
}

#[test]
fn two_looks_together_call_the_same_different_in_at_most_five_percent() {
    for (comparisons, least) in [(1, 6), (3, 7)] {
        let looks = Looks::new(comparisons, least, 12);
        let total = runs(2000);
        let mut noise = Noise::new(7);
        let wrong = (0..total)
            .filter(|_| {
                let pairs = blocks(&vec![1.0; comparisons], 12, &mut noise);
                decided(&pairs, least, &looks) || decided(&pairs, 12, &looks)
            })
            .count();
        let share = f64::from(u32::try_from(wrong).expect("few")) / f64::from(total);
        let deviation = (0.05 * 0.95 / f64::from(total)).sqrt();
        assert!(
            share <= 0.05 + 2.0 * deviation,
            "{comparisons} comparisons: {share}"
        );
    }
}

#[test]
fn a_gain_of_three_percent_is_found_in_twelve_blocks() {
    let looks = Looks::new(1, 12, 12);
    let total = runs(300);
    let mut noise = Noise::new(11);
    let found = (0..total)
        .filter(|_| decided(&blocks(&[0.97], 12, &mut noise), 12, &looks))
        .count();
    let share = f64::from(u32::try_from(found).expect("few")) / f64::from(total);
    assert!(share >= 0.95, "{share}");
}

#[test]
fn the_published_detectable_effect_is_found_four_times_in_five() {
    // sd of a difference of two deployments of 1 % each, at t tests on 12 blocks.
    let effect =
        em_summarize::block::detectable(0.01 * 2.0_f64.sqrt(), 12, 0.05, 0.8).expect("12 blocks");
    let looks = Looks::new(1, 12, 12);
    let total = runs(1000);
    let mut noise = Noise::new(13);
    let found = (0..total)
        .filter(|_| decided(&blocks(&[effect.exp()], 12, &mut noise), 12, &looks))
        .count();
    let share = f64::from(u32::try_from(found).expect("few")) / f64::from(total);
    assert!((share - 0.8).abs() < 0.05, "{share}");
}

#[test]
fn intervals_of_correlated_series_cover_what_they_promise() {
    for (phi, n) in [(0.0_f64, 300), (0.5, 300), (0.8, 300), (0.9, 1000)] {
        let total = runs(400);
        let mut noise = Noise::new(17);
        let (mut covered, mut given) = (0, 0);
        for _ in 0..total {
            // The variance of the stationary series is 1 / (1 - phi^2).
            let mut level = noise.normal() / (1.0 - phi * phi).sqrt();
            let mut series = Vec::with_capacity(n);
            for _ in 0..n {
                series.push(level);
                level = phi * level + noise.normal();
            }
            let series = Sample::try_from(series).expect("finite");
            if let Ok(interval) = ar1(&series, 0.95) {
                given += 1;
                covered += u32::from(interval.low < Some(0.0) && interval.high > Some(0.0));
            }
        }
        let share = f64::from(covered) / f64::from(given);
        assert!(
            given > total * 9 / 10,
            "phi {phi}: {given} of {total} had an interval"
        );
        assert!((0.92..=0.985).contains(&share), "phi {phi}: {share}");
    }
}
