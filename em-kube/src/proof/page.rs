//! The files of a container, as one `cat` of all of them prints them.
//!
//! Between any two files stands the kernel's boot id: a number that nobody can have written into the others, and
//! whose own text is the first thing on the page. A file that is not there is empty.

use std::collections::BTreeMap;

use em_core::value::Quantity;

use super::seen::{CgroupLimit, EnvironmentSource, ProcessSeen};

const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";
/// The kernel's boot id is 36 characters and the end of a line.
const BOOT_ID_LENGTH: usize = 37;

/// Every file that is read, in the order of the page. Of the two versions of control groups one answers.
const FILES: [&str; 10] = [
    "/sys/fs/cgroup/cpu.max",
    "/sys/fs/cgroup/cpu/cpu.cfs_quota_us",
    "/sys/fs/cgroup/cpu/cpu.cfs_period_us",
    "/sys/fs/cgroup/memory.max",
    "/sys/fs/cgroup/memory/memory.limit_in_bytes",
    "/sys/fs/cgroup/cpuset.cpus.effective",
    "/sys/fs/cgroup/cpuset/cpuset.cpus",
    "/proc/self/environ",
    "/proc/1/cmdline",
    "/proc/1/environ",
];
/// How many of them do not look at the first process.
const OWN_FILES: usize = 8;
/// Version 1 says "no limit" as a number near the largest one.
const NO_LIMIT: i64 = 1 << 62;

/// The command whose output [`parse`] reads. In a pod that shares its processes with others, or with the node,
/// the first process is somebody else's: it is not looked at.
pub(super) fn command(has_own_processes: bool) -> Vec<&'static str> {
    let count = if has_own_processes {
        FILES.len()
    } else {
        OWN_FILES
    };
    let files = FILES.iter().take(count);
    let files = files.flat_map(|file| [BOOT_ID, file]);
    ["cat"].into_iter().chain(files).collect()
}

/// What such a page tells. None: it is no such page.
pub fn parse(page: &[u8]) -> Option<ProcessSeen> {
    let (mark, rest) = page.split_at_checked(BOOT_ID_LENGTH)?;
    let is_id = |byte: &u8| byte.is_ascii_hexdigit() || *byte == b'-';
    if mark.last() != Some(&b'\n') || !mark.iter().take(BOOT_ID_LENGTH - 1).all(is_id) {
        return None;
    }
    let files = split(rest, mark);
    if files.len() != FILES.len() && files.len() != OWN_FILES {
        return None;
    }
    let bytes = |index: usize| files.get(index).copied().unwrap_or_default();
    let text = |index: usize| {
        let text = std::str::from_utf8(bytes(index)).ok()?.trim();
        (!text.is_empty()).then_some(text)
    };
    let own = variables(bytes(9)).map(|all| (EnvironmentSource::Process, all));
    let environment =
        own.or_else(|| variables(bytes(7)).map(|all| (EnvironmentSource::Container, all)));
    Some(ProcessSeen {
        environment,
        arguments: words(bytes(8)),
        cpu: text(0)
            .and_then(cpu_max)
            .or_else(|| quota(text(1)?, text(2)?)),
        memory: text(3).or_else(|| text(4)).and_then(memory),
        cpus: text(5).or_else(|| text(6)).map(str::to_owned),
        why_not: None,
    })
}

fn split<'a>(mut rest: &'a [u8], mark: &[u8]) -> Vec<&'a [u8]> {
    let mut parts = Vec::new();
    loop {
        let found = rest.windows(mark.len()).position(|window| window == mark);
        let Some((part, after)) = found.and_then(|at| rest.split_at_checked(at)) else {
            parts.push(rest);
            return parts;
        };
        parts.push(part);
        rest = after.get(mark.len()..).unwrap_or_default();
    }
}

/// Variables of a process. None: there are none, or something else stands there: a program may write its title
/// over its environment.
fn variables(bytes: &[u8]) -> Option<BTreeMap<String, String>> {
    let mut variables = BTreeMap::new();
    for entry in bytes.split(|byte| *byte == 0) {
        if entry.is_empty() {
            continue;
        }
        let entry = String::from_utf8_lossy(entry);
        let (name, value) = entry.split_once('=')?;
        // The first one counts where a name is there twice.
        let slot = variables.entry(name.to_owned());
        slot.or_insert_with(|| value.to_owned());
    }
    (!variables.is_empty()).then_some(variables)
}

fn words(bytes: &[u8]) -> Option<Vec<String>> {
    let bytes = bytes.strip_suffix(&[0]).unwrap_or(bytes);
    if bytes.is_empty() {
        return None;
    }
    let words = bytes.split(|byte| *byte == 0);
    Some(
        words
            .map(|word| String::from_utf8_lossy(word).into_owned())
            .collect(),
    )
}

/// `150000 100000` or `max 100000`.
fn cpu_max(text: &str) -> Option<CgroupLimit> {
    let (quota_us, period_us) = text.split_once(' ')?;
    if quota_us == "max" {
        return Some(CgroupLimit::Unlimited);
    }
    quota(quota_us, period_us)
}

