//! Headers of the file, filled in for each request.

use std::collections::BTreeMap;

use em_core::fault::{Fault, FaultKind};
use em_core::id::OpKey;
use em_core::plan::Text;
use em_core::port::OpContext;
use em_core::template::Escape;
use em_core::value::Value;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

/// The headers of the file, their secrets read anew.
pub(super) fn filled_in(
    texts: &BTreeMap<String, Text>,
    cx: &OpContext,
    address: Option<&str>,
) -> Result<HeaderMap, Fault> {
    let mut headers = HeaderMap::new();
    for (name, text) in texts {
        let value = match text {
            Text::Secret(reference) => reference.resolve()?.expose().to_owned(),
            Text::Template(template) => {
                let lookup = |name: &str| value_of(cx, address, name);
                let rendered = template.render(&lookup, Escape::None);
                rendered.map_err(|error| {
                    let message = format!("failed to fill in header {name:?}");
                    Fault::new(FaultKind::Invalid, message).caused_by(error)
                })?
            }
        };
        let (name, mut value) = header(name, &value)?;
        // What stands in the file is no secret, and may be repeated.
        value.set_sensitive(matches!(text, Text::Secret(_)));
        headers.insert(name, value);
    }
    Ok(headers)
}

/// What a placeholder of a header stands for.
fn value_of(cx: &OpContext, address: Option<&str>, name: &str) -> Option<Value> {
    let (trial, iteration) = match &cx.key {
        OpKey::Iteration {
            trial, iteration, ..
        } => (trial.0, iteration.0),
        OpKey::Experiment { .. } | OpKey::Hold { .. } => (0, 0),
    };
    match name {
        "address" => address.map(Value::from),
        "trial" => Some(Value::from(i64::from(trial))),
        "iteration" => Some(Value::from(i64::from(iteration))),
        _ => None,
    }
}

/// A header whose value may be secret and is never shown.
pub(super) fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), Fault> {
    let parsed: Option<(HeaderName, HeaderValue)> = name.parse().ok().zip(value.parse().ok());
    let (name, mut value) = parsed.ok_or_else(|| {
        let message = format!("header {name:?} holds characters that HTTP forbids");
        Fault::new(FaultKind::Invalid, message)
    })?;
    value.set_sensitive(true);
    Ok((name, value))
}
