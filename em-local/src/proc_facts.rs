//! Reading back what really runs: command line, environment, limits, CPUs, user - from `/proc` and the
//! cgroup, not from what was asked.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use em_core::id::Digest;
use em_core::port::Fact;

use crate::cgroup::{Group, Limits};
use crate::cores::{self, CpuList};
use crate::launch::as_typed;
use crate::mark;
use crate::proc_table;

/// What was asked for.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// Program and arguments.
    pub command: Vec<String>,
    /// Environment variables that the plan sets.
    pub env: BTreeMap<String, String>,
    /// Those among them whose value is secret.
    pub secret: Vec<String>,
    /// Limits.
    pub limits: Limits,
    /// User id.
    pub uid: Option<u32>,
    /// Key of the hashes that stand for values which the plan does not set.
    pub hash_key: String,
}

/// Reads back what process `pid` really is. What cannot be read is left out, never guessed.
pub fn read(pid: u32, asked: &Asked, group: Option<&Group>) -> Vec<Fact> {
    let mut facts = Vec::new();
    if let Some(seen) = proc_table::command_line(pid) {
        facts.push(command_fact(&asked.command, &seen));
    }
    if let Some(executable) = proc_table::executable(pid) {
        facts.push(seen_only("executable", executable.display().to_string()));
    }
    if let Some(seen) = proc_table::environment(pid) {
        facts.extend(environment_facts(asked, &seen.into_iter().collect()));
    }
    if let Some(group) = group.filter(|group| !group.folders().is_empty()) {
        facts.extend(limit_facts(&asked.limits, &group.limits_in_force()));
        let member = if group.members().contains(&pid) {
            "member"
        } else {
            "not a member"
        };
        facts.push(both("cgroup", "member".to_owned(), member.to_owned()));
    }
    if let Some(allowed) = cores::allowed(pid) {
        let wanted = &asked.limits.cpus;
        let asked = (!wanted.is_empty()).then(|| CpuList(wanted.clone()).to_string());
        facts.push(Fact {
            name: "cpus".to_owned(),
            asked,
            seen: Some(CpuList(allowed).to_string()),
        });
    }
    if let Some(uid) = user_of(pid) {
        let asked = asked.uid.map(|uid| uid.to_string());
        facts.push(Fact {
            name: "user".to_owned(),
            asked,
            seen: Some(uid.to_string()),
        });
    }
    facts
}

/// Arguments are compared where the program that runs is the one that was named: scripts appear behind
/// their interpreter, and a program that writes its own title (or has become another one) only shows
/// what it shows.
fn command_fact(asked: &[String], seen: &[String]) -> Fact {
    let comparable = match (asked.first(), seen.first()) {
        (Some(asked), Some(seen)) => base_name(asked) == base_name(seen),
        _ => false,
    };
    let behind_interpreter = seen.len() > asked.len()
        && seen
            .iter()
            .rev()
            .zip(asked.iter().rev())
            .take(asked.len() - 1)
            .all(|(a, b)| a == b)
        && seen
            .get(seen.len() - asked.len())
            .zip(asked.first())
            .is_some_and(|(seen, asked)| base_name(seen) == base_name(asked));
    if behind_interpreter {
        return both("command", as_typed(asked), as_typed(asked));
    }
    let shown = |command: &[String]| {
        let program = command.first().map(|program| base_name(program).to_owned());
        let words: Vec<String> = program
            .into_iter()
            .chain(command.iter().skip(1).cloned())
            .collect();
        as_typed(&words)
    };
    Fact {
        name: "command".to_owned(),
        asked: comparable.then(|| shown(asked)),
        seen: Some(if comparable {
            shown(seen)
        } else {
            as_typed(seen)
        }),
    }
}

fn base_name(program: &str) -> &str {
    Path::new(program)
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or(program)
}

fn environment_facts(asked: &Asked, seen: &BTreeMap<String, String>) -> Vec<Fact> {
    let shown = |name: &str, value: &str| {
        let is_secret = asked.secret.iter().any(|secret| secret == name);
        if is_secret {
            keyed_hash(&asked.hash_key, value)
        } else {
            value.to_owned()
        }
    };
    let set = asked.env.iter().map(|(name, value)| Fact {
        name: format!("env.{name}"),
        asked: Some(shown(name, value)),
        seen: seen.get(name).map(|value| shown(name, value)),
    });
    let inherited = seen
        .iter()
        .filter(|(name, _)| !asked.env.contains_key(*name) && *name != mark::VARIABLE)
        .map(|(name, value)| seen_only(&format!("env.{name}"), keyed_hash(&asked.hash_key, value)));
    set.chain(inherited).collect()
}

