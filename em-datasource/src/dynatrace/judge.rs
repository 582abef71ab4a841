//! Whether an answer counts, and what it means where it does not.

use std::time::Duration;

use em_core::fault::{Fault, FaultKind, Retry};
use jiff::Timestamp;
use reqwest::header::RETRY_AFTER;
use serde::Deserialize;

use crate::remote::{Reply, fault_of_status};

/// How every refusal is written.
#[derive(Deserialize)]
struct Envelope {
    error: Said,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Said {
    #[serde(default)]
    message: Option<String>,
    #[serde(default)]
    constraint_violations: Option<Vec<Violation>>,
}

#[derive(Deserialize)]
struct Violation {
    #[serde(default)]
    path: Option<String>,
    #[serde(default)]
    message: Option<String>,
}

/// Reads an answer that counts. `now`: the time by which a server may tell when it is free again.
pub(super) fn read<'b, T: Deserialize<'b>>(
    server: &str,
    reply: &'b Reply,
    now: Timestamp,
) -> Result<T, Fault> {
    if !reply.status.is_success() {
        return Err(refused(server, reply, now));
    }
    // An answer that is a refusal is one whatever its status.
    if let Ok(Envelope { error }) = serde_json::from_slice(&reply.body) {
        let message = format!("{server} answers 200 and yet an error: {}", words(error));
        return Err(Fault::new(FaultKind::Invalid, message));
    }
    serde_json::from_slice(&reply.body).map_err(|source| {
        let message = format!("failed to read the answer of {server}");
        Fault::new(FaultKind::Malformed, message).caused_by(source)
    })
}

/// An answer that says `what`, which cannot be.
pub(super) fn malformed(server: &str, what: &str) -> Fault {
    Fault::new(FaultKind::Malformed, format!("{server} answers {what}"))
}

fn refused(server: &str, reply: &Reply, now: Timestamp) -> Fault {
    let said = match serde_json::from_slice::<Envelope>(&reply.body) {
        Ok(Envelope { error }) => words(error),
        Err(_) => reply.first_line(),
    };
    let mut fault = fault_of_status(server, reply.status, &reply.headers, &said);
    if fault.kind == FaultKind::Denied {
        let hint = " (check the token, its scope metrics.read, and the environment in the address)";
        fault.message.push_str(hint);
    }
    let is_told = reply.headers.contains_key(RETRY_AFTER);
    match until_reset(reply, now) {
        Some(wait) if fault.kind == FaultKind::Throttled && !is_told => {
            fault.with_retry(Retry::After(wait))
        }
        _ => fault,
    }
}

fn words(said: Said) -> String {
    let violations = said.constraint_violations.unwrap_or_default();
    let violations = violations.into_iter().map(|violation| {
        let words: Vec<String> = violation
            .path
            .into_iter()
            .chain(violation.message)
            .collect();
        words.join(": ")
    });
    let mut words: Vec<String> = said.message.into_iter().chain(violations).collect();
    words.retain(|word| !word.trim().is_empty());
    words.dedup();
    if words.is_empty() {
        return "an error without words".to_owned();
    }
    words.join("; ").chars().take(500).collect()
}

/// How long until it answers again: it tells the time, in microseconds since 1970.
fn until_reset(reply: &Reply, now: Timestamp) -> Option<Duration> {
    let text = reply.headers.get("x-ratelimit-reset")?.to_str().ok()?;
    let at = Timestamp::from_microsecond(text.trim().parse().ok()?).ok()?;
    Duration::try_from(at.duration_since(now)).ok()
}

#[cfg(test)]
mod tests {
    use reqwest::StatusCode;
    use serde_json::Value;

    use super::*;

    fn fault(status: u16, headers: &[(&'static str, &str)], body: &str) -> Fault {
        let headers = headers.iter().map(|(name, value)| {
            let name = reqwest::header::HeaderName::from_static(name);
            (name, value.parse().unwrap())
        });
        let reply = Reply {
            status: StatusCode::from_u16(status).unwrap(),
            headers: headers.collect(),
            body: body.as_bytes().to_vec(),
        };
        let now = Timestamp::from_second(1_700_000_000).unwrap();
        read::<Value>("http://h", &reply, now).unwrap_err()
    }

    #[test]
    fn violations_are_told_with_their_places() {
        let body = r#"{"error": {"code": 400, "message": "Constraints violated.", "constraintViolations": [
            {"path": "metricSelector", "message": "no such metric", "parameterLocation": "QUERY"},
            {"message": "too long"}]}}"#;
        let said = "Constraints violated.; metricSelector: no such metric; too long";
        assert_eq!(
            fault(400, &[], body).message,
            format!("http://h answers 400: {said}")
        );
        let odd = fault(200, &[], body);
        assert_eq!(odd.kind, FaultKind::Invalid);
        assert!(odd.message.ends_with(said), "{odd}");
        let none = fault(400, &[], r#"{"error": {"code": 400}}"#);
        assert!(none.message.ends_with("an error without words"), "{none}");
    }

    #[test]
    fn whoever_asks_too_often_waits_until_the_time_told() {
        let seconds = |count| Retry::After(Duration::from_secs(count));
        let reset = ("x-ratelimit-reset", "1700000017000000");
        assert_eq!(fault(429, &[reset], "").retry, seconds(17));
        assert_eq!(
            fault(429, &[reset, ("retry-after", "9")], "").retry,
            seconds(9)
        );
        for odd in ["1600000000000000", "soon", "-1"] {
            let retry = fault(429, &[("x-ratelimit-reset", odd)], "").retry;
            assert_eq!(retry, Retry::Later, "{odd}");
        }
        assert_eq!(fault(400, &[reset], "").retry, Retry::Never);
    }
}
