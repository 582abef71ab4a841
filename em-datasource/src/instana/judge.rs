//! Whether an answer counts, and what it means where it does not.

use std::time::Duration;

use em_core::fault::{Fault, FaultKind, Retry};
use jiff::Timestamp;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::decode::Page;
use crate::remote::{Reply, fault_of_status};

/// How long to leave it alone when too many questions are asked at once.
const CROWDED: Duration = Duration::from_secs(10);
/// More characters of what it says are not repeated.
const MOST_WORDS: usize = 500;
/// A greater number is a time, a lesser one a length, both in seconds.
const EPOCH: u64 = 1_000_000_000;

/// Whoever is asked, and when.
#[derive(Debug)]
pub(super) struct Judge<'a> {
    pub(super) server: &'a str,
    pub(super) now: Timestamp,
}

impl Judge<'_> {
    /// Reads a page of an answer that counts.
    pub(super) fn page(&self, reply: &Reply) -> Result<Page, Fault> {
        let page: Page = self.read(reply)?;
        let Some(said) = page
            .errors
            .as_ref()
            .map(words)
            .filter(|said| !said.is_empty())
        else {
            return Ok(page);
        };
        let message = format!(
            "{} answers with errors: {}",
            self.server,
            first_words(&said)
        );
        Err(Fault::new(FaultKind::Invalid, message))
    }

    /// Reads a JSON answer of any kind.
    pub(super) fn read<T: DeserializeOwned>(&self, reply: &Reply) -> Result<T, Fault> {
        if !reply.status.is_success() {
            return Err(self.refused(reply));
        }
        serde_json::from_slice(&reply.body).map_err(|source| {
            let what = if is_html(&reply.body) {
                "answers with a page of HTML"
            } else {
                "answers with something that cannot be read"
            };
            let message = format!("{} {what}", self.server);
            Fault::new(FaultKind::Malformed, message).caused_by(source)
        })
    }

    fn refused(&self, reply: &Reply) -> Fault {
        let said = match serde_json::from_slice::<Value>(&reply.body) {
            Ok(body) => words(&body),
            Err(_) => reply.first_line(),
        };
        let shown = first_words(&said);
        let fault = fault_of_status(self.server, reply.status, &reply.headers, &shown);
        if fault.kind != FaultKind::Throttled || reply.headers.contains_key(RETRY_AFTER) {
            return fault;
        }
        // The budget of the hour is not what is used up then.
        let is_crowded = said.to_lowercase().contains("concurrent");
        let wait = if is_crowded {
            Some(CROWDED)
        } else {
            until_reset(&reply.headers, self.now)
        };
        match wait {
            Some(wait) => fault.with_retry(Retry::After(wait)),
            None => fault,
        }
    }
}

fn first_words(said: &str) -> String {
    said.chars().take(MOST_WORDS).collect()
}

fn is_html(body: &[u8]) -> bool {
    let text = body.trim_ascii_start();
    text.starts_with(b"<")
}

/// What a body of errors says: texts, or objects with a message, alone or in a list.
fn words(body: &Value) -> String {
    match body {
        Value::Null | Value::Bool(_) => String::new(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        Value::Array(all) => {
            let all = all.iter().map(words).filter(|said| !said.is_empty());
            all.collect::<Vec<_>>().join("; ")
        }
        Value::Object(fields) => {
            let said = ["errors", "message", "error"];
            let said = said.iter().filter_map(|name| fields.get(*name).map(words));
            said.into_iter()
                .find(|said| !said.is_empty())
                .unwrap_or_default()
        }
    }
}

/// Until the budget is full again. The header holds the time of that, or how long it takes.
fn until_reset(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get("x-ratelimit-reset")?.to_str().ok()?;
    let number: u64 = text.trim().parse().ok()?;
    if number <= EPOCH {
        return Some(Duration::from_secs(number));
    }
    let reset = Timestamp::from_second(i64::try_from(number).ok()?).ok()?;
    // One that has passed is no reason to wait.
    Some(Duration::try_from(reset.duration_since(now)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn errors_are_texts_or_objects() {
        let said = |body: Value| words(&body);
        assert_eq!(said(json!({"errors": ["one", "two"]})), "one; two");
        assert_eq!(said(json!({"errors": [{"message": "one"}, {}]})), "one");
        assert_eq!(said(json!({"errors": [], "message": "text"})), "text");
        assert_eq!(said(json!({"error": "text"})), "text");
        assert_eq!(said(json!({"code": 400})), "");
        assert_eq!(said(json!([])), "");
    }

    #[test]
    fn a_reset_is_a_time_or_a_length() {
        let now = Timestamp::from_second(1_700_000_000).unwrap();
        let wait = |text: &str| {
            let value = text.parse().unwrap();
            let headers = HeaderMap::from_iter([("x-ratelimit-reset".parse().unwrap(), value)]);
            until_reset(&headers, now).map(|wait| wait.as_secs())
        };
        assert_eq!(wait("30"), Some(30));
        assert_eq!(wait(" 1700000090 "), Some(90));
        assert_eq!(wait("1699999999"), Some(0));
        for wrong in ["soon", "-1", "99999999999999999999", "9999999999999999999"] {
            assert_eq!(wait(wrong), None, "{wrong}");
        }
        assert_eq!(until_reset(&HeaderMap::new(), now), None);
    }
}
