//! The identity of an experiment: a digest of what gives its numbers their meaning, by parts that can be named.
//!
//! Inside: target, load, metrics, measurement, how tunables are applied, the contents of named files, the executable. Outside:
//! labels, budget, search, ranges, trials, objective, constraints - a change of those goes on with what was measured.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::scene::Scene;
use crate::id::Digest;
use crate::plan::{Domain, Identity, Plan, TargetSpec, Tunable, Workdir};
use crate::template::Template;

/// The identity of a plan whose own `identity` is not set yet.
pub(super) fn of(plan: &Plan, scene: &Scene<'_>) -> Identity {
    let base = &scene.context.base;
    let mut parts = BTreeMap::new();
    let mut add = |name: &str, value: &dyn erased::Part| {
        parts.insert(name.to_owned(), value.digest(base));
    };
    add("target", &without_texts(&plan.target, base));
    add("load", &plan.load);
    add("metrics", &(&plan.datasources, &plan.metrics));
    add("measurement", &plan.measurement);
    let applied: Vec<_> = plan.tunables.iter().map(applied).collect();
    add("apply", &applied);
    for (path, digest) in scene.files.borrow().iter() {
        parts.insert(format!("file:{path}"), *digest);
    }
    let templates = scene.templates.borrow();
    let uses_executable = templates
        .iter()
        .any(|placed| placed.template.names().any(|name| name == "em"));
    if uses_executable && let Some(digest) = scene.context.executable_digest {
        parts.insert("executable".to_owned(), digest);
    }
    let all = serde_json::to_vec(&parts).expect("a map of texts is JSON");
    Identity {
        digest: Digest::of(&all),
        parts,
    }
}

/// The parts in which two identities differ, those that only one of them has included.
pub fn differences(a: &Identity, b: &Identity) -> Vec<String> {
    let names = a.parts.keys().chain(b.parts.keys());
    let mut differing: Vec<String> = names
        .filter(|name| a.parts.get(*name) != b.parts.get(*name))
        .cloned()
        .collect();
    differing.sort();
    differing.dedup();
    differing
}

mod erased {
    use super::{Digest, Path, Serialize};

    /// Anything that can be digested through its JSON.
    pub(super) trait Part {
        fn digest(&self, base: &Path) -> Digest;
    }

    impl<T: Serialize> Part for T {
        fn digest(&self, base: &Path) -> Digest {
            let json = serde_json::to_string(self).expect("plans are JSON");
            // The folder of the file is no part of what it means.
            let folder = serde_json::to_string(&base.to_string_lossy()).unwrap_or_default();
            let folder = folder.trim_matches('"');
            let plain = if folder.is_empty() {
                json
            } else {
                json.replace(&format!("\"{folder}/"), "\"./")
            };
            Digest::of(plain.as_bytes())
        }
    }
}

/// The target without the texts of its files, which are parts of their own.
fn without_texts(target: &TargetSpec, base: &Path) -> TargetSpec {
    let mut target = target.clone();
    if let TargetSpec::Process(process) = &mut target {
        let relative = |path: &mut PathBuf| {
            if let Ok(rest) = path.strip_prefix(base) {
                *path = rest.to_owned();
            }
        };
        for file in process.files.values_mut() {
            file.text = Template::parse("").expect("nothing is a template");
            relative(&mut file.path);
        }
        match &mut process.workdir {
            Workdir::CopyOf(path) | Workdir::At(path) => relative(path),
            Workdir::Fresh => {}
        }
    }
    target
}

/// What a value of the tunable does; which values it may take is no part of it.
fn applied(tunable: &Tunable) -> impl Serialize + use<'_> {
    let formula = match &tunable.domain {
        Domain::Derived { value } => Some(value.to_string()),
        Domain::Integer { .. }
        | Domain::Real { .. }
        | Domain::Quantity { .. }
        | Domain::Categorical { .. } => None,
    };
    (&tunable.name, &tunable.apply, formula, &tunable.when)
}
