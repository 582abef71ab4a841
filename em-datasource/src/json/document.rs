//! One document: from an answer to what stands in it.

use em_core::fault::{Fault, FaultKind};
use em_core::read::ReadSample;
use em_core::read::json_path::JsonShape;
use serde::de::IgnoredAny;
use serde_json::{Map, Value as Json};

use crate::remote::{Reply, fault_of_status};

/// Names that are told of a document that has not what was looked for.
const NAMES: usize = 8;

/// A document that counts.
#[derive(Debug)]
pub(super) struct Document {
    shown: String,
    status: u16,
    text: String,
}

impl Document {
    /// The answer of `shown`, where it is a text and no failure.
    pub(super) fn of(shown: &str, reply: Reply) -> Result<Self, Fault> {
        if !reply.status.is_success() {
            let said = words(&reply.body);
            return Err(fault_of_status(shown, reply.status, &reply.headers, &said));
        }
        let text = String::from_utf8(reply.body).map_err(|source| {
            let message = format!("{shown} answers something else than JSON");
            Fault::new(FaultKind::Malformed, message).caused_by(source.utf8_error())
        })?;
        let text = match text.strip_prefix('\u{feff}') {
            Some(rest) => rest.to_owned(),
            None => text,
        };
        let problem = match text.trim_start().chars().next() {
            None => "nothing",
            Some('<') => "a page of HTML",
            Some(_) => {
                return Ok(Self {
                    shown: shown.to_owned(),
                    status: reply.status.as_u16(),
                    text,
                });
            }
        };
        let message = format!("{shown} answers {problem} instead of a JSON document");
        Err(Fault::new(FaultKind::Malformed, message))
    }

    pub(super) fn status(&self) -> u16 {
        self.status
    }

    /// Whether it is JSON at all.
    pub(super) fn check(&self) -> Result<(), Fault> {
        let checked = serde_json::from_str::<IgnoredAny>(&self.text);
        checked.map(drop).map_err(|source| {
            let message = format!("{} answers something else than JSON", self.shown);
            Fault::new(FaultKind::Malformed, message).caused_by(source)
        })
    }

    /// The numbers that a shape means.
    pub(super) fn read(&self, shape: &JsonShape) -> Result<Vec<ReadSample>, Fault> {
        shape.read(&self.text).map_err(|source| {
            let message = format!("failed to read the document of {}", self.shown);
            Fault::new(FaultKind::Malformed, message).caused_by(source)
        })
    }

    /// What to say of a path that finds no number.
    pub(super) fn nothing(&self, path: &str) -> String {
        let members = serde_json::from_str::<Map<String, Json>>(&self.text);
        let Ok(members) = members else {
            return format!("the document has no number at {path}");
        };
        if members.is_empty() {
            return format!("the document is empty: there is nothing at {path}");
        }
        let more = if members.len() > NAMES { ", ..." } else { "" };
        let names: Vec<String> = members
            .into_iter()
            .map(|(name, _)| name)
            .take(NAMES)
            .collect();
        let names = names.join(", ");
        format!("the document has no number at {path} (it has {names}{more})")
    }
}

/// What a server says of a failure, in one line. A page for the eye is not repeated.
fn words(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    if text.trim_start().starts_with('<') {
        return "a page of HTML".to_owned();
    }
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(text: &str) -> Document {
        Document {
            shown: "http://host/x".to_owned(),
            status: 200,
            text: text.to_owned(),
        }
    }

    #[test]
    fn what_is_there_instead_is_said() {
        let said = |text: &str| document(text).nothing("$.p99");
        assert_eq!(
            said(r#"{"error": "no", "status": 1}"#),
            "the document has no number at $.p99 (it has error, status)"
        );
        assert_eq!(said("[1]"), "the document has no number at $.p99");
        assert!(said("{}").contains("is empty"));
        let many = said(r#"{"a":1,"b":1,"c":1,"d":1,"e":1,"f":1,"g":1,"h":1,"i":1}"#);
        assert!(many.ends_with("g, h, ...)"), "{many}");
    }

    #[test]
    fn words_of_a_server_become_one_line() {
        assert_eq!(
            words(b"{\n  \"error\": \"no\"\n}\n"),
            r#"{ "error": "no" }"#
        );
        assert_eq!(words(b"\n <!DOCTYPE html><p>hush"), "a page of HTML");
        assert_eq!(words(b""), "");
    }
}
