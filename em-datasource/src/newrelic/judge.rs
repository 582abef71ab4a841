//! Whether an answer counts, and what it means where it does not. `NerdGraph` refuses with status 200.

use em_core::fault::{Fault, FaultKind};
use serde::Deserialize;
use serde_json::Value;

use crate::remote::{Reply, fault_of_status};

/// What every answer is.
#[derive(Deserialize)]
struct Whole<T> {
    #[serde(default = "none")]
    data: Option<T>,
    #[serde(default)]
    errors: Option<Vec<Refusal>>,
}

/// Only what refuses.
#[derive(Deserialize)]
struct Refused {
    errors: Vec<Refusal>,
}

#[derive(Deserialize)]
struct Refusal {
    #[serde(default)]
    message: Option<String>,
    #[serde(default)]
    extensions: Option<Extensions>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Extensions {
    #[serde(default)]
    error_class: Option<String>,
}

fn none<T>() -> Option<T> {
    None
}

/// Reads the data of an answer that counts.
pub(super) fn read<T: for<'de> Deserialize<'de>>(server: &str, reply: &Reply) -> Result<T, Fault> {
    if !reply.status.is_success() {
        return Err(refused(server, reply));
    }
    // A refusal has data in no shape of its own.
    let unreadable = |source| {
        let message = format!("failed to read the answer of {server}");
        Fault::new(FaultKind::Malformed, message).caused_by(source)
    };
    let whole: Whole<Value> = serde_json::from_slice(&reply.body).map_err(unreadable)?;
    let errors = whole.errors.unwrap_or_default();
    if !errors.is_empty() {
        let message = format!("{server} refuses: {}", words(&errors));
        return Err(Fault::new(kind(&errors), message));
    }
    let Some(data) = whole.data else {
        return Err(malformed(server, "neither data nor errors"));
    };
    serde_json::from_value(data).map_err(unreadable)
}

/// An answer that says `what`, which cannot be.
pub(super) fn malformed(server: &str, what: &str) -> Fault {
    Fault::new(FaultKind::Malformed, format!("{server} answers {what}"))
}

fn refused(server: &str, reply: &Reply) -> Fault {
    let said = match serde_json::from_slice::<Refused>(&reply.body) {
        Ok(Refused { errors }) => words(&errors),
        Err(_) => reply.first_line(),
    };
    let mut fault = fault_of_status(server, reply.status, &reply.headers, &said);
    if fault.kind == FaultKind::Denied {
        let hint = " (check the key, which is one of a user (NRAK-...), and the region)";
        fault.message.push_str(hint);
    }
    fault
}

/// The first error that tells what it is: by its class, or else by its words.
fn kind(errors: &[Refusal]) -> FaultKind {
    let of_one = |error: &Refusal| {
        let class = error.extensions.as_ref();
        let class = class.and_then(|extensions| extensions.error_class.clone());
        let class = class.unwrap_or_default().to_lowercase();
        let message = error.message.as_deref().unwrap_or_default().to_lowercase();
        let says = |words: &[&str]| {
            let mut words = words.iter();
            words.any(|word| class.replace('_', " ").contains(word) || message.contains(word))
        };
        // A query that cannot be read is repeated, whatever words it holds.
        if says(&["syntax error"]) {
            Some(FaultKind::Invalid)
        } else if says(&[
            "too many requests",
            "rate limit",
            "limit exceeded",
            "throttl",
        ]) {
            Some(FaultKind::Throttled)
        } else if says(&[
            "access denied",
            "unauthorized",
            "not authorized",
            "forbidden",
            "permission",
            "api key",
        ]) {
            Some(FaultKind::Denied)
        } else if matches!(
            class.as_str(),
            "timeout" | "server_error" | "internal_error"
        ) || says(&["duration exceeded", "timed out", "service unavailable"])
        {
            Some(FaultKind::Unavailable)
        } else {
            None
        }
    };
    errors.iter().find_map(of_one).unwrap_or(FaultKind::Invalid)
}

fn words(errors: &[Refusal]) -> String {
    let messages = errors.iter().filter_map(|error| error.message.as_deref());
    let mut words: Vec<&str> = messages.filter(|word| !word.trim().is_empty()).collect();
    words.dedup();
    if words.is_empty() {
        return "an error without words".to_owned();
    }
    words.join("; ").chars().take(500).collect()
}

#[cfg(test)]
mod tests {
    use reqwest::StatusCode;
    use reqwest::header::HeaderMap;

    use super::*;

    fn fault(body: &str) -> Fault {
        let reply = Reply {
            status: StatusCode::OK,
            headers: HeaderMap::new(),
            body: body.as_bytes().to_vec(),
        };
        read::<Value>("http://h", &reply).unwrap_err()
    }

    #[test]
    fn a_refusal_has_the_kind_of_its_class_or_words() {
        let kind = |class: &str, message: &str| {
            let body = format!(
                r#"{{"data": {{"actor": null}}, "errors": [{{"message": "{message}", "extensions": {{"errorClass": "{class}"}}, "path": ["actor"]}}]}}"#
            );
            fault(&body).kind
        };
        assert_eq!(kind("", "NRQL Syntax Error: no"), FaultKind::Invalid);
        assert_eq!(
            kind("SERVER_ERROR", "NRQL Syntax Error: no permission"),
            FaultKind::Invalid
        );
        assert_eq!(kind("SERVER_ERROR", "no"), FaultKind::Unavailable);
        assert_eq!(kind("TIMEOUT", "too slow"), FaultKind::Unavailable);
        assert_eq!(kind("TOO_MANY_REQUESTS", "wait"), FaultKind::Throttled);
        assert_eq!(
            kind("", "NRDB query rate limit reached"),
            FaultKind::Throttled
        );
        assert_eq!(kind("ACCESS_DENIED", "no"), FaultKind::Denied);
        assert_eq!(kind("FUNCTION_ERROR", "odd"), FaultKind::Invalid);
    }

    #[test]
    fn an_answer_without_data_is_none() {
        for body in ["{}", r#"{"data": null, "errors": []}"#, "[]", "<html>"] {
            assert_eq!(fault(body).kind, FaultKind::Malformed, "{body}");
        }
        let said = fault(r#"{"errors": [{}]}"#).message;
        assert_eq!(said, "http://h refuses: an error without words");
    }
}
