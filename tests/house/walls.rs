//! Who may know whom.

use std::fs;
use std::path::{Path, PathBuf};

use em_tests::house::{DependencyKind, House, root};

/// Crates between the core and the binaries; none of them knows another.
const ADAPTERS: [&str; 7] = [
    "em-datasource",
    "em-kube",
    "em-load",
    "em-local",
    "em-recommend",
    "em-store",
    "em-summarize",
];

#[test]
fn the_core_knows_no_client_no_server_no_database() {
    let house = House::survey();
    let closure = house.closure("em-core");
    assert!(closure.contains("serde"), "the graph was not read");
    for stranger in ["kube", "reqwest", "hyper", "axum", "sqlx", "utoipa"] {
        assert!(
            !closure.contains(stranger),
            "em-core is built from {stranger}"
        );
    }
}

#[test]
fn adapters_know_the_core_and_not_each_other() {
    let house = House::survey();
    let members: Vec<_> = house.members().map(|member| member.name.as_str()).collect();
    for adapter in ADAPTERS.iter().filter(|name| members.contains(name)) {
        let closure = house.closure(adapter);
        let others = closure.iter().filter(|name| name.starts_with("em-"));
        let others: Vec<_> = others.filter(|name| **name != "em-core").collect();
        assert!(closure.contains("em-core"), "{adapter} implements no port");
        assert!(others.is_empty(), "{adapter} knows {others:?}");
    }
}

#[test]
fn nobody_depends_on_tests_or_examples() {
    let house = House::survey();
    for member in house.members().filter(|member| !member.is_audience()) {
        for needed in house.closure(&member.name) {
            assert!(
                !matches!(needed, "em-tests" | "em-examples"),
                "{} is built from {needed}",
                member.name
            );
        }
    }
}

#[test]
fn the_product_contains_no_fakes_and_no_mocks() {
    let house = House::survey();
    for member in house.members() {
        let product = member.declared.iter();
        for dependency in product.filter(|one| one.kind != DependencyKind::Development) {
            let doubles: Vec<_> = dependency
                .features
                .iter()
                .filter(|feature| matches!(feature.as_str(), "testkit" | "mock"))
                .collect();
            assert!(
                doubles.is_empty(),
                "{} asks {} for {doubles:?} outside its dev-dependencies",
                member.name,
                dependency.name
            );
        }
    }
}

/// A file without its tests has about 400 lines. Longer ones are listed, for people to judge.
#[test]
fn long_files_are_listed() {
    let mut files = Vec::new();
    for member in House::survey().members() {
        let folder = member
            .manifest
            .parent()
            .expect("a manifest lies in a folder");
        sources(&folder.join("src"), &mut files);
    }
    assert!(files.len() > 20, "the sources were not found");
    for file in files {
        let text = fs::read_to_string(&file).expect("sources are text");
        let lines = text
            .split("\n#[cfg(test)]\nmod tests {")
            .next()
            .unwrap_or("");
        let lines = lines.lines().count();
        if lines > 500 {
            let name = file.strip_prefix(root()).unwrap_or(&file).display();
            println!("warning: {name} has {lines} lines without its tests: split it?");
        }
    }
}

fn sources(folder: &Path, into: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries {
        let path = entry.expect("the folder is readable").path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}
