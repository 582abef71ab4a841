//! Is this machine fit to measure on? One line, and what follows from what was seen.

use std::fmt;
use std::fs;
use std::path::Path;

use crate::cgroup::{Controller, Rights};
use crate::cores::{self, CpuList};

/// More load than this share of the CPUs before we start anything is somebody else's work.
const BUSY_SHARE: f64 = 0.2;
/// More stolen time than this share is a neighbour on the host.
const STOLEN_SHARE: f64 = 0.01;

/// What was seen of the machine.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Fitness {
    /// Mean number of runnable processes over the last minute.
    pub load: Option<f64>,
    /// CPUs that this process may use.
    pub cpus: Vec<usize>,
    /// Frequency governor, where the machine has one.
    pub governor: Option<String>,
    /// Whether the machine runs on its battery.
    pub on_battery: bool,
    /// Share of CPU time since boot that the host gave to others.
    pub stolen_share: Option<f64>,
    /// Swap in use, in bytes.
    pub swap_used_bytes: Option<u64>,
    /// Controllers in whose groups limits can be set.
    pub controllers: Vec<Controller>,
    /// Why limits cannot be set.
    pub no_limits: Option<String>,
    /// Whether there are as many cores as slots ask for.
    pub slots: Option<Result<usize, cores::TooFewCores>>,
}

/// Something that makes numbers worse, what follows, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Weakness {
    /// What was seen.
    pub seen: String,
    /// What follows from it.
    pub consequence: &'static str,
    /// What to do about it.
    pub remedy: String,
}

impl Fitness {
    /// Looks at this machine, for `slots` slots of `each` CPUs. Takes about a millisecond.
    pub fn survey(slots: usize, each: usize) -> Self {
        let rights = Rights::survey();
        let cpus = cores::usable();
        let controllers: Vec<Controller> = Controller::ALL
            .into_iter()
            .filter(|one| rights.has(*one))
            .collect();
        let no_limits = [Controller::Cpu, Controller::Memory]
            .into_iter()
            .find_map(|one| {
                rights
                    .obstacle(one)
                    .map(|why| format!("no {one} limits: {why}"))
            });
        Self {
            load: load_in(&read("/proc/loadavg")),
            governor: cpus.first().and_then(|cpu| governor(*cpu)),
            on_battery: is_on_battery(Path::new("/sys/class/power_supply")),
            stolen_share: stolen_share_in(&read("/proc/stat")),
            swap_used_bytes: swap_used_in(&read("/proc/meminfo")),
            controllers,
            no_limits,
            slots: (slots > 1)
                .then(|| cores::deal(&cpus, cores::siblings, slots, each).map(|sets| sets.len())),
            cpus,
        }
    }

