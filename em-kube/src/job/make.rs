//! Making the objects of a load.

use em_core::fault::{Fault, FaultKind};
use kube::api::Patch;
use serde_json::{Value as Json, json};

use super::blueprint::Blueprint;
use crate::cluster::Cluster;
use crate::fault::KubeError;

/// Makes the Job of a run, and what it needs. What is there already is left as it is: it is the same.
pub(super) async fn job(cluster: &Cluster, blueprint: &Blueprint, run: u32) -> Result<(), Fault> {
    let secret = blueprint.secret();
    if let Some(secret) = &secret {
        cluster.objects("secret").create(secret).await?;
    }
    let jobs = cluster.objects("job");
    let name = blueprint.names.job(run);
    let is_new = jobs.create(&blueprint.job(run)?).await?;
    if !is_new || secret.is_some() {
        let made = jobs.need(&name).await?;
        if made.pointer("/metadata/deletionTimestamp").is_some() {
            let message = format!("job/{name} is still being removed");
            return Err(Fault::new(FaultKind::Unavailable, message));
        }
        if secret.is_some() {
            own(cluster, blueprint, &made).await?;
        }
    }
    if let Some(before) = run.checked_sub(1) {
        jobs.remove(&blueprint.names.job(before), None).await?;
    }
    Ok(())
}

/// The Secret goes with the last Job, whoever removes that.
async fn own(cluster: &Cluster, blueprint: &Blueprint, job: &Json) -> Result<(), KubeError> {
    let owner = json!({
        "apiVersion": "batch/v1",
        "kind": "Job",
        "name": job.pointer("/metadata/name"),
        "uid": job.pointer("/metadata/uid"),
    });
    let patch = Patch::Merge(json!({ "metadata": { "ownerReferences": [owner] } }));
    let secrets = cluster.objects("secret");
    secrets.patch(&blueprint.names.base, &patch, false).await?;
    Ok(())
}

/// Whether the cluster would make the Job, without making it.
pub(super) async fn rehearse(cluster: &Cluster, blueprint: &Blueprint) -> Result<(), Fault> {
    let job = blueprint.job(0)?;
    match cluster.objects("job").rehearse_create(&job).await {
        Ok(_) => Ok(()),
        // It is there: a load that was started.
        Err(error) if error.is_conflict() => Ok(()),
        Err(error) if error.is_not_found() => {
            let namespace = cluster.namespace();
            let message =
                format!("namespace {namespace} is not there, and load is made in it: make it");
            Err(Fault::new(FaultKind::NotFound, message).caused_by(error))
        }
        Err(error) => Err(error.into()),
    }
}
