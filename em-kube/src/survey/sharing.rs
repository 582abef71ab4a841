//! What clones would share with production.
//!
//! Names only: what a variable holds may be a password.

use std::collections::BTreeSet;

use em_core::port::Finding;
use serde_json::{Value as Json, json};

use super::address::{is_address, is_election, is_named_like_one};
use super::finding::{error, list_at, listed, name_of, note, text_at, warning};
use super::subject::Subject;
use crate::change::merge_by_name;

/// Volumes, ports, leader elections, queues and databases. `claims` are the claims that the template names, where they
/// could be read.
pub(super) fn check(subject: &Subject<'_>, claims: &[Json]) -> Vec<Finding> {
    if !subject.is_cloned() {
        return Vec::new();
    }
    let Some(pod) = cloned_pod(subject) else {
        return Vec::new();
    };
    let mut findings = volumes(subject, &pod, claims);
    findings.extend(host(&pod));
    findings.extend(outside(subject, &pod));
    findings.extend(own_claims(subject));
    findings
}

/// The pod as a clone has it: the file's patch and variables applied.
fn cloned_pod(subject: &Subject<'_>) -> Option<Json> {
    let mut copy = subject.object.clone();
    if let Some(patch) = &subject.spec.clones.patch {
        merge_by_name(&mut copy, patch);
    }
    copy.pointer_mut("/spec/template/spec").map(Json::take)
}

fn is_known(subject: &Subject<'_>, name: &str) -> bool {
    subject.spec.clones.shares.iter().any(|share| share == name)
}

fn volumes(subject: &Subject<'_>, pod: &Json, claims: &[Json]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for volume in list_at(pod, "/volumes") {
        let name = name_of(volume);
        let take_away = format!(
            "give clones another volume: clones.patch with spec.template.spec.volumes: [{{name: {name}, persistentVolumeClaim: null, emptyDir: {{}}}}]"
        );
        if let Some(claim) = text_at(volume, "/persistentVolumeClaim/claimName") {
            let seen = claims.iter().find(|one| name_of(one) == claim);
            let modes = seen.map(|seen| list_at(seen, "/spec/accessModes"));
            let is_single = modes.is_some_and(|modes| {
                let once = [json!("ReadWriteOnce"), json!("ReadWriteOncePod")];
                !modes.is_empty() && modes.iter().all(|mode| once.contains(mode))
            });
            if is_single {
                findings.push(error(
                    format!("clones would write to the volume of production: volume {name} is claim {claim}, which is ReadWriteOnce"),
                    take_away,
                ));
            } else if !is_known(subject, name) {
                findings.push(error(
                    format!("clones would share volume {name} (claim {claim}) with production"),
                    format!("{take_away}, or say that it may be shared: clones.shares: [{name}]"),
                ));
            }
        } else if volume.get("hostPath").is_some() && !is_known(subject, name) {
            findings.push(warning(
                format!("clones use a folder of their node, as production may do there: volume {name} is a hostPath"),
                format!("{take_away}, or say that it may be shared: clones.shares: [{name}]"),
            ));
        }
    }
    findings
}

/// A port of a node can be had once.
fn host(pod: &Json) -> Vec<Finding> {
    if pod.get("hostNetwork") == Some(&Json::Bool(true)) {
        return vec![error(
            "clones would use the network of their node (hostNetwork): two on one node want the same ports",
            "take it away from clones: clones.patch with spec.template.spec.hostNetwork: false",
        )];
    }
    let containers = list_at(pod, "/containers").iter();
    let with_port = containers.filter(|container| {
        let ports = list_at(container, "/ports");
        ports
            .iter()
            .any(|port| port.get("hostPort").is_some_and(|port| *port != json!(0)))
    });
    let found = with_port.map(|container| {
        error(
            format!(
                "clones would want the same port of a node (hostPort of container {})",
                name_of(container)
            ),
            "take it away from clones: clones.patch with the container's ports without hostPort",
        )
    });
    found.collect()
}

/// Queues, databases and elections that clones would take part in, as far as variables and arguments show them.
fn outside(subject: &Subject<'_>, pod: &Json) -> Vec<Finding> {
    let mut names = BTreeSet::new();
    let meant = subject.container();
    let all = ["/initContainers", "/containers"]
        .into_iter()
        .flat_map(|list| list_at(pod, list));
    for container in all {
        let is_meant = meant.as_deref() == Some(name_of(container));
        let is_own = |name: &str| is_meant && subject.spec.clones.env.contains_key(name);
        let variables = list_at(container, "/env")
            .iter()
            .filter(|one| !is_own(name_of(one)));
        names.extend(
            variables
                .filter(|one| is_shared(one))
                .map(|one| name_of(one).to_owned()),
        );
        for from in list_at(container, "/envFrom") {
            for source in ["/configMapRef/name", "/secretRef/name"] {
                names.extend(text_at(from, source).map(str::to_owned));
            }
        }
        let words = ["/command", "/args"]
            .into_iter()
            .flat_map(|list| list_at(container, list));
        names.extend(words.filter_map(Json::as_str).filter_map(shared_argument));
    }
    names.retain(|name| !is_known(subject, name));
    if names.is_empty() {
        return Vec::new();
    }
    let listed = listed(names.iter().map(String::as_str));
    vec![error(
        format!(
            "clones would use what production uses (queues, databases, elections): by their names {listed} lead there"
        ),
        format!(
            "give clones others (clones.env), or say that they may share them: clones.shares: [{listed}]"
        ),
    )]
}

fn is_shared(variable: &Json) -> bool {
    let name = name_of(variable);
    if let Some(value) = text_at(variable, "/value") {
        return is_address(name, value) || is_election(name, value);
    }
    let Some(kept) = variable.get("valueFrom") else {
        return false;
    };
    let is_of_pod = kept.get("fieldRef").is_some() || kept.get("resourceFieldRef").is_some();
    !is_of_pod && is_named_like_one(name)
}

/// The flag of an argument that leads outside: `db-url` of `--db-url=postgres://..`.
fn shared_argument(word: &str) -> Option<String> {
    let (flag, value) = word.split_once('=').unwrap_or((word, ""));
    let name = flag.trim_start_matches('-');
    if is_election(name, value) || (!value.is_empty() && is_address(name, value)) {
        return Some(name.to_owned());
    }
    // A bare address without a flag has no name of its own that could be printed safely.
    is_address("", word).then(|| "(an argument without a name)".to_owned())
}

fn own_claims(subject: &Subject<'_>) -> Option<Finding> {
    let templates = list_at(subject.object, "/spec/volumeClaimTemplates");
    let names = listed(templates.iter().map(name_of));
    (!templates.is_empty()).then(|| {
        note(format!(
            "every pod of a clone gets volumes of its own ({names}), which are empty at first and cost storage"
        ))
    })
}