    /// What makes numbers worse here, the gravest first.
    pub fn weaknesses(&self) -> Vec<Weakness> {
        [
            self.few_cores(),
            self.busy(),
            self.slow_clock(),
            self.battery(),
            self.stolen(),
            self.swapping(),
            self.unlimited(),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    fn few_cores(&self) -> Option<Weakness> {
        let Some(Err(few)) = &self.slots else {
            return None;
        };
        Some(Weakness {
            seen: format!("{} CPUs for {} slots", few.available, few.slots),
            consequence: "trials side by side would measure each other",
            remedy: "lower target.slots".to_owned(),
        })
    }

    fn busy(&self) -> Option<Weakness> {
        let load = self.load?;
        let count = u32::try_from(self.cpus.len().max(1)).unwrap_or(u32::MAX);
        (load > BUSY_SHARE * f64::from(count)).then(|| Weakness {
            seen: format!("load {load:.1} on {count} CPUs"),
            consequence: "others take CPU time, intervals get wider",
            remedy: "wait for it to end, or see `top`".to_owned(),
        })
    }

    fn slow_clock(&self) -> Option<Weakness> {
        let governor = self.governor.as_deref()?;
        (!matches!(governor, "performance")).then(|| Weakness {
            seen: format!("governor {governor}"),
            consequence: "the clock follows the load, low rates look slower",
            remedy: "sudo cpupower frequency-set -g performance".to_owned(),
        })
    }

    fn battery(&self) -> Option<Weakness> {
        self.on_battery.then(|| Weakness {
            seen: "on battery".to_owned(),
            consequence: "the clock is held back",
            remedy: "plug it in".to_owned(),
        })
    }

    fn stolen(&self) -> Option<Weakness> {
        let share = self.stolen_share?;
        (share > STOLEN_SHARE).then(|| Weakness {
            seen: format!("steal {:.1} %", 100.0 * share),
            consequence: "neighbours on the host take CPU time",
            remedy: "use a machine with dedicated CPUs, or more blocks".to_owned(),
        })
    }

    fn swapping(&self) -> Option<Weakness> {
        let bytes = self.swap_used_bytes.filter(|bytes| *bytes > 0)?;
        Some(Weakness {
            seen: format!("swap {} MiB used", bytes >> 20),
            consequence: "latency can jump when pages come back",
            remedy: "sudo swapoff -a && sudo swapon -a".to_owned(),
        })
    }

    fn unlimited(&self) -> Option<Weakness> {
        let seen = self.no_limits.clone()?;
        Some(Weakness {
            seen,
            consequence: "target.cpu and target.memory are refused, out-of-memory kills go unseen",
            remedy: "`em check` names the command for a file that needs them".to_owned(),
        })
    }
}

/// One line: what was seen, then the gravest weakness with consequence and remedy.
impl fmt::Display for Fitness {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "machine: CPUs {}", CpuList(self.cpus.clone()))?;
        if let Some(load) = self.load {
            write!(formatter, ", load {load:.1}")?;
        }
        if let Some(governor) = &self.governor {
            write!(formatter, ", governor {governor}")?;
        }
        if let Some(share) = self.stolen_share {
            write!(formatter, ", steal {:.1} %", 100.0 * share)?;
        }
        let limits = if self.no_limits.is_none() {
            "limits yes"
        } else {
            "limits no"
        };
        write!(formatter, ", {limits}")?;
        let weaknesses = self.weaknesses();
        let Some(first) = weaknesses.first() else {
            return formatter.write_str("; fit to measure");
        };
        write!(
            formatter,
            "; {}: {} ({})",
            first.seen, first.consequence, first.remedy
        )?;
        match weaknesses.len() - 1 {
            0 => Ok(()),
            more => write!(formatter, "; {more} more"),
        }
    }
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

fn load_in(loadavg: &str) -> Option<f64> {
    loadavg.split_ascii_whitespace().next()?.parse().ok()
}

fn governor(cpu: usize) -> Option<String> {
    let path = format!("/sys/devices/system/cpu/cpu{cpu}/cpufreq/scaling_governor");
    fs::read_to_string(path)
        .ok()
        .map(|text| text.trim().to_owned())
}

/// A battery that gives power. A machine without one, or one that charges, does not count.
fn is_on_battery(folder: &Path) -> bool {
    fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
        .any(|supply| {
            let file =
                |name: &str| fs::read_to_string(supply.path().join(name)).unwrap_or_default();
            file("type").trim() == "Battery"
                && file("scope").trim() != "Device"
                && file("status").trim() == "Discharging"
        })
}

/// Steal over all CPU time in the first line of `/proc/stat`.
fn stolen_share_in(stat: &str) -> Option<f64> {
    let fields: Vec<f64> = stat
        .lines()
        .next()?
        .strip_prefix("cpu ")?
        .split_ascii_whitespace()
        .filter_map(|field| field.parse().ok())
        .collect();
    // user nice system idle iowait irq softirq steal; guest time is part of user time.
    let all: f64 = fields.iter().take(8).sum();
    fields
        .get(7)
        .map(|steal| steal / all)
        .filter(|share| share.is_finite())
}

fn swap_used_in(meminfo: &str) -> Option<u64> {
    let kibibytes = |name: &str| {
        let line = meminfo.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().split(' ').next()?.parse::<u64>().ok()
    };
    Some(1024 * kibibytes("SwapTotal:")?.saturating_sub(kibibytes("SwapFree:")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_s_files_are_read() {
        assert_eq!(load_in("0.52 0.15 0.06 1/87 6686\n"), Some(0.52));
        assert_eq!(
            stolen_share_in("cpu  60 0 20 10 0 0 0 10 5 0\ncpu0 1"),
            Some(0.1)
        );
        assert_eq!(
            swap_used_in("MemTotal: 9 kB\nSwapTotal:  2048 kB\nSwapFree:  1024 kB\n"),
            Some(1 << 20)
        );
    }

    #[test]
    fn a_quiet_machine_is_fit() {
        let quiet = Fitness {
            load: Some(0.1),
            cpus: vec![0, 1],
            ..Fitness::default()
        };
        assert_eq!(
            quiet.to_string(),
            "machine: CPUs 0-1, load 0.1, limits yes; fit to measure"
        );
    }

    #[test]
    fn the_gravest_weakness_comes_with_consequence_and_remedy() {
        let busy = Fitness {
            load: Some(3.0),
            cpus: vec![0, 1],
            governor: Some("powersave".to_owned()),
            ..Fitness::default()
        };
        assert_eq!(
            busy.to_string(),
            "machine: CPUs 0-1, load 3.0, governor powersave, limits yes; load 3.0 on 2 CPUs: others take CPU time, intervals get wider (wait for it to end, or see `top`); 1 more"
        );
    }

    #[test]
    fn more_slots_than_cores_is_said_first() {
        let slots = Some(cores::deal(&[0], cores::siblings, 2, 1).map(|sets| sets.len()));
        let small = Fitness {
            cpus: vec![0],
            slots,
            load: Some(9.0),
            ..Fitness::default()
        };
        assert_eq!(small.weaknesses()[0].seen, "1 CPUs for 2 slots");
    }

    #[test]
    fn only_a_battery_in_use_counts() {
        let folder = tempfile::tempdir().unwrap();
        let battery = folder.path().join("BAT0");
        fs::create_dir(&battery).unwrap();
        fs::write(battery.join("type"), "Battery\n").unwrap();
        fs::write(battery.join("status"), "Charging\n").unwrap();
        assert!(!is_on_battery(folder.path()));
        fs::write(battery.join("status"), "Discharging\n").unwrap();
        assert!(is_on_battery(folder.path()));
    }
}
