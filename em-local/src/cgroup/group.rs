//! One group: made, limited, read, ended, removed.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::files::{keyed, kill_members, members, number, remove_folder, subfolders, text};
use super::refusal::{Refusal, require};
use super::rights::{Controller, Place, Rights, Version};
use crate::cores::{CpuList, parse_list};

/// Length of the period over which the CPU quota is enforced, the kernel's own default.
const PERIOD_MICROSECONDS: u64 = 100_000;
/// Where this process steps aside to, when its own version 2 group is to hand controllers down.
const OWN_LEAF: &str = "em-self";

/// Limits of a group; what is `None` is not limited.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// CPUs' worth of time per second.
    pub cpu: Option<f64>,
    /// Memory in bytes, page cache included; swap is not given on top.
    pub memory_bytes: Option<u64>,
    /// CPUs to run on; empty = all.
    pub cpus: Vec<usize>,
}

/// What the members of a group, living and dead, have used so far. What a hierarchy does not count
/// is `None`, never 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// CPU time of all members.
    pub cpu_seconds: Option<f64>,
    /// Memory now, in bytes.
    pub memory_bytes: Option<u64>,
    /// Highest memory, in bytes.
    pub memory_peak_bytes: Option<u64>,
    /// Processes killed because the memory limit was reached.
    pub oom_kills: Option<u64>,
    /// Enforcement periods in which the CPU quota ran out.
    pub throttled_periods: Option<u64>,
    /// Time that runnable members had to wait for the next period.
    pub throttled_seconds: Option<f64>,
}

/// A group could not be made or changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GroupError {
    /// The limit cannot be set on this machine by this user.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// A file of the hierarchy could not be written.
    #[error("failed to write {value:?} to {}", file.display())]
    Write {
        /// The file.
        file: PathBuf,
        /// What was to be written; empty for the making of a folder.
        value: String,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// The kernel kept another value than the one written.
    #[error("the kernel kept {kept:?} in {} where {value:?} was written", file.display())]
    NotKept {
        /// The file.
        file: PathBuf,
        /// What was written.
        value: String,
        /// What stands there.
        kept: String,
    },
}

/// One group: a folder of the same name in every hierarchy used.
#[derive(Debug, Clone)]
pub struct Group {
    folders: BTreeMap<Controller, (Version, PathBuf)>,
}

impl Group {
    /// Checks that `limits` can be set here, without creating anything.
    pub fn check(rights: &Rights, limits: &Limits) -> Result<(), Refusal> {
        if limits.cpu.is_some() {
            require(rights, Controller::Cpu, "CPU limit")?;
        }
        if limits.memory_bytes.is_some() {
            require(rights, Controller::Memory, "memory limit")?;
        }
        Ok(())
    }

    /// Makes the group `name` with `limits`, in all hierarchies that this process may use: what needs
    /// no limit is still counted. A group of that name that is already there is taken as it is and
    /// limited anew. Without any right there is no folder, and nothing is counted.
    pub fn create(rights: &Rights, name: &str, limits: &Limits) -> Result<Self, GroupError> {
        Self::check(rights, limits)?;
        let mut group = Self {
            folders: BTreeMap::new(),
        };
        for (controller, place) in &rights.places {
            let folder = place.parent.join(name);
            group
                .folders
                .insert(*controller, (place.version, folder.clone()));
            let made = make(*controller, place, &folder);
            if let Err(error) =
                made.and_then(|()| limit(*controller, place.version, &folder, limits))
            {
                group.remove();
                return Err(error);
            }
        }
        Ok(group)
    }

    /// The folders of the group, each once.
    pub fn folders(&self) -> Vec<PathBuf> {
        let mut folders: Vec<PathBuf> = self
            .folders
            .values()
            .map(|(_, folder)| folder.clone())
            .collect();
        folders.sort();
        folders.dedup();
        folders
    }

    /// The files into which a process writes itself to become a member.
    pub fn join_files(&self) -> Vec<PathBuf> {
        self.folders()
            .iter()
            .map(|folder| folder.join("cgroup.procs"))
            .collect()
    }

    /// The living members.
    pub fn members(&self) -> Vec<u32> {
        let mut pids: Vec<u32> = self
            .folders()
            .iter()
            .flat_map(|folder| members(folder))
            .collect();
        pids.sort_unstable();
        pids.dedup();
        pids
    }

