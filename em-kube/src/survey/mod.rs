//! A look at a cluster before anything is done: what would go wrong, and what to do about it. Nothing is changed.
//!
//! | part | does |
//! |---|---|
//! | [`features`], `access`, `look` | ask the cluster: what it can do, what we may do, what is there |
//! | [`permissions`] | the table of what a plan needs, which also makes the Role |
//! | `rollout`, `references`, `autoscalers`, `keeper`, `lock`, `undo`, `limits`, `quota`, `nodes`, `budgets`, `sharing` | pure checks: objects in, findings out |
//! | `rehearsal`, `path` | try what cannot be judged: patches as dry runs, a connection to the Service |

mod access;
mod address;
mod autoscalers;
mod budgets;
mod demand;
pub mod features;
mod finding;
mod inverse;
mod keeper;
mod limits;
mod lock;
mod look;
mod nodes;
mod path;
pub mod permissions;
mod quota;
mod references;
mod rehearsal;
mod rollout;
mod sharing;
mod subject;
mod today;
mod undo;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use em_core::fault::Fault;
use em_core::id::SlotId;
use em_core::plan::{KubernetesSpec, ObjectRef, Plan};
use em_core::port::{Finding, SlotInfo, Survey};
use jiff::Timestamp;
use serde_json::Value as Json;

use crate::cluster::Cluster;
use features::Features;
use look::Surroundings;
use nodes::Nodes;
use references::Presence;

pub use keeper::ACCEPTED as ACCEPTED_KEEPER;
pub use subject::Subject;
pub use today::today;

/// Who asks, when, and for what.
#[derive(Debug, Clone, Copy)]
pub struct Asker<'a> {
    /// The store of the manager that asks: its own marks are no hindrance.
    pub store: &'a str,
    /// The time now.
    pub now: Timestamp,
    /// Whole objects as the plan wants them, each with what it is: `the smallest values of deployment/checkout`. Those
    /// of a live object are rehearsed as its change, others as creations.
    pub wanted: &'a [(String, Json)],
}

/// Looks at the cluster. A cluster that cannot be reached is a fault, everything else that is wrong is a finding.
pub async fn survey(
    cluster: &Cluster,
    spec: &KubernetesSpec,
    plan: &Plan,
    asker: &Asker<'_>,
) -> Result<Survey, Fault> {
    let features = Features::look(cluster).await?;
    let mut survey = Survey {
        slots: slots(spec, cluster.namespace()),
        facts: facts(cluster, &features),
        ..Survey::default()
    };
    let needed = permissions::needs(spec, plan);
    let needed = needed
        .into_iter()
        .filter(|one| features.has_group(&one.group));
    let missing = access::missing(cluster, needed.collect()).await?;
    survey.findings = access::findings(&missing, cluster.namespace());
    if let Some(user) = access::user(cluster).await {
        survey.facts.insert("kubernetes.user".to_owned(), user);
    }
    match workload(cluster, spec).await? {
        Seen::There(object) => {
            let subject = Subject {
                spec,
                plan,
                namespace: cluster.namespace(),
                object: &object,
            };
            judge(cluster, &subject, &features, asker, &mut survey).await?;
        }
        Seen::Wrong(finding) => survey.findings.push(finding),
        // That it may not be read is among the findings already.
        Seen::Hidden => {}
    }
    survey
        .findings
        .sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    Ok(survey)
}

enum Seen {
    There(Json),
    Wrong(Finding),
    Hidden,
}

async fn workload(cluster: &Cluster, spec: &KubernetesSpec) -> Result<Seen, Fault> {
    let ObjectRef { kind, name } = &spec.workload;
    let objects = match cluster.objects_like(&spec.workload).await {
        Ok(objects) => objects,
        Err(error @ crate::fault::KubeError::Unfit { .. }) => {
            let remedy = "install it there, or correct target.context";
            return Ok(Seen::Wrong(finding::error(error.to_string(), remedy)));
        }
        Err(error) => return Err(error.into()),
    };
    match objects.get(name).await {
        Ok(Some(object)) => Ok(Seen::There(object)),
        Ok(None) => {
            let namespace = cluster.namespace();
            let context = cluster.context();
            Ok(Seen::Wrong(finding::error(
                format!(
                    "there is no {} in namespace {namespace} of context {context}",
                    spec.workload
                ),
                format!(
                    "correct target.workload or target.namespace; kubectl get {kind} --all-namespaces lists them"
                ),
            )))
        }
        Err(error) if error.code() == Some(403) => Ok(Seen::Hidden),
        Err(error) => Err(error.into()),
    }
}

