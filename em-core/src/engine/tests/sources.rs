//! Datasources that are looked at before anything is deployed.

use super::*;
use crate::fault::{Fault, FaultKind};
use crate::file::{self, FileContext};
use crate::port::{Datasource, Health, MockDatasource, Sampling, Validation};

const FILE: &str = "
name: a
target: { kind: observe }
load: { kind: none }
datasources: { far: { kind: prometheus, url: \"http://far\" } }
metrics: [{ name: queue, datasource: far, as: gauge, query: depth, required: false }]
";

/// A plan with one metric of the source `far`.
fn plan() -> Plan {
    let read = file::parse(FILE.as_bytes(), &FileContext::bare())
        .unwrap()
        .plan;
    let of_file = move |plan: &mut Plan| {
        plan.datasources = read.datasources;
        plan.metrics = read.metrics;
    };
    a_plan().trial(5).with(of_file).build()
}

async fn run_with(source: MockDatasource, outside: &Outside) -> Result<Report, EngineError> {
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::new());
    let engine = Engine::builder(
        Arc::new(FakeTarget::new(outside, 2)),
        Arc::new(FakeLoad::new(Arc::clone(&clock))),
        Arc::new(PlainAnalyst),
        Arc::new(MemoryStore::new()),
    )
    .summarizer("built-in", Arc::new(PlainSummarizer))
    .datasource(
        "far".parse().unwrap(),
        Arc::new(source) as Arc<dyn Datasource>,
    )
    .clock(clock)
    .build();
    let plan = plan();
    engine.create(&plan).await?;
    engine.run(&plan.name, leaving()).await
}

fn broken() -> Fault {
    Fault::new(FaultKind::Invalid, "parse error at 1:5")
}

#[tokio::test(start_paused = true)]
async fn a_query_that_its_source_refuses_ends_the_experiment_before_anything_is_deployed() {
    let mut source = MockDatasource::new();
    source.expect_probe().returning(|_| Ok(Health::default()));
    source.expect_sampling().return_const(None);
    source.expect_validate().returning(|_, _| Err(broken()));
    let outside = Outside::new();
    let report = run_with(source, &outside).await.unwrap();
    assert_eq!(report.remarks, ["metric queue: parse error at 1:5"]);
    assert_eq!(report.stopped, Some(Stopped::Failed));
    assert_eq!(outside.deployments(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_source_that_is_away_is_waited_for_and_its_clock_has_to_be_right() {
    let mut source = MockDatasource::new();
    let away = || Fault::new(FaultKind::Unavailable, "connection refused");
    source.expect_probe().returning(move |_| Err(away()));
    source.expect_sampling().return_const(None);
    let outside = Outside::new();
    let paused = run_with(source, &outside).await;
    let Err(EngineError::Paused { why }) = paused else {
        panic!("{paused:?}");
    };
    assert_eq!(why, "a datasource cannot be looked at: connection refused");

    let mut source = MockDatasource::new();
    let wrong = Health {
        version: None,
        clock_skew_ms: Some(-45_000),
    };
    source.expect_probe().returning(move |_| Ok(wrong.clone()));
    source.expect_sampling().return_const(None);
    source
        .expect_validate()
        .returning(|_, _| Ok(Validation::default()));
    let report = run_with(source, &outside).await.unwrap();
    assert!(
        report.remarks[0].contains("45.0 s behind"),
        "{:?}",
        report.remarks
    );
    assert_eq!(outside.deployments(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_page_of_the_target_need_not_be_there_before_the_target() {
    let mut source = MockDatasource::new();
    let away = || Fault::new(FaultKind::Unavailable, "connection refused");
    source.expect_probe().returning(move |_| Err(away()));
    let every = std::time::Duration::from_secs(1);
    source
        .expect_sampling()
        .return_const(Some(Sampling { every }));
    source
        .expect_environment()
        .returning(|_| Ok(std::collections::BTreeMap::new()));
    source.expect_sample().returning(move |_, _| Err(away()));
    let outside = Outside::new();
    let report = run_with(source, &outside).await.unwrap();
    assert_eq!(outside.deployments(), 4);
    assert_eq!(report.remarks[0], "datasource far: connection refused");
}
