//! One server over HTTP or HTTPS: who asks, how the other side is known, how much may be answered.
//! Nothing that may be secret enters an error.

mod auth;
mod error;
mod headers;
mod hosts;
mod hush;
mod place;
mod reply;
mod sigv4;

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;
use std::time::Duration;

use em_core::fault::{Fault, FaultKind};
use em_core::observe::Window;
use em_core::plan::{DatasourceSpec, Text, Tls};
use em_core::port::{Clock, OpContext};
use jiff::SignedDuration;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, LOCATION};
use reqwest::{Certificate, Client, Identity, Method, RequestBuilder, StatusCode, redirect};
use tokio::sync::OnceCell;

use self::auth::Credentials;
pub(crate) use self::error::{fault_of_status, unreachable};
use self::headers::header;
pub use self::hosts::{HostPattern, HostPatternError, HostPolicy};
use self::hush::Told;
pub(crate) use self::place::{Place, without_secrets};

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
    hosts: HostPolicy,
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
    /// A text of this media type.
    Text { kind: &'static str, text: &'a str },
    /// A POST without anything.
    Nothing,
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

/// One question to a document whose address is only known when it is asked.
#[derive(Debug)]
pub(crate) struct Visit<'a> {
    pub(crate) place: &'a Place,
    pub(crate) content: Content<'a>,
    /// Forms in which the answer can be read; a header of the file overrides it.
    pub(crate) accept: &'static str,
    /// What `{{address}}` stands for in the headers of the file.
    pub(crate) address: Option<&'a str>,
    /// The longest time for the answer, whatever the deadline.
    pub(crate) longest: Duration,
    /// A larger answer is refused.
    pub(crate) largest: usize,
}

/// Everything about one request but who asks.
#[derive(Debug)]
struct Errand<'a> {
    url: String,
    /// The other side, for messages.
    shown: &'a str,
    content: &'a Content<'a>,
    accept: Option<&'static str>,
    address: Option<&'a str>,
    headers: &'a [(&'static str, String)],
    longest: Duration,
    largest: usize,
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
            hosts: HostPolicy::any(),
            client: OnceCell::new(),
        }
    }

    /// The same, where only some hosts may be asked.
    pub(crate) fn with_hosts(self, hosts: HostPolicy) -> Self {
        // A client that was made before would resolve names as it did.
        let client = OnceCell::new();
        Self {
            hosts,
            client,
            ..self
        }
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        self.clock.as_ref()
    }

    /// So long a window until now, without what may still come late.
    pub(crate) fn lately(&self, length: SignedDuration, late: Duration) -> Window {
        let late = SignedDuration::try_from(late).unwrap_or_default();
        let now = self.clock.now();
        Window::until(now.saturating_sub(late).unwrap_or(now), length)
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
        let errand = Errand {
            url: format!("{}{}", self.base, question.path),
            shown: &self.base,
            content: &question.content,
            accept: None,
            address: None,
            headers: question.headers,
            longest: Duration::MAX,
            largest: LARGEST,
        };
        self.run(cx, &errand).await
    }

    /// The same for a document with an address of its own.
    pub(crate) async fn visit(&self, cx: &OpContext, visit: &Visit<'_>) -> Result<Reply, Fault> {
        let errand = Errand {
            url: visit.place.url().to_owned(),
            shown: visit.place.shown(),
            content: &visit.content,
            accept: Some(visit.accept),
            address: visit.address,
            headers: &[],
            longest: visit.longest,
            largest: visit.largest,
        };
        self.run(cx, &errand).await
    }

    async fn run(&self, cx: &OpContext, errand: &Errand<'_>) -> Result<Reply, Fault> {
        let reply = self.run_once(cx, errand).await?;
        let is_renewed = reply.status == StatusCode::UNAUTHORIZED
            && match &self.credentials {
                Some(credentials) => credentials.forget().await,
                None => false,
            };
        if is_renewed {
            return self.run_once(cx, errand).await;
        }
        Ok(reply)
    }

    async fn run_once(&self, cx: &OpContext, errand: &Errand<'_>) -> Result<Reply, Fault> {
        self.hosts.check(&errand.url)?;
        let client = self
            .client
            .get_or_try_init(async || self.connected())
            .await?;
        let left = Duration::try_from(cx.deadline.duration_since(self.clock.now()));
        let limit = left.unwrap_or_default().min(errand.longest);
        let url = errand.url.as_str();
        let mut request = match errand.content {
            // An address that has parameters of its own stays as it is written.
            Content::Query([]) => client.request(Method::GET, url),
            Content::Query(pairs) => client.request(Method::GET, url).query(pairs),
            Content::Form(pairs) => client.request(Method::POST, url).form(pairs),
            Content::Json(text) => client
                .request(Method::POST, url)
                .header(CONTENT_TYPE, "application/json")
                .body((*text).to_owned()),
            Content::Text { kind, text } => client
                .request(Method::POST, url)
                .header(CONTENT_TYPE, *kind)
                .body((*text).to_owned()),
            Content::Nothing => client.request(Method::POST, url).body(""),
        };
        if let Some(accept) = errand.accept {
            request = request.header(ACCEPT, accept);
        }
        let asked = async {
            let mut request =
                request.headers(headers::filled_in(&self.headers, cx, errand.address)?);
            for (name, value) in errand.headers {
                let (name, value) = header(name, value)?;
                request = request.header(name, value);
            }
            if let Some(credentials) = &self.credentials {
                request = credentials
                    .sign(request, client, &self.hosts, self.clock())
                    .await?;
            }
            send(client, request, errand).await
        };
        tokio::time::timeout(limit, asked)
            .await
            .unwrap_or_else(|_| {
                let message = format!("{} did not answer within {limit:?}", errand.shown);
                Err(Fault::new(FaultKind::Unavailable, message))
            })
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
        builder = self.hosts.guard(builder);
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

async fn send(
    client: &Client,
    request: RequestBuilder,
    errand: &Errand<'_>,
) -> Result<Reply, Fault> {
    let (shown, largest) = (errand.shown, errand.largest);
    let failed = |source: reqwest::Error| unreachable(shown, source);
    let request = request.build().map_err(failed)?;
    let told = Told::by(request.headers());
    let again = request.try_clone();
    let mut response = match (client.execute(request).await, again) {
        // A connection that was kept and is closed by now: every question may be asked twice.
        (Err(error), Some(again)) if error.is_request() && !error.is_connect() => {
            client.execute(again).await.map_err(failed)?
        }
        (sent, _) => sent.map_err(failed)?,
    };
    let (status, headers) = (response.status(), response.headers().clone());
    if status.is_redirection() {
        return Err(redirected(shown, status, &headers));
    }
    let expected = response.content_length().unwrap_or_default();
    let expected = usize::try_from(expected).unwrap_or(largest).min(largest);
    let mut body = Vec::with_capacity(expected);
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        if body.len() + chunk.len() > largest {
            let message = format!("{shown} answers more than {largest} bytes");
            return Err(Fault::new(FaultKind::Malformed, message));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Reply {
        status,
        headers,
        body: told.taken_out_of(body),
    })
}

/// Where it is sent to is told without what may be secret in it.
fn redirected(shown: &str, status: StatusCode, headers: &HeaderMap) -> Fault {
    let location = headers.get(LOCATION).and_then(|to| to.to_str().ok());
    let location = without_secrets(location.unwrap_or_default());
    let status = status.as_u16();
    let message = format!(
        "{shown} sends elsewhere ({location}) with status {status}, and redirects are not followed (give the final address)"
    );
    Fault::new(FaultKind::Invalid, message)
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
