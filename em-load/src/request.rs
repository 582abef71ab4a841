//! What is sent, and which answers count as a success.

use std::fmt;
use std::net::SocketAddr;
use std::ops::RangeInclusive;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{HOST, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request, Uri};

/// One HTTP request, to be sent again and again.
///
/// Header values and the body may hold secrets: `Debug` shows their size only.
#[derive(Clone)]
pub struct RequestTemplate {
    method: Method,
    authority: String,
    path: Uri,
    port: u16,
    host: String,
    headers: HeaderMap,
    body: Bytes,
    accepted: Vec<RangeInclusive<u16>>,
}

/// Why a request cannot be built.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// Not a URL with scheme and host.
    #[error("the load's url is not an absolute http URL; write it as http://HOST:PORT/PATH")]
    Url,
    /// A scheme other than http.
    #[error("the load's url has the scheme {scheme:?}; this driver speaks plain http only")]
    Scheme {
        /// What was given.
        scheme: String,
    },
    /// Credentials inside the URL would end up in logs and reports.
    #[error("the load's url carries a user name or password; send them as an Authorization header")]
    Userinfo,
    /// Not an HTTP method.
    #[error("{method:?} is not an HTTP method")]
    Method {
        /// What was given.
        method: String,
    },
    /// A header's name or value has characters HTTP forbids. The value may be a secret and is
    /// not shown.
    #[error("header {name:?} cannot be sent: its name or value has characters that HTTP forbids")]
    Header {
        /// Name of the header.
        name: String,
    },
    /// A list of status codes that no answer can satisfy.
    #[error("no status code would count as a success; give ranges within 100..599")]
    Accepted,
}

impl RequestTemplate {
    /// `GET url`, successful when answered with 2xx or 3xx.
    pub fn get(url: &str) -> Result<Self, RequestError> {
        let uri: Uri = url.parse().map_err(|_| RequestError::Url)?;
        let scheme = uri.scheme_str().ok_or(RequestError::Url)?;
        if scheme != "http" {
            return Err(RequestError::Scheme {
                scheme: scheme.to_owned(),
            });
        }
        let authority = uri.authority().ok_or(RequestError::Url)?;
        if authority.as_str().contains('@') {
            return Err(RequestError::Userinfo);
        }
        if authority.host().is_empty() {
            return Err(RequestError::Url);
        }
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        Ok(Self {
            method: Method::GET,
            authority: authority.to_string(),
            path: path.parse().map_err(|_| RequestError::Url)?,
            port: authority.port_u16().unwrap_or(80),
            host: authority.host().trim_matches(['[', ']']).to_owned(),
            headers: HeaderMap::new(),
            body: Bytes::new(),
            accepted: vec![200..=399],
        })
    }

    /// Sends with another method.
    pub fn method(mut self, method: &str) -> Result<Self, RequestError> {
        let refused = || RequestError::Method {
            method: method.to_owned(),
        };
        self.method = method.parse().map_err(|_| refused())?;
        Ok(self)
    }

    /// Adds a header. The value is marked as sensitive.
    pub fn header(mut self, name: &str, value: &str) -> Result<Self, RequestError> {
        let refused = || RequestError::Header {
            name: name.to_owned(),
        };
        let key: HeaderName = name.parse().map_err(|_| refused())?;
        let mut value: HeaderValue = value.parse().map_err(|_| refused())?;
        value.set_sensitive(true);
        self.headers.append(key, value);
        Ok(self)
    }

    /// Sends with a body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// Which status codes count as a success; 200..=399 when not said.
    pub fn accept(mut self, codes: Vec<RangeInclusive<u16>>) -> Result<Self, RequestError> {
        let possible = |range: &RangeInclusive<u16>| {
            !range.is_empty() && *range.end() >= 100 && *range.start() <= 599
        };
        if !codes.iter().any(possible) {
            return Err(RequestError::Accepted);
        }
        self.accepted = codes;
        Ok(self)
    }

    /// Host name or address to connect to.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Port to connect to.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The URL without its query, for people.
    pub fn display_url(&self) -> String {
        format!("http://{}{}", self.authority, self.path.path())
    }

    pub(crate) fn is_accepted(&self, status: u16) -> bool {
        self.accepted.iter().any(|range| range.contains(&status))
    }

