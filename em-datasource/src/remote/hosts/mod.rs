//! Which hosts may be asked.
//!
//! On one's own machine, all. A server that runs other people's files asks for them from where it
//! stands: without a guard, whoever writes a file reaches what only the server should.

mod pattern;
mod range;
mod resolver;

use std::net::IpAddr;
use std::sync::Arc;

use em_core::fault::{Fault, FaultKind};
use reqwest::{ClientBuilder, Url};

pub use self::pattern::{HostPattern, HostPatternError};
use self::range::Inner;
use self::resolver::Guarded;
use super::place::without_secrets;

/// Which hosts a datasource may ask, its server of tokens included.
///
/// Given by whoever composes a service. Names are judged by the addresses that they resolve to when
/// a connection is made, so that nothing changes between the look and the act. Redirects are never
/// followed.
#[derive(Debug, Clone, Default)]
pub struct HostPolicy {
    guard: Option<Arc<Guard>>,
}

/// What a guarded policy lets through.
#[derive(Debug)]
struct Guard {
    allowed: Vec<HostPattern>,
}

/// Why a host is not asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum Why {
    #[error("it is not among the hosts that may be asked")]
    Unlisted,
    #[error("it is {0}")]
    Inner(Inner),
}

/// A host that is not asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{host} is not asked: {why} (allow.datasource_hosts names hosts that may be)")]
pub(super) struct Refused {
    host: String,
    why: Why,
}

impl HostPolicy {
    /// Any host: what a program does for the one who runs it.
    pub fn any() -> Self {
        Self::default()
    }

    /// For a server that runs other people's files: exactly these hosts, whatever their addresses.
    ///
    /// With an empty list any host whose addresses are all public: not this machine, no private
    /// network, no link-local address, no metadata service of a cloud.
    pub fn guarded(allowed: impl IntoIterator<Item = HostPattern>) -> Self {
        let allowed = allowed.into_iter().collect();
        let guard = Some(Arc::new(Guard { allowed }));
        Self { guard }
    }

    /// Refuses an address that may not be asked, as far as that is known without a name server.
    pub(super) fn check(&self, url: &str) -> Result<(), Fault> {
        let Some(guard) = &self.guard else {
            return Ok(());
        };
        let parsed = Url::parse(url).ok();
        let host = parsed.as_ref().and_then(Url::host_str);
        let Some(host) = host.filter(|host| !host.is_empty()) else {
            let shown = without_secrets(url);
            let message = format!("{shown:?} names no host to ask");
            return Err(Fault::new(FaultKind::Invalid, message));
        };
        let port = parsed.as_ref().and_then(Url::port_or_known_default);
        guard.check(host, port).map_err(|refused| refused.fault())
    }

    /// The client resolves names only to what may be asked.
    pub(super) fn guard(&self, client: ClientBuilder) -> ClientBuilder {
        match &self.guard {
            None => client,
            Some(guard) => client.dns_resolver(Arc::new(Guarded::new(Arc::clone(guard)))),
        }
    }
}

impl Guard {
    fn check(&self, host: &str, port: Option<u16>) -> Result<(), Refused> {
        let refused = |why| {
            let host = host.to_owned();
            Err(Refused { host, why })
        };
        match (literal(host), self.allowed.is_empty()) {
            (Some(address), true) => self.check_addresses(host, &[address]),
            (Some(address), false) => {
                let is_listed = |one: &HostPattern| one.has_address(address, port);
                if self.allowed.iter().any(is_listed) {
                    return Ok(());
                }
                refused(Why::Unlisted)
            }
            // What it resolves to is seen when a connection is made.
            (None, true) => Ok(()),
            (None, false) => {
                let is_listed = |one: &HostPattern| one.has_name(host, port);
                if self.allowed.iter().any(is_listed) {
                    return Ok(());
                }
                refused(Why::Unlisted)
            }
        }
    }

    /// Refuses a host one of whose addresses is not public; one that is listed may have any.
    fn check_addresses(&self, host: &str, addresses: &[IpAddr]) -> Result<(), Refused> {
        let inner = addresses.iter().find_map(|address| Inner::of(*address));
        match inner.filter(|_| self.allowed.is_empty()) {
            None => Ok(()),
            // The address itself is not told: it is nobody's business outside.
            Some(inner) => Err(Refused {
                host: host.to_owned(),
                why: Why::Inner(inner),
            }),
        }
    }
}

impl Refused {
    pub(super) fn fault(&self) -> Fault {
        Fault::new(FaultKind::Denied, self.to_string())
    }

    /// The one that made a request fail, if that was why.
    pub(super) fn within<'e>(error: &'e (dyn std::error::Error + 'static)) -> Option<&'e Self> {
        let mut next = Some(error);
        while let Some(error) = next {
            if let Some(refused) = error.downcast_ref() {
                return Some(refused);
            }
            next = error.source();
        }
        None
    }
}

/// The address that a host of a URL is, where it is no name.
fn literal(host: &str) -> Option<IpAddr> {
    let bare = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    bare.unwrap_or(host).parse().ok()
}

#[cfg(test)]
mod tests;
