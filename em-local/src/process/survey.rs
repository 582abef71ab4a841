//! Looking before anything is done: slots, and what would go wrong.

use std::collections::BTreeMap;
use std::fs;

use em_core::fault::chain;
use em_core::id::SlotId;
use em_core::plan::{LimitFallback, Plan, ProcessSpec, Workdir};
use em_core::port::{Finding, Severity, SlotInfo, Survey};

use crate::cgroup::{Group, Limits, Rights};
use crate::cores::{self, CpuList, TooFewCores};
use crate::launch::Guardian;
use crate::programs;
use crate::stop::SignalName;
use crate::surroundings::Surroundings;
use crate::user::Account;
use crate::workdir;

/// The CPUs of each slot. One slot has all of them.
pub(super) fn slots(spec: &ProcessSpec) -> Result<Vec<Vec<usize>>, TooFewCores> {
    let count = usize::try_from(spec.slots).unwrap_or(usize::MAX).max(1);
    cores::deal(
        &cores::usable(),
        cores::siblings,
        count,
        whole_cpus(spec.cpu),
    )
}

/// A limit of 1.5 CPUs needs two of its own.
fn whole_cpus(cpu: Option<f64>) -> usize {
    let limit = cpu.unwrap_or(1.0);
    (1..=4096_u16)
        .find(|count| f64::from(*count) >= limit)
        .map_or(4096, usize::from)
}

/// Looks at this machine and at what the plan names.
pub(super) fn survey(surroundings: &Surroundings, plan: &Plan, spec: &ProcessSpec) -> Survey {
    let mut findings = Vec::new();
    let slots = slots(spec).unwrap_or_else(|few| {
        findings.push(error(few.to_string(), None));
        Vec::new()
    });
    let slots = (0..).zip(slots).map(|(number, cpus)| SlotInfo {
        id: SlotId(number),
        label: format!("CPUs {}", CpuList(cpus)),
    });
    let slots = slots.collect();
    findings.extend(limit_finding(spec));
    findings.extend(program_findings(surroundings, spec));
    findings.extend(guard_finding(&surroundings.guardian));
    if let Err(unknown) = spec.stop.signal.parse::<SignalName>() {
        findings.push(error(format!("target.stop.signal: {unknown}"), None));
    }
    findings.extend(user_finding(surroundings, spec));
    let today = plan.tunables.iter();
    let today = today.filter_map(|tunable| Some((tunable.name.clone(), tunable.default.clone()?)));
    Survey {
        today: today.collect(),
        slots,
        findings,
        facts: machine(),
    }
}

fn limit_finding(spec: &ProcessSpec) -> Option<Finding> {
    let memory_bytes = spec
        .memory
        .and_then(|memory| memory.to_integer()?.try_into().ok());
    let limits = Limits {
        cpu: spec.cpu,
        memory_bytes,
        cpus: Vec::new(),
    };
    let refusal = Group::check(&Rights::survey(), &limits).err()?;
    Some(match spec.limits {
        LimitFallback::Require => error(refusal.to_string(), Some(refusal.remedy)),
        LimitFallback::BestEffort => Finding {
            severity: Severity::Warning,
            what: format!(
                "the target runs without its {}: {}",
                refusal.asked, refusal.missing
            ),
            remedy: Some(refusal.remedy),
        },
    })
}

fn program_findings(surroundings: &Surroundings, spec: &ProcessSpec) -> Vec<Finding> {
    let mut findings = Vec::new();
    let hooks = [
        &spec.setup.once,
        &spec.setup.each,
        &spec.teardown.once,
        &spec.teardown.each,
    ];
    let commands = hooks.into_iter().flatten().chain([&spec.command]);
    for command in commands {
        if let Some(program) = programs::missing(command, &surroundings.base) {
            let remedy = "install it, or write its whole path".to_owned();
            findings.push(error(programs::not_there(program), Some(remedy)));
        }
    }
    let folder = match &spec.workdir {
        Workdir::CopyOf(folder) if spec.setup.once.is_empty() => Some(folder),
        Workdir::At(folder) => Some(folder),
        Workdir::CopyOf(_) | Workdir::Fresh => None,
    };
    if let Some(folder) = folder.map(|folder| surroundings.resolve(folder))
        && let Err(problem) = fs::read_dir(&folder)
    {
        let what = format!(
            "the working folder {} cannot be read: {}",
            folder.display(),
            chain(&problem)
        );
        findings.push(error(what, None));
    }
    findings
}

/// The user is there, may be become, and can get to the working folders.
fn user_finding(surroundings: &Surroundings, spec: &ProcessSpec) -> Option<Finding> {
    let name = spec.user.as_deref()?;
    let account = match Account::find(name) {
        Ok(account) => account,
        Err(refused) => return Some(error(format!("target.user: {refused}"), None)),
    };
    let closed = workdir::closed_to(&account, &surroundings.data)?;
    let what = format!(
        "target.user: {name} cannot reach the working folders in {}: {} is closed to other users",
        surroundings.data.display(),
        closed.display()
    );
    let remedy = "keep the data where that user may enter, such as --data /var/tmp/em";
    Some(error(what, Some(remedy.to_owned())))
}

fn guard_finding(guardian: &Guardian) -> Option<Finding> {
    match guardian {
        Guardian::Executable { .. } => None,
        Guardian::ProcessGroup => Some(Finding {
            severity: Severity::Warning,
            what: "a shell guards the process group only: what opens a session of its own (a daemon) outlives a killed manager".to_owned(),
            remedy: Some("call em_local::guard::run from main, and set Surroundings::guardian".to_owned()),
        }),
    }
}

fn error(what: String, remedy: Option<String>) -> Finding {
    Finding {
        severity: Severity::Error,
        what,
        remedy,
    }
}

/// Facts of the machine that belong to the result.
fn machine() -> BTreeMap<String, String> {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name))?;
        line.split_once(':')
            .map(|(_, value)| value.trim().to_owned())
    };
    let facts = [
        (
            "kernel",
            Some(read("/proc/sys/kernel/osrelease").trim().to_owned()),
        ),
        ("cpu_model", field(&read("/proc/cpuinfo"), "model name")),
        ("memory_total", field(&read("/proc/meminfo"), "MemTotal")),
        ("cpus", Some(CpuList(cores::usable()).to_string())),
    ];
    facts
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect()
}
