//! How a datasource over the network is reached: its address, who asks, how the other side is known.

use std::collections::BTreeMap;

use super::process::optional;
use super::reader::{Keys, Reader};
use super::scene::Scene;
use super::secret;
use crate::plan::{Auth, ClientCertificate, SecretRef, SigV4, Text, Tls};

/// Keys of `auth`, of which there is exactly one.
pub(super) const AUTH_KEYS: [&str; 4] = ["basic", "bearer", "oauth2", "sigv4"];
/// Keys of `auth.basic`.
pub(super) const BASIC_KEYS: [&str; 2] = ["user", "password"];
/// Keys of `auth.oauth2`.
pub(super) const OAUTH2_KEYS: [&str; 4] = ["token_url", "client_id", "client_secret", "scopes"];
/// Keys of `auth.sigv4`.
pub(super) const SIGV4_KEYS: [&str; 5] = [
    "region",
    "service",
    "access_key",
    "secret_key",
    "session_token",
];
/// Keys of `tls`.
pub(super) const TLS_KEYS: [&str; 4] = ["ca_file", "cert_file", "key_file", "insecure_skip_verify"];

/// The address of a server.
pub(super) fn server_url(reader: &Reader<'_>) -> Option<String> {
    let text = reader.text()?;
    secret::check_url(reader, text);
    let rest = text
        .strip_prefix("http://")
        .or_else(|| text.strip_prefix("https://"));
    let is_address = rest.is_some_and(|rest| {
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        !host.is_empty() && !text.contains(['?', '#', ' ', '{'])
    });
    if !is_address {
        reader.refuse_with(
            format!("{text:?} is not the address of a server"),
            "write http://HOST:PORT or https://HOST/PREFIX; parameters go into params",
        );
        return None;
    }
    Some(text.trim_end_matches('/').to_owned())
}

/// What a signature says where the file does not.
#[derive(Debug)]
pub(super) struct Signed<'a> {
    pub(super) service: &'static str,
    pub(super) region: Option<&'a str>,
}

impl Default for Signed<'_> {
    fn default() -> Self {
        Self {
            service: "aps",
            region: None,
        }
    }
}

/// Who asks.
pub(super) fn auth<'a>(
    reader: &Reader<'a>,
    scene: &Scene<'a>,
    signed: &Signed<'_>,
) -> Option<Auth> {
    let ways = reader.keys(&AUTH_KEYS, &[])?;
    if reader.map_if_any() != Some(1) {
        reader.refuse_with(
            "there is one way to say who asks",
            "one of basic, bearer, oauth2, sigv4",
        );
        return None;
    }
    if let Some(token) = ways.get("bearer") {
        return reference(&token, "bearer", scene).map(Auth::Bearer);
    }
    if let Some(basic) = ways.get("basic") {
        let keys = basic.keys(&BASIC_KEYS, &[])?;
        let user = keys.required("user").and_then(|reader| reader.word());
        let password = keys.required("password");
        let password = password.and_then(|reader| reference(&reader, "password", scene));
        return Some(Auth::Basic {
            user: user?,
            password: password?,
        });
    }
    if let Some(signature) = ways.get("sigv4") {
        return sigv4(&signature, scene, signed).map(Auth::SigV4);
    }
    ways.get("oauth2").and_then(|reader| oauth2(&reader, scene))
}

fn sigv4<'a>(reader: &Reader<'a>, scene: &Scene<'a>, signed: &Signed<'_>) -> Option<SigV4> {
    let keys = reader.keys(&SIGV4_KEYS, &[])?;
    let region = match (signed.region, keys.has("region")) {
        (Some(region), false) => Some(region.to_owned()),
        _ => keys.required("region").and_then(|reader| reader.word()),
    };
    let service = optional(&keys, "service", Reader::word);
    let secret = |name: &str| {
        keys.required(name)
            .and_then(|reader| reference(&reader, name, scene))
    };
    let (access_key, secret_key) = (secret("access_key"), secret("secret_key"));
    let session_token = optional(&keys, "session_token", |reader| {
        reference(reader, "session_token", scene)
    });
    Some(SigV4 {
        region: region?,
        service: service?.unwrap_or_else(|| signed.service.to_owned()),
        access_key: access_key?,
        secret_key: secret_key?,
        session_token: session_token?,
    })
}

fn oauth2<'a>(reader: &Reader<'a>, scene: &Scene<'a>) -> Option<Auth> {
    let keys = reader.keys(&OAUTH2_KEYS, &[])?;
    let url = keys
        .required("token_url")
        .and_then(|reader| server_url(&reader));
    let client = keys.required("client_id").and_then(|reader| reader.word());
    let secret = keys.required("client_secret");
    let secret = secret.and_then(|reader| reference(&reader, "client_secret", scene));
    let scopes = optional(&keys, "scopes", |reader| {
        let scopes = reader.list()?;
        scopes.iter().map(Reader::word).collect::<Option<Vec<_>>>()
    });
    Some(Auth::OAuth2 {
        token_url: url?,
        client_id: client?,
        client_secret: secret?,
        scopes: scopes?.unwrap_or_default(),
    })
}

/// A secret: by reference, never as text.
pub(super) fn reference<'a>(
    reader: &Reader<'a>,
    name: &str,
    scene: &Scene<'a>,
) -> Option<SecretRef> {
    if reader.map_if_any().is_none() {
        reader.refuse_with(
            format!("{name} is a secret and stands in the file itself"),
            secret::remedy(name),
        );
        return None;
    }
    match scene.secret_or_text(reader, name, super::scene::Place::Query)? {
        Text::Secret(reference) => Some(reference),
        Text::Template(_) => None,
    }
}

/// How the other side is known.
pub(super) fn tls<'a>(keys: &Keys<'a>, scene: &Scene<'a>) -> Option<Tls> {
    let Some(reader) = keys.get("tls") else {
        return Some(Tls::default());
    };
    let keys = reader.keys(&TLS_KEYS, &["server_name"])?;
    let file = |key: &str| {
        optional(&keys, key, |reader| {
            reader.text().map(|text| scene.path(text))
        })
    };
    let (ca_file, cert_file, key_file) = (file("ca_file"), file("cert_file"), file("key_file"));
    let insecure = optional(&keys, "insecure_skip_verify", Reader::bool);
    if insecure == Some(Some(true)) {
        reader.warn(
            "whoever answers is trusted, and is told the secrets",
            "give tls.ca_file instead",
        );
    }
    let client: Option<ClientCertificate> = match (cert_file?, key_file?) {
        (None, None) => None,
        (Some(cert_file), Some(key_file)) => Some(ClientCertificate {
            cert_file,
            key_file,
        }),
        (Some(_), None) | (None, Some(_)) => {
            reader.refuse("a certificate and its key go together: give cert_file and key_file");
            return None;
        }
    };
    Some(Tls {
        ca_file: ca_file?,
        client,
        insecure_skip_verify: insecure?.unwrap_or(false),
    })
}

/// Parameters of every request: no secrets, because they stand in addresses.
pub(super) fn params(keys: &Keys<'_>) -> Option<BTreeMap<String, String>> {
    let mut params = BTreeMap::new();
    let Some(reader) = keys.get("params") else {
        return Some(params);
    };
    for (name, value) in reader.any_map()? {
        if secret::is_secret_name(name) {
            value.refuse_with(
                format!("{name} looks like a secret, and parameters can be read on the way"),
                "send it as a header by reference: headers: {NAME: {from_env: VARIABLE}}",
            );
            continue;
        }
        params.insert(name.to_owned(), value.word()?);
    }
    Some(params)
}
