//! Whether an answer counts, and what it means where it does not.

use em_core::fault::{Fault, FaultKind};
use serde::Deserialize;

use crate::remote::{Reply, fault_of_status};

/// How every refusal is written.
#[derive(Deserialize)]
struct Refusal {
    #[serde(rename = "__type")]
    kind: String,
    #[serde(default, alias = "Message")]
    message: Option<String>,
}

/// Reads an answer that counts.
pub(super) fn read<'b, T: Deserialize<'b>>(server: &str, reply: &'b Reply) -> Result<T, Fault> {
    if !reply.status.is_success() {
        return Err(refused(server, reply));
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

/// The name of a refusal tells more than its status, which is 400 of nearly all.
fn refused(server: &str, reply: &Reply) -> Fault {
    let Ok(refusal) = serde_json::from_slice::<Refusal>(&reply.body) else {
        let said = reply.first_line();
        return fault_of_status(server, reply.status, &reply.headers, &said);
    };
    let name = refusal.kind.rsplit('#').next().unwrap_or_default();
    let said = match &refusal.message {
        Some(message) => format!("{name}: {message}"),
        None => name.to_owned(),
    };
    let fault = fault_of_status(server, reply.status, &reply.headers, &said);
    match kind(name) {
        Some(kind) if kind != fault.kind => Fault::new(kind, fault.message),
        _ => fault,
    }
}

fn kind(name: &str) -> Option<FaultKind> {
    const DENIED: [&str; 12] = [
        "AccessDenied",
        "AccessDeniedException",
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "NotAuthorized",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    ];
    const THROTTLED: [&str; 5] = [
        "LimitExceededException",
        "RequestLimitExceeded",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    ];
    const UNAVAILABLE: [&str; 4] = [
        "InternalFailure",
        "InternalServiceError",
        "InternalServiceFault",
        "ServiceUnavailable",
    ];
    let is_one = |names: &[&str]| names.contains(&name);
    if is_one(&DENIED) {
        Some(FaultKind::Denied)
    } else if is_one(&THROTTLED) {
        Some(FaultKind::Throttled)
    } else if is_one(&UNAVAILABLE) {
        Some(FaultKind::Unavailable)
    } else {
        None
    }
}
