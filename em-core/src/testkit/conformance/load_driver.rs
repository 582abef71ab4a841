//! The rules of the [`LoadDriver`] port.

use std::any::Any;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{an_epoch, context, iteration};
use crate::fault::FaultKind;
use crate::port::{Address, LoadBatch, LoadDriver, LoadPlan, LoadStatus, OpContext};

/// A load driver and a load that it can make for some seconds.
#[derive(Debug)]
pub struct LoadScene {
    /// The driver.
    pub driver: Arc<dyn LoadDriver>,
    /// The load.
    pub plan: LoadPlan,
    /// Where the target is.
    pub addresses: Vec<Address>,
    /// What must live as long as the scene.
    pub keep: Box<dyn Any + Send + Sync>,
}

const LIMIT: Duration = Duration::from_secs(30);
/// The port says a second; a busy machine may need another.
const STOPS_WITHIN: Duration = Duration::from_secs(3);

/// Puts a load driver through its rules.
///
/// # Panics
/// When a rule is broken.
pub async fn load_driver<F>(fresh: F)
where
    F: AsyncFn() -> LoadScene,
{
    what_was_never_started_is_not_found_and_can_be_stopped(&fresh().await).await;
    a_load_becomes_steady_and_reports_batches_without_gaps(&fresh().await).await;
    a_stopped_load_is_finished_and_stays_readable(&fresh().await).await;
    two_keys_are_two_loads(&fresh().await).await;
}

fn cx(number: u32) -> OpContext {
    context(&an_epoch(), iteration(&"load".parse().unwrap(), number))
}

impl LoadScene {
    async fn start(&self, cx: &OpContext) {
        let started = self.driver.start(cx, &self.plan, &self.addresses).await;
        started.expect("the load can be started");
    }

    async fn batches(&self, cx: &OpContext, from: u32) -> Vec<LoadBatch> {
        let report = self.driver.report(cx, from).await;
        report.expect("a started load has a report").batches
    }

    /// Waits until there are two batches, or the load is over.
    async fn two_batches(&self, cx: &OpContext) -> Vec<LoadBatch> {
        let looks = async {
            loop {
                let status = self.driver.status(cx).await;
                let status = status.expect("a started load has a status");
                if let LoadStatus::Failed { why } = status {
                    panic!("the load failed: {why}");
                }
                let batches = self.batches(cx, 0).await;
                if batches.len() >= 2 || status == LoadStatus::Finished {
                    return batches;
                }
                self.driver.changed(cx).await;
            }
        };
        let seen = tokio::time::timeout(LIMIT, looks).await;
        seen.expect("a load has batches in time, and a change ends the wait for one")
    }
}

async fn what_was_never_started_is_not_found_and_can_be_stopped(scene: &LoadScene) {
    let cx = cx(9);
    let checked = scene.driver.check(&cx, &scene.plan).await;
    checked.expect("the scene's load can be made");
    scene
        .driver
        .stop(&cx)
        .await
        .expect("nothing to end = success");
    let status = scene
        .driver
        .status(&cx)
        .await
        .expect_err("a status of no load");
    assert_eq!(status.kind, FaultKind::NotFound, "{status:?}");
    let report = scene
        .driver
        .report(&cx, 0)
        .await
        .expect_err("a report of no load");
    assert_eq!(report.kind, FaultKind::NotFound, "{report:?}");
}

async fn a_load_becomes_steady_and_reports_batches_without_gaps(scene: &LoadScene) {
    let cx = cx(1);
    scene.start(&cx).await;
    scene.start(&cx).await;
    let seen = scene.two_batches(&cx).await;
    assert!(!seen.is_empty(), "a load without a batch");
    for (batch, index) in seen.iter().zip(0..) {
        assert_eq!(
            batch.index, index,
            "batches are numbered from 0 without gaps"
        );
        assert!(batch.window.start < batch.window.end, "{:?}", batch.window);
    }
    for pair in seen.windows(2) {
        let (before, after) = (pair[0].window, pair[1].window);
        assert!(before.end <= after.start, "{before} and {after} overlap");
    }
    let again = scene.batches(&cx, 0).await;
    assert_eq!(
        again[..seen.len()],
        seen[..],
        "a finished batch has changed"
    );
    let tail = scene.batches(&cx, 1).await;
    assert!(
        tail.iter().all(|batch| batch.index >= 1),
        "report(1) begins before 1"
    );
    let known = scene.driver.metrics(&scene.plan.spec);
    for name in seen.iter().flat_map(|batch| batch.observed.keys()) {
        assert!(
            known.contains_key(name),
            "{name} is reported and has no unit"
        );
        assert!(
            !name.as_str().starts_with("load."),
            "{name} carries the plan's prefix"
        );
    }
    scene.driver.stop(&cx).await.unwrap();
}

async fn a_stopped_load_is_finished_and_stays_readable(scene: &LoadScene) {
    let cx = cx(1);
    scene.start(&cx).await;
    let seen = scene.two_batches(&cx).await;
    let began = Instant::now();
    scene.driver.stop(&cx).await.expect("a load can be stopped");
    assert!(
        began.elapsed() < STOPS_WITHIN,
        "it took {:?} to stop",
        began.elapsed()
    );
    scene.driver.stop(&cx).await.expect("twice is once");
    let status = scene.driver.status(&cx).await.unwrap();
    assert_eq!(status, LoadStatus::Finished, "after its stop");
    let last = scene.batches(&cx, 0).await;
    assert_eq!(
        last[..seen.len()],
        seen[..],
        "the stop changed what was reported"
    );
    assert_eq!(
        scene.batches(&cx, 0).await,
        last,
        "a stopped load reports more"
    );
}

async fn two_keys_are_two_loads(scene: &LoadScene) {
    let (one, other) = (cx(1), cx(2));
    scene.start(&one).await;
    scene.two_batches(&one).await;
    scene.driver.stop(&one).await.unwrap();
    let of_one = scene.batches(&one, 0).await;
    scene.start(&other).await;
    let of_other = scene.two_batches(&other).await;
    assert!(
        of_one[0].window.start < of_other[0].window.start,
        "the second iteration was answered with the first one's load"
    );
    assert_eq!(
        scene.batches(&one, 0).await,
        of_one,
        "one load changed another's report"
    );
    scene.driver.stop(&other).await.unwrap();
}
