//! The driver of external load, over a counter whose rate is known at every moment.
#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use em_core::fault::Fault;
use em_core::file::{FileContext, parse};
use em_core::id::{Epoch, IterationNo, OpKey, TrialId};
use em_core::observe::Window;
use em_core::plan::Plan;
use em_core::port::{
    Answer, Asked, Clock, Datasource, LoadDriver as _, LoadGoal, LoadPlan, LoadStatus, OpContext,
    Sampling,
};
use em_core::testkit::ManualClock;
use em_load::external::ExternalDriver;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

const FILE: &str = r"
name: outside
target: { kind: observe }
load: { kind: external, metric: requests, rate: 100, timeout: 10m }
datasources: { app: { kind: scrape, url: 'http://127.0.0.1:9/metrics', every: 5s } }
metrics: [{ name: requests, datasource: app, as: counter, query: requests_total }]
";

/// A counter of 100 per second, of another rate from a moment on.
#[derive(Debug)]
struct Counted {
    clock: Arc<ManualClock>,
    began: Timestamp,
    /// From so many seconds on so many per second.
    then: (f64, f64),
}

#[async_trait]
impl Datasource for Counted {
    async fn query(&self, _: &OpContext, _: &Asked, _: Window) -> Result<Answer, Fault> {
        let now = self.clock.now();
        let seconds = now.duration_since(self.began).as_secs_f64();
        let (from, rate) = self.then;
        let count = 100.0 * seconds.min(from) + rate * (seconds - from).max(0.0);
        Ok(Answer::look(now, count))
    }

    fn sampling(&self) -> Option<Sampling> {
        let every = Duration::from_secs(5);
        Some(Sampling { every })
    }
}

struct Bench {
    clock: Arc<ManualClock>,
    driver: ExternalDriver,
    plan: Plan,
    cx: OpContext,
}

impl Bench {
    /// A driver that was started on a load of 100 per second, of `rate` from `from` seconds on.
    async fn started(from: f64, rate: f64) -> Self {
        let clock = Arc::new(ManualClock::new());
        let plan = parse(FILE.as_bytes(), &FileContext::bare()).unwrap().plan;
        let source = Counted {
            clock: Arc::clone(&clock),
            began: clock.now(),
            then: (from, rate),
        };
        let metric = plan.metrics[0].clone();
        let spec = plan.datasources[&metric.datasource].clone();
        let driver = ExternalDriver::new(Arc::clone(&clock) as _, metric, spec, Arc::new(source));
        let key = OpKey::Iteration {
            experiment: plan.name.clone(),
            trial: TrialId(1),
            iteration: IterationNo(1),
        };
        let epoch = Epoch {
            store: "test".to_owned(),
            counter: 1,
        };
        let deadline = clock.now() + Duration::from_hours(1);
        let cx = OpContext::new(key, epoch, deadline, CancellationToken::new());
        let spec = Arc::new(plan.load.clone());
        let goal = LoadGoal::Measure { rate: None };
        let load = LoadPlan::new(spec, goal, 1, Duration::from_mins(1));
        driver.start(&cx, &load, &[]).await.unwrap();
        Self {
            clock,
            driver,
            plan,
            cx,
        }
    }

    /// What it comes to.
    async fn settled(&self) -> LoadStatus {
        loop {
            let status = self.driver.status(&self.cx).await.unwrap();
            if status != LoadStatus::Ramping {
                return status;
            }
            self.driver.changed(&self.cx).await;
        }
    }

    async fn void(&self) -> Vec<(Window, String)> {
        self.driver.report(&self.cx, 0).await.unwrap().void
    }
}

#[tokio::test(start_paused = true)]
async fn steady_load_is_waited_for_and_a_change_voids_the_time_from_where_it_began() {
    let bench = Bench::started(300.0, 150.0).await;
    let began = bench.clock.now();
    let LoadStatus::Steady { since } = bench.settled().await else {
        panic!("a constant rate is steady");
    };
    // 24 increments of 5 s.
    assert_eq!(since.duration_since(began).as_secs(), 120);
    tokio::time::sleep(Duration::from_secs(170)).await;
    assert_eq!(bench.void().await, []);
    tokio::time::sleep(Duration::from_mins(1)).await;
    let void = bench.void().await;
    let (window, what) = &void[0];
    assert_eq!(window.start.duration_since(began).as_secs(), 300);
    assert_eq!(what, "the load was 100.0 per second, and it is 150.0");
    bench.driver.stop(&bench.cx).await.unwrap();
    bench.driver.stop(&bench.cx).await.unwrap();
    tokio::time::sleep(Duration::from_mins(1)).await;
    let after = bench.void().await;
    assert_eq!(after, void, "it is readable, and nobody watches any more");
}

#[tokio::test(start_paused = true)]
async fn load_that_is_not_there_and_load_that_does_not_settle_are_told_apart() {
    let why = |status| {
        let LoadStatus::Failed { why } = status else {
            panic!("{status:?}");
        };
        why
    };
    let gone = Bench::started(0.0, 0.0).await;
    let absent = why(gone.settled().await);
    assert!(
        absent.starts_with("load_absent: 0 of 12 samples"),
        "{absent}"
    );
    assert_eq!(gone.plan.name.as_str(), "outside");
    let late = Bench::started(30.0, 20.0).await;
    let unstable = why(late.settled().await);
    assert!(unstable.starts_with("load_unstable: "), "{unstable}");
}
