//! `em kube`: what of ours is in a cluster, and what to do about it without a store.

mod clean;
mod list;
mod restore;

use clap::{Args, Subcommand};
use em_core::fault::{Fault, FaultKind};
use em_core::plan::{IN_CLUSTER, ObjectRef};
use em_kube::cluster::{Cluster, contexts};
use em_kube::fault::KubeError;

use super::guard::check_named;
use super::{Failure, runtime};

#[derive(Debug, Args)]
pub(super) struct InitArgs {
    /// The workload: deploy/NAME, sts/NAME or ds/NAME
    object: ObjectRef,
    #[command(flatten)]
    place: Where,
}

#[derive(Debug, Subcommand)]
pub(super) enum KubeCommand {
    /// List what of ours is in a cluster: locks, held objects, records of originals, copies, loads
    #[command(after_help = LIST)]
    List(list::ListArgs),
    /// Put a held object back as it was, with nothing but what the cluster knows: no store is needed
    #[command(after_help = RESTORE)]
    Restore(restore::RestoreArgs),
    /// Remove what managers left that are gone: copies, Jobs, records, locks
    #[command(after_help = CLEAN)]
    Clean(clean::CleanArgs),
}

const LIST: &str = "\
A Lease that says \"renewed\" belongs to a manager that lives; one that says \"run out\" to none, or to
one whose clock is wrong. What is \"held\" is changed by an experiment and is put back at its end.

  em kube list                    in the namespace of the current context
  em kube list --context eu -A    in all namespaces
  em kube list --json             for other programs";

const RESTORE: &str = "\
An experiment puts its target back by itself, also after it was killed: run it again, or
`em restore NAME`. This command is for when its store is gone. The original is in a Secret that the
annotation experiment-manager.io/hold of the object names. What somebody else changed meanwhile is
left as it is, and said.

  em kube restore deploy/checkout -n shop

EXIT CODES  0 put back, or nothing to do; 5 not put back";

const CLEAN: &str = "\
Gone is a manager whose Lease has run out and whom nobody sees renew it for another 15 seconds. What
is renewed is never touched; an object that is still changed keeps its record and its lock until
`em kube restore` has put it back.";

/// Which cluster and namespace is meant.
#[derive(Debug, Args)]
struct Where {
    /// Context of the kubeconfig [default: its current one]; "in-cluster" in a pod
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
    /// Namespace [default: the context's own]
    #[arg(long, short, value_name = "NAME")]
    namespace: Option<String>,
}

impl Where {
    /// The context that is meant.
    fn context(&self) -> Result<String, Failure> {
        if let Some(named) = &self.context {
            return Ok(named.clone());
        }
        let known = contexts().map_err(failure)?;
        if let Some(current) = known.iter().find(|context| context.is_current) {
            return Ok(current.name.clone());
        }
        if known.is_empty() && std::env::var_os("KUBERNETES_SERVICE_HOST").is_some() {
            return Ok(IN_CLUSTER.to_owned());
        }
        let names: Vec<String> = known.into_iter().map(|context| context.name).collect();
        let has = if names.is_empty() {
            "there is no kubeconfig, or none with a context (KUBECONFIG names another one)"
                .to_owned()
        } else {
            format!("there are {}", names.join(", "))
        };
        Err(Failure::usage(format!(
            "the kubeconfig has no current context: --context names one; {has}"
        )))
    }

    async fn connect(&self) -> Result<Cluster, Failure> {
        let context = self.context()?;
        let cluster = Cluster::connect(&context, self.namespace.as_deref()).await;
        cluster.map_err(failure)
    }

    /// The cluster, to write to: a protected context has to be named.
    async fn connect_to_write(&self) -> Result<Cluster, Failure> {
        check_named(&self.context()?, self.context.is_some())?;
        self.connect().await
    }
}

/// A file for a workload, from the workload. Nothing is written to the cluster.
pub(super) fn init(args: &InitArgs) -> Result<String, Failure> {
    runtime()?.block_on(async {
        let cluster = args.place.connect().await?;
        let text = em_kube::command::init::init(&cluster, &args.object).await;
        text.map_err(failure)
    })
}

pub(super) fn kube(command: &KubeCommand) -> Result<(), Failure> {
    let runtime = runtime()?;
    match command {
        KubeCommand::List(args) => runtime.block_on(list::list(args)),
        KubeCommand::Restore(args) => runtime.block_on(restore::restore(args)),
        KubeCommand::Clean(args) => runtime.block_on(clean::clean(args)),
    }
}

/// What a cluster refused, with its reasons.
fn failure(error: KubeError) -> Failure {
    let fault = Fault::from(error);
    let is_of_user = matches!(fault.kind, FaultKind::Invalid | FaultKind::NotFound);
    let code = if is_of_user { 2 } else { 1 };
    Failure {
        code,
        message: fault.chain(),
    }
}
