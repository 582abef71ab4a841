//! The machine that a figure was measured on.

use std::fs;

use em_local::fitness::Fitness;

/// How this was built, and `em` beside it.
const PROFILE: &str = if cfg!(debug_assertions) {
    "without optimisation"
} else {
    "as a release"
};

/// Processor, memory, kernel, fitness.
pub(crate) fn describe() -> Vec<String> {
    let cpu = field("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown".to_owned());
    let memory = field("/proc/meminfo", "MemTotal").unwrap_or_else(|| "unknown".to_owned());
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    vec![
        format!(
            "machine: {cores} cores of {cpu}, memory {memory}, Linux {}",
            kernel.trim()
        ),
        format!("built {PROFILE}"),
        Fitness::survey(1, 1).to_string().trim_end().to_owned(),
        load("at the start"),
    ]
}

/// What else runs here.
pub(crate) fn load(when: &str) -> String {
    let averages = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let averages: Vec<_> = averages.split_ascii_whitespace().take(3).collect();
    format!("load average {when}: {}", averages.join(" "))
}

fn field(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}
