//! The fakes of `testkit` keep the rules of the ports, so a test with fakes says something.
#![cfg(feature = "testkit")]

use std::sync::Arc;
use std::time::Duration;

use em_core::configuration::Configuration;
use em_core::id::Epoch;
use em_core::observe::Window;
use em_core::plan::LoadSpec;
use em_core::port::{Asked, Clock, LoadGoal, LoadPlan, SystemClock};
use em_core::testkit::conformance::{
    self, DatasourceScene, LoadScene, RecommenderScene, TargetScene,
};
use em_core::testkit::{
    FakeDatasource, FakeLoad, FakeRecommender, FakeTarget, ManualClock, Outside, PlainAnalyst,
    PlainSummarizer, a_plan,
};
use em_core::value::Value;
use jiff::SignedDuration;

fn the_clock() -> Arc<dyn Clock> {
    Arc::new(ManualClock::new())
}

#[tokio::test(start_paused = true)]
async fn the_fake_target_keeps_the_rules() {
    conformance::target(async || {
        let outside = Outside::new();
        TargetScene {
            target: Arc::new(FakeTarget::new(&outside, 1)),
            plan: Arc::new(a_plan().build()),
            epoch: Epoch {
                store: "fake".to_owned(),
                counter: 1,
            },
            locks: true,
            deploys: true,
            keep: Box::new(outside),
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_fake_load_keeps_the_rules() {
    conformance::load_driver(async || {
        let spec = LoadSpec::Custom {
            name: "fake".to_owned(),
        };
        let goal = LoadGoal::Measure { rate: None };
        LoadScene {
            driver: Arc::new(FakeLoad::new(the_clock())),
            plan: LoadPlan::new(Arc::new(spec), goal, 1, Duration::from_secs(5)),
            addresses: Vec::new(),
            keep: Box::new(()),
        }
    })
    .await;
}

fn source(source: FakeDatasource) -> DatasourceScene {
    let asked = |text: &str| Asked {
        text: text.to_owned(),
        kind: em_core::plan::MetricKind::Gauge,
        endpoint: None,
        body: None,
    };
    let start = ManualClock::new().now();
    DatasourceScene {
        source: Arc::new(source),
        asked: asked("requests"),
        broken: Some(asked("no such query")),
        window: Window {
            start,
            end: start + SignedDuration::from_secs(9),
        },
        keep: Box::new(()),
    }
}

#[tokio::test]
async fn the_fake_datasources_keep_the_rules() {
    let clock = the_clock();
    let every = Duration::from_secs(1);
    conformance::datasource(async || {
        source(FakeDatasource::sampled(Arc::clone(&clock), 5.0, every))
    })
    .await;
    conformance::datasource(async || source(FakeDatasource::with_history(Arc::clone(&clock), 5.0)))
        .await;
}

#[tokio::test]
async fn the_fake_recommender_keeps_the_rules() {
    let workers = |n: i64| -> Configuration {
        let name = "workers".parse().unwrap();
        [(name, Value::Integer(n))].into_iter().collect()
    };
    conformance::recommender(async || RecommenderScene {
        recommender: Arc::new(FakeRecommender::new((1..=11).map(workers).collect())),
        plan: Arc::new(a_plan().build()),
    })
    .await;
}

#[test]
fn the_plain_mathematics_keep_the_rules() {
    conformance::summarizer(&PlainSummarizer);
    conformance::analyst(&PlainAnalyst);
}

#[tokio::test]
async fn clocks_keep_the_rules() {
    conformance::clock(&SystemClock);
    conformance::clock(&ManualClock::new());
}
