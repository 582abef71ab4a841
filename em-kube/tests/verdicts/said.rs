//! What a verdict has to say.

use std::time::Duration;

use em_core::journal::Blame;
use em_kube::readiness::{LogsOf, Verdict};

use crate::recorded::Recorded;

/// The longest that a cause of the cluster may stay unnamed because it might pass.
const MOMENT: Duration = Duration::from_secs(3);

/// Stuck for that blame, in words that have all these parts.
#[track_caller]
pub(crate) fn stuck(scene: &Recorded, wanted: Blame, parts: &[&str]) -> Option<LogsOf> {
    match scene.verdict() {
        Verdict::Stuck {
            why,
            blame,
            logs_of,
        } => {
            for part in parts {
                assert!(why.contains(part), "{part:?} is not in {why:?}");
            }
            assert_eq!(blame, wanted, "{why}");
            logs_of
        }
        other @ (Verdict::Ready { .. } | Verdict::Progressing { .. }) => panic!("{other:?}"),
    }
}

/// Progressing, in words that have this part; when to look again.
#[track_caller]
pub(crate) fn waits(scene: &Recorded, part: &str) -> Option<Duration> {
    match scene.verdict() {
        Verdict::Progressing { why, look_again } => {
            assert!(why.contains(part), "{part:?} is not in {why:?}");
            look_again
        }
        other @ (Verdict::Ready { .. } | Verdict::Stuck { .. }) => panic!("{other:?}"),
    }
}

#[track_caller]
pub(crate) fn ready(scene: &Recorded) -> Vec<String> {
    match scene.verdict() {
        Verdict::Ready { pods, .. } => pods,
        other @ (Verdict::Progressing { .. } | Verdict::Stuck { .. }) => panic!("{other:?}"),
    }
}

/// Waits for a moment, then is stuck.
#[track_caller]
pub(crate) fn stuck_in_a_moment(scene: Recorded, blame: Blame, parts: &[&str]) {
    let again = waits(&scene, parts[0]).expect("time alone changes this verdict");
    assert!(again <= MOMENT, "{again:?}");
    stuck(&scene.later(again), blame, parts);
}
