//! What the product is built from may be given away. The lists stand in `deny.toml`; this test
//! reads them, so a machine without `cargo-deny` judges by the same ones.

use std::collections::BTreeSet;
use std::fs;

use em_tests::house::{House, root};

#[test]
fn every_package_has_a_licence_that_is_allowed() {
    let allowed = list("allow");
    assert!(allowed.contains("MIT"), "the list was not read");
    let house = House::survey();
    for package in house.packages() {
        let licence = package.licence.as_deref().unwrap_or("nothing");
        assert!(
            is_allowed(licence, &allowed),
            "{} is under {licence}: not in deny.toml",
            package.name
        );
    }
}

#[test]
fn every_package_comes_from_the_registry_or_from_here() {
    let house = House::survey();
    for package in house.packages() {
        let source = package.source.as_deref();
        let known = source.is_none_or(|source| source.starts_with("registry+"));
        assert!(known, "{} comes from {source:?}", package.name);
    }
}

#[test]
fn banned_packages_stay_out() {
    let banned = list("deny");
    assert!(banned.contains("openssl-sys"), "the list was not read");
    let house = House::survey();
    for package in house.packages() {
        assert!(
            !banned.contains(&package.name),
            "{} is banned",
            package.name
        );
    }
}

#[test]
fn a_licence_expression_is_judged_by_its_words() {
    let allowed = ["MIT", "Zlib"].map(str::to_owned).into();
    for (expression, verdict) in [
        ("MIT", true),
        ("MIT OR Apache-2.0", true),
        ("MIT/Apache-2.0", true),
        ("MIT AND GPL-3.0", false),
        ("(GPL-3.0 OR MIT) AND Zlib", true),
        ("(GPL-3.0 OR MIT) AND GPL-3.0", false),
        ("nothing", false),
    ] {
        assert_eq!(is_allowed(expression, &allowed), verdict, "{expression}");
    }
}

/// `AND` binds its two sides, `OR` leaves the choice; parentheses group.
fn is_allowed(expression: &str, allowed: &BTreeSet<String>) -> bool {
    let expression = expression.replace('/', " OR ");
    let both = split(&expression, " AND ");
    if both.len() > 1 {
        return both.iter().all(|side| is_allowed(side, allowed));
    }
    let either = split(&expression, " OR ");
    if either.len() > 1 {
        return either.iter().any(|side| is_allowed(side, allowed));
    }
    let bare = expression.trim();
    match bare
        .strip_prefix('(')
        .and_then(|rest| rest.strip_suffix(')'))
    {
        Some(inside) => is_allowed(inside, allowed),
        None => allowed.contains(bare),
    }
}

/// Splits at `word` outside parentheses.
fn split<'a>(expression: &'a str, word: &str) -> Vec<&'a str> {
    let mut parts = Vec::new();
    let (mut depth, mut start) = (0_u32, 0);
    for (at, letter) in expression.char_indices() {
        match letter {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ if depth == 0 && at >= start && expression[at..].starts_with(word) => {
                parts.push(&expression[start..at]);
                start = at + word.len();
            }
            _ => {}
        }
    }
    parts.push(&expression[start..]);
    parts
}

/// The strings of the list `key = [ ... ]` in `deny.toml`.
fn list(key: &str) -> BTreeSet<String> {
    let text = fs::read_to_string(root().join("deny.toml")).expect("deny.toml is there");
    let start = format!("\n{key} = [\n");
    let after = text.split_once(&start).expect("the list is there").1;
    let inside = after.split_once("\n]").expect("the list ends").0;
    inside
        .lines()
        .filter_map(|line| line.split('"').nth(1))
        .map(str::to_owned)
        .collect()
}
