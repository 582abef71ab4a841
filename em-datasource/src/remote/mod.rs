//! One server over HTTP or HTTPS: who asks, how the other side is known, how much may be answered.
//! Nothing that may be secret enters an error.

mod auth;
mod error;
mod reply;

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;
use std::time::Duration;

use em_core::fault::{Fault, FaultKind};
use em_core::plan::{DatasourceSpec, Text, Tls};
use em_core::port::{Clock, OpContext};
use em_core::template::Escape;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION};
use reqwest::{Certificate, Client, Identity, Method, RequestBuilder, StatusCode, redirect};
use tokio::sync::OnceCell;

use self::auth::Credentials;
pub(crate) use self::error::{fault_of_status, unreachable};

/// A larger answer is refused.
const LARGEST: usize = 256 << 20;
/// Until a connection stands.
const CONNECT: Duration = Duration::from_secs(5);

/// One server.
#[derive(Debug)]
pub(crate) struct Remote {
    clock: Arc<dyn Clock>,
    base: String,
    headers: BTreeMap<String, Text>,
    tls: Tls,
    credentials: Option<Credentials>,
    client: OnceCell<Client>,
}

/// What is sent.
#[derive(Debug)]
pub(crate) enum Content<'a> {
    /// Parameters in the address.
    Query(&'a [(&'a str, String)]),
    /// Parameters as a form.
    Form(&'a [(&'a str, String)]),
    /// A JSON text.
    Json(&'a str),
}

/// One question to a server.
#[derive(Debug)]
pub(crate) struct Question<'a> {
    /// What follows the server's own address.
    pub(crate) path: &'a str,
    pub(crate) content: Content<'a>,
    /// Headers beside those of the file. Their values are secrets and never shown.
    pub(crate) headers: &'a [(&'static str, String)],
}