    pub(crate) fn build(&self) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(self.body.clone()));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.path.clone();
        *request.headers_mut() = self.headers.clone();
        if !self.headers.contains_key(HOST) {
            let host = HeaderValue::from_str(&self.authority).expect("an authority is ASCII");
            request.headers_mut().insert(HOST, host);
        }
        request
    }
}

impl fmt::Debug for RequestTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestTemplate")
            .field("method", &self.method)
            .field("url", &self.display_url())
            .field("headers", &self.headers.len())
            .field("body_bytes", &self.body.len())
            .field("accepted", &self.accepted)
            .finish_non_exhaustive()
    }
}

/// A request together with where to send it: host names are looked up once, before the load.
#[derive(Debug, Clone)]
pub struct Destination {
    /// What to send.
    pub request: RequestTemplate,
    /// Where to; new connections take turns over these. Never empty.
    pub addresses: Vec<SocketAddr>,
}

/// Why the load's host has no address.
#[derive(Debug, thiserror::Error)]
#[error("failed to find an address for the load's host {host:?}")]
pub struct LookupError {
    host: String,
    #[source]
    source: std::io::Error,
}

impl LookupError {
    pub(crate) fn into_source(self) -> std::io::Error {
        self.source
    }
}

impl Destination {
    /// Looks the host up.
    pub async fn look_up(request: RequestTemplate) -> Result<Self, LookupError> {
        let failed = |source| LookupError {
            host: request.host().to_owned(),
            source,
        };
        let found = tokio::net::lookup_host((request.host(), request.port())).await;
        let addresses: Vec<SocketAddr> = found.map_err(failed)?.collect();
        if addresses.is_empty() {
            return Err(failed(std::io::ErrorKind::NotFound.into()));
        }
        Ok(Self { request, addresses })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_goes_out_in_origin_form_with_its_host() {
        let template = RequestTemplate::get("http://shop.test:8080/cart?id=7").unwrap();
        let request = template.method("POST").unwrap().body("x").build();
        assert_eq!(request.uri().to_string(), "/cart?id=7");
        assert_eq!(request.headers()[HOST], "shop.test:8080");
        assert_eq!(request.method(), Method::POST);
    }

    #[test]
    fn a_secret_header_is_never_printed() {
        let template = RequestTemplate::get("http://shop.test/?key=hidden1").unwrap();
        let template = template
            .header("Authorization", "Bearer hidden2")
            .unwrap()
            .body("hidden3");
        let printed = format!("{template:?}");
        assert!(!printed.contains("hidden"), "{printed}");
        assert!(!format!("{:?}", template.build().headers()).contains("hidden"));
        let refused = RequestTemplate::get("http://a/")
            .unwrap()
            .header("x", "hidden\n");
        assert!(!refused.unwrap_err().to_string().contains("hidden"));
    }

    #[test]
    fn urls_that_cannot_be_loaded_are_refused_with_the_reason() {
        let refused = |url| RequestTemplate::get(url).unwrap_err();
        assert_eq!(refused("/path"), RequestError::Url);
        assert_eq!(refused("localhost:80"), RequestError::Url);
        assert_eq!(
            refused("https://a/"),
            RequestError::Scheme {
                scheme: "https".to_owned()
            }
        );
        assert_eq!(refused("http://me:secret@a/"), RequestError::Userinfo);
    }

    #[test]
    fn an_ipv6_host_loses_its_brackets_for_the_lookup_only() {
        let template = RequestTemplate::get("http://[::1]:9/").unwrap();
        assert_eq!((template.host(), template.port()), ("::1", 9));
        assert_eq!(template.build().headers()[HOST], "[::1]:9");
    }

    #[test]
    fn success_is_2xx_and_3xx_unless_said_otherwise() {
        let template = RequestTemplate::get("http://a/").unwrap();
        let accepted = |template: &RequestTemplate| {
            [199, 200, 304, 399, 404, 500].map(|status| template.is_accepted(status))
        };
        assert_eq!(accepted(&template), [false, true, true, true, false, false]);
        let template = template.accept(vec![404..=404]).unwrap();
        assert_eq!(
            accepted(&template),
            [false, false, false, false, true, false]
        );
        assert_eq!(template.accept(vec![]).unwrap_err(), RequestError::Accepted);
    }
}
