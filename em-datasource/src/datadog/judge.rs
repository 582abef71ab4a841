//! Whether an answer counts, and what it means where it does not.

use std::fmt;

use em_core::fault::{Fault, FaultKind};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::budget;
use crate::remote::{Reply, fault_of_status};

/// What every answer may say of itself, beside what was asked for.
#[derive(Debug, Default, Deserialize)]
struct Said {
    /// `ok` or `error`; only API v1 says so.
    #[serde(default)]
    status: Option<String>,
    #[serde(default)]
    error: Errors,
    #[serde(default)]
    errors: Errors,
    /// What is worth knowing though all went well.
    #[serde(default)]
    message: Option<String>,
}

/// Refuses an answer that does not count; gives the warnings of one that does.
pub(super) fn accepted(server: &str, reply: &Reply) -> Result<Vec<String>, Fault> {
    let is_success = reply.status.is_success();
    let said: Said = match serde_json::from_slice(&reply.body) {
        Ok(said) => said,
        // What stands between speaks no JSON.
        Err(_) if !is_success => return Err(refused(server, reply, &reply.first_line())),
        Err(source) => return Err(unreadable(server, source)),
    };
    let Said {
        status,
        error: Errors(mut errors),
        errors: Errors(more),
        message,
    } = said;
    errors.extend(more);
    let message = message.filter(|message| !message.trim().is_empty());
    if !is_success {
        errors.extend(errors.is_empty().then_some(message).flatten());
        return Err(refused(server, reply, &errors.join("; ")));
    }
    // API v1 answers 200 to a query that failed.
    let status = status.as_deref().unwrap_or("ok");
    if status != "ok" || !errors.is_empty() {
        errors.extend(errors.is_empty().then_some(message).flatten());
        let said: String = errors.join("; ").chars().take(500).collect();
        let message = format!("{server} answers 200 and yet an error (status {status}): {said}");
        return Err(Fault::new(FaultKind::Invalid, message));
    }
    let warnings = message.into_iter();
    Ok(warnings
        .chain(budget::warning(server, &reply.headers))
        .collect())
}

/// Reads the shape of an answer that counts.
pub(super) fn read<'b, T: Deserialize<'b>>(server: &str, reply: &'b Reply) -> Result<T, Fault> {
    serde_json::from_slice(&reply.body).map_err(|source| unreadable(server, source))
}

/// An answer that says `what`, which cannot be.
pub(super) fn malformed(server: &str, what: &str) -> Fault {
    Fault::new(FaultKind::Malformed, format!("{server} answers {what}"))
}

fn unreadable(server: &str, source: serde_json::Error) -> Fault {
    let message = format!("failed to read the answer of {server}");
    Fault::new(FaultKind::Malformed, message).caused_by(source)
}

fn refused(server: &str, reply: &Reply, said: &str) -> Fault {
    let mut fault = fault_of_status(server, reply.status, &reply.headers, said);
    if fault.kind == FaultKind::Denied {
        // A site that is not theirs refuses keys, too.
        fault.message.push_str(
            " (check both keys, the scope timeseries_query of the application key, and the site in the address)",
        );
    }
    budget::patient(fault, &reply.headers)
}

/// Errors as a text, as a list of texts, or as a list of objects: servers write all three.
#[derive(Debug, Default)]
struct Errors(Vec<String>);

#[derive(Deserialize)]
struct Explained {
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    detail: Option<String>,
}

impl<'de> Deserialize<'de> for Errors {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ErrorsVisitor)
    }
}

struct ErrorsVisitor;

impl<'de> Visitor<'de> for ErrorsVisitor {
    type Value = Errors;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("errors: a text, a list, or an object with a title and a detail")
    }

    fn visit_unit<E: Error>(self) -> Result<Errors, E> {
        Ok(Errors::default())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Errors, E> {
        let text = Some(text.trim()).filter(|text| !text.is_empty());
        Ok(Errors(text.map(str::to_owned).into_iter().collect()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Errors, A::Error> {
        let mut errors = Vec::new();
        while let Some(Errors(more)) = seq.next_element()? {
            errors.extend(more);
        }
        Ok(Errors(errors))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Errors, A::Error> {
        let Explained { title, detail } = Explained::deserialize(MapAccessDeserializer::new(map))?;
        let words: Vec<String> = title.into_iter().chain(detail).collect();
        let text = if words.is_empty() {
            "an error without words".to_owned()
        } else {
            words.join(": ")
        };
        Ok(Errors(vec![text]))
    }
}

#[cfg(test)]
mod tests {
    use reqwest::StatusCode;
    use reqwest::header::HeaderMap;

    use super::*;

    fn reply(status: u16, body: &str) -> Reply {
        Reply {
            status: StatusCode::from_u16(status).unwrap(),
            headers: HeaderMap::new(),
            body: body.as_bytes().to_vec(),
        }
    }

    fn judged(status: u16, body: &str) -> Result<Vec<String>, Fault> {
        accepted("http://h", &reply(status, body))
    }

    fn said(status: u16, body: &str) -> (FaultKind, String) {
        let fault = judged(status, body).unwrap_err();
        (fault.kind, fault.chain())
    }

    #[test]
    fn errors_are_read_in_all_their_shapes() {
        for (body, expected) in [
            (r#"{"errors": "no such metric"}"#, "no such metric"),
            (
                r#"{"errors": ["a is bad", "b is bad"]}"#,
                "a is bad; b is bad",
            ),
            (
                r#"{"errors": [{"status": "400", "title": "Bad", "detail": "no scope"}]}"#,
                "Bad: no scope",
            ),
            (r#"{"errors": [{"detail": "no scope"}]}"#, "no scope"),
            (
                r#"{"status": "error", "error": "rule broken"}"#,
                "rule broken",
            ),
            (
                r#"{"status": "error", "message": "rule broken"}"#,
                "rule broken",
            ),
            (r#"{"errors": [{}]}"#, "an error without words"),
        ] {
            for status in [400, 200] {
                let (kind, said) = said(status, body);
                assert_eq!(kind, FaultKind::Invalid, "{said}");
                assert!(said.ends_with(expected), "{said}");
            }
        }
    }

    #[test]
    fn an_answer_that_says_nothing_bad_counts() {
        for body in [
            r#"{"status": "ok", "message": "", "series": []}"#,
            r#"{"data": {}, "errors": null}"#,
            r#"{"data": {}, "errors": ""}"#,
            r#"{"data": {}, "errors": []}"#,
        ] {
            assert!(judged(200, body).unwrap().is_empty(), "{body}");
        }
        let told = judged(200, r#"{"status": "ok", "message": "slow today"}"#);
        assert_eq!(told.unwrap(), ["slow today"]);
    }

    #[test]
    fn a_status_is_an_error_whatever_the_body_is() {
        let (kind, text) = said(500, "\n<html><body>Oops</body></html>");
        assert_eq!(kind, FaultKind::Unavailable);
        assert_eq!(text, "http://h answers 500: a page of HTML");
        assert_eq!(said(404, "").1, "http://h answers 404");
        let (kind, text) = said(
            403,
            r#"{"status": "error", "code": 403, "errors": ["Forbidden"]}"#,
        );
        assert_eq!(kind, FaultKind::Denied);
        assert!(
            text.starts_with("http://h answers 403: Forbidden (check both keys"),
            "{text}"
        );
        let (kind, text) = said(200, r#"{"data": "#);
        assert_eq!(kind, FaultKind::Malformed);
        assert!(text.contains("EOF"), "{text}");
    }
}
