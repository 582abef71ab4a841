//! One look at a scene: what all rules need, and how they answer.

use std::time::Duration;

use em_core::journal::Blame;
use jiff::{Timestamp, Unit};
use k8s_openapi::api::core::v1::Event;

use super::rollout::Rollout;
use super::{LogsOf, Verdict, Wanted};
use crate::scene::{Scene, event};

/// How long something may be wrong that often passes by itself.
pub(super) const MOMENT: Duration = Duration::from_secs(3);
/// How long a cluster may take to show what was written to it.
const SHOWN: Duration = Duration::from_secs(10);

/// A scene, and what it is judged by.
pub(super) struct Look<'a> {
    pub(super) scene: &'a Scene,
    pub(super) wanted: &'a Wanted<'a>,
    pub(super) now: Timestamp,
    pub(super) rollout: Rollout<'a>,
}

/// Why a deployment does not become ready.
pub(super) struct Cause {
    why: String,
    blame: Blame,
    logs_of: Option<LogsOf>,
}

impl Look<'_> {
    /// How long something lasts. What the cluster dates after our now counts from when the deployment was asked.
    fn lasts(&self, since: Option<Timestamp>) -> Duration {
        let since = since.filter(|since| *since <= self.now);
        let since = since.unwrap_or(self.wanted.asked_at);
        Duration::try_from(self.now.duration_since(since)).unwrap_or_default()
    }

    /// Stuck if it lasts, else a reason to wait.
    pub(super) fn after(&self, time: Duration, since: Option<Timestamp>, cause: Cause) -> Verdict {
        match time.checked_sub(self.lasts(since)) {
            None | Some(Duration::ZERO) => cause.stuck(),
            Some(rest) => cause.waits(Some(rest)),
        }
    }

    /// Stuck if it lasts for a moment.
    pub(super) fn in_a_moment(&self, since: Option<Timestamp>, cause: Cause) -> Verdict {
        self.after(MOMENT, since, cause)
    }

    /// Stuck if it lasts longer than any cluster needs to show what was written.
    pub(super) fn unless_shown(&self, cause: Cause) -> Verdict {
        self.after(SHOWN, Some(self.wanted.asked_at), cause)
    }

    /// Whether something of that time belongs to this roll-out. Pods of an iteration of their own have no past;
    /// others have. The cluster cuts times to seconds.
    pub(super) fn counts(&self, at: Option<Timestamp>) -> bool {
        if self.wanted.iteration.is_some() {
            return true;
        }
        let asked = self.wanted.asked_at;
        let asked = asked.round(
            jiff::TimestampRound::new()
                .smallest(Unit::Second)
                .mode(jiff::RoundMode::Floor),
        );
        let asked = asked.unwrap_or(self.wanted.asked_at);
        at.is_some_and(|at| at >= asked)
    }

    /// What is told about an object, as far as it belongs to this roll-out.
    pub(super) fn events<'s>(&'s self, uid: &'s str) -> impl Iterator<Item = &'s Event> {
        let told = self.scene.events_of(uid);
        told.filter(|event| self.counts(event::last(event)))
    }

    /// The workload is not there.
    pub(super) fn absent(&self) -> Verdict {
        self.unless_shown(Cause::new(
            Blame::Cluster,
            "the workload is not there: it was never made, or somebody removed it; see who manages it".to_owned(),
        ))
    }
}

impl Cause {
    pub(super) fn new(blame: Blame, why: String) -> Self {
        Self {
            why,
            blame,
            logs_of: None,
        }
    }

    /// The same, with whose output says more.
    pub(super) fn told_by(mut self, logs_of: LogsOf) -> Self {
        self.logs_of = Some(logs_of);
        self
    }

    pub(super) fn stuck(self) -> Verdict {
        Verdict::Stuck {
            why: self.why,
            blame: self.blame,
            logs_of: self.logs_of,
        }
    }

    pub(super) fn waits(self, look_again: Option<Duration>) -> Verdict {
        Verdict::Progressing {
            why: self.why,
            look_again,
        }
    }
}

/// Something to wait for that only a change can end.
pub(super) fn waits(why: String) -> Verdict {
    Verdict::Progressing {
        why,
        look_again: None,
    }
}

/// Several reasons to wait as one: the words of the first, the earliest time to look again.
pub(super) fn together(reasons: Vec<Verdict>) -> Verdict {
    let mut words = None;
    let mut look_again: Option<Duration> = None;
    for reason in reasons {
        if let Verdict::Progressing {
            why,
            look_again: again,
        } = reason
        {
            words.get_or_insert(why);
            look_again = match (look_again, again) {
                (Some(one), Some(other)) => Some(one.min(other)),
                (one, other) => one.or(other),
            };
        }
    }
    Verdict::Progressing {
        why: words.unwrap_or_default(),
        look_again,
    }
}
