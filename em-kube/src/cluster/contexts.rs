//! The contexts of a kubeconfig.

use kube::config::Kubeconfig;

use crate::fault::KubeError;

/// A way to a cluster that the kubeconfig knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Context {
    /// Its name.
    pub name: String,
    /// The cluster that it leads to.
    pub cluster: String,
    /// Its namespace, where it says one.
    pub namespace: Option<String>,
    /// Whether it is the one that other tools use when nothing is said.
    pub is_current: bool,
}

/// Every context of the kubeconfig, in its order. None where there is no kubeconfig.
pub fn contexts() -> Result<Vec<Context>, KubeError> {
    let kubeconfig = match Kubeconfig::read() {
        Ok(kubeconfig) => kubeconfig,
        Err(kube::config::KubeconfigError::ReadConfig(error, _))
            if error.kind() == std::io::ErrorKind::NotFound =>
        {
            return Ok(Vec::new());
        }
        Err(error) => return Err(KubeError::Config(Box::new(error))),
    };
    let current = kubeconfig.current_context.as_deref();
    let contexts = kubeconfig.contexts.iter().map(|named| {
        let context = named.context.as_ref();
        Context {
            name: named.name.clone(),
            cluster: context.map_or_else(String::new, |context| context.cluster.clone()),
            namespace: context.and_then(|context| context.namespace.clone()),
            is_current: current == Some(named.name.as_str()),
        }
    });
    Ok(contexts.collect())
}
