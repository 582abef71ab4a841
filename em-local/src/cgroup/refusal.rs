//! What to say when a limit was asked for and cannot be set.

use std::fmt;

use super::rights::{Controller, Rights};

/// A limit that cannot be set here: what is missing, and one command that gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What was asked for, as `memory limit`.
    pub asked: &'static str,
    /// What stands in the way.
    pub missing: String,
    /// One command, to be typed as it is.
    pub remedy: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            asked,
            missing,
            remedy,
        } = self;
        write!(
            formatter,
            "a {asked} cannot be set here: {missing}; to allow it: {remedy}"
        )
    }
}

impl std::error::Error for Refusal {}

/// Checks that `controller` can be used for what `asked` names.
pub(super) fn require(
    rights: &Rights,
    controller: Controller,
    asked: &'static str,
) -> Result<(), Refusal> {
    match rights.obstacle(controller) {
        None => Ok(()),
        Some(missing) => Err(Refusal {
            asked,
            missing: missing.to_owned(),
            remedy: remedy(rights),
        }),
    }
}

/// Version 1 wants folders that belong to the user; version 2 a scope whose controllers are delegated.
fn remedy(rights: &Rights) -> String {
    let is_root = rustix::process::geteuid().is_root();
    let has_v1 = rights.mount_points.iter().any(|point| {
        Controller::ALL
            .iter()
            .any(|controller| point.ends_with(controller.name()))
    });
    match (has_v1, is_root) {
        (true, _) => format!(
            "sudo sh -c '{PREPARE_V1}' em {}",
            rustix::process::geteuid().as_raw()
        ),
        (false, true) => "systemd-run --scope -p Delegate=yes em run FILE".to_owned(),
        (false, false) => "systemd-run --user --scope -p Delegate=yes em run FILE".to_owned(),
    }
}

/// Makes a folder `em` in every version 1 hierarchy and gives it to user `$1`. A new cpuset is empty
/// and takes no process until it has CPUs and memory nodes.
const PREPARE_V1: &str = r#"cd /sys/fs/cgroup; for c in cpu cpuacct memory cpuset; do mkdir -p $c/em; chown -R "$1" $c/em; done; for f in cpus mems; do cat cpuset/cpuset.$f > cpuset/em/cpuset.$f; done"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_what_is_missing_and_what_to_type() {
        let text = require(&Rights::none(), Controller::Memory, "memory limit")
            .unwrap_err()
            .to_string();
        assert!(
            text.starts_with("a memory limit cannot be set here: not looked for"),
            "{text}"
        );
        assert!(text.contains("Delegate=yes"), "{text}");
    }
}
