//! The rules of the [`Datasource`] port.

use std::any::Any;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::{an_epoch, context, experiment, iteration};
use crate::fault::Retry;
use crate::observe::Window;
use crate::port::{Answer, Asked, Datasource, OpContext};

/// A datasource with something to tell.
#[derive(Debug)]
pub struct DatasourceScene {
    /// The source.
    pub source: Arc<dyn Datasource>,
    /// A query that has an answer now, and over `window`.
    pub asked: Asked,
    /// A query that no source of this kind can read, where there is such a thing.
    pub broken: Option<Asked>,
    /// A window about which a source with history knows something.
    pub window: Window,
    /// What must live as long as the scene.
    pub keep: Box<dyn Any + Send + Sync>,
}

const LIMIT: Duration = Duration::from_secs(30);

/// Puts a datasource through its rules.
///
/// # Panics
/// When a rule is broken.
pub async fn datasource<F>(fresh: F)
where
    F: AsyncFn() -> DatasourceScene,
{
    a_sound_source_passes_its_probe_and_reads_its_queries(&fresh().await).await;
    series_are_distinct_and_in_order_of_time(&fresh().await).await;
    what_cannot_be_read_is_refused_for_good(&fresh().await).await;
    a_workload_is_told_the_same_twice(&fresh().await).await;
    let scene = fresh().await;
    match scene.source.sampling() {
        Some(_) => each_look_is_a_new_one(&scene).await,
        None => the_same_window_has_the_same_answer(&scene).await,
    }
}

fn cx() -> OpContext {
    context(&an_epoch(), iteration(&"source".parse().unwrap(), 1))
}

impl DatasourceScene {
    /// What the source says as the engine asks it.
    async fn answer(&self) -> Answer {
        let cx = cx();
        let answer = async {
            match self.source.sampling() {
                Some(_) => self.source.sample(&cx, &self.asked).await,
                None => self.source.query(&cx, &self.asked, self.window).await,
            }
        };
        let answered = tokio::time::timeout(LIMIT, answer).await;
        answered
            .expect("it answers in time")
            .expect("the query has an answer")
    }
}

async fn a_sound_source_passes_its_probe_and_reads_its_queries(scene: &DatasourceScene) {
    let alone = context(&an_epoch(), experiment(&"source".parse().unwrap(), 1));
    scene
        .source
        .probe(&alone)
        .await
        .expect("a sound source passes its probe");
    let validated = scene.source.validate(&cx(), &scene.asked).await;
    let validated = validated.expect("a sound query is accepted");
    assert_ne!(
        validated.series,
        Some(0),
        "a query with an answer has none: {validated:?}"
    );
    if let Some(sampling) = scene.source.sampling() {
        assert!(!sampling.every.is_zero(), "it is looked at without a pause");
    }
}

async fn a_workload_is_told_the_same_twice(scene: &DatasourceScene) {
    let told = async || {
        let told = scene.source.environment(&cx()).await;
        told.expect("it knows what a workload needs")
    };
    assert_eq!(
        told().await,
        told().await,
        "a second deployment would report elsewhere"
    );
}

async fn series_are_distinct_and_in_order_of_time(scene: &DatasourceScene) {
    let answer = scene.answer().await;
    assert!(!answer.series.is_empty(), "there is nothing to judge");
    let mut seen = BTreeSet::new();
    for series in &answer.series {
        assert!(
            seen.insert(&series.labels),
            "{:?} is there twice",
            series.labels
        );
        assert!(
            !series.points.is_empty(),
            "{:?} has no point",
            series.labels
        );
        let is_ordered = series.points.is_sorted_by(|one, next| one.at < next.at);
        assert!(is_ordered, "{:?} is not in order of time", series.labels);
    }
    assert!(answer.tries >= 1, "an answer without a question");
    assert!(
        answer.window.start <= answer.window.end,
        "{}",
        answer.window
    );
    if scene.source.sampling().is_none() {
        let points = answer.series.iter().flat_map(|series| &series.points);
        for point in points {
            let within = scene.window.start <= point.at && point.at <= scene.window.end;
            assert!(within, "{} is outside {}", point.at, scene.window);
        }
    }
}

async fn what_cannot_be_read_is_refused_for_good(scene: &DatasourceScene) {
    let Some(broken) = &scene.broken else {
        return;
    };
    let refused = scene.source.validate(&cx(), broken).await;
    let fault = refused.expect_err("a broken query was accepted");
    assert_eq!(
        fault.retry,
        Retry::Never,
        "asking again cannot help: {fault:?}"
    );
}

async fn each_look_is_a_new_one(scene: &DatasourceScene) {
    let first = scene.answer().await;
    let second = scene.answer().await;
    assert!(
        first.window.end < second.window.end,
        "two looks at {} are one",
        first.window
    );
}

async fn the_same_window_has_the_same_answer(scene: &DatasourceScene) {
    let (first, second) = (scene.answer().await, scene.answer().await);
    assert_eq!(first.series, second.series, "history has changed");
}
