//! Which CPUs there are for us, and disjoint sets of them for slots that run side by side.

use std::fmt;
use std::fs;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// More parallel slots than there are CPUs to give each its own.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{slots} slots need {needed} CPUs of their own and this process may use {available} ({cpus}); lower target.slots or target.cpu, or start it with a wider taskset"
)]
pub struct TooFewCores {
    /// Slots asked for.
    pub slots: usize,
    /// CPUs that these need.
    pub needed: usize,
    /// CPUs that there are.
    pub available: usize,
    /// Which these are.
    pub cpus: CpuList,
}

/// A list of CPU numbers that prints as the kernel writes it: `0-3,8`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CpuList(pub Vec<usize>);

impl fmt::Display for CpuList {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0.as_slice();
        let mut comma = "";
        while let Some(first) = rest.first() {
            let run = rest
                .iter()
                .zip(*first..)
                .take_while(|(cpu, want)| *cpu == want)
                .count();
            match run {
                1 => write!(formatter, "{comma}{first}")?,
                _ => write!(formatter, "{comma}{first}-{}", first + run - 1)?,
            }
            comma = ",";
            rest = rest.get(run..).unwrap_or_default();
        }
        Ok(())
    }
}

/// Reads a list as the kernel writes it; parts that are no numbers are left out.
pub fn parse_list(text: &str) -> Vec<usize> {
    let mut cpus = Vec::new();
    for part in text.trim().split(',').filter(|part| !part.is_empty()) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        if let (Ok(first), Ok(last)) = (first.parse::<usize>(), last.parse::<usize>()) {
            cpus.extend(first..=last.min(CpuSet::MAX_CPU));
        }
    }
    cpus
}

/// The CPUs that this process may use, in order: honours taskset, cpusets and containers.
pub fn usable() -> Vec<usize> {
    sched_getaffinity(None)
        .map(|set| {
            (0..CpuSet::MAX_CPU)
                .filter(|cpu| set.is_set(*cpu))
                .collect()
        })
        .unwrap_or_default()
}

/// Restricts the calling thread, and what it starts, to `cpus`.
pub fn pin_this_process(cpus: &[usize]) -> rustix::io::Result<()> {
    sched_setaffinity(None, &set_of(cpus))
}

/// Restricts a process that has not started its work yet, and what it will start, to `cpus`.
pub fn pin(pid: u32, cpus: &[usize]) -> rustix::io::Result<()> {
    let pid = i32::try_from(pid)
        .ok()
        .and_then(rustix::process::Pid::from_raw);
    let pid = pid.ok_or(rustix::io::Errno::SRCH)?;
    sched_setaffinity(Some(pid), &set_of(cpus))
}

/// The CPUs that a process may use, as the kernel answers now.
pub fn allowed(pid: u32) -> Option<Vec<usize>> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status
        .lines()
        .find_map(|line| line.strip_prefix("Cpus_allowed_list:"))
        .map(parse_list)
}

fn set_of(cpus: &[usize]) -> CpuSet {
    let mut set = CpuSet::new();
    for cpu in cpus.iter().filter(|cpu| **cpu < CpuSet::MAX_CPU) {
        set.set(*cpu);
    }
    set
}

/// Deals `usable` out to `slots`, each the same number and none twice. One slot gets all of them.
/// `each` is the number that a slot needs at least (its CPU limit, rounded up).
///
/// CPUs that share a core (hyper-threads, see `siblings`) go to the same slot where that is possible,
/// because two slots on one core would measure each other.
pub fn deal(
    usable: &[usize],
    siblings: impl Fn(usize) -> Vec<usize>,
    slots: usize,
    each: usize,
) -> Result<Vec<Vec<usize>>, TooFewCores> {
    if slots <= 1 {
        return Ok(vec![usable.to_vec()]);
    }
    let each = each.max(1);
    if usable.len() < slots * each {
        return Err(TooFewCores {
            slots,
            needed: slots * each,
            available: usable.len(),
            cpus: CpuList(usable.to_vec()),
        });
    }
    let share = usable.len() / slots;
    let ordered = by_core(usable, siblings);
    Ok(ordered
        .chunks(share)
        .take(slots)
        .map(|chunk| {
            let mut cpus = chunk.to_vec();
            cpus.sort_unstable();
            cpus
        })
        .collect())
}

fn by_core(usable: &[usize], siblings: impl Fn(usize) -> Vec<usize>) -> Vec<usize> {
    let mut ordered: Vec<usize> = Vec::with_capacity(usable.len());
    for cpu in usable {
        let core = siblings(*cpu);
        for twin in [*cpu].into_iter().chain(core) {
            if usable.contains(&twin) && !ordered.contains(&twin) {
                ordered.push(twin);
            }
        }
    }
    ordered
}

/// The CPUs that share a core with `cpu`, itself among them, as this machine says.
pub fn siblings(cpu: usize) -> Vec<usize> {
    fs::read_to_string(format!(
        "/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list"
    ))
    .map(|text| parse_list(&text))
    .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alone(_: usize) -> Vec<usize> {
        Vec::new()
    }

    #[test]
    fn lists_are_printed_and_read_as_the_kernel_writes_them() {
        let cpus = vec![0, 1, 2, 5, 8, 9];
        assert_eq!(CpuList(cpus.clone()).to_string(), "0-2,5,8-9");
        assert_eq!(parse_list("0-2,5,8-9\n"), cpus);
        assert_eq!(CpuList(Vec::new()).to_string(), "");
    }

    #[test]
    fn slots_get_disjoint_sets_of_equal_size() {
        let dealt = deal(&[0, 1, 2, 3, 4, 5, 7], alone, 3, 2).unwrap();
        assert_eq!(dealt, [vec![0, 1], vec![2, 3], vec![4, 5]]);
    }

    #[test]
    fn hyper_threads_of_one_core_go_to_the_same_slot() {
        let dealt = deal(&[0, 1, 2, 3], |cpu| vec![cpu % 2, cpu % 2 + 2], 2, 1).unwrap();
        assert_eq!(dealt, [vec![0, 2], vec![1, 3]]);
    }

    #[test]
    fn one_slot_gets_everything_and_too_many_are_refused() {
        assert_eq!(deal(&[3, 4], alone, 1, 1).unwrap(), [vec![3, 4]]);
        let refused = deal(&[3, 4], alone, 2, 2).unwrap_err().to_string();
        assert!(
            refused
                .starts_with("2 slots need 4 CPUs of their own and this process may use 2 (3-4)")
        );
    }
}
