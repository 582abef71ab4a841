//! `em kube rbac`: the least that an experiment has to be allowed to do.

use std::path::PathBuf;

use clap::Args;
use em_core::plan::{Plan, TargetSpec};
use em_kube::cluster::Cluster;
use em_kube::rbac::manifest;

use super::super::{Failure, check, print};
use super::failure;
use crate::experiment_file::{self, Assignment, ReadFile};

#[derive(Debug, Args)]
pub(in crate::cli) struct RbacArgs {
    /// The experiment file
    file: PathBuf,
    /// Name of the service account, of its Role and of its binding
    #[arg(long, value_name = "NAME", default_value = "experiment-manager")]
    service_account: String,
    /// Change one value of the file; repeat for more
    #[arg(long = "set", value_name = "PATH=VALUE")]
    set: Vec<Assignment>,
}

pub(super) async fn rbac(args: &RbacArgs) -> Result<(), Failure> {
    let ReadFile { parsed, .. } = experiment_file::read(&args.file, &args.set)
        .map_err(|error| Failure::usage(format!("{error:#}")))?;
    let parsed = parsed.map_err(|unusable| check::refusal(&args.file, &unusable))?;
    print(&text(&parsed.plan, &args.service_account).await?)
}

async fn text(plan: &Plan, service_account: &str) -> Result<String, Failure> {
    let TargetSpec::Kubernetes(spec) = &plan.target else {
        return Err(Failure::usage(
            "the target of this file is no workload of a cluster: there is nothing to be allowed (target.kind: kubernetes is one)",
        ));
    };
    let namespace = if let Some(namespace) = &spec.namespace {
        namespace.clone()
    } else {
        // The context's own, as the experiment will take it.
        let cluster = Cluster::connect(&spec.context, None).await;
        cluster.map_err(failure)?.namespace().to_owned()
    };
    Ok(manifest(spec, plan, &namespace, service_account))
}
