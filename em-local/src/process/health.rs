//! What happens to a deployment while it is measured, and what it uses.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use em_core::port::{Incident, IncidentKind};
use jiff::Timestamp;

use super::deployment::Deployment;
use crate::cgroup::Usage;
use crate::guard::Exit;
use crate::launch::TreeState;
use crate::proc_table;

/// Incidents seen so far, and what was known at the last look.
#[derive(Debug, Default)]
pub(super) struct Watched {
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    incidents: Vec<Incident>,
    has_ended: bool,
    oom_kills: u64,
    throttled_periods: u64,
    cpu_seconds: f64,
}

impl Seen {
    fn add(&mut self, at: Timestamp, kind: IncidentKind, what: String, fatal: bool) {
        self.incidents.push(Incident {
            at,
            kind,
            what,
            fatal,
        });
    }

    fn look(&mut self, state: &TreeState, usage: &Usage, at: Timestamp) {
        let kills = usage.oom_kills.unwrap_or_default();
        if kills > self.oom_kills {
            let what = format!(
                "the memory limit killed {} of its processes",
                kills - self.oom_kills
            );
            self.add(at, IncidentKind::OutOfMemory, what, true);
            self.oom_kills = kills;
        }
        let became_daemon = state.exit == Some(Exit::Code(0)) && state.is_alive();
        let ended =
            (state.exit.is_some() && !became_daemon) || !state.is_alive() || state.guard_gone;
        if ended && !self.has_ended {
            let what = match (state.guard_gone, state.exit) {
                (true, _) => "its guard was killed".to_owned(),
                (false, Some(exit)) => format!("it ended with {exit}"),
                (false, None) => "it ended".to_owned(),
            };
            self.add(at, IncidentKind::Exited, what, true);
            self.has_ended = true;
        }
        let throttled = usage.throttled_periods.unwrap_or_default();
        if throttled > self.throttled_periods {
            let periods = throttled - self.throttled_periods;
            let what = format!("the CPU limit held it back in {periods} periods of 0.1 s");
            self.add(at, IncidentKind::Throttled, what, false);
            self.throttled_periods = throttled;
        }
    }
}

impl Watched {
    fn with<T>(&self, act: impl FnOnce(&mut Seen) -> T) -> T {
        act(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Deployment {
    /// Looks once more, and answers what was seen since `since`.
    pub(super) fn health(&self, since: Timestamp, now: Timestamp) -> Vec<Incident> {
        let (state, usage) = (self.running.state(), self.group().usage());
        self.watched.with(|seen| {
            seen.look(&state, &usage, now);
            seen.incidents
                .iter()
                .filter(|incident| incident.at >= since)
                .cloned()
                .collect()
        })
    }

    /// What the whole tree uses: from the cgroup where there is one, else summed over `/proc`.
    pub(super) fn usage(&self) -> BTreeMap<String, f64> {
        let usage = self.group().usage();
        let members = self.running.members();
        let cpu = usage
            .cpu_seconds
            .or_else(|| Some(tree_cpu_seconds(&members)));
        let cpu = cpu.map(|now| {
            // Without a cgroup, a process that vanishes between two looks takes its time with it.
            self.watched.with(|seen| {
                seen.cpu_seconds = seen.cpu_seconds.max(now);
                seen.cpu_seconds
            })
        });
        let resident: u64 = members.iter().filter_map(|pid| resident_bytes(*pid)).sum();
        let numbers = [
            ("cpu_seconds", cpu),
            ("memory_bytes", Some(number(resident))),
            ("memory_peak_bytes", usage.memory_peak_bytes.map(number)),
            ("memory_limit_kills", usage.oom_kills.map(number)),
            ("throttled_seconds", usage.throttled_seconds),
        ];
        let known = numbers
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value?)));
        known.collect()
    }
}

/// Clock ticks per second in `/proc`: 100 on every Linux of ours, whatever the kernel's own tick is.
const TICKS_PER_SECOND: f64 = 100.0;

fn tree_cpu_seconds(members: &[u32]) -> f64 {
    let ticks: u64 = members
        .iter()
        .filter_map(|pid| proc_table::read(*pid))
        .map(|stat| stat.user_ticks + stat.system_ticks + stat.children_ticks)
        .sum();
    number(ticks) / TICKS_PER_SECOND
}

fn resident_bytes(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.split_ascii_whitespace().next()?.parse().ok()?;
    Some(1024 * kibibytes)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts of bytes and ticks stay below 2^53"
)]
fn number(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(seen: &Seen) -> Vec<(IncidentKind, bool)> {
        seen.incidents
            .iter()
            .map(|incident| (incident.kind, incident.fatal))
            .collect()
    }

    #[test]
    fn each_thing_that_happens_is_told_once() {
        let mut seen = Seen::default();
        let running = TreeState {
            main: Some(1),
            ..TreeState::default()
        };
        let usage = Usage {
            oom_kills: Some(1),
            throttled_periods: Some(3),
            ..Usage::default()
        };
        seen.look(&running, &Usage::default(), Timestamp::UNIX_EPOCH);
        assert_eq!(kinds(&seen), []);
        seen.look(&running, &usage, Timestamp::UNIX_EPOCH);
        seen.look(&running, &usage, Timestamp::UNIX_EPOCH);
        let expected = [
            (IncidentKind::OutOfMemory, true),
            (IncidentKind::Throttled, false),
        ];
        assert_eq!(kinds(&seen), expected);
        let ended = TreeState {
            exit: Some(Exit::Signal(9)),
            ..running
        };
        seen.look(&ended, &usage, Timestamp::UNIX_EPOCH);
        seen.look(&ended, &usage, Timestamp::UNIX_EPOCH);
        assert_eq!(kinds(&seen)[2..], [(IncidentKind::Exited, true)]);
        assert_eq!(seen.incidents[2].what, "it ended with killed by KILL");
    }

    #[test]
    fn a_daemon_has_not_ended() {
        let mut seen = Seen::default();
        let daemon = TreeState {
            main: Some(1),
            exit: Some(Exit::Code(0)),
            ..TreeState::default()
        };
        seen.look(&daemon, &Usage::default(), Timestamp::UNIX_EPOCH);
        assert_eq!(kinds(&seen), []);
        seen.look(
            &TreeState {
                empty: true,
                ..daemon
            },
            &Usage::default(),
            Timestamp::UNIX_EPOCH,
        );
        assert_eq!(kinds(&seen), [(IncidentKind::Exited, true)]);
    }
}
