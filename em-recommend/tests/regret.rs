//! How far the search ends from the true optimum, beside random draws and a Latin hypercube.

use em_recommend::axis::{Axis, Coordinate, Kind, Ordered};
use em_recommend::bayesian::bayesian;
use em_recommend::draws::Draws;
use em_recommend::latin_hypercube::latin_hypercube;
use em_recommend::random::random;
use em_recommend::{Known, Past, Point, Space};

const EVALUATIONS: usize = 40;
const INITIAL: usize = 8;
const SEEDS: u64 = 20;

fn space() -> Space {
    let axis = |kind| Axis {
        kind,
        specials: vec![],
        when: vec![],
        prior: None,
    };
    let ordered = |low, high, levels| {
        Kind::Ordered(Ordered {
            low,
            high,
            levels,
            log: false,
        })
    };
    Space::new(vec![
        axis(ordered(1.0, 16.0, Some(16))),
        axis(Kind::Choices(4)),
        axis(ordered(0.0, 1.0, None)),
    ])
}

/// Smallest, 0, at level 10, choice 2, position 0.3; the choices differ in where their best lies.
fn truth(point: &Point) -> f64 {
    let [
        Coordinate::Level(level),
        Coordinate::Choice(choice),
        Coordinate::Real(x),
    ] = point.coordinates()
    else {
        panic!("{point:?} is a point of this space")
    };
    let workers = f64::from(u32::try_from(*level).expect("one of 16 levels"));
    let (cost, best_workers, best_x) = [
        (0.8, 4.0, 0.7),
        (0.4, 12.0, 0.5),
        (0.0, 10.0, 0.3),
        (1.5, 7.0, 0.9),
    ][*choice];
    cost + ((workers - best_workers) / 6.0).powi(2)
        + 4.0 * (x - best_x).powi(2)
        + 0.8 * (x - best_x) * (workers - best_workers) / 6.0
}

/// Runs one search and answers the true regret of the point with the best observed value.
fn regret(noise: f64, seed: u64, ask: impl Fn(&[Past], usize) -> Vec<Point>, batch: usize) -> f64 {
    let mut weather = Draws::new(seed, 1 << 40);
    let mut history: Vec<Past> = Vec::new();
    while history.len() < EVALUATIONS {
        let wanted = batch.min(EVALUATIONS - history.len());
        for point in ask(&history, wanted) {
            let value = truth(&point) + noise * weather.normal();
            let known = Known::Measured {
                value,
                blocks: 1,
                feasible: true,
            };
            history.push(Past { point, known });
        }
    }
    let observed = |past: &Past| match past.known {
        Known::Measured { value, .. } => value,
        Known::Pending | Known::Infeasible | Known::Lost => f64::INFINITY,
    };
    let best = history
        .iter()
        .min_by(|a, b| observed(a).total_cmp(&observed(b)))
        .expect("a search of forty points");
    truth(&best.point)
}

/// Median and 90th percentile over the seeds.
fn spread(run: impl Fn(u64) -> f64) -> (f64, f64) {
    let mut regrets: Vec<f64> = (1..=SEEDS).map(run).collect();
    regrets.sort_by(f64::total_cmp);
    (regrets[9].midpoint(regrets[10]), regrets[17])
}

fn compare(noise: f64, batch: usize) -> [(f64, f64); 3] {
    let space = space();
    let gp = spread(|seed| {
        regret(
            noise,
            seed,
            |past, n| bayesian(&space, past, n, INITIAL, seed),
            batch,
        )
    });
    let lhs = spread(|seed| {
        regret(
            noise,
            seed,
            |past, n| latin_hypercube(&space, past, n, EVALUATIONS, seed),
            batch,
        )
    });
    let drawn = spread(|seed| regret(noise, seed, |past, n| random(&space, past, n, seed), batch));
    [gp, lhs, drawn]
}

#[test]
fn without_noise_the_optimum_is_found() {
    let [gp, lhs, drawn] = compare(0.0, 1);
    assert!(gp.0 < 0.01 && gp.1 < 0.1, "{gp:?}");
    assert!(gp.0 < 0.1 * lhs.0.min(drawn.0) && gp.1 < 0.5 * lhs.1.min(drawn.1));
}

#[test]
fn with_noise_it_is_still_far_ahead() {
    let [gp, lhs, drawn] = compare(0.3, 1);
    assert!(gp.0 < 0.5 * lhs.0.min(drawn.0), "{gp:?} {lhs:?} {drawn:?}");
    assert!(gp.1 < lhs.1.min(drawn.1), "{gp:?} {lhs:?} {drawn:?}");
}

#[test]
fn batches_of_four_cost_little() {
    let [gp, lhs, drawn] = compare(0.0, 4);
    assert!(gp.0 < 0.1 * lhs.0.min(drawn.0), "{gp:?} {lhs:?} {drawn:?}");
}
