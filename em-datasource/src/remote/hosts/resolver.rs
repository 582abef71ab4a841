//! Names become addresses, where these may be asked.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::Guard;

/// Resolves as the system does, and refuses what the guard does not let through.
#[derive(Debug)]
pub(super) struct Guarded {
    guard: Arc<Guard>,
}

impl Guarded {
    pub(super) fn new(guard: Arc<Guard>) -> Self {
        Self { guard }
    }
}

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = Arc::clone(&self.guard);
        Box::pin(async move {
            let name = name.as_str();
            // The port is chosen by whoever connects.
            let found: Vec<_> = tokio::net::lookup_host((name, 0)).await?.collect();
            let addresses: Vec<IpAddr> = found.iter().map(SocketAddr::ip).collect();
            guard.check_addresses(name, &addresses)?;
            let found: Addrs = Box::new(found.into_iter());
            Ok(found)
        })
    }
}
