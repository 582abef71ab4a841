//! What a node's kubelet tells, through the API server.
//!
//! It takes the verb `get` on `nodes/proxy`, and on `nodes` for the node itself.

use em_core::fault::FaultKind;
use em_core::plan::is_dns_name;
use em_core::read::exposition::{Exposition, ExpositionFormat};
use serde_json::Value as Json;

use crate::cluster::Cluster;
use crate::fault::KubeError;

impl Cluster {
    /// The stats summary of a node: CPU and memory of its pods.
    pub async fn node_summary(&self, node: &str) -> Result<Json, KubeError> {
        let path = "/proxy/stats/summary?only_cpu_and_memory=true";
        self.read_json(node, path, "read the stats summary").await
    }

    /// The container metrics of a node: throttling, peaks, kills.
    pub async fn node_containers(&self, node: &str) -> Result<Exposition, KubeError> {
        let act = format!("read the container metrics of node/{node}");
        let request = node_request(node, "/proxy/metrics/cadvisor")?;
        let page = self.client().request_text(request).await;
        let page = page.map_err(KubeError::of(act.clone()))?;
        Exposition::parse(&page, ExpositionFormat::Prometheus).map_err(|error| {
            KubeError::unfit(FaultKind::Malformed, format!("failed to {act}: {error}"))
        })
    }

    /// A node: its kernel, kubelet and capacity.
    pub async fn node(&self, node: &str) -> Result<Json, KubeError> {
        self.read_json(node, "", "read the object").await
    }

    async fn read_json(&self, node: &str, path: &str, act: &str) -> Result<Json, KubeError> {
        let act = format!("{act} of node/{node}");
        let request = node_request(node, path)?;
        let read = self.client().request(request).await;
        read.map_err(KubeError::of(act))
    }
}

/// A request for something of a node. Its name becomes part of an address, so it has to be one.
fn node_request(node: &str, path: &str) -> Result<http::Request<Vec<u8>>, KubeError> {
    let unfit = || {
        let what = format!("{node:?} is no name of a node");
        KubeError::unfit(FaultKind::Malformed, what)
    };
    if !is_dns_name(node) {
        return Err(unfit());
    }
    let request = http::Request::get(format!("/api/v1/nodes/{node}{path}"));
    request.body(Vec::new()).map_err(|_| unfit())
}
