//! Where one document is.

use em_core::fault::{Fault, FaultKind};
use reqwest::Url;

/// The address of one document: `http` or `https`, and nobody's password in it.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    url: String,
    shown: String,
    authority: String,
}

impl Place {
    pub(crate) fn parse(url: &str) -> Result<Self, Fault> {
        let authority = authority(url);
        if authority.contains('@') {
            let message = "the address holds a user name or password (give them as auth or as a header, by reference)";
            return Err(Fault::new(FaultKind::Invalid, message));
        }
        let parsed = Url::parse(url)
            .ok()
            .filter(|parsed| matches!(parsed.scheme(), "http" | "https") && parsed.has_host());
        let Some(parsed) = parsed.filter(|_| !authority.is_empty()) else {
            let shown = without_secrets(url);
            let message = format!(
                "{shown:?} is no address to ask (write http://HOST:PORT/PATH or https://HOST/PATH)"
            );
            return Err(Fault::new(FaultKind::Invalid, message));
        };
        Ok(Self {
            url: url.to_owned(),
            shown: format!("{}://{authority}{}", parsed.scheme(), parsed.path()),
            authority: authority.to_owned(),
        })
    }

    /// The whole address; what follows the path may be secret.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// For messages: without the query, which may hold a secret.
    pub(crate) fn shown(&self) -> &str {
        &self.shown
    }

    /// Host and port, as they are written.
    pub(crate) fn authority(&self) -> &str {
        &self.authority
    }
}

fn authority(url: &str) -> &str {
    let rest = url.split_once("://").map_or("", |(_, rest)| rest);
    rest.split(['/', '?', '#', '\\']).next().unwrap_or_default()
}

/// An address up to whatever could hold a secret.
pub(crate) fn without_secrets(url: &str) -> String {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let rest = rest.rsplit_once('@').map_or(rest, |(_, rest)| rest);
    match scheme {
        "" => rest.to_owned(),
        scheme => format!("{scheme}://{rest}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_secret_is_not_in_a_message() {
        let said = |url: &str| Place::parse(url).unwrap_err().chain();
        for url in [
            "http://me:hush@host/metrics",
            "https://hush@host",
            "ftp://me:hush@host/metrics?token=hush",
            "ftp://host/metrics?token=hush",
            "me:hush@host/metrics?token=hush",
            "http://?token=hush",
            "http:///metrics",
            "http:host/metrics",
            "",
        ] {
            let said = said(url);
            assert!(!said.contains("hush"), "{url}: {said}");
        }
        let place = Place::parse("http://host:9/metrics?token=hush").unwrap();
        assert_eq!(place.shown(), "http://host:9/metrics");
    }

    #[test]
    fn host_and_port_are_as_they_are_written() {
        for (url, authority) in [
            ("http://host:80/m", "host:80"),
            ("https://host", "host"),
            ("http://[::1]:9/m", "[::1]:9"),
            ("http://host?x=/y", "host"),
        ] {
            assert_eq!(Place::parse(url).unwrap().authority(), authority, "{url}");
        }
    }
}
