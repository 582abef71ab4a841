//! What a server repeats of the secrets that it was told.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::HeaderMap;

/// Answers that are longer hold data and no complaint.
const LONGEST: usize = 4 << 20;
/// What is shorter is found everywhere, and is no secret.
const SHORTEST: usize = 4;

/// Everything that one request tells in confidence.
pub(super) struct Told(Vec<String>);

impl Told {
    /// What stands in the headers that are marked as secret, with and without its scheme.
    pub(super) fn by(headers: &HeaderMap) -> Self {
        let secret = headers.values().filter(|value| value.is_sensitive());
        let texts = secret.filter_map(|value| value.to_str().ok());
        let mut told: Vec<String> = texts.flat_map(parts).collect();
        told.retain(|text| text.len() >= SHORTEST);
        // Whole before its parts: what is left of a longer one would tell much.
        told.sort_by_key(|text| std::cmp::Reverse(text.len()));
        Self(told)
    }

    /// An answer without it.
    pub(super) fn taken_out_of(&self, body: Vec<u8>) -> Vec<u8> {
        if body.len() > LONGEST {
            return body;
        }
        let Ok(text) = std::str::from_utf8(&body) else {
            return body;
        };
        if !self.0.iter().any(|secret| text.contains(secret.as_str())) {
            return body;
        }
        let mut text = text.to_owned();
        for secret in &self.0 {
            text = text.replace(secret.as_str(), "***");
        }
        text.into_bytes()
    }
}

/// `Bearer abc` is told as it is and as `abc`, a password in base64 also plainly.
fn parts(value: &str) -> Vec<String> {
    let mut parts = vec![value.to_owned()];
    if let Some((scheme, rest)) = value.split_once(' ') {
        parts.push(rest.trim().to_owned());
        let plain = STANDARD.decode(rest.trim()).ok();
        let plain = plain.and_then(|plain| String::from_utf8(plain).ok());
        if let Some((_, password)) = plain.as_deref().and_then(|plain| plain.split_once(':'))
            && scheme.eq_ignore_ascii_case("basic")
        {
            parts.push(password.to_owned());
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    #[test]
    fn what_was_told_in_confidence_is_taken_out_of_the_answer() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("authorization", "Basic ZW06aHVzaC1odXNo"),
            ("x-key", "whisper"),
            ("x-short", "no"),
        ] {
            let mut value = HeaderValue::from_static(value);
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        headers.insert("accept", HeaderValue::from_static("application/json"));
        let told = Told::by(&headers);
        let said = |text: &str| {
            let body = told.taken_out_of(text.as_bytes().to_vec());
            String::from_utf8(body).unwrap()
        };
        assert_eq!(
            said("no hush-hush for em, no whisper"),
            "no *** for em, no ***"
        );
        assert_eq!(said("Basic ZW06aHVzaC1odXNo"), "***");
        assert_eq!(said("application/json"), "application/json");
        let page = vec![0xff; 3];
        assert_eq!(told.taken_out_of(page.clone()), page);
    }
}