/// Everything that needs the workload.
async fn judge(
    cluster: &Cluster,
    subject: &Subject<'_>,
    features: &Features,
    asker: &Asker<'_>,
    survey: &mut Survey,
) -> Result<(), Fault> {
    let seen = look::around(cluster, subject, features).await?;
    survey.today = today(subject.object, subject.spec, &subject.plan.tunables);
    if let Some(nodes) = &seen.nodes {
        let count = nodes.len().to_string();
        survey.facts.insert("kubernetes.nodes".to_owned(), count);
    }
    survey.findings.extend(features::check(subject, features));
    survey.findings.extend(pure(subject, &seen, asker));
    let live = std::iter::once((subject.spec.workload.clone(), subject.object.clone()));
    let others = seen.others.iter();
    let others = others.filter_map(|(object, found)| Some((object.clone(), found.clone()?)));
    let live: Vec<(ObjectRef, Json)> = live.chain(others).collect();
    let rehearsed = rehearsal::rehearse(cluster, subject, &live, asker.wanted).await?;
    survey.findings.extend(rehearsed);
    survey
        .findings
        .extend(path::check(subject, seen.service.as_ref()).await);
    Ok(())
}

/// All that is judged from what was seen.
fn pure(subject: &Subject<'_>, seen: &Surroundings, asker: &Asker<'_>) -> Vec<Finding> {
    let mut findings = references::container(subject);
    findings.extend(references::pods_find(subject, &seen.references));
    let others = seen.others.iter().map(|(object, found)| {
        let presence = if found.is_some() {
            Presence::There
        } else {
            Presence::Absent
        };
        (object.to_string(), presence)
    });
    findings.extend(references::changed(subject, &others.collect::<Vec<_>>()));
    let names = seen.others.iter().map(|(object, _)| object);
    findings.extend(references::copied(subject, names));
    findings.extend(references::service(subject, seen.service.as_ref()));
    findings.extend(rollout::check(subject));
    findings.extend(lock::check(
        subject,
        seen.lease.as_ref(),
        asker.store,
        asker.now,
    ));
    findings.extend(autoscalers::check(subject, &seen.autoscalers));
    findings.extend(keeper::check(subject, seen.is_suspended));
    let known = seen
        .others
        .iter()
        .filter_map(|(object, found)| Some((object.to_string(), found.clone()?)));
    findings.extend(undo::check(subject, &known.collect::<Vec<_>>()));
    let all = |list: &Option<Vec<Json>>| list.clone().unwrap_or_default();
    findings.extend(limits::check(subject, &all(&seen.limits)));
    findings.extend(quota::check(subject, &all(&seen.quotas)));
    findings.extend(budgets::check(subject, &all(&seen.budgets)));
    findings.extend(sharing::check(subject, &seen.claims));
    if let Some(nodes) = &seen.nodes {
        let pods = seen.pods_everywhere.as_ref().or(seen.pods.as_ref());
        let room = Nodes {
            all: nodes,
            pods: pods.map_or(&[], Vec::as_slice),
            is_complete: seen.pods_everywhere.is_some(),
        };
        findings.extend(nodes::check(subject, room));
    }
    findings
}

/// In place there is one slot; clones have as many as the file says.
fn slots(spec: &KubernetesSpec, namespace: &str) -> Vec<SlotInfo> {
    if spec.policy == em_core::plan::ClusterPolicy::NewDeployment {
        return Survey::slots(spec.slots, "clone").slots;
    }
    vec![SlotInfo {
        id: SlotId(0),
        label: format!("{} in {namespace}", spec.workload),
    }]
}

fn facts(cluster: &Cluster, features: &Features) -> BTreeMap<String, String> {
    let known = [
        ("kubernetes.context", Some(cluster.context().to_owned())),
        ("kubernetes.namespace", Some(cluster.namespace().to_owned())),
        ("kubernetes.version", features.version.clone()),
    ];
    let known = known
        .into_iter()
        .filter_map(|(name, fact)| Some((name.to_owned(), fact?)));
    known.collect()
}
