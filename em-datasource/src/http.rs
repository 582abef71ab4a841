//! One GET, strictly limited: time, size, no redirects, nothing secret in a message.

use std::pin::pin;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use em_core::fault::{Fault, FaultKind, Retry};
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE, HOST, HeaderMap, RETRY_AFTER};
use hyper::{Request, Response, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// A larger answer is refused.
const LARGEST: usize = 64 * 1024 * 1024;

/// An address that can be asked.
#[derive(Debug, Clone)]
pub(crate) struct Address {
    uri: Uri,
    host: String,
    port: u16,
}

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) content_type: String,
    pub(crate) body: Bytes,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HttpError {
    #[error("{shown:?} is no address to ask (write http://HOST:PORT/PATH)")]
    Address { shown: String },
    #[error("the address holds a user name or password (give them as a header, by reference)")]
    Userinfo,
    #[error("failed to connect to {shown}")]
    Connect {
        shown: String,
        #[source]
        source: std::io::Error,
    },
    #[error("failed to ask {shown}")]
    Exchange {
        shown: String,
        #[source]
        source: hyper::Error,
    },
    #[error("{shown} did not answer within {limit:?}")]
    Slow { shown: String, limit: Duration },
    #[error(
        "{shown} sends elsewhere with status {status}, and redirects are not followed (give the final address)"
    )]
    Redirect { shown: String, status: u16 },
    #[error("{shown} answers with status {status}")]
    Status {
        shown: String,
        status: StatusCode,
        retry_after: Option<Duration>,
    },
    #[error("{shown} answers more than {LARGEST} bytes")]
    TooLarge { shown: String },
    #[error("{shown} answers in the encoding {encoding:?}, which was not asked for")]
    Encoding { shown: String, encoding: String },
}

impl From<HttpError> for Fault {
    fn from(error: HttpError) -> Self {
        let kind = error.kind();
        let retry_after = error.retry_after();
        let mut fault = Self::new(kind, error.to_string());
        if let (FaultKind::Throttled | FaultKind::Unavailable, Some(wait)) = (kind, retry_after) {
            fault = fault.with_retry(Retry::After(wait));
        }
        match error {
            HttpError::Connect { source, .. } => fault.caused_by(source),
            HttpError::Exchange { source, .. } => fault.caused_by(source),
            HttpError::Address { .. }
            | HttpError::Userinfo
            | HttpError::Slow { .. }
            | HttpError::Redirect { .. }
            | HttpError::Status { .. }
            | HttpError::TooLarge { .. }
            | HttpError::Encoding { .. } => fault,
        }
    }
}

impl HttpError {
    fn retry_after(&self) -> Option<Duration> {
        if let Self::Status { retry_after, .. } = self {
            *retry_after
        } else {
            None
        }
    }

    fn kind(&self) -> FaultKind {
        match self {
            Self::Address { .. } | Self::Userinfo | Self::Redirect { .. } => FaultKind::Invalid,
            Self::Connect { .. } | Self::Exchange { .. } | Self::Slow { .. } => {
                FaultKind::Unavailable
            }
            Self::TooLarge { .. } | Self::Encoding { .. } => FaultKind::Malformed,
            Self::Status { status, .. } => match status.as_u16() {
                401 | 403 => FaultKind::Denied,
                404 | 410 => FaultKind::NotFound,
                429 => FaultKind::Throttled,
                408 | 500..=599 => FaultKind::Unavailable,
                _ => FaultKind::Invalid,
            },
        }
    }
}

impl Address {
    pub(crate) fn parse(url: &str) -> Result<Self, HttpError> {
        let wrong = || HttpError::Address {
            shown: without_secrets(url),
        };
        let uri: Uri = url.parse().map_err(|_| wrong())?;
        let authority = uri.authority().ok_or_else(wrong)?;
        if authority.as_str().contains('@') {
            return Err(HttpError::Userinfo);
        }
        if uri.scheme_str() != Some("http") || authority.host().is_empty() {
            return Err(wrong());
        }
        let host = authority.host().trim_matches(['[', ']']).to_owned();
        let port = authority.port_u16().unwrap_or(80);
        Ok(Self { uri, host, port })
    }

    /// Host and port, as they are written.
    pub(crate) fn authority(&self) -> &str {
        self.uri
            .authority()
            .map_or("", |authority| authority.as_str())
    }

    /// For messages: without the query, which may hold a secret.
    pub(crate) fn shown(&self) -> String {
        format!("http://{}{}", self.authority(), self.uri.path())
    }

    fn request(&self, headers: HeaderMap) -> Request<Empty<Bytes>> {
        let path = self.uri.path_and_query().map_or("/", |path| path.as_str());
        let path = path.parse().unwrap_or_else(|_| Uri::from_static("/"));
        let mut request = Request::new(Empty::new());
        *request.uri_mut() = path;
        *request.headers_mut() = headers;
        if let Ok(host) = self.authority().parse() {
            request.headers_mut().insert(HOST, host);
        }
        request
    }
}

