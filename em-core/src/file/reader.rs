//! Reading a tree without ever stopping at the first thing that is wrong.
//!
//! Every reading method either gives a value or reports why not and gives `None`; the caller goes on with its next key.

use std::cell::RefCell;
use std::fmt::Display;

use super::tree::{Entry, Node, NodeKind};
use super::violation::{Position, Violation};
use crate::expression::closest;

/// Everything that was noticed so far.
#[derive(Debug, Default)]
pub(super) struct Notes {
    pub(super) violations: RefCell<Vec<Violation>>,
    pub(super) warnings: RefCell<Vec<Violation>>,
}

/// A node on its path.
#[derive(Debug, Clone)]
pub(super) struct Reader<'a> {
    node: &'a Node,
    pub(super) path: String,
    notes: &'a Notes,
}

/// The keys of a map.
#[derive(Debug, Clone)]
pub(super) struct Keys<'a> {
    pub(super) reader: Reader<'a>,
    entries: &'a [Entry],
}

/// Keys of the design whose feature does not exist in this build.
pub(super) type Unsupported = &'static [&'static str];

impl<'a> Reader<'a> {
    pub(super) fn new(node: &'a Node, path: &str, notes: &'a Notes) -> Self {
        let path = path.to_owned();
        Self { node, path, notes }
    }

    pub(super) fn kind(&self) -> &'a NodeKind {
        &self.node.kind
    }

    pub(super) fn at(&self) -> Position {
        self.node.at
    }

    pub(super) fn refuse(&self, what: impl Display) {
        self.note(&self.notes.violations, what, None);
    }

    pub(super) fn refuse_with(&self, what: impl Display, remedy: impl Display) {
        self.note(&self.notes.violations, what, Some(remedy.to_string()));
    }

    pub(super) fn warn(&self, what: impl Display, remedy: impl Display) {
        self.note(&self.notes.warnings, what, Some(remedy.to_string()));
    }

    fn note(&self, list: &RefCell<Vec<Violation>>, what: impl Display, remedy: Option<String>) {
        list.borrow_mut().push(Violation {
            at: self.node.at,
            path: self.path.clone(),
            what: what.to_string(),
            remedy,
        });
    }

    /// Reports that something else was wanted.
    pub(super) fn wanted(&self, wanted: &str) {
        let noun = self.node.noun();
        let shown = self
            .shown()
            .map_or(String::new(), |text| format!(" {text}"));
        self.refuse(format!("{wanted} is wanted here, not {noun}{shown}"));
    }

    /// A short scalar as it is written.
    pub(super) fn shown(&self) -> Option<String> {
        let text = match self.kind() {
            NodeKind::Bool(value) => value.to_string(),
            NodeKind::Integer(value) => value.to_string(),
            NodeKind::Real(_, text) => text.clone(),
            NodeKind::Text(text) => format!("{text:?}"),
            NodeKind::Null | NodeKind::List(_) | NodeKind::Map(_) => return None,
        };
        (text.chars().count() <= 40).then_some(text)
    }

    /// Its text, where it is text; nothing is reported.
    pub(super) fn text_if_any(&self) -> Option<&'a str> {
        if let NodeKind::Text(text) = self.kind() {
            Some(text)
        } else {
            None
        }
    }

    /// The value of a key, where this is a map that has it; nothing is reported.
    pub(super) fn peek(&self, key: &str) -> Option<Self> {
        let NodeKind::Map(entries) = self.kind() else {
            return None;
        };
        let keys = Keys {
            reader: self.clone(),
            entries,
        };
        keys.get(key)
    }

    /// Whether the key is there and says that nothing is its value.
    pub(super) fn has_null(&self, key: &str) -> bool {
        let NodeKind::Map(entries) = self.kind() else {
            return false;
        };
        let is_it = |entry: &&Entry| entry.key == key && entry.value.kind == NodeKind::Null;
        entries.iter().any(|entry| is_it(&entry))
    }

    /// How many keys it has, where it is a map; nothing is reported.
    pub(super) fn map_if_any(&self) -> Option<usize> {
        if let NodeKind::Map(entries) = self.kind() {
            Some(entries.len())
        } else {
            None
        }
    }

    pub(super) fn text(&self) -> Option<&'a str> {
        if let NodeKind::Text(text) = self.kind() {
            return Some(text);
        }
        self.wanted("text");
        None
    }

    /// Text, or a scalar that is written into something that is text in the end, such as an argument.
    pub(super) fn word(&self) -> Option<String> {
        match self.kind() {
            NodeKind::Text(text) | NodeKind::Real(_, text) => Some(text.clone()),
            NodeKind::Bool(value) => Some(value.to_string()),
            NodeKind::Integer(value) => Some(value.to_string()),
            NodeKind::Null | NodeKind::List(_) | NodeKind::Map(_) => {
                self.wanted("text");
                None
            }
        }
    }

    /// Text as it is, or a map as the JSON text that it means.
    pub(super) fn json_or_text(&self) -> Option<String> {
        if self.map_if_any().is_some() {
            return Some(self.node.to_json());
        }
        self.word()
    }

    pub(super) fn list(&self) -> Option<Vec<Self>> {
        let NodeKind::List(items) = self.kind() else {
            self.wanted("a list");
            return None;
        };
        let reader = |(index, node)| Self {
            node,
            path: format!("{}[{index}]", self.path),
            notes: self.notes,
        };
        Some(items.iter().enumerate().map(reader).collect())
    }

    /// A list with at least one entry.
    pub(super) fn filled_list(&self) -> Option<Vec<Self>> {
        let items = self.list()?;
        if items.is_empty() {
            self.refuse("the list is empty (at least one entry is needed)");
            return None;
        }
        Some(items)
    }

    /// A list of exactly two.
    pub(super) fn pair(&self) -> Option<[Self; 2]> {
        let items = self.list()?;
        let count = items.len();
        <[Self; 2]>::try_from(items)
            .map_err(|_| {
                self.refuse(format!(
                    "two entries are wanted here, [LOW, HIGH], not {count}"
                ));
            })
            .ok()
    }

    /// A map with any keys.
    pub(super) fn any_map(&self) -> Option<Vec<(&'a str, Self)>> {
        let NodeKind::Map(entries) = self.kind() else {
            self.wanted("a map");
            return None;
        };
        let reader = |entry: &'a Entry| {
            let child = Self {
                node: &entry.value,
                path: joined(&self.path, &entry.key),
                notes: self.notes,
            };
            (entry.key.as_str(), child)
        };
        Some(entries.iter().map(reader).collect())
    }

    /// A map with these keys; others are reported, with the nearest that there is.
    pub(super) fn keys(&self, known: &[&str], unsupported: Unsupported) -> Option<Keys<'a>> {
        let NodeKind::Map(entries) = self.kind() else {
            self.wanted("a map");
            return None;
        };
        for entry in entries {
            let key = entry.key.as_str();
            if known.contains(&key) || key.starts_with("x-") {
                continue;
            }
            let path = joined(&self.path, key);
            let (what, remedy) = if unsupported.contains(&key) {
                (
                    format!("{key:?} is not supported yet"),
                    Some("remove it".to_owned()),
                )
            } else {
                (
                    format!("there is no key {key:?} here"),
                    Some(hint(key, known)),
                )
            };
            let at = entry.at;
            self.notes.violations.borrow_mut().push(Violation {
                at,
                path,
                what,
                remedy,
            });
        }
        Some(Keys {
            reader: self.clone(),
            entries,
        })
    }
}

