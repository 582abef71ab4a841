//! Entries of one stream in one text: `AT LENGTH BODY` behind one another, the length in bytes.

use em_core::port::Entry;

use super::key::timestamp;
use crate::StoreError;

/// The entries of a packed text.
pub(super) fn entries(mut text: &str) -> Result<Vec<Entry>, StoreError> {
    let mut entries = Vec::new();
    while !text.is_empty() {
        let (entry, rest) = first(text).ok_or_else(|| damaged(text))?;
        entries.push(Entry {
            at: timestamp(entry.0)?,
            body: entry.1.to_owned(),
        });
        text = rest;
    }
    Ok(entries)
}

fn first(text: &str) -> Option<((i64, &str), &str)> {
    let (at, text) = text.split_once(' ')?;
    let (length, text) = text.split_once(' ')?;
    let (body, rest) = text.split_at_checked(length.parse().ok()?)?;
    Some(((at.parse().ok()?, body), rest))
}

fn damaged(text: &str) -> StoreError {
    StoreError::Damaged {
        what: "an entry",
        found: text.chars().take(80).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_may_look_like_the_packing() {
        let bodies = ["", "1 2 3", "ü ", "\n"];
        let packed: String = bodies
            .map(|body| format!("-5 {} {body}", body.len()))
            .concat();
        let entries = entries(&packed).unwrap();
        assert_eq!(
            entries
                .iter()
                .map(|entry| entry.body.as_str())
                .collect::<Vec<_>>(),
            bodies
        );
        assert!(entries.iter().all(|entry| entry.at.as_nanosecond() == -5));
    }

    #[test]
    fn what_cannot_be_unpacked_is_damaged() {
        for text in ["x", "1 9 short", "1 1 ü", "1 -1 ", "one 1 a"] {
            assert!(
                matches!(entries(text), Err(StoreError::Damaged { .. })),
                "{text}"
            );
        }
    }
}
