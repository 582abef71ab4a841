//! Jobs of loads that are in the cluster, whoever made them.

use em_core::id::OpKey;
use jiff::Timestamp;
use serde_json::Value as Json;

use super::LOAD;
use crate::cluster::Cluster;
use crate::fault::KubeError;
use crate::mark;

/// A Job of a load in the cluster.
#[derive(Debug, Clone, PartialEq)]
pub struct JobLeft {
    /// Its name.
    pub name: String,
    /// Its UID: what is removed is this one and none of the same name.
    pub uid: String,
    /// The experiment, as the label has it.
    pub experiment: String,
    /// The store of the manager that made it, as the label has it.
    pub store: String,
    /// The act that made it, where its annotation can be read.
    pub key: Option<OpKey>,
    /// The store and counter of who made it.
    pub epoch: String,
    /// Since when it is there.
    pub since: Option<Timestamp>,
}

/// All Jobs of loads in the cluster's namespace, of every store.
pub async fn jobs_left(cluster: &Cluster) -> Result<Vec<JobLeft>, KubeError> {
    let jobs = cluster.objects("job").list(LOAD).await?;
    Ok(jobs.iter().map(left).collect())
}

fn left(job: &Json) -> JobLeft {
    let of = |map: &str, key: &str| {
        let map = job.get("metadata").and_then(|metadata| metadata.get(map));
        map.and_then(|map| map.get(key)).and_then(Json::as_str)
    };
    let text = |place: &str| job.pointer(place).and_then(Json::as_str);
    let owned = |text: Option<&str>| text.unwrap_or_default().to_owned();
    JobLeft {
        name: owned(text("/metadata/name")),
        uid: owned(text("/metadata/uid")),
        experiment: owned(of("labels", mark::EXPERIMENT)),
        store: owned(of("labels", mark::STORE)),
        key: of("annotations", mark::KEY).and_then(mark::read_key),
        epoch: owned(of("annotations", mark::EPOCH)),
        since: text("/metadata/creationTimestamp").and_then(|at| at.parse().ok()),
    }
}