/// Equal values have equal hashes within one store, and say nothing outside of it.
fn keyed_hash(key: &str, value: &str) -> String {
    format!(
        "#{}",
        Digest::of(format!("{key}\0{value}").as_bytes()).short()
    )
}

fn limit_facts(asked: &Limits, in_force: &Limits) -> Vec<Fact> {
    let mut facts = Vec::new();
    let mut add = |name: &str, asked: Option<String>, seen: Option<String>| {
        if asked.is_some() || seen.is_some() {
            facts.push(Fact {
                name: name.to_owned(),
                asked,
                seen,
            });
        }
    };
    let cpu = |limits: &Limits| limits.cpu.map(|cpu| format!("{cpu:.3}"));
    add("limit.cpu", cpu(asked), cpu(in_force));
    let memory = |limits: &Limits| {
        limits
            .memory_bytes
            .map(|bytes| (bytes & !PAGE_MASK).to_string())
    };
    add("limit.memory", memory(asked), memory(in_force));
    facts
}

/// The kernel keeps memory limits in whole pages (64 KiB where they are largest).
const PAGE_MASK: u64 = 0xffff;

fn user_of(pid: u32) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    // Real, effective, saved, file system: the effective one decides what it may do.
    line.split_ascii_whitespace().nth(1)?.parse().ok()
}

fn both(name: &str, asked: String, seen: String) -> Fact {
    Fact {
        name: name.to_owned(),
        asked: Some(asked),
        seen: Some(seen),
    }
}

fn seen_only(name: &str, seen: String) -> Fact {
    Fact {
        name: name.to_owned(),
        asked: None,
        seen: Some(seen),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    fn command(asked: &str, seen: &str) -> (Option<String>, String) {
        let fact = command_fact(&words(asked), &words(seen));
        (fact.asked, fact.seen.unwrap())
    }

    #[test]
    fn a_command_line_is_compared_with_what_runs() {
        let same = (Some("srv -p 1".to_owned()), "srv -p 1".to_owned());
        assert_eq!(command("./srv -p 1", "/opt/srv -p 1"), same);
        let other = (Some("srv -p 1".to_owned()), "srv -p 2".to_owned());
        assert_eq!(command("srv -p 1", "srv -p 2"), other);
        let script = (Some("./run.sh x".to_owned()), "./run.sh x".to_owned());
        assert_eq!(command("./run.sh x", "/bin/sh ./run.sh x"), script);
        let titled = command("nginx -g x", "nginx:_master_process_nginx");
        assert_eq!(titled, (None, "nginx:_master_process_nginx".to_owned()));
    }

    #[test]
    fn values_that_the_plan_does_not_set_are_hashed_and_secrets_too() {
        let asked = Asked {
            env: BTreeMap::from([
                ("WORKERS".into(), "8".into()),
                ("TOKEN".into(), "s3cret".into()),
            ]),
            secret: vec!["TOKEN".to_owned()],
            hash_key: "store".to_owned(),
            ..Asked::default()
        };
        let seen = BTreeMap::from([
            ("WORKERS".to_owned(), "4".to_owned()),
            ("TOKEN".to_owned(), "s3cret".to_owned()),
            ("HOME".to_owned(), "/home/me".to_owned()),
        ]);
        let facts = environment_facts(&asked, &seen);
        let fact = |name: &str| facts.iter().find(|fact| fact.name == name).unwrap().clone();
        assert_eq!(
            fact("env.WORKERS"),
            both("env.WORKERS", "8".into(), "4".into())
        );
        assert_eq!(fact("env.TOKEN").asked, fact("env.TOKEN").seen);
        assert_eq!(fact("env.HOME").asked, None);
        let text = format!("{facts:?}");
        assert!(
            !text.contains("s3cret") && !text.contains("/home/me"),
            "{text}"
        );
        assert_ne!(keyed_hash("a", "x"), keyed_hash("b", "x"));
    }
}
