//! What a failed question means.

use std::time::Duration;

use em_core::fault::{Fault, FaultKind, Retry};
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};

use super::hosts::Refused;

/// Nobody answered, or broke off; or the address was not one to ask.
pub(crate) fn unreachable(server: &str, source: reqwest::Error) -> Fault {
    if let Some(refused) = Refused::within(&source) {
        return refused.fault();
    }
    let what = if source.is_connect() {
        format!("failed to connect to {server}")
    } else {
        format!("{server} broke off its answer")
    };
    // The address of the request may hold what nobody should read.
    Fault::new(FaultKind::Unavailable, what).caused_by(source.without_url())
}

/// A status that is no success; `said` is what the server says about it.
pub(crate) fn fault_of_status(
    server: &str,
    status: StatusCode,
    headers: &HeaderMap,
    said: &str,
) -> Fault {
    let kind = match status.as_u16() {
        401 | 403 => FaultKind::Denied,
        404 | 410 => FaultKind::NotFound,
        429 => FaultKind::Throttled,
        408 | 500 | 502..=504 => FaultKind::Unavailable,
        _ => FaultKind::Invalid,
    };
    let said: String = said.trim().chars().take(500).collect();
    let separator = if said.is_empty() { "" } else { ": " };
    let number = status.as_u16();
    let fault = Fault::new(kind, format!("{server} answers {number}{separator}{said}"));
    match retry_after(headers) {
        Some(wait) if matches!(kind, FaultKind::Throttled | FaultKind::Unavailable) => {
            fault.with_retry(Retry::After(wait))
        }
        _ => fault,
    }
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?;
    text.trim().parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_says_whether_asking_again_can_help() {
        let fault = |status: u16, wait: Option<&str>| {
            let mut headers = HeaderMap::new();
            if let Some(wait) = wait {
                headers.insert(RETRY_AFTER, wait.parse().unwrap());
            }
            let status = StatusCode::from_u16(status).unwrap();
            fault_of_status("http://h", status, &headers, "")
        };
        assert_eq!(fault(403, None).kind, FaultKind::Denied);
        assert_eq!(fault(404, None).kind, FaultKind::NotFound);
        assert_eq!(fault(422, Some("9")).retry, Retry::Never);
        let throttled = fault(429, Some("9"));
        assert_eq!(throttled.retry, Retry::After(Duration::from_secs(9)));
        assert_eq!(fault(503, None).retry, Retry::Later);
    }
}