/// An address that cannot even be read is shown up to whatever could hold a secret.
fn without_secrets(url: &str) -> String {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let rest = rest.rsplit_once('@').map_or(rest, |(_, rest)| rest);
    match scheme {
        "" => rest.to_owned(),
        scheme => format!("{scheme}://{rest}"),
    }
}

/// Asks once, and reads the whole answer within `limit`.
pub(crate) async fn get(
    address: &Address,
    headers: HeaderMap,
    limit: Duration,
) -> Result<Page, HttpError> {
    let answer = tokio::time::timeout(limit, exchange(address, headers)).await;
    answer.unwrap_or_else(|_| {
        let shown = address.shown();
        Err(HttpError::Slow { shown, limit })
    })
}

async fn exchange(address: &Address, headers: HeaderMap) -> Result<Page, HttpError> {
    let failed = |source| HttpError::Exchange {
        shown: address.shown(),
        source,
    };
    let stream = TcpStream::connect((address.host.as_str(), address.port)).await;
    let stream = stream.map_err(|source| HttpError::Connect {
        shown: address.shown(),
        source,
    })?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(failed)?;
    let mut answer = pin!(answer(address, sender, headers));
    let mut connection = pin!(connection);
    tokio::select! {
        biased;
        answer = &mut answer => return answer,
        // The other side has closed; what it sent before is still there to be read.
        _ = &mut connection => {}
    }
    answer.await
}

async fn answer(
    address: &Address,
    mut sender: SendRequest<Empty<Bytes>>,
    headers: HeaderMap,
) -> Result<Page, HttpError> {
    let failed = |source| HttpError::Exchange {
        shown: address.shown(),
        source,
    };
    let response = sender.send_request(address.request(headers)).await;
    let response = response.map_err(failed)?;
    judge(address, &response)?;
    let content_type = text(response.headers(), &CONTENT_TYPE);
    let mut body = response.into_body();
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(failed)?.into_data() else {
            continue;
        };
        if whole.len() + data.len() > LARGEST {
            let shown = address.shown();
            return Err(HttpError::TooLarge { shown });
        }
        whole.extend_from_slice(&data);
    }
    Ok(Page {
        content_type,
        body: whole.freeze(),
    })
}

/// Whether the answer is one that can be read.
fn judge<B>(address: &Address, response: &Response<B>) -> Result<(), HttpError> {
    let (status, headers) = (response.status(), response.headers());
    let shown = || address.shown();
    if status.is_redirection() {
        return Err(HttpError::Redirect {
            shown: shown(),
            status: status.as_u16(),
        });
    }
    if status != StatusCode::OK {
        let wait = text(headers, &RETRY_AFTER).trim().parse().ok();
        return Err(HttpError::Status {
            shown: shown(),
            status,
            retry_after: wait.map(Duration::from_secs),
        });
    }
    let encoding = text(headers, &CONTENT_ENCODING);
    if !matches!(encoding.as_str(), "" | "identity") {
        return Err(HttpError::Encoding {
            shown: shown(),
            encoding,
        });
    }
    Ok(())
}

fn text(headers: &HeaderMap, name: &hyper::header::HeaderName) -> String {
    let value = headers.get(name).and_then(|value| value.to_str().ok());
    value.unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_secret_is_not_in_a_message() {
        let said = |url: &str| Address::parse(url).unwrap_err().to_string();
        assert!(!said("http://me:hush@host/metrics").contains("hush"));
        assert!(!said("ftp://me:hush@host/metrics?token=hush").contains("hush"));
        assert!(!said("me:hush@host/metrics?token=hush").contains("hush"));
        let address = Address::parse("http://host:9/metrics?token=hush").unwrap();
        assert_eq!(address.shown(), "http://host:9/metrics");
    }

    #[test]
    fn a_port_is_80_unless_said_and_ipv6_loses_its_brackets() {
        let parsed = |url: &str| {
            let address = Address::parse(url).unwrap();
            (address.host, address.port)
        };
        assert_eq!(parsed("http://host/m"), ("host".to_owned(), 80));
        assert_eq!(parsed("http://[::1]:9/m"), ("::1".to_owned(), 9));
    }

    #[test]
    fn a_status_says_whether_asking_again_can_help() {
        let fault = |status: u16, wait: Option<u64>| {
            Fault::from(HttpError::Status {
                shown: "http://host/".to_owned(),
                status: StatusCode::from_u16(status).unwrap(),
                retry_after: wait.map(Duration::from_secs),
            })
        };
        assert_eq!(fault(403, None).kind, FaultKind::Denied);
        assert_eq!(fault(404, None).kind, FaultKind::NotFound);
        assert_eq!(fault(418, Some(9)).retry, Retry::Never);
        let throttled = fault(429, Some(9));
        assert_eq!(throttled.retry, Retry::After(Duration::from_secs(9)));
        assert_eq!(fault(503, None).retry, Retry::Later);
    }
}
