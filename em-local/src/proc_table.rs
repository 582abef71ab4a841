//! The process table as `/proc` shows it: who is whose child, who carries which mark.
//!
//! Only reading; ending processes is [`crate::stop`]'s business.

use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;

/// One line of the process table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcStat {
    /// Process id.
    pub pid: u32,
    /// Name of the program as the kernel keeps it (at most 15 bytes).
    pub name: String,
    /// State letter: `R`, `S`, `D`, `T`, `Z`, ...
    pub state: char,
    /// Parent's process id.
    pub parent: u32,
    /// Process group.
    pub group: u32,
    /// CPU time in user mode, in clock ticks (100 per second on Linux).
    pub user_ticks: u64,
    /// CPU time in kernel mode, in clock ticks.
    pub system_ticks: u64,
    /// CPU time of children that ended and were waited for, in clock ticks.
    pub children_ticks: u64,
    /// When the process started, in clock ticks since boot: tells a reused id from the old one.
    pub started_ticks: u64,
    /// Resident memory in pages.
    pub resident_pages: u64,
}

impl ProcStat {
    /// Whether the process only waits for its parent to notice that it has ended.
    pub const fn is_zombie(&self) -> bool {
        matches!(self.state, 'Z' | 'X')
    }
}

/// Reads one process; `None` when it is gone.
pub fn read(pid: u32) -> Option<ProcStat> {
    parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// Reads all processes that are there now; what ends meanwhile is left out.
pub fn read_all() -> Vec<ProcStat> {
    pids().into_iter().filter_map(read).collect()
}

/// The ids of all processes, in no particular order.
pub fn pids() -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .filter_map(Result::ok)
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect()
}

/// All descendants of `root` in `table`, without `root` itself, parents before their children.
pub fn descendants(root: u32, table: &[ProcStat]) -> Vec<ProcStat> {
    let mut found: Vec<ProcStat> = Vec::new();
    let mut known: HashSet<u32> = HashSet::from([root]);
    let mut layer: HashSet<u32> = HashSet::from([root]);
    while !layer.is_empty() {
        let next: Vec<&ProcStat> = table
            .iter()
            .filter(|stat| layer.contains(&stat.parent) && !known.contains(&stat.pid))
            .collect();
        layer = next.iter().map(|stat| stat.pid).collect();
        known.extend(&layer);
        found.extend(next.into_iter().cloned());
    }
    found
}

/// The environment a process was started with; `None` when it is gone or not ours to read.
pub fn environment(pid: u32) -> Option<Vec<(String, String)>> {
    let bytes = fs::read(format!("/proc/{pid}/environ")).ok()?;
    Some(
        words(&bytes)
            .into_iter()
            .filter_map(|word| {
                word.split_once('=')
                    .map(|(name, value)| (name.to_owned(), value.to_owned()))
            })
            .collect(),
    )
}

/// The command line of a process; empty for kernel threads and zombies.
pub fn command_line(pid: u32) -> Option<Vec<String>> {
    Some(words(&fs::read(format!("/proc/{pid}/cmdline")).ok()?))
}

/// The executable file of a process, where readable.
pub fn executable(pid: u32) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{pid}/exe")).ok()
}

fn words(bytes: &[u8]) -> Vec<String> {
    let trimmed = bytes.strip_suffix(&[0]).unwrap_or(bytes);
    if trimmed.is_empty() {
        return Vec::new();
    }
    trimmed
        .split(|byte| *byte == 0)
        .map(|word| String::from_utf8_lossy(word).into_owned())
        .collect()
}

/// Reads a line of `/proc/PID/stat`. The name stands in parentheses and may itself hold blanks and
/// parentheses, so the fields are counted from the last closing one.
fn parse(line: &str) -> Option<ProcStat> {
    let open = line.find('(')?;
    let close = line.rfind(')')?;
    let rest: Vec<&str> = line.get(close + 1..)?.split_ascii_whitespace().collect();
    let number = |index: usize| rest.get(index)?.parse::<u64>().ok();
    let id = |index: usize| u32::try_from(number(index)?).ok();
    Some(ProcStat {
        pid: line.get(..open)?.trim().parse().ok()?,
        name: line.get(open + 1..close)?.to_owned(),
        state: rest.first()?.chars().next()?,
        parent: id(1)?,
        group: id(2)?,
        user_ticks: number(11)?,
        system_ticks: number(12)?,
        children_ticks: number(13)? + number(14)?,
        started_ticks: number(19)?,
        resident_pages: number(21)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stat(pid: u32, parent: u32) -> ProcStat {
        ProcStat {
            pid,
            name: "x".to_owned(),
            state: 'S',
            parent,
            group: pid,
            user_ticks: 0,
            system_ticks: 0,
            children_ticks: 0,
            started_ticks: 0,
            resident_pages: 0,
        }
    }

    #[test]
    fn a_name_with_blanks_and_parentheses_is_read() {
        let line = "42 (odd) name (x)) S 7 42 42 0 -1 4194560 1 2 3 4 11 12 5 6 20 0 1 0 999 1000 55 18446744073709551615";
        let read = parse(line).unwrap();
        assert_eq!(read.name, "odd) name (x)");
        assert_eq!(
            (read.pid, read.parent, read.group, read.state),
            (42, 7, 42, 'S')
        );
        assert_eq!(
            (read.user_ticks, read.system_ticks, read.children_ticks),
            (11, 12, 11)
        );
        assert_eq!((read.started_ticks, read.resident_pages), (999, 55));
    }

    #[test]
    fn descendants_are_found_at_any_depth_and_others_are_not() {
        let table = [
            stat(1, 0),
            stat(5, 4),
            stat(4, 2),
            stat(2, 1),
            stat(3, 1),
            stat(9, 8),
        ];
        let found: Vec<u32> = descendants(2, &table).iter().map(|stat| stat.pid).collect();
        assert_eq!(found, [4, 5]);
    }

    #[test]
    fn this_process_is_in_the_table_with_its_own_command_line() {
        let me = std::process::id();
        assert!(read_all().iter().any(|stat| stat.pid == me));
        assert_eq!(command_line(me).unwrap().len(), std::env::args().count());
        assert_eq!(executable(me), std::env::current_exe().ok());
    }
}
