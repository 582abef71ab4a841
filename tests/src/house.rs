//! The repository as Cargo sees it: crates, who depends on whom, under which licence.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Root of the repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the tests crate lies inside the repository")
}

/// What `cargo metadata` says about the workspace on this platform.
#[derive(Debug)]
pub struct House {
    packages: BTreeMap<String, Package>,
    members: BTreeSet<String>,
}

/// One package.
#[derive(Debug)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// SPDX expression of its licence.
    pub licence: Option<String>,
    /// Registry or repository it comes from; none = this repository.
    pub source: Option<String>,
    /// Its manifest.
    pub manifest: PathBuf,
    /// What its manifest asks for.
    pub declared: Vec<Declared>,
    /// Ids of the packages that its normal and build dependencies were resolved to.
    needs: Vec<String>,
}

/// A line under `[dependencies]`, `[dev-dependencies]` or `[build-dependencies]`.
#[derive(Debug)]
pub struct Declared {
    /// Name of the package.
    pub name: String,
    /// Where it stands.
    pub kind: DependencyKind,
    /// Features it asks for.
    pub features: Vec<String>,
}

/// Kinds of dependencies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DependencyKind {
    /// Part of the product.
    Normal,
    /// Only for tests.
    Development,
    /// Only for the build.
    Build,
}

impl House {
    /// Asks Cargo.
    ///
    /// # Panics
    /// Where Cargo does not answer: without it there is no test, either.
    pub fn survey() -> Self {
        let metadata = metadata();
        let needs = resolved(&metadata);
        let members = strings(&metadata["workspace_members"]);
        let packages = array(&metadata["packages"])
            .map(|package| {
                let id = text(&package["id"]);
                let needs = needs.get(&id).cloned().unwrap_or_default();
                (id, Package::read(package, needs))
            })
            .collect();
        Self {
            packages,
            members: members.into_iter().collect(),
        }
    }

    /// Crates of this workspace.
    pub fn members(&self) -> impl Iterator<Item = &Package> {
        self.members.iter().map(|id| &self.packages[id])
    }

    /// Every package that is part of the graph on this platform.
    pub fn packages(&self) -> impl Iterator<Item = &Package> {
        self.packages.values()
    }

    /// Names of all packages that the crate `name` is built from, tests aside.
    pub fn closure(&self, name: &str) -> BTreeSet<&str> {
        let start = self
            .members
            .iter()
            .find(|id| self.packages[*id].name == name);
        let mut waiting: Vec<&String> = start.into_iter().collect();
        let mut seen = BTreeSet::new();
        while let Some(id) = waiting.pop() {
            if seen.insert(id) {
                waiting.extend(&self.packages[id].needs);
            }
        }
        seen.into_iter()
            .map(|id| self.packages[id].name.as_str())
            .filter(|needed| *needed != name)
            .collect()
    }
}

impl Package {
    fn read(package: &Value, needs: Vec<String>) -> Self {
        Self {
            name: text(&package["name"]),
            licence: package["license"].as_str().map(str::to_owned),
            source: package["source"].as_str().map(str::to_owned),
            manifest: text(&package["manifest_path"]).into(),
            declared: array(&package["dependencies"])
                .map(Declared::read)
                .collect(),
            needs,
        }
    }

    /// Whether it is one of the crates that test the others or show how to use them.
    pub fn is_audience(&self) -> bool {
        matches!(self.name.as_str(), "em-tests" | "em-examples")
    }
}

impl Declared {
    fn read(dependency: &Value) -> Self {
        let kind = match dependency["kind"].as_str() {
            None => DependencyKind::Normal,
            Some("dev") => DependencyKind::Development,
            Some(_) => DependencyKind::Build,
        };
        Self {
            name: text(&dependency["name"]),
            kind,
            features: strings(&dependency["features"]),
        }
    }
}

fn metadata() -> Value {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let platform = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--locked"])
        .args(["--filter-platform", &platform])
        .current_dir(root())
        .output()
        .expect("cargo runs: it runs this test");
    assert!(
        output.status.success(),
        "cargo metadata: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).expect("cargo metadata prints JSON")
}

/// Package id to the ids of its normal and build dependencies.
fn resolved(metadata: &Value) -> BTreeMap<String, Vec<String>> {
    array(&metadata["resolve"]["nodes"])
        .map(|node| {
            let needs = array(&node["deps"])
                .filter(|dep| array(&dep["dep_kinds"]).any(|kind| kind["kind"] != "dev"))
                .map(|dep| text(&dep["pkg"]));
            (text(&node["id"]), needs.collect())
        })
        .collect()
}

fn array(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn strings(value: &Value) -> Vec<String> {
    array(value).map(text).collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
