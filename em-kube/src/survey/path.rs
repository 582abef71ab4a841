//! Whether load that is made here reaches the workload.

use std::time::Duration;

use em_core::plan::LoadSpec;
use em_core::port::{Finding, Severity};
use em_core::template::Template;
use serde_json::Value as Json;
use tokio::net::TcpStream;

use super::finding::{finding, note, text_at};
use super::subject::Subject;
use crate::clone::port_of;

/// How long it may take. The network of a cluster that is in reach answers in milliseconds, but a Service that was made
/// just now takes some seconds.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between two attempts.
const AGAIN: Duration = Duration::from_millis(100);

/// Tries the address that the load will use, where this very process makes it.
pub(super) async fn check(subject: &Subject<'_>, service: Option<&Json>) -> Vec<Finding> {
    let Some(severity) = weight(&subject.plan.load) else {
        return Vec::new();
    };
    let (Some(wanted), Some(service)) = (&subject.spec.service, service) else {
        return Vec::new();
    };
    let Ok(port) = port_of(service, Some(wanted)) else {
        return Vec::new();
    };
    let name = format!("Service {} in namespace {}", wanted.name, subject.namespace);
    let address = match text_at(service, "/spec/clusterIP") {
        Some(address) if !address.is_empty() && address != "None" => address,
        Some(_) | None => {
            return vec![note(format!(
                "{name} has no address of its own: whether load reaches it was not tried"
            ))];
        }
    };
    match tried(address, port).await {
        Ok(()) => Vec::new(),
        Err(problem) => vec![finding(
            severity,
            format!("load is made here and does not reach {name}: {address}:{port} {problem}"),
            Some(
                "run the manager in the cluster (context: in-cluster), let the load be made there (load kind job), or expose the Service and write its address as the url of the load"
                    .to_owned(),
            ),
        )],
    }
}

/// How bad it is when the address does not answer. None: the load does not use it.
fn weight(load: &LoadSpec) -> Option<Severity> {
    let is_address = |name: &str| name == "address";
    match load {
        LoadSpec::Http(http) => http.url.names().any(is_address).then_some(Severity::Error),
        LoadSpec::Command(command) => {
            let mut names = command.command.iter().flat_map(Template::names);
            // What a command does with the address is its own business: it may run elsewhere.
            names.any(is_address).then_some(Severity::Warning)
        }
        LoadSpec::External(_) | LoadSpec::None | LoadSpec::Custom { .. } | _ => None,
    }
}

/// Tries until it answers: a Service follows its pods about a second later.
async fn tried(address: &str, port: u16) -> Result<(), String> {
    let mut refused = None;
    let connected = async {
        loop {
            match TcpStream::connect((address, port)).await {
                Ok(_) => return,
                Err(error) => refused = Some(error),
            }
            tokio::time::sleep(AGAIN).await;
        }
    };
    let is_late = tokio::time::timeout(PATIENCE, connected).await.is_err();
    match refused {
        _ if !is_late => Ok(()),
        Some(error) => Err(format!("cannot be connected to: {error}")),
        None => Err(format!("does not answer within {} s", PATIENCE.as_secs())),
    }
}