fn quota(quota_us: &str, period_us: &str) -> Option<CgroupLimit> {
    let quota_us: i64 = quota_us.parse().ok()?;
    let period_us: i64 = period_us.parse().ok()?;
    if quota_us < 0 {
        return Some(CgroupLimit::Unlimited);
    }
    let milli = quota_us.checked_mul(1000)?.checked_div(period_us)?;
    Some(CgroupLimit::Of(Quantity::from_milli(milli)))
}

fn memory(text: &str) -> Option<CgroupLimit> {
    if text == "max" {
        return Some(CgroupLimit::Unlimited);
    }
    let bytes: i64 = text.parse().ok()?;
    Some(if bytes >= NO_LIMIT {
        CgroupLimit::Unlimited
    } else {
        CgroupLimit::Of(Quantity::from_bytes(bytes))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARK: &str = "6f1c9d3e-6b5f-4c58-9d7e-0a1b2c3d4e5f\n";

    fn page(files: &[&str]) -> Vec<u8> {
        let parts = files.iter().map(|file| format!("{MARK}{file}"));
        parts.collect::<String>().into_bytes()
    }

    fn of(text: &str) -> CgroupLimit {
        CgroupLimit::Of(text.parse().unwrap())
    }

    #[test]
    fn both_versions_of_control_groups_are_read() {
        let own = "PATH=/bin\0";
        let new = ["150000 100000\n", "", "", "max\n", "", "0-1\n", "", own];
        let seen = parse(&page(&new)).unwrap();
        assert_eq!(seen.cpu, Some(of("1500m")));
        assert_eq!(seen.memory, Some(CgroupLimit::Unlimited));
        assert_eq!(seen.cpus.as_deref(), Some("0-1"));
        let old = [
            "",
            "25000\n",
            "100000\n",
            "",
            "134217728\n",
            "",
            "2,5\n",
            own,
        ];
        let seen = parse(&page(&old)).unwrap();
        assert_eq!(seen.cpu, Some(of("250m")));
        assert_eq!(seen.memory, Some(of("128Mi")));
        assert_eq!(seen.cpus.as_deref(), Some("2,5"));
        let none = [
            "",
            "-1\n",
            "100000\n",
            "",
            "9223372036854771712\n",
            "",
            "",
            own,
        ];
        let seen = parse(&page(&none)).unwrap();
        assert_eq!(seen.cpu, Some(CgroupLimit::Unlimited));
        assert_eq!(seen.memory, Some(CgroupLimit::Unlimited));
    }

    #[test]
    fn what_is_not_there_is_not_known() {
        let seen = parse(&page(&[""; 10])).unwrap();
        assert_eq!(seen, ProcessSeen::default());
        let strange = ["max", "x", "0", "much", "", "", "", ""];
        let seen = parse(&page(&strange)).unwrap();
        assert_eq!((seen.cpu, seen.memory), (None, None));
    }

    #[test]
    fn the_environment_of_the_process_counts_before_that_of_the_container() {
        let mut files = [""; 10];
        files[7] = "A=container\0";
        files[8] = "em\0demo\0\0";
        files[9] = "A=1=2\nx\0B=\0A=3\0";
        let seen = parse(&page(&files)).unwrap();
        assert_eq!(seen.variable("A"), Some("1=2\nx"));
        assert_eq!(seen.variable("B"), Some(""));
        assert_eq!(seen.environment.unwrap().0, EnvironmentSource::Process);
        assert_eq!(seen.arguments.unwrap(), ["em", "demo", ""]);
    }

    #[test]
    fn a_title_written_over_the_environment_is_none() {
        let mut files = [""; 10];
        files[7] = "A=container\0";
        for overwritten in ["master process\0A=1\0", "\0\0\0\0"] {
            files[9] = overwritten;
            let (source, variables) = parse(&page(&files)).unwrap().environment.unwrap();
            assert_eq!(source, EnvironmentSource::Container);
            assert_eq!(variables["A"], "container");
        }
    }

    #[test]
    fn other_texts_are_no_pages() {
        let broken = page(&["max 1"; 4]);
        for text in [&b"cat: not found"[..], b"", MARK.as_bytes(), &broken] {
            assert_eq!(parse(text), None);
        }
    }

    #[test]
    fn the_first_process_is_looked_at_where_it_is_the_containers() {
        assert!(command(true).contains(&"/proc/1/environ"));
        assert!(!command(false).iter().any(|file| file.contains("/proc/1/")));
        assert_eq!(command(false).len(), 1 + 2 * OWN_FILES);
    }

    #[test]
    fn values_are_not_in_debug_output() {
        let mut files = [""; 10];
        files[8] = "em\0--key=hunter2\0";
        files[9] = "TOKEN=hunter2\0";
        let shown = format!("{:?}", parse(&page(&files)).unwrap());
        assert!(
            shown.contains("TOKEN") && !shown.contains("hunter2"),
            "{shown}"
        );
    }
}
