//! From an answer to a page: what its `Content-Type` says decides how it is read.

use em_core::fault::{Fault, FaultKind, chain};
use em_core::read::exposition::{Exposition, ExpositionFormat};
use reqwest::StatusCode;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderName};

use super::native::Native;
use super::protobuf;
use crate::remote::{Reply, fault_of_status};

/// Forms in which a page can be read. Text comes first: a server that speaks both is understood by
/// eye, too.
pub(super) const FORMS: &str = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,\
    application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.3";

/// The media type of pages in protobuf.
pub(crate) const PROTOBUF: &str = "application/vnd.google.protobuf";

/// What a page says.
#[derive(Debug, Default)]
pub(super) struct Page {
    pub(super) exposition: Exposition,
    /// Histograms that have no classic buckets.
    pub(super) natives: Vec<Native>,
}

/// Reads the answer of `shown`.
pub(super) fn page(shown: &str, reply: &Reply) -> Result<Page, Fault> {
    if reply.status != StatusCode::OK {
        return Err(fault_of_status(shown, reply.status, &reply.headers, ""));
    }
    let encoding = header(reply, &CONTENT_ENCODING);
    if !matches!(encoding, "" | "identity") {
        let message =
            format!("{shown} answers in the encoding {encoding:?}, which was not asked for");
        return Err(Fault::new(FaultKind::Malformed, message));
    }
    let malformed = |problem: String| {
        let message = format!("failed to read the page {shown}: {problem}");
        Fault::new(FaultKind::Malformed, message)
    };
    let content_type = header(reply, &CONTENT_TYPE);
    if is_protobuf(content_type) {
        if !is_delimited(content_type) {
            return Err(malformed(format!(
                "it is {content_type:?}, and only encoding=delimited can be read"
            )));
        }
        return protobuf::read(&reply.body).map_err(|error| malformed(chain(&error)));
    }
    let text = std::str::from_utf8(&reply.body);
    let text = text.map_err(|error| malformed(error.to_string()))?;
    let format = ExpositionFormat::of_content_type(content_type);
    let exposition = Exposition::parse(text, format).map_err(|error| malformed(chain(&error)))?;
    Ok(Page {
        exposition,
        natives: Vec::new(),
    })
}

fn header<'r>(reply: &'r Reply, name: &HeaderName) -> &'r str {
    let value = reply.headers.get(name);
    value
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}

fn is_protobuf(content_type: &str) -> bool {
    let media_type = content_type.split(';').next().unwrap_or_default();
    media_type.trim().eq_ignore_ascii_case(PROTOBUF)
}

/// Messages one after the other, each with its length, as servers answer unless they are asked for
/// something else.
fn is_delimited(content_type: &str) -> bool {
    let parameters = content_type.split(';').skip(1);
    let mut parameters = parameters.filter_map(|parameter| parameter.split_once('='));
    parameters.all(|(name, value)| {
        let value = value.trim().trim_matches('"');
        match name.trim() {
            "encoding" => value == "delimited",
            "proto" => value == "io.prometheus.client.MetricFamily",
            _ => true,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_read_when_they_are_of_the_known_kind() {
        for (rest, is_read) in [
            ("", true),
            (
                "; proto=io.prometheus.client.MetricFamily; encoding=delimited",
                true,
            ),
            (";encoding=\"delimited\"; escaping=underscores", true),
            ("; encoding=text", false),
            ("; proto=other.Message; encoding=delimited", false),
        ] {
            let content_type = format!("{PROTOBUF}{rest}");
            assert!(is_protobuf(&content_type));
            assert_eq!(is_delimited(&content_type), is_read, "{content_type}");
        }
        assert!(!is_protobuf("text/plain; version=0.0.4"));
    }
}
