//! Signatures of Amazon Web Services, version 4: a request proves with its own words who sends it.

use em_core::fault::{Fault, FaultKind};
use em_core::plan::{Secret, SecretRef, SigV4};
use jiff::Timestamp;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Request, Url};
use ring::hmac;
use sha2::{Digest as _, Sha256};

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const DATE: &str = "x-amz-date";
const TOKEN: &str = "x-amz-security-token";

/// Whose keys they are, for one request.
struct Keys {
    access: Secret,
    secret: Secret,
    session: Option<Secret>,
}

/// What a signature is valid for beside the request: `DATE/REGION/SERVICE/aws4_request`.
struct Scope<'a> {
    /// Day and time, `20150830T123600Z`.
    time: String,
    region: &'a str,
    service: &'a str,
}

/// The request with its signature. Nothing that is signed may change after.
pub(super) fn signed(spec: &SigV4, mut request: Request, now: Timestamp) -> Result<Request, Fault> {
    let keys = Keys {
        access: spec.access_key.resolve()?,
        secret: spec.secret_key.resolve()?,
        session: spec
            .session_token
            .as_ref()
            .map(SecretRef::resolve)
            .transpose()?,
    };
    let scope = Scope {
        time: now.strftime("%Y%m%dT%H%M%SZ").to_string(),
        region: &spec.region,
        service: &spec.service,
    };
    // Whoever is asked reads a plus in its own way: it is sent as it is signed.
    let query = canonical_query(request.url());
    if request.url().query().is_some() {
        request.url_mut().set_query(Some(&query));
    }
    let (_, date) = super::header(DATE, &scope.time)?;
    request.headers_mut().insert(DATE, date);
    if let Some(token) = &keys.session {
        let (_, token) = super::header(TOKEN, token.expose())?;
        request.headers_mut().insert(TOKEN, token);
    }
    let authorization = authorization(&request, &query, &scope, &keys)?;
    let (name, value) = super::header("authorization", &authorization)?;
    request.headers_mut().insert(name, value);
    Ok(request)
}

fn authorization(
    request: &Request,
    query: &str,
    scope: &Scope<'_>,
    keys: &Keys,
) -> Result<String, Fault> {
    let headers = signed_headers(request)?;
    let names: Vec<&str> = headers.iter().map(|(name, _)| name.as_str()).collect();
    let names = names.join(";");
    let lines: Vec<String> = headers
        .iter()
        .map(|(name, value)| format!("{name}:{value}\n"))
        .collect();
    let body = request.body().map(reqwest::Body::as_bytes);
    let body = body.unwrap_or(Some(&[])).ok_or_else(|| {
        let message = "a request that is sent piece by piece cannot be signed";
        Fault::new(FaultKind::Invalid, message)
    })?;
    let path = encoded(request.url().path().as_bytes(), true);
    let canonical = format!(
        "{}\n{path}\n{query}\n{}\n{names}\n{}",
        request.method(),
        lines.concat(),
        digest(body)
    );
    let signature = signature(&canonical, scope, keys.secret.expose());
    Ok(format!(
        "{ALGORITHM} Credential={}/{}, SignedHeaders={names}, Signature={signature}",
        keys.access.expose(),
        scope.text()
    ))
}

impl Scope<'_> {
    fn day(&self) -> &str {
        self.time.get(..8).unwrap_or_default()
    }

    fn text(&self) -> String {
        let Self {
            region, service, ..
        } = self;
        format!("{}/{region}/{service}/aws4_request", self.day())
    }
}

fn signature(canonical: &str, scope: &Scope<'_>, secret: &str) -> String {
    let digest = digest(canonical.as_bytes());
    let text = format!("{ALGORITHM}\n{}\n{}\n{digest}", scope.time, scope.text());
    hex::encode(mac(&key(scope, secret), text.as_bytes()))
}

/// The key of one day, region and service.
fn key(scope: &Scope<'_>, secret: &str) -> Vec<u8> {
    let first = format!("AWS4{secret}").into_bytes();
    let parts = [scope.day(), scope.region, scope.service, "aws4_request"];
    parts
        .iter()
        .fold(first, |key, part| mac(&key, part.as_bytes()))
}

fn mac(key: &[u8], text: &[u8]) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    hmac::sign(&key, text).as_ref().to_vec()
}

