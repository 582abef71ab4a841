//! What happened to a deployment while it was measured: the scene of now beside what was there at the beginning.
//!
//! Pure, and the same for the same scenes: whoever asks twice gets the same incidents again. Held-back CPU is not here:
//! that is in the numbers of the kubelet, not in objects.

mod before;
mod neighbours;
mod nodes;
mod pods;
mod workload;

use em_core::port::{Incident, IncidentKind};
use jiff::Timestamp;

pub use self::before::{Before, before};
pub use self::neighbours::neighbours;
use crate::scene::Scene;

/// What is different now, as seen at `at`. What ended or was told before `since` does not count, where the cluster
/// dates it.
///
/// | what | kind | void |
/// |---|---|---|
/// | a container was killed for want of memory | out of memory | yes |
/// | a container ended, or was started again | restarted | yes |
/// | a pod ended for good, is gone or is being removed | exited | yes |
/// | all pods are not ready any more | exited | yes |
/// | some pods are not ready any more | exited | no |
/// | pods were added; CPU or memory of a pod, the template, the number of pods were changed | changed | yes |
/// | something else of the workload was changed | changed | no |
/// | a node is gone or not ready | neighbour | yes |
/// | a node runs short of memory, disk or processes | neighbour | no |
pub fn incidents(before: &Before, now: &Scene, since: Timestamp, at: Timestamp) -> Vec<Incident> {
    let report = Report {
        before,
        now,
        since,
        at,
    };
    let mut found = workload::judge(&report);
    found.extend(pods::judge(&report));
    found.extend(nodes::judge(&report));
    found
}

/// Two scenes, and what counts of them.
struct Report<'a> {
    before: &'a Before,
    now: &'a Scene,
    since: Timestamp,
    at: Timestamp,
}

impl Report<'_> {
    /// What voids what was measured around it.
    fn fatal(&self, kind: IncidentKind, what: String) -> Incident {
        Incident {
            at: self.at,
            kind,
            what,
            fatal: true,
        }
    }

    /// What has to be known of what was measured around it.
    fn flag(&self, kind: IncidentKind, what: String) -> Incident {
        Incident {
            at: self.at,
            kind,
            what,
            fatal: false,
        }
    }

    /// Whether something of that time counts. The cluster cuts times to seconds; what it does not date counts.
    fn counts(&self, at: Option<Timestamp>) -> bool {
        at.is_none_or(|at| at.as_second() >= self.since.as_second())
    }
}
