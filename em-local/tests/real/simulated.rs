//! A rehearsal: the simulated target and its load, on a clock that the test moves.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use em_core::fault::FaultKind;
use em_core::observe::Observed;
use em_core::plan::TargetSpec;
use em_core::port::{Clock, LoadDriver, LoadGoal, LoadPlan, LoadStatus, Readiness, Target};
use em_core::value::Value;
use em_local::simulated::{SimulatedLoad, SimulatedTarget};
use jiff::{SignedDuration, Timestamp};

use crate::support::Bench;

#[derive(Debug)]
struct Still(Mutex<Timestamp>);

impl Still {
    fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(Timestamp::UNIX_EPOCH)))
    }

    fn advance(&self, seconds: i64) {
        *self.0.lock().unwrap() += SignedDuration::from_secs(seconds);
    }
}

impl Clock for Still {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

fn a_file(more: &str) -> String {
    format!(
        r"
name: rehearsal
target:
  kind: simulated
  model:
    latency: 10ms + 1ms * (values.workers - 6) ^ 2
    load.response_time: 2ms * values.workers
    load.throughput: 50
  {more}
tunables: [ {{ name: workers, range: [1, 16], default: 8 }} ]
metrics: [ {{ name: latency, datasource: target, query: latency, as: gauge, unit: s }} ]
load: {{ kind: http, url: 'http://{{{{address}}}}/', rate: 100 }}
"
    )
}

fn a_bench(more: &str, clock: &Arc<Still>) -> Bench<SimulatedTarget> {
    let clock: Arc<Still> = Arc::clone(clock);
    Bench::new(&a_file(more), |_| {}, |_| SimulatedTarget::new(clock))
}

async fn latency(bench: &Bench<SimulatedTarget>) -> f64 {
    bench.target.usage(&bench.iteration()).await.unwrap()["latency"]
}

fn close(seen: f64, wanted: f64) -> bool {
    (seen - wanted).abs() < 1e-9
}

#[tokio::test]
async fn without_noise_the_formula_is_what_is_seen_and_drift_follows_the_clock() {
    let clock = Still::new();
    let bench = a_bench("drift: 0.1", &clock);
    let plan = bench.deployed(&[("workers", Value::Integer(8))]).await;
    bench.ready(&plan).await;
    assert!(close(latency(&bench).await, 0.014));
    clock.advance(3600);
    assert!(close(latency(&bench).await, 0.014 * 1.1));
    bench.end(&plan).await;
    let gone = bench.target.usage(&bench.iteration()).await.unwrap_err();
    assert_eq!(gone.kind, FaultKind::NotFound);
}

#[tokio::test]
async fn noise_differs_from_look_to_look_and_repeats_with_the_seed() {
    let mut runs = Vec::new();
    for seed in [7, 7, 8] {
        let clock = Still::new();
        let bench = a_bench(&format!("noise: {{ latency: 5% }}\n  seed: {seed}"), &clock);
        let plan = bench.deployed(&[]).await;
        let seen = [latency(&bench).await, latency(&bench).await];
        assert!(seen[0].total_cmp(&seen[1]).is_ne());
        assert!(
            seen.iter().all(|one| (one / 0.014 - 1.0).abs() < 0.3),
            "{seen:?}"
        );
        runs.push(seen.map(f64::to_bits));
        bench.end(&plan).await;
    }
    assert_eq!(runs[0], runs[1]);
    assert_ne!(runs[0], runs[2]);
}

#[tokio::test]
async fn failures_happen_where_the_file_says() {
    let clock = Still::new();
    let bench = a_bench("failures: { deploy: 1 }", &clock);
    let undo = bench
        .target
        .acquire(&bench.hold(), &bench.plan, em_core::id::SlotId(0))
        .await
        .unwrap();
    let plan = bench.deployment(undo, &[]);
    assert!(
        bench
            .target
            .deploy(&bench.iteration(), &plan)
            .await
            .is_err()
    );

    let bench = a_bench("failures: { ready: 1 }", &clock);
    let plan = bench.deployed(&[]).await;
    assert!(matches!(
        bench.settled(&plan).await,
        Readiness::Stuck { .. }
    ));

    let bench = a_bench("failures: { health: 1 }", &clock);
    let plan = bench.deployed(&[]).await;
    bench.ready(&plan).await;
    let incidents = bench
        .target
        .health(&bench.iteration(), Timestamp::UNIX_EPOCH)
        .await
        .unwrap();
    assert!(incidents[0].fatal);
}

#[tokio::test]
async fn a_share_of_failures_is_that_share_of_the_iterations() {
    let clock = Still::new();
    let bench = a_bench("failures: { deploy: 0.25 }", &clock);
    let undo = bench
        .target
        .acquire(&bench.hold(), &bench.plan, em_core::id::SlotId(0))
        .await
        .unwrap();
    let plan = bench.deployment(undo, &[]);
    let mut failed = 0;
    for trial in 0..400 {
        let outcome = bench.target.deploy(&bench.iteration_of(trial), &plan).await;
        failed += u32::from(outcome.is_err());
    }
    // 100 expected, deviation 8.7: within five deviations.
    assert!((57..=143).contains(&failed), "{failed}");
}

#[tokio::test]
async fn the_load_reports_the_batches_that_are_over() {
    let clock = Still::new();
    let bench = a_bench("seed: 3", &clock);
    let TargetSpec::Simulated(spec) = bench.plan.target.clone() else {
        panic!("not simulated")
    };
    let driver = SimulatedLoad::new(spec, Arc::<Still>::clone(&clock));
    let cx = bench.iteration();
    let values = Arc::new([("workers".parse().unwrap(), Value::Integer(5))].into());
    let load = Arc::new(bench.plan.load.clone());
    let goal = LoadGoal::Measure { rate: Some(100.0) };
    let plan = LoadPlan::new(load, goal, 1, Duration::from_secs(30)).values(values);

    driver.start(&cx, &plan, &[]).await.unwrap();
    assert_eq!(driver.report(&cx, 0).await.unwrap().batches.len(), 0);
    clock.advance(3);
    let batches = driver.report(&cx, 1).await.unwrap().batches;

    assert_eq!(
        batches.iter().map(|batch| batch.index).collect::<Vec<_>>(),
        [1, 2]
    );
    let seen = &batches[0].observed;
    let Observed::Histogram(times) = &seen[&"response_time".parse().unwrap()] else {
        panic!()
    };
    assert_eq!(times.count, 500);
    assert!(
        (times.sum / 500.0 / 0.010 - 1.0).abs() < 0.1,
        "{}",
        times.sum / 500.0
    );
    let counter = |name: &str| {
        let Observed::Counter { increase, .. } = &seen[&name.parse().unwrap()] else {
            panic!()
        };
        *increase
    };
    assert!(close(counter("throughput"), 50.0) && close(counter("offered"), 100.0));
    assert!(matches!(
        driver.status(&cx).await.unwrap(),
        LoadStatus::Steady { .. }
    ));
    driver.stop(&cx).await.unwrap();
    assert_eq!(driver.status(&cx).await.unwrap(), LoadStatus::Finished);
    clock.advance(9);
    assert_eq!(driver.report(&cx, 0).await.unwrap().batches.len(), 3);
    let metrics = driver.metrics(&bench.plan.load);
    assert!(
        seen.keys().all(|name| metrics.contains_key(name)),
        "{metrics:?}"
    );
}