fn hint(key: &str, known: &[&str]) -> String {
    let lower = key.to_lowercase();
    let same = known
        .iter()
        .find(|name| name.replace('_', "") == lower.replace(['_', '-'], ""));
    match same
        .copied()
        .or_else(|| closest(key, known.iter().copied()))
    {
        Some(near) => format!("did you mean {near:?}?"),
        None => format!("known are {}", known.join(", ")),
    }
}

/// The path of a key.
pub(super) fn joined(path: &str, key: &str) -> String {
    let is_plain = key
        .chars()
        .all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '$'));
    match (path.is_empty(), is_plain) {
        (true, true) => key.to_owned(),
        (true, false) => format!("{key:?}"),
        (false, true) => format!("{path}.{key}"),
        (false, false) => format!("{path}.{key:?}"),
    }
}

impl<'a> Keys<'a> {
    /// The value of a key, unless it is absent or empty.
    pub(super) fn get(&self, key: &str) -> Option<Reader<'a>> {
        let entry = self.entries.iter().find(|entry| entry.key == key)?;
        let reader = Reader {
            node: &entry.value,
            path: joined(&self.reader.path, key),
            notes: self.reader.notes,
        };
        (entry.value.kind != NodeKind::Null).then_some(reader)
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// The value of a key that has to be there.
    pub(super) fn required(&self, key: &str) -> Option<Reader<'a>> {
        let found = self.get(key);
        if found.is_none() {
            self.reader.refuse(format!("the key {key:?} is missing"));
        }
        found
    }

    /// The same, with what can be given.
    pub(super) fn required_as(&self, key: &str, remedy: &str) -> Option<Reader<'a>> {
        let found = self.get(key);
        if found.is_none() {
            let what = format!("the key {key:?} is missing");
            self.reader.refuse_with(what, remedy);
        }
        found
    }
}
