//! Where a deployment can be reached.

use std::time::Duration;

use em_core::fault::FaultKind;
use em_core::port::{Address, OpContext};
use k8s_openapi::api::core::v1::Pod;
use serde_json::Value as Json;

use super::{KubernetesTarget, copies};
use crate::clone::port_of;
use crate::fault::KubeError;

/// How long an address may take to accept a connection before it counts as not there yet.
const CONNECT: Duration = Duration::from_secs(1);

impl KubernetesTarget {
    /// Where the deployment can be reached: its Service, else its first pod.
    pub(super) async fn addresses(
        &self,
        cx: &OpContext,
        pods: &[&Pod],
    ) -> Result<Vec<Address>, KubeError> {
        let cluster = self.cluster().await?;
        let name = if self.is_copied() {
            Some(copies::name_of(&self.spec, cx))
        } else {
            self.spec
                .service
                .as_ref()
                .map(|service| service.name.clone())
        };
        let service = match &name {
            Some(name) => cluster.objects("service").get(name).await?,
            None => None,
        };
        let address = |authority: String| Address {
            name: "port".to_owned(),
            authority,
        };
        if let Some(service) = service {
            let port = port_of(&service, self.spec.service.as_ref());
            let port = port.map_err(|what| KubeError::unfit(FaultKind::Invalid, what))?;
            let host = service.pointer("/spec/clusterIP").and_then(Json::as_str);
            return Ok(host
                .map(|host| address(format!("{host}:{port}")))
                .into_iter()
                .collect());
        }
        let first = pods.first().and_then(|pod| {
            let host = pod.status.as_ref()?.pod_ip.as_ref()?;
            let containers = &pod.spec.as_ref()?.containers;
            let port = containers
                .iter()
                .find_map(|one| one.ports.as_ref()?.first())?;
            Some(address(format!("{host}:{}", port.container_port)))
        });
        Ok(first.into_iter().collect())
    }
}

/// Whether the address accepts connections: a Service does a moment after its pods are ready.
pub(super) async fn answers(authority: &str) -> bool {
    let connect = tokio::net::TcpStream::connect(authority);
    matches!(tokio::time::timeout(CONNECT, connect).await, Ok(Ok(_)))
}
