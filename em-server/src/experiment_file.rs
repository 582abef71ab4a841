//! Reading an experiment file from the command line: the file, its `--set`s, its surroundings.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use em_core::file::{self, FileContext, Node, Parsed, SetError, Violations};
use em_core::id::Digest;

/// Why a file is not a plan.
#[derive(Debug)]
pub enum Unusable {
    /// It breaks rules; all of them are listed.
    Violations(Violations),
    /// A `--set` cannot be done.
    Set(SetError),
}

/// A file that was read.
#[derive(Debug)]
pub struct ReadFile {
    /// The folder from which its relative paths start.
    pub base: PathBuf,
    /// Plan and warnings, or what is wrong.
    pub parsed: Result<Parsed, Unusable>,
}

/// One `--set PATH=VALUE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// Where in the file.
    pub path: String,
    /// What to put there, as YAML.
    pub value: String,
}

impl std::str::FromStr for Assignment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (path, value) = text
            .split_once('=')
            .ok_or("write PATH=VALUE, such as measurement.cycles=1")?;
        Ok(Self {
            path: path.to_owned(),
            value: value.to_owned(),
        })
    }
}

/// Reads the file at `path`. An error means that it could not be read at all.
pub fn read(path: &Path, assignments: &[Assignment]) -> Result<ReadFile> {
    let bytes = fs::read(path).with_context(|| format!("failed to read {}", path.display()))?;
    let absolute = fs::canonicalize(path)
        .with_context(|| format!("failed to find the folder of {}", path.display()))?;
    let base = absolute.parent().unwrap_or(Path::new("/")).to_owned();
    let executable = std::env::current_exe().context("failed to find the own executable")?;
    let digest = fs::read(&executable).map(|bytes| Digest::of(&bytes));
    let context = FileContext {
        base: base.clone(),
        executable_digest: Some(digest.context("failed to read the own executable")?),
        executable: Some(executable),
        read: &|path| fs::read(path),
        contexts: contexts(),
        ..FileContext::bare()
    };
    let parsed = parse(&bytes, assignments, &context);
    Ok(ReadFile { base, parsed })
}

/// The contexts of the kubeconfig, for a file that names none. A kubeconfig that cannot be read is said when it is used.
fn contexts() -> Vec<String> {
    let contexts = em_kube::cluster::contexts().unwrap_or_default();
    contexts.into_iter().map(|context| context.name).collect()
}

fn parse(
    bytes: &[u8],
    assignments: &[Assignment],
    context: &FileContext<'_>,
) -> Result<Parsed, Unusable> {
    let mut tree = Node::parse(bytes).map_err(Unusable::Violations)?;
    for assignment in assignments {
        file::set(&mut tree, &assignment.path, &assignment.value).map_err(Unusable::Set)?;
    }
    file::read(&tree, context).map_err(Unusable::Violations)
}