    /// What the kernel says is in force now.
    pub fn limits_in_force(&self) -> Limits {
        Limits {
            cpu: self
                .at(Controller::Cpu)
                .and_then(|(version, folder)| cpu_in_force(version, folder)),
            memory_bytes: self.at(Controller::Memory).and_then(|(version, folder)| {
                number(folder, memory_limit_file(version)).filter(|bytes| *bytes < UNLIMITED)
            }),
            cpus: self
                .at(Controller::CpuSet)
                .and_then(|(version, folder)| text(folder, cpus_in_force_file(version)))
                .map(|list| parse_list(&list))
                .unwrap_or_default(),
        }
    }

    /// What was used so far.
    pub fn usage(&self) -> Usage {
        let mut usage = Usage::default();
        if let Some((version, folder)) = self.at(Controller::CpuAccounting) {
            usage.cpu_seconds = match version {
                Version::V1 => number(folder, "cpuacct.usage").map(nanoseconds),
                Version::V2 => keyed(folder, "cpu.stat", "usage_usec").map(microseconds),
            };
        }
        if let Some((version, folder)) = self.at(Controller::Cpu) {
            usage.throttled_periods = keyed(folder, "cpu.stat", "nr_throttled");
            usage.throttled_seconds = match version {
                Version::V1 => keyed(folder, "cpu.stat", "throttled_time").map(nanoseconds),
                Version::V2 => keyed(folder, "cpu.stat", "throttled_usec").map(microseconds),
            };
        }
        if let Some((version, folder)) = self.at(Controller::Memory) {
            let (now, peak, (file, key)) = match version {
                Version::V1 => (
                    "memory.usage_in_bytes",
                    "memory.max_usage_in_bytes",
                    ("memory.oom_control", "oom_kill"),
                ),
                Version::V2 => (
                    "memory.current",
                    "memory.peak",
                    ("memory.events", "oom_kill"),
                ),
            };
            usage.memory_bytes = number(folder, now);
            usage.memory_peak_bytes = number(folder, peak);
            usage.oom_kills = keyed(folder, file, key);
        }
        usage
    }

    /// Kills all members. Blocks for milliseconds.
    pub fn kill(&self) {
        for folder in self.folders() {
            kill_members(&folder);
        }
    }

    /// Removes the group; true when nothing of it is left. Blocks while members are still vanishing.
    pub fn remove(&self) -> bool {
        // All are tried, also after one that could not be removed.
        let gone: Vec<bool> = self
            .folders()
            .iter()
            .map(|folder| remove_folder(folder))
            .collect();
        gone.into_iter().all(|gone| gone)
    }

    fn at(&self, controller: Controller) -> Option<(Version, &Path)> {
        self.folders
            .get(&controller)
            .map(|(version, folder)| (*version, folder.as_path()))
    }
}

/// All group folders on this machine whose name starts with `prefix`.
pub fn find_marked(prefix: &str) -> Vec<PathBuf> {
    fn walk(folder: &Path, prefix: &str, found: &mut Vec<PathBuf>) {
        for below in subfolders(folder) {
            let name = below
                .file_name()
                .and_then(|name| name.to_str())
                .unwrap_or_default();
            if name.starts_with(prefix) {
                found.push(below);
            } else {
                walk(&below, prefix, found);
            }
        }
    }
    let mut found = Vec::new();
    for point in Rights::survey().mount_points {
        walk(&point, prefix, &mut found);
    }
    found
}

/// Version 1 prints "no limit" as the largest multiple of the page size.
const UNLIMITED: u64 = 1 << 62;

const fn memory_limit_file(version: Version) -> &'static str {
    match version {
        Version::V1 => "memory.limit_in_bytes",
        Version::V2 => "memory.max",
    }
}

const fn cpus_in_force_file(version: Version) -> &'static str {
    match version {
        Version::V1 => "cpuset.effective_cpus",
        Version::V2 => "cpuset.cpus.effective",
    }
}

fn cpu_in_force(version: Version, folder: &Path) -> Option<f64> {
    let (quota, period) = match version {
        Version::V1 => (
            number(folder, "cpu.cfs_quota_us")?,
            number(folder, "cpu.cfs_period_us")?,
        ),
        Version::V2 => {
            let text = text(folder, "cpu.max")?;
            let (quota, period) = text.split_once(' ')?;
            (quota.parse().ok()?, period.parse().ok()?)
        }
    };
    // Both are below the hour that 32 bits hold; a quota beyond that is none.
    Some(f64::from(u32::try_from(quota).ok()?) / f64::from(u32::try_from(period).ok()?))
}

