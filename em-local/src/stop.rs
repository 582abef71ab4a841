//! Sending signals, and ending whole process trees.
//!
//! Signals go through a pid file descriptor that is opened first and compared with the process table
//! afterwards, so a process id that was reused in between is never hit.

use std::fmt;
use std::str::FromStr;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::proc_table::{self, ProcStat};

/// A signal by its name, as written in `stop.signal`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignalName {
    name: &'static str,
    signal: Signal,
}

/// The name of a signal that nobody knows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} is not a signal this build can send; use one of {}", known())]
pub struct UnknownSignal {
    name: String,
}

const SIGNALS: [(&str, Signal); 10] = [
    ("TERM", Signal::TERM),
    ("INT", Signal::INT),
    ("QUIT", Signal::QUIT),
    ("HUP", Signal::HUP),
    ("KILL", Signal::KILL),
    ("USR1", Signal::USR1),
    ("USR2", Signal::USR2),
    ("WINCH", Signal::WINCH),
    ("ABRT", Signal::ABORT),
    ("CONT", Signal::CONT),
];

fn known() -> String {
    SIGNALS.map(|(name, _)| name).join(", ")
}

impl SignalName {
    /// The polite request to end.
    pub const TERM: Self = Self {
        name: "TERM",
        signal: Signal::TERM,
    };
    /// The end without asking.
    pub const KILL: Self = Self {
        name: "KILL",
        signal: Signal::KILL,
    };

    /// The signal itself.
    pub const fn signal(self) -> Signal {
        self.signal
    }
}

impl fmt::Display for SignalName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name)
    }
}

impl FromStr for SignalName {
    type Err = UnknownSignal;

    fn from_str(text: &str) -> Result<Self, UnknownSignal> {
        let upper = text.to_ascii_uppercase();
        let short = upper.strip_prefix("SIG").unwrap_or(&upper);
        SIGNALS
            .iter()
            .find(|(name, _)| *name == short)
            .map(|(name, signal)| Self {
                name,
                signal: *signal,
            })
            .ok_or_else(|| UnknownSignal {
                name: text.to_owned(),
            })
    }
}

/// The name of a signal number, for messages: `KILL` for 9, `signal 40` for what has none here.
pub fn signal_title(number: i32) -> String {
    SIGNALS
        .iter()
        .find(|(_, signal)| signal.as_raw() == number)
        .map_or_else(
            || format!("signal {number}"),
            |(name, _)| (*name).to_owned(),
        )
}

/// Sends `signal` to exactly the process that `stat` describes; false when it is gone or not ours.
pub fn send(stat: &ProcStat, signal: SignalName) -> bool {
    let Some(pid) = i32::try_from(stat.pid).ok().and_then(Pid::from_raw) else {
        return false;
    };
    let Ok(handle) = pidfd_open(pid, PidfdFlags::empty()) else {
        return false;
    };
    let same =
        proc_table::read(stat.pid).is_some_and(|now| now.started_ticks == stat.started_ticks);
    same && pidfd_send_signal(&handle, signal.signal()).is_ok()
}

/// Sends `signal` to every living descendant of `root`; how many were reached.
pub fn send_to_descendants(root: u32, signal: SignalName) -> usize {
    proc_table::descendants(root, &proc_table::read_all())
        .iter()
        .filter(|stat| !stat.is_zombie() && send(stat, signal))
        .count()
}

/// Sends `signal` to the living direct children of `root`; how many were reached.
pub fn send_to_children(root: u32, signal: SignalName) -> usize {
    proc_table::read_all()
        .iter()
        .filter(|stat| stat.parent == root && !stat.is_zombie() && send(stat, signal))
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_are_read_with_and_without_their_prefix() {
        assert_eq!("TERM".parse(), Ok(SignalName::TERM));
        assert_eq!(
            "sigquit".parse::<SignalName>().unwrap().signal(),
            Signal::QUIT
        );
        let refused = "TREM".parse::<SignalName>().unwrap_err().to_string();
        assert!(
            refused.contains("\"TREM\"") && refused.contains("TERM, INT"),
            "{refused}"
        );
    }

    #[test]
    fn a_reused_process_id_is_not_hit() {
        let mut child = std::process::Command::new("sleep")
            .arg("30")
            .spawn()
            .unwrap();
        let mut stat = proc_table::read(child.id()).unwrap();
        stat.started_ticks += 1;
        assert!(!send(&stat, SignalName::KILL));
        assert!(child.try_wait().unwrap().is_none());
        stat.started_ticks -= 1;
        assert!(send(&stat, SignalName::KILL));
        assert!(!child.wait().unwrap().success());
    }
}
