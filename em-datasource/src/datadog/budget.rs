//! How many more questions the organisation has.

use std::time::Duration;

use em_core::fault::{Fault, FaultKind, Retry};
use reqwest::header::HeaderMap;

/// A warning where few questions are left.
pub(super) fn warning(server: &str, headers: &HeaderMap) -> Option<String> {
    let left = number(headers, "x-ratelimit-remaining")?;
    let limit = number(headers, "x-ratelimit-limit");
    let is_low = left <= 0.0 || limit.is_some_and(|limit| left < 0.05 * limit);
    let of = limit
        .map(|limit| format!(" of {limit}"))
        .unwrap_or_default();
    let until = number(headers, "x-ratelimit-reset");
    let until = until.map(|wait| format!(" for the next {wait} s"));
    let until = until.unwrap_or_default();
    is_low.then(|| {
        format!("{server} answers only {left}{of} more questions to the whole organisation{until}")
    })
}

/// The fault, with the longer of the waits that the server asks for.
pub(super) fn patient(fault: Fault, headers: &HeaderMap) -> Fault {
    if fault.kind != FaultKind::Throttled {
        return fault;
    }
    let reset = number(headers, "x-ratelimit-reset");
    let reset = reset.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let wait = match fault.retry {
        Retry::After(wait) => Some(wait),
        Retry::Later | Retry::Never => None,
    };
    match wait.max(reset) {
        Some(wait) => fault.with_retry(Retry::After(wait)),
        None => fault,
    }
}

fn number(headers: &HeaderMap, name: &str) -> Option<f64> {
    let text = headers.get(name)?.to_str().ok()?;
    text.trim()
        .parse()
        .ok()
        .filter(|number: &f64| number.is_finite())
}

#[cfg(test)]
mod tests {
    use reqwest::header::{HeaderName, HeaderValue};

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = pairs.iter();
        pairs
            .map(|(name, value)| {
                let name = HeaderName::from_static(name);
                (name, HeaderValue::from_static(value))
            })
            .collect()
    }

    #[test]
    fn few_questions_left_are_told() {
        let told = |left, limit| {
            let headers = headers(&[
                ("x-ratelimit-remaining", left),
                ("x-ratelimit-limit", limit),
                ("x-ratelimit-reset", "30"),
            ]);
            warning("h", &headers)
        };
        assert_eq!(told("80", "1600"), None);
        let low = told("79", "1600").unwrap();
        assert_eq!(
            low,
            "h answers only 79 of 1600 more questions to the whole organisation for the next 30 s"
        );
        assert!(told("0", "?").is_some());
        assert_eq!(told("1", "?"), None);
        assert_eq!(told("?", "1600"), None);
    }

    #[test]
    fn the_longer_wait_counts_and_only_for_throttling() {
        let wait = |kind, before, reset| {
            let fault = Fault::new(kind, "no").with_retry(before);
            patient(fault, &headers(&[("x-ratelimit-reset", reset)])).retry
        };
        let seconds = |count| Retry::After(Duration::from_secs(count));
        assert_eq!(wait(FaultKind::Throttled, Retry::Later, "17"), seconds(17));
        assert_eq!(wait(FaultKind::Throttled, seconds(40), "17"), seconds(40));
        assert_eq!(wait(FaultKind::Throttled, seconds(4), "17"), seconds(17));
        assert_eq!(
            wait(FaultKind::Throttled, Retry::Later, "soon"),
            Retry::Later
        );
        assert_eq!(wait(FaultKind::Throttled, Retry::Later, "-1"), Retry::Later);
        assert_eq!(wait(FaultKind::Invalid, Retry::Never, "17"), Retry::Never);
    }
}