/// What came back, whatever its status.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Remote {
    /// The server at `base`, reached as the datasource says.
    pub(crate) fn new(clock: Arc<dyn Clock>, base: &str, spec: &DatasourceSpec) -> Self {
        Self {
            clock,
            base: base.trim_end_matches('/').to_owned(),
            headers: spec.headers.clone(),
            tls: spec.tls.clone(),
            credentials: spec.auth.clone().map(Credentials::new),
            client: OnceCell::new(),
        }
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        self.clock.as_ref()
    }

    /// The server, for messages.
    pub(crate) fn shown(&self) -> &str {
        &self.base
    }

    /// Asks, and reads the whole answer before the deadline. A refused token is fetched anew once.
    pub(crate) async fn ask(
        &self,
        cx: &OpContext,
        path: &str,
        content: Content<'_>,
    ) -> Result<Reply, Fault> {
        let headers = &[];
        let question = Question {
            path,
            content,
            headers,
        };
        self.put(cx, &question).await
    }

    /// The same for a question with headers of its own.
    pub(crate) async fn put(
        &self,
        cx: &OpContext,
        question: &Question<'_>,
    ) -> Result<Reply, Fault> {
        let reply = self.ask_once(cx, question).await?;
        let is_renewed = reply.status == StatusCode::UNAUTHORIZED
            && match &self.credentials {
                Some(credentials) => credentials.forget().await,
                None => false,
            };
        if is_renewed {
            return self.ask_once(cx, question).await;
        }
        Ok(reply)
    }

    async fn ask_once(&self, cx: &OpContext, question: &Question<'_>) -> Result<Reply, Fault> {
        let client = self
            .client
            .get_or_try_init(async || self.connected())
            .await?;
        let left = Duration::try_from(cx.deadline.duration_since(self.clock.now()));
        let limit = left.unwrap_or_default();
        let url = format!("{}{}", self.base, question.path);
        let request = match question.content {
            Content::Query(pairs) => client.request(Method::GET, url).query(pairs),
            Content::Form(pairs) => client.request(Method::POST, url).form(pairs),
            Content::Json(text) => client
                .request(Method::POST, url)
                .header(CONTENT_TYPE, "application/json")
                .body(text.to_owned()),
        };
        let asked = async {
            let mut request = request.headers(self.own_headers()?);
            for (name, value) in question.headers {
                let (name, value) = header(name, value)?;
                request = request.header(name, value);
            }
            if let Some(credentials) = &self.credentials {
                request = credentials.sign(request, client, self.clock()).await?;
            }
            self.send(request).await
        };
        tokio::time::timeout(limit, asked)
            .await
            .unwrap_or_else(|_| {
                let message = format!("{} did not answer within {limit:?}", self.base);
                Err(Fault::new(FaultKind::Unavailable, message))
            })
    }

    async fn send(&self, request: RequestBuilder) -> Result<Reply, Fault> {
        let failed = |source: reqwest::Error| unreachable(&self.base, source);
        let again = request.try_clone();
        let mut response = match (request.send().await, again) {
            // A connection that was kept and is closed by now: every question may be asked twice.
            (Err(error), Some(again)) if error.is_request() && !error.is_connect() => {
                again.send().await.map_err(failed)?
            }
            (sent, _) => sent.map_err(failed)?,
        };
        let (status, headers) = (response.status(), response.headers().clone());
        if status.is_redirection() {
            return Err(self.redirected(status, &headers));
        }
        let expected = response.content_length().unwrap_or_default();
        let expected = usize::try_from(expected).unwrap_or(LARGEST).min(LARGEST);
        let mut body = Vec::with_capacity(expected);
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > LARGEST {
                let message = format!("{} answers more than {LARGEST} bytes", self.base);
                return Err(Fault::new(FaultKind::Malformed, message));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Reply {
            status,
            headers,
            body,
        })
    }

    /// Where it is sent to is told without what may be secret in it.
    fn redirected(&self, status: StatusCode, headers: &HeaderMap) -> Fault {
        let location = headers.get(LOCATION).and_then(|to| to.to_str().ok());
        let location = location.unwrap_or_default().split(['?', '#']).next();
        let message = format!(
            "{} sends elsewhere ({}) with status {}, and redirects are not followed (give the final address)",
            self.base,
            location.unwrap_or_default(),
            status.as_u16()
        );
        Fault::new(FaultKind::Invalid, message)
    }

    /// The headers of the file, their secrets read anew.
    fn own_headers(&self) -> Result<HeaderMap, Fault> {
        let mut headers = HeaderMap::new();
        for (name, text) in &self.headers {
            let value = match text {
                Text::Secret(reference) => reference.resolve()?.expose().to_owned(),
                Text::Template(template) => {
                    let rendered = template.render(&|_| None, Escape::None);
                    rendered.map_err(|error| {
                        let message = format!("failed to fill in header {name:?}");
                        Fault::new(FaultKind::Invalid, message).caused_by(error)
                    })?
                }
            };
            let (name, value) = header(name, &value)?;
            headers.insert(name, value);
        }
        Ok(headers)
    }

    fn connected(&self) -> Result<Client, Fault> {
        // Whoever came first has chosen; both choices are this one.
        drop(rustls::crypto::ring::default_provider().install_default());
        let mut builder = Client::builder()
            .redirect(redirect::Policy::none())
            .connect_timeout(CONNECT)
            .gzip(true)
            // Whoever is measured is asked itself, whatever the environment says.
            .no_proxy()
            .user_agent(concat!("experiment-manager/", env!("CARGO_PKG_VERSION")));
        if let Some(path) = &self.tls.ca_file {
            let pem = read(path)?;
            let authorities = Certificate::from_pem_bundle(&pem);
            let authorities = authorities.map_err(|source| unreadable(path, source))?;
            builder = builder.tls_certs_only(authorities);
        }
        if let Some(client) = &self.tls.client {
            let mut pem = read(&client.cert_file)?;
            pem.push(b'\n');
            pem.extend(read(&client.key_file)?);
            let identity = Identity::from_pem(&pem);
            builder =
                builder.identity(identity.map_err(|source| unreadable(&client.key_file, source))?);
        }
        if self.tls.insecure_skip_verify {
            tracing::warn!(
                server = self.base,
                "whoever answers is trusted (insecure_skip_verify)"
            );
            builder = builder.tls_danger_accept_invalid_certs(true);
        }
        builder.build().map_err(|source| {
            let message = format!("failed to prepare for asking {}", self.base);
            Fault::new(FaultKind::Invalid, message).caused_by(source.without_url())
        })
    }
}

/// A header whose value may be secret and is never shown.
fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), Fault> {
    let parsed: Option<(HeaderName, HeaderValue)> = name.parse().ok().zip(value.parse().ok());
    let (name, mut value) = parsed.ok_or_else(|| {
        let message = format!("header {name:?} holds characters that HTTP forbids");
        Fault::new(FaultKind::Invalid, message)
    })?;
    value.set_sensitive(true);
    Ok((name, value))
}

fn read(path: &std::path::Path) -> Result<Vec<u8>, Fault> {
    fs::read(path).map_err(|source| {
        let message = format!("failed to read {}", path.display());
        Fault::new(FaultKind::NotFound, message).caused_by(source)
    })
}

/// The text of a key is never part of it.
fn unreadable(path: &std::path::Path, source: reqwest::Error) -> Fault {
    let message = format!("{} holds no certificate or key in PEM form", path.display());
    Fault::new(FaultKind::Invalid, message).caused_by(source.without_url())
}