fn make(controller: Controller, place: &Place, folder: &Path) -> Result<(), GroupError> {
    if place.version == Version::V2 && controller != Controller::CpuAccounting {
        hand_down(controller, &place.parent)?;
    }
    match fs::create_dir(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            return Err(GroupError::Write {
                file: folder.to_owned(),
                value: String::new(),
                source: error,
            });
        }
        _ => {}
    }
    if controller == Controller::CpuSet && place.version == Version::V1 {
        // A version 1 cpuset is empty at first, and then takes no process.
        for file in ["cpuset.cpus", "cpuset.mems"] {
            let inherited = text(&place.parent, file).unwrap_or_default();
            write(folder, file, &inherited)?;
        }
    }
    Ok(())
}

fn hand_down(controller: Controller, parent: &Path) -> Result<(), GroupError> {
    let given = text(parent, "cgroup.subtree_control").unwrap_or_default();
    if given.split(' ').any(|name| name == controller.name()) {
        return Ok(());
    }
    let me = std::process::id();
    if members(parent) == [me] && parent.join("cgroup.type").exists() {
        let leaf = parent.join(OWN_LEAF);
        let _ = fs::create_dir(&leaf);
        write(&leaf, "cgroup.procs", &me.to_string())?;
    }
    write(parent, "cgroup.subtree_control", &format!("+{controller}"))
}

fn limit(
    controller: Controller,
    version: Version,
    folder: &Path,
    limits: &Limits,
) -> Result<(), GroupError> {
    match controller {
        Controller::Cpu => limits
            .cpu
            .map_or(Ok(()), |cpu| limit_cpu(version, folder, cpu)),
        Controller::Memory => limits
            .memory_bytes
            .map_or(Ok(()), |bytes| limit_memory(version, folder, bytes)),
        Controller::CpuSet if !limits.cpus.is_empty() => write(
            folder,
            "cpuset.cpus",
            &CpuList(limits.cpus.clone()).to_string(),
        ),
        Controller::CpuSet | Controller::CpuAccounting => Ok(()),
    }
}

fn limit_cpu(version: Version, folder: &Path, cpu: f64) -> Result<(), GroupError> {
    let period = Duration::from_micros(PERIOD_MICROSECONDS);
    // The kernel takes no quota below one millisecond.
    let quota = period.mul_f64(cpu.clamp(0.01, 100_000.0)).as_micros();
    match version {
        Version::V1 => {
            write(
                folder,
                "cpu.cfs_period_us",
                &PERIOD_MICROSECONDS.to_string(),
            )?;
            write(folder, "cpu.cfs_quota_us", &quota.to_string())
        }
        Version::V2 => write(folder, "cpu.max", &format!("{quota} {PERIOD_MICROSECONDS}")),
    }
}

fn limit_memory(version: Version, folder: &Path, bytes: u64) -> Result<(), GroupError> {
    let file = memory_limit_file(version);
    let value = bytes.to_string();
    write(folder, file, &value)?;
    // Swap on top would turn a hard limit into a slow one. Kernels without swap accounting lack the
    // file, and have no swap to take.
    let _ = match version {
        Version::V1 => fs::write(folder.join("memory.memsw.limit_in_bytes"), &value),
        Version::V2 => fs::write(folder.join("memory.swap.max"), "0"),
    };
    let kept = number(folder, file).unwrap_or(UNLIMITED);
    // Limits are kept in whole pages.
    if kept > bytes || kept + 65_536 < bytes {
        return Err(GroupError::NotKept {
            file: folder.join(file),
            value,
            kept: kept.to_string(),
        });
    }
    Ok(())
}

fn write(folder: &Path, file: &str, value: &str) -> Result<(), GroupError> {
    let file = folder.join(file);
    fs::write(&file, value).map_err(|source| GroupError::Write {
        file,
        value: value.to_owned(),
        source,
    })
}

fn nanoseconds(count: u64) -> f64 {
    Duration::from_nanos(count).as_secs_f64()
}

fn microseconds(count: u64) -> f64 {
    Duration::from_micros(count).as_secs_f64()
}
