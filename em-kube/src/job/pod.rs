//! What the pods of a run show, judged: waiting, running, ended, failed and why.

use jiff::Timestamp;
use serde_json::Value as Json;

use super::blueprint::CONTAINER;

/// One pod of a load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stage {
    /// On its way; with what the cluster says is in the way.
    Waiting(Option<String>),
    /// Its container runs.
    Running {
        /// Since when, by the clock of its node, to the second.
        since: Option<Timestamp>,
    },
    /// Its container has ended as it should.
    Ended {
        /// Since when it ran.
        since: Option<Timestamp>,
        /// When it ended.
        at: Option<Timestamp>,
    },
    /// It will not do what it should.
    Failed(String),
}

impl Stage {
    /// Whether there is something to read of what it prints.
    pub(super) fn has_output(&self) -> bool {
        matches!(self, Self::Running { .. } | Self::Ended { .. })
    }
}

/// A run as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Not all pods run yet; with what is in the way.
    Waiting(Option<String>),
    /// All run.
    Running,
    /// Some have ended as they should, the others run.
    Ending,
    /// All have ended as they should.
    Ended,
    /// One has failed.
    Failed {
        /// Which.
        pod: String,
        /// Why.
        why: String,
    },
}

/// Reasons to wait that do not get better by waiting.
const HOPELESS: [&str; 7] = [
    "ImagePullBackOff",
    "InvalidImageName",
    "ErrImageNeverPull",
    "CreateContainerConfigError",
    "CreateContainerError",
    "RunContainerError",
    "ContainerCannotRun",
];

/// What the pods of a run of so many workers show together.
pub(super) fn judge(pods: &[Json], workers: u32, success: &[i32]) -> Verdict {
    let mut running = 0;
    let mut ended = 0;
    let mut in_the_way = None;
    for pod in pods {
        match stage(pod, success) {
            Stage::Failed(why) => {
                let pod = name(pod).to_owned();
                return Verdict::Failed { pod, why };
            }
            Stage::Waiting(why) => in_the_way = in_the_way.or(why),
            Stage::Running { .. } => running += 1,
            Stage::Ended { .. } => ended += 1,
        }
    }
    match (running, ended) {
        (_, ended) if ended >= workers => Verdict::Ended,
        // One that has ended before all ran: those that come later run without it.
        (running, ended) if running + ended >= workers && ended > 0 => Verdict::Ending,
        (running, _) if running >= workers => Verdict::Running,
        _ => Verdict::Waiting(in_the_way),
    }
}

/// Name of a pod.
pub(super) fn name(pod: &Json) -> &str {
    text(pod, "/metadata/name").unwrap_or_default()
}

/// What one pod shows.
pub(super) fn stage(pod: &Json, success: &[i32]) -> Stage {
    let container = container(pod);
    let state = |which: &str| container.and_then(|status| status.pointer(which));
    if let Some(ended) = state("/state/terminated") {
        return terminated(pod, ended, success);
    }
    if text(pod, "/status/phase") == Some("Failed") {
        return Stage::Failed(format!("failed: {}", said(pod.pointer("/status"))));
    }
    if pod.pointer("/metadata/deletionTimestamp").is_some() {
        return Stage::Failed(match condition(pod, "DisruptionTarget") {
            Some(disrupted) => format!("is being removed: {}", said(Some(disrupted))),
            None => "is being removed, and not by the manager".to_owned(),
        });
    }
    if let Some(running) = state("/state/running") {
        let since = time(running, "/startedAt");
        return Stage::Running { since };
    }
    let waiting = state("/state/waiting");
    let reason = waiting.and_then(|waiting| text(waiting, "/reason"));
    if reason.is_some_and(|reason| HOPELESS.contains(&reason)) {
        return Stage::Failed(format!("does not start: {}", said(waiting)));
    }
    let unscheduled = condition(pod, "PodScheduled")
        .filter(|condition| text(condition, "/status") == Some("False"));
    if let Some(condition) = unscheduled {
        return Stage::Waiting(Some(format!("finds no node: {}", said(Some(condition)))));
    }
    Stage::Waiting(reason.map(|_| format!("waits: {}", said(waiting))))
}

fn terminated(pod: &Json, ended: &Json, success: &[i32]) -> Stage {
    let code = ended.pointer("/exitCode").and_then(Json::as_i64);
    let is_fine = code
        .and_then(|code| i32::try_from(code).ok())
        .is_some_and(|code| success.contains(&code));
    if is_fine {
        return Stage::Ended {
            since: time(ended, "/startedAt"),
            at: time(ended, "/finishedAt"),
        };
    }
    let code = code.map_or_else(
        || "an unknown exit code".to_owned(),
        |c| format!("exit code {c}"),
    );
    let mut why = format!("ended with {code}");
    let reason = said(Some(ended));
    if !reason.is_empty() && reason != "Error" {
        why = format!("{why} ({reason})");
    }
    // An evicted pod says so itself; its container was only killed.
    if let Some(of_pod) = text(pod, "/status/reason") {
        let message = text(pod, "/status/message").unwrap_or_default();
        why = format!("{why}; {of_pod}: {message}");
    } else if let Some(disrupted) = condition(pod, "DisruptionTarget") {
        why = format!("{why}; {}", said(Some(disrupted)));
    }
    Stage::Failed(why)
}

fn container(pod: &Json) -> Option<&Json> {
    let statuses = pod.pointer("/status/containerStatuses")?.as_array()?;
    let mut statuses = statuses.iter();
    statuses.find(|status| text(status, "/name") == Some(CONTAINER))
}

fn condition<'p>(pod: &'p Json, kind: &str) -> Option<&'p Json> {
    let conditions = pod.pointer("/status/conditions")?.as_array()?;
    conditions
        .iter()
        .find(|condition| text(condition, "/type") == Some(kind))
}

/// Reason and message, in the cluster's own words.
fn said(of: Option<&Json>) -> String {
    let part = |place: &str| of.and_then(|of| text(of, place)).filter(|t| !t.is_empty());
    match (part("/reason"), part("/message")) {
        (Some(reason), Some(message)) => format!("{reason}: {}", message.trim()),
        (Some(text), None) | (None, Some(text)) => text.trim().to_owned(),
        (None, None) => String::new(),
    }
}

fn text<'j>(of: &'j Json, place: &str) -> Option<&'j str> {
    of.pointer(place).and_then(Json::as_str)
}

fn time(of: &Json, place: &str) -> Option<Timestamp> {
    text(of, place)?.parse().ok()
}
