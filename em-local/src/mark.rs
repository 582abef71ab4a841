//! The mark that everything started here carries, so that it can be found and told apart later.
//!
//! It is the environment variable [`VARIABLE`] of every process, and the tail of the names of cgroups
//! and run folders: `STORE.COUNTER.KEY`. `STORE` is the store's random id, `COUNTER` the epoch's
//! counter, `KEY` names the act. Somebody else's processes never match, since the store's id differs.

use std::fmt;
use std::str::FromStr;

/// Environment variable that holds the mark.
pub const VARIABLE: &str = "EM_MARK";
/// What names of cgroups and run folders start with.
pub const PREFIX: &str = "em-";

/// Who started something, when, and for which act.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mark {
    /// The store's random id.
    pub store: String,
    /// The epoch's counter.
    pub counter: u64,
    /// The act, of letters, digits, `-` and `_` only.
    pub key: String,
}

/// A text that is not a mark of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a mark (STORE.COUNTER.KEY)")]
pub struct NotAMark(String);

impl Mark {
    /// Makes a mark; characters of `key` that do not belong into a file name become `_`.
    pub fn new(store: &str, counter: u64, key: &str) -> Self {
        Self {
            store: plain(store),
            counter,
            key: plain(key),
        }
    }

    /// The name of a cgroup or run folder that belongs to this act.
    pub fn folder_name(&self) -> String {
        format!("{PREFIX}{self}")
    }

    /// Reads the name of a cgroup or run folder back.
    pub fn from_folder_name(name: &str) -> Option<Self> {
        name.strip_prefix(PREFIX)?.parse().ok()
    }
}

fn plain(text: &str) -> String {
    text.chars()
        .map(|char| {
            if char.is_ascii_alphanumeric() || matches!(char, '-' | '_') {
                char
            } else {
                '_'
            }
        })
        .collect()
}

impl fmt::Display for Mark {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}.{}", self.store, self.counter, self.key)
    }
}

impl FromStr for Mark {
    type Err = NotAMark;

    fn from_str(text: &str) -> Result<Self, NotAMark> {
        let mut parts = text.splitn(3, '.');
        let read = (|| {
            let (store, counter, key) = (parts.next()?, parts.next()?.parse().ok()?, parts.next()?);
            let mark = Self::new(store, counter, key);
            (mark.to_string() == text && !store.is_empty() && !key.is_empty()).then_some(mark)
        })();
        read.ok_or_else(|| NotAMark(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_survives_its_text_and_its_folder_name() {
        let mark = Mark::new("1f2e", 7, "demo/base/3");
        assert_eq!(mark.to_string(), "1f2e.7.demo_base_3");
        assert_eq!(mark.to_string().parse(), Ok(mark.clone()));
        assert_eq!(Mark::from_folder_name(&mark.folder_name()), Some(mark));
    }

    #[test]
    fn other_names_are_not_taken_for_ours() {
        for text in [
            "",
            "a.b.c",
            "a.1.",
            ".1.c",
            "a.01.c",
            "a.1.c/d",
            "em-a.1.c x",
        ] {
            assert!(text.parse::<Mark>().is_err(), "{text}");
        }
        assert_eq!(Mark::from_folder_name("emacs"), None);
    }
}
