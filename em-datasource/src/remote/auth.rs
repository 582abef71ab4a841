//! Who asks: each request is signed anew, so that a renewed secret counts at once.

use std::time::Duration;

use em_core::fault::{Fault, FaultKind};
use em_core::plan::{Auth, Secret, SecretRef};
use em_core::port::Clock;
use jiff::{SignedDuration, Timestamp};
use reqwest::{Client, RequestBuilder};
use serde::Deserialize;
use tokio::sync::Mutex;

use super::error::{fault_of_status, unreachable};
use super::hosts::HostPolicy;
use super::sigv4;

/// A token is renewed this long before it runs out.
const BEFORE: Duration = Duration::from_secs(30);
/// How long a token lasts that does not say.
const USUAL: u64 = 300;

/// Who asks, and the token that was given for it.
#[derive(Debug)]
pub(super) struct Credentials {
    auth: Auth,
    token: Mutex<Option<Token>>,
}

#[derive(Debug)]
struct Token {
    secret: Secret,
    until: Timestamp,
}

#[derive(Deserialize)]
struct Grant {
    access_token: String,
    expires_in: Option<u64>,
}

impl Credentials {
    pub(super) fn new(auth: Auth) -> Self {
        let token = Mutex::new(None);
        Self { auth, token }
    }

    /// The request with what proves who asks.
    pub(super) async fn sign(
        &self,
        request: RequestBuilder,
        client: &Client,
        hosts: &HostPolicy,
        clock: &dyn Clock,
    ) -> Result<RequestBuilder, Fault> {
        Ok(match &self.auth {
            Auth::Basic { user, password } => {
                request.basic_auth(user, Some(password.resolve()?.expose()))
            }
            Auth::Bearer(token) => request.header("authorization", bearer(&token.resolve()?)?),
            Auth::OAuth2 {
                token_url,
                client_id,
                client_secret,
                scopes,
            } => {
                let mut held = self.token.lock().await;
                let now = clock.now();
                let token = if let Some(token) = held.take().filter(|token| token.until > now) {
                    token
                } else {
                    hosts.check(token_url)?;
                    let asked = granted(client, token_url, client_id, client_secret, scopes);
                    Token::of(asked.await?, now)
                };
                let value = bearer(&token.secret)?;
                *held = Some(token);
                request.header("authorization", value)
            }
            Auth::SigV4(spec) => {
                // What is signed is the whole request, and this is the last change to it.
                let (client, request) = request.build_split();
                let request = request.map_err(|source| {
                    let message = "failed to write a request that can be signed";
                    Fault::new(FaultKind::Invalid, message).caused_by(source.without_url())
                })?;
                let request = sigv4::signed(spec, request, clock.now())?;
                RequestBuilder::from_parts(client, request)
            }
        })
    }

    /// Forgets a token that was refused; whether there was one to forget.
    pub(super) async fn forget(&self) -> bool {
        self.token.lock().await.take().is_some()
    }
}

impl Token {
    fn of(grant: Grant, now: Timestamp) -> Self {
        let lasts = Duration::from_secs(grant.expires_in.unwrap_or(USUAL));
        let lasts = SignedDuration::try_from(lasts.saturating_sub(BEFORE)).unwrap_or_default();
        Self {
            secret: Secret::new(grant.access_token),
            until: now.saturating_add(lasts).unwrap_or(now),
        }
    }
}

/// The whole value is checked here, because an error must not repeat it.
fn bearer(token: &Secret) -> Result<reqwest::header::HeaderValue, Fault> {
    let (_, value) = super::header("authorization", &format!("Bearer {}", token.expose()))?;
    Ok(value)
}

async fn granted(
    client: &Client,
    url: &str,
    id: &str,
    secret: &SecretRef,
    scopes: &[String],
) -> Result<Grant, Fault> {
    let mut form = vec![("grant_type", "client_credentials".to_owned())];
    if !scopes.is_empty() {
        form.push(("scope", scopes.join(" ")));
    }
    let secret = secret.resolve()?;
    let request = client.post(url).basic_auth(id, Some(secret.expose()));
    let response = request.form(&form).send().await;
    let response = response.map_err(|source| unreachable(url, source))?;
    let (status, headers) = (response.status(), response.headers().clone());
    if !status.is_success() {
        // What it says may repeat what it was told.
        return Err(fault_of_status(url, status, &headers, "no token is given"));
    }
    let body = response.bytes().await;
    let body = body.map_err(|source| unreachable(url, source))?;
    serde_json::from_slice(&body).map_err(|_| {
        let message = format!("{url} answers something else than a token");
        Fault::new(FaultKind::Malformed, message)
    })
}
