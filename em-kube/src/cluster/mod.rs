//! A cluster: the way to it, and its objects as JSON.
//!
//! Nothing is decoded on the way out and encoded on the way in: a field that this build does not know stays as it is.

mod contexts;
mod object;

use std::time::Duration;

use em_core::plan::IN_CLUSTER;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};

use crate::fault::KubeError;

pub use contexts::{Context, contexts};
pub use object::{Object, TRIES, resource_of};

/// How long it may take until a connection stands.
const CONNECT: Duration = Duration::from_secs(5);

/// A cluster, seen from one namespace.
#[derive(Clone)]
pub struct Cluster {
    client: Client,
    context: String,
    namespace: String,
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster")
            .field("context", &self.context)
            .field("namespace", &self.namespace)
            .finish_non_exhaustive()
    }
}

impl Cluster {
    /// The cluster of a context, in this namespace or the context's own. Does not call it yet.
    pub async fn connect(context: &str, namespace: Option<&str>) -> Result<Self, KubeError> {
        install_crypto();
        let mut config = if context == IN_CLUSTER {
            Config::incluster().map_err(|error| KubeError::InCluster(Box::new(error)))?
        } else {
            from_kubeconfig(context).await?
        };
        // Who waits and tries again is the engine; a write that is sent twice behind its back is two.
        config.default_retry = false;
        config.connect_timeout = Some(CONNECT);
        let namespace = namespace.map_or_else(|| config.default_namespace.clone(), str::to_owned);
        let client = Client::try_from(config).map_err(KubeError::of("prepare for the cluster"))?;
        Ok(Self {
            client,
            context: context.to_owned(),
            namespace,
        })
    }

    /// A cluster behind a client that is there already: another program's, or a test's.
    pub fn with_client(client: Client, context: &str, namespace: &str) -> Self {
        Self {
            client,
            context: context.to_owned(),
            namespace: namespace.to_owned(),
        }
    }

    /// The client.
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// Context by which it was found.
    pub fn context(&self) -> &str {
        &self.context
    }

    /// The namespace.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }
}

async fn from_kubeconfig(context: &str) -> Result<Config, KubeError> {
    let kubeconfig = Kubeconfig::read().map_err(|error| KubeError::Config(Box::new(error)))?;
    let names: Vec<String> = kubeconfig
        .contexts
        .iter()
        .map(|one| one.name.clone())
        .collect();
    if !names.iter().any(|name| name == context) {
        return Err(KubeError::NoContext {
            wanted: context.to_owned(),
            has: if names.is_empty() {
                "none".to_owned()
            } else {
                names.join(", ")
            },
        });
    }
    let options = KubeConfigOptions {
        context: Some(context.to_owned()),
        ..KubeConfigOptions::default()
    };
    let config = Config::from_custom_kubeconfig(kubeconfig, &options).await;
    config.map_err(|error| KubeError::Config(Box::new(error)))
}

/// The cryptography of every TLS connection of the process. Whoever embeds us may have chosen one already.
fn install_crypto() {
    drop(rustls::crypto::ring::default_provider().install_default());
}
