//! What a user wants of every run, from a file of their own.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use em_core::file::{Node, NodeKind};

/// What is protected where the file says nothing.
const PROTECTED: &str = "*prod*";
/// The file below the folder of configuration.
const FILE: &str = "experiment-manager/config.yaml";

/// What a user wants of every run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Patterns of contexts that are written to only when the command line names them, too. `*` stands for any
    /// characters, `?` for one.
    pub protected: Vec<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            protected: vec![PROTECTED.to_owned()],
        }
    }
}

impl Settings {
    /// Those of whoever runs this; the usual ones where there is no file.
    pub fn of_user() -> Result<Self> {
        let Some(path) = path() else {
            return Ok(Self::default());
        };
        match fs::read(&path) {
            Ok(bytes) => Self::parse(&bytes, &path),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error).with_context(|| format!("failed to read {}", path.display())),
        }
    }

    fn parse(bytes: &[u8], path: &Path) -> Result<Self> {
        let says_nothing = |line: &str| line.trim().is_empty() || line.trim().starts_with('#');
        if std::str::from_utf8(bytes).is_ok_and(|text| text.lines().all(says_nothing)) {
            return Ok(Self::default());
        }
        let place = path.display();
        let tree = Node::parse(bytes).map_err(|violations| {
            let lines: Vec<String> = violations.iter().map(ToString::to_string).collect();
            anyhow::anyhow!("{place} cannot be read: {}", lines.join("; "))
        })?;
        let mut settings = Self::default();
        if tree.kind == NodeKind::Null {
            return Ok(settings);
        }
        let NodeKind::Map(entries) = &tree.kind else {
            bail!(
                "{place} is {}, not a map (protected: [\"*prod*\"])",
                tree.noun()
            );
        };
        for entry in entries {
            if entry.key != "protected" {
                bail!(
                    "{place}, {}: there is no key {:?} (there is: protected)",
                    entry.at,
                    entry.key
                );
            }
            settings.protected = patterns(&entry.value)
                .with_context(|| format!("{place}, {}: protected", entry.value.at))?;
        }
        Ok(settings)
    }

    /// The pattern that protects a context; none where it is not protected.
    pub fn protects(&self, context: &str) -> Option<&str> {
        let patterns = self.protected.iter();
        let mut matching = patterns.filter(|pattern| matches(pattern, context));
        matching.next().map(String::as_str)
    }
}

fn patterns(node: &Node) -> Result<Vec<String>> {
    let NodeKind::List(items) = &node.kind else {
        bail!(
            "it is {}, not a list of patterns such as [\"*prod*\"]",
            node.noun()
        );
    };
    let text = |item: &Node| {
        let NodeKind::Text(text) = &item.kind else {
            bail!("a pattern is text, and this is {} (quote it)", item.noun());
        };
        Ok(text.clone())
    };
    items.iter().map(text).collect()
}

/// Whether a text is as a pattern wants it: `*` any characters, `?` one, the rest as it stands.
fn matches(pattern: &str, text: &str) -> bool {
    let mut rest = pattern.chars();
    match rest.next() {
        None => text.is_empty(),
        Some('*') => {
            let rest = rest.as_str();
            let ends = text.char_indices().map(|(at, _)| at).chain([text.len()]);
            ends.into_iter().any(|at| matches(rest, &text[at..]))
        }
        Some(wanted) => {
            let mut left = text.chars();
            left.next()
                .is_some_and(|first| wanted == '?' || first == wanted)
                && matches(rest.as_str(), left.as_str())
        }
    }
}

fn path() -> Option<PathBuf> {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let home = variable("XDG_CONFIG_HOME").map(PathBuf::from);
    home.or_else(|| variable("HOME").map(|home| PathBuf::from(home).join(".config")))
        .map(|home| home.join(FILE))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Settings> {
        Settings::parse(text.as_bytes(), Path::new("config.yaml"))
    }

    #[test]
    fn patterns_are_globs() {
        for (pattern, text, is_like) in [
            ("*prod*", "eu-prod-1", true),
            ("*prod*", "prod", true),
            ("*prod*", "staging", false),
            ("prod", "prod-1", false),
            ("prod-?", "prod-1", true),
            ("prod-?", "prod-", false),
            ("*", "", true),
            ("a*b*c", "a-b-b-c", true),
            ("a.c", "abc", false),
        ] {
            assert_eq!(matches(pattern, text), is_like, "{pattern} {text}");
        }
    }

    #[test]
    fn without_words_production_is_protected() {
        for empty in ["", "# nothing\n", "{}"] {
            assert_eq!(read(empty).unwrap().protects("eu-prod"), Some("*prod*"));
        }
        let own = read("protected: [live, 'eu-*']").unwrap();
        assert_eq!(own.protects("eu-1"), Some("eu-*"));
        assert_eq!(own.protects("eu-prod"), Some("eu-*"));
        assert_eq!(own.protects("prod"), None);
        assert_eq!(read("protected: []").unwrap().protects("prod"), None);
    }

    #[test]
    fn what_is_not_understood_is_refused_with_its_place() {
        for (text, said) in [
            (
                "protect: [x]",
                "line 1, column 1: there is no key \"protect\"",
            ),
            ("protected: prod", "line 1, column 12: protected"),
            ("protected: [1]", "quote it"),
            ("- x", "not a map"),
            ("a: [", "cannot be read"),
        ] {
            let error = format!("{:#}", read(text).unwrap_err());
            assert!(error.contains(said), "{text}: {error}");
        }
    }
}