fn digest(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// Where it goes, what it holds, and all that is Amazon's own; others may be changed on the way.
fn signed_headers(request: &Request) -> Result<Vec<(String, String)>, Fault> {
    let headers = request.headers();
    let names = headers
        .keys()
        .filter(|name| **name == CONTENT_TYPE || name.as_str().starts_with("x-amz-"));
    let mut signed = vec![("host".to_owned(), host(request.url())?)];
    for name in names {
        signed.push((name.as_str().to_owned(), values(headers, name.as_str())?));
    }
    signed.sort();
    Ok(signed)
}

/// Host and port as they are sent: the usual port is left out.
fn host(url: &Url) -> Result<String, Fault> {
    let host = url.host_str().ok_or_else(|| {
        let message = "a request without a host cannot be signed";
        Fault::new(FaultKind::Invalid, message)
    })?;
    let port = url.port().map(|port| format!(":{port}"));
    Ok(format!("{host}{}", port.unwrap_or_default()))
}

/// All values of a header, with single spaces.
fn values(headers: &HeaderMap, name: &str) -> Result<String, Fault> {
    let word = |value: &HeaderValue| {
        let words = value.to_str().ok()?.split_ascii_whitespace();
        Some(words.collect::<Vec<_>>().join(" "))
    };
    let values = headers.get_all(name).iter().map(word);
    let values: Option<Vec<String>> = values.collect();
    let values = values.ok_or_else(|| {
        let message = format!("header {name:?} holds characters that cannot be signed");
        Fault::new(FaultKind::Invalid, message)
    })?;
    Ok(values.join(","))
}

/// Parameters in the order of their names, all written one way.
fn canonical_query(url: &Url) -> String {
    let pairs = url.query_pairs();
    let encoded = |text: &str| encoded(text.as_bytes(), false);
    let mut pairs: Vec<(String, String)> = pairs
        .map(|(name, value)| (encoded(&name), encoded(&value)))
        .collect();
    pairs.sort();
    let pairs = pairs.iter().map(|(name, value)| format!("{name}={value}"));
    pairs.collect::<Vec<_>>().join("&")
}

/// Everything but letters, digits and `-._~` (and `/` of a path) as `%` and two digits. A path is
/// encoded already when it is sent, and once more when it is signed.
fn encoded(bytes: &[u8], is_path: bool) -> String {
    let mut text = String::with_capacity(bytes.len());
    for byte in bytes {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                text.push(char::from(*byte));
            }
            b'/' if is_path => text.push('/'),
            other => {
                text.push('%');
                text.push_str(&hex::encode_upper([*other]));
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use reqwest::Method;

    use super::*;

    /// Keys, time and place of the test suite that Amazon publishes.
    fn suite(method: Method, url: &str, change: impl FnOnce(&mut Request)) -> String {
        let mut request = Request::new(method, url.parse().unwrap());
        change(&mut request);
        let now = "2015-08-30T12:36:00Z".parse().unwrap();
        let keys = tempfile::TempDir::new().unwrap();
        let key = |name: &str, text: &str| {
            let path = keys.path().join(name);
            std::fs::write(&path, text).unwrap();
            SecretRef::FromFile(path)
        };
        let token = request.headers_mut().remove("test-token");
        let spec = SigV4 {
            region: "us-east-1".to_owned(),
            service: "service".to_owned(),
            access_key: key("access", "AKIDEXAMPLE"),
            secret_key: key("secret", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
            session_token: token.map(|token| key("token", token.to_str().unwrap())),
        };
        let request = signed(&spec, request, now).unwrap();
        let value = request.headers()["authorization"].to_str().unwrap();
        let start = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=";
        value.strip_prefix(start).unwrap().to_owned()
    }

    #[test]
    fn requests_of_the_published_suite_have_its_signatures() {
        let host = "https://example.amazonaws.com";
        let plain = |method, rest: &str| suite(method, &format!("{host}{rest}"), |_| {});
        assert_eq!(
            plain(Method::GET, "/"),
            "host;x-amz-date, Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
        );
        assert_eq!(
            plain(Method::POST, "/"),
            "host;x-amz-date, Signature=5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"
        );
        assert_eq!(
            plain(Method::GET, "/?Param2=value2&Param1=value1"),
            "host;x-amz-date, Signature=b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"
        );
        let form = suite(Method::POST, host, |request| {
            let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
            request.headers_mut().insert(CONTENT_TYPE, kind);
            *request.body_mut() = Some("Param1=value1".into());
        });
        assert_eq!(
            form,
            "content-type;host;x-amz-date, Signature=ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"
        );
    }

    #[test]
    fn a_token_of_a_session_is_signed() {
        let token = "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA==";
        let signed = suite(Method::POST, "https://example.amazonaws.com/", |request| {
            let token = HeaderValue::from_static(token);
            request.headers_mut().insert("test-token", token);
        });
        assert_eq!(
            signed,
            "host;x-amz-date;x-amz-security-token, Signature=85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead"
        );
    }

    #[test]
    fn the_key_of_a_day_is_the_documented_one() {
        let scope = Scope {
            time: "20150830T123600Z".to_owned(),
            region: "us-east-1",
            service: "iam",
        };
        let key = key(&scope, "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY");
        assert_eq!(
            hex::encode(key),
            "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9"
        );
    }

    #[test]
    fn parameters_are_sent_as_they_are_signed_and_paths_encoded_once_more() {
        let url: Url = "http://h:9/a%20b?q=up{a%3D\"x\"}+%2B~&b=1&b=0"
            .parse()
            .unwrap();
        let query = canonical_query(&url);
        assert_eq!(query, "b=0&b=1&q=up%7Ba%3D%22x%22%7D%20%2B~");
        assert_eq!(encoded(url.path().as_bytes(), true), "/a%2520b");
        assert_eq!(host(&url).unwrap(), "h:9");
        assert_eq!(host(&"https://h:443/".parse().unwrap()).unwrap(), "h");
    }
}
