use em_core::observe::{Observed, Window};
use em_core::port::LoadBatch;
use jiff::Timestamp;

use super::super::batches::Seen;
use super::super::blueprint::Reading;
use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn reading(run: RunMode) -> Reading {
    Reading {
        workers: 2,
        run,
        success: vec![0],
        batch: Duration::from_secs(10),
        output: rules(),
        across: a_load().across,
    }
}

fn seen(run: RunMode, outputs: &[&[(i64, &str)]]) -> (Vec<LoadBatch>, Vec<String>) {
    let outputs: Vec<Vec<_>> = outputs
        .iter()
        .map(|lines| {
            let lines = lines.iter();
            lines
                .map(|(second, line)| (at(*second), format!("{line}\n")))
                .collect()
        })
        .collect();
    let window = Window {
        start: at(0),
        end: at(25),
    };
    let reading = reading(run);
    let seen = Seen::read(&reading, &outputs, window).unwrap();
    (seen.batches(&reading, 0), seen.missing)
}

fn value(batch: &LoadBatch, metric: &str) -> Option<f64> {
    let seen = batch.observed.get(&metric.parse().unwrap())?;
    let Observed::Values { points } = seen else {
        panic!("{seen:?}");
    };
    assert_eq!(points.len(), 1, "workers are joined to one value");
    Some(points[0].value)
}

#[test]
fn series_of_workers_are_joined_batch_by_batch_as_the_plan_says() {
    let one: &[(i64, &str)] = &[
        (2, "rps 100"),
        (7, "rps 200"),
        (12, "rps 50"),
        (20, "p99 7"),
    ];
    let other: &[(i64, &str)] = &[(5, "rps 10"), (15, "rps 30"), (22, "p99 9")];
    let (batches, missing) = seen(RunMode::Whole, &[one, other]);
    assert_eq!(batches.len(), 2, "what is left over is in none");
    assert_eq!(value(&batches[0], "rps"), Some(160.0));
    assert_eq!(value(&batches[1], "rps"), Some(80.0));
    assert_eq!(
        value(&batches[0], "p99"),
        Some(9.0),
        "the worst, in every batch"
    );
    assert_eq!(missing, Vec::<String>::new());
}

#[test]
fn a_sum_without_one_worker_is_no_number() {
    let one: &[(i64, &str)] = &[(2, "rps 100"), (12, "rps 90"), (20, "p99 7")];
    let other: &[(i64, &str)] = &[(12, "rps 1"), (13, "rps 3"), (22, "p99 9")];
    let (batches, _) = seen(RunMode::Whole, &[one, other]);
    assert_eq!(value(&batches[0], "rps"), None);
    let silent: &[(i64, &str)] = &[(12, "rps 1")];
    let (batches, missing) = seen(RunMode::PerCycle, &[one, silent]);
    assert_eq!(value(&batches[0], "p99"), None);
    assert_eq!(
        missing,
        ["the output of 1 of 2 workers holds nothing for p99"]
    );
}
