//! `target` of kind `kubernetes`: a workload of a cluster, and what may be done to it.

use std::time::Duration;

use super::patch;
use super::pods;
use super::process::optional;
use super::reader::{Keys, Reader, Unsupported};
use super::scene::{Place, Scene};
use super::target::{environment, slots};
use crate::plan::{
    Autoscaler, CloneSpec, ClusterPolicy, IN_CLUSTER, KubernetesSpec, ObjectRef, Prices,
    ServiceRef, is_dns_name,
};

/// Keys of `kind: kubernetes`.
pub(super) const KEYS: [&str; 16] = [
    "kind",
    "context",
    "namespace",
    "workload",
    "container",
    "policy",
    "service",
    "clones",
    "autoscaler",
    "ready",
    "settle",
    "accept",
    "hooks",
    "place",
    "prices",
    "slots",
];

/// Keys of `clones`.
pub(super) const CLONE_KEYS: [&str; 4] = ["replicas", "env", "patch", "shares"];

/// Keys of `prices`.
pub(super) const PRICE_KEYS: [&str; 2] = ["core_hour", "gib_hour"];

const NOT_YET: Unsupported = &["restore"];

/// Policies of the design that this build has not.
const POLICIES_NOT_YET: [&str; 1] = ["release"];

/// A pod that is ready for a moment only is not ready.
const SETTLE: Duration = Duration::from_secs(1);

/// More clones than this are a mistake of the file.
const MOST_REPLICAS: u32 = 10_000;

pub(super) fn read<'a>(reader: &Reader<'a>, scene: &Scene<'a>) -> Option<KubernetesSpec> {
    let keys = reader.keys(&KEYS, NOT_YET)?;
    let context = context(&keys, scene);
    let namespace = optional(&keys, "namespace", label);
    let workload = keys
        .required_as("workload", "write KIND/NAME, such as deployment/checkout")
        .and_then(|workload| workload.parsed::<ObjectRef>());
    let container = optional(&keys, "container", label);
    let policy = policy(&keys);
    let service = optional(&keys, "service", service);
    let clones = optional(&keys, "clones", |reader| clones(reader, scene));
    let autoscaler = optional(&keys, "autoscaler", autoscaler);
    let ready = optional(&keys, "ready", pods::ready);
    let settle = optional(&keys, "settle", Reader::duration);
    let accept = texts(&keys, "accept");
    let hooks = optional(&keys, "hooks", pods::hooks);
    let place = optional(&keys, "place", pods::place);
    let prices = optional(&keys, "prices", prices);
    let slots = slots(&keys);
    let spec = KubernetesSpec {
        context: context?,
        namespace: namespace?,
        workload: workload?,
        container: container?,
        policy: policy?,
        service: service?,
        clones: clones?.unwrap_or_default(),
        autoscaler: autoscaler?.unwrap_or_default(),
        ready: ready?,
        settle: settle?.unwrap_or(SETTLE),
        accept: accept?,
        hooks: hooks?.unwrap_or_default(),
        place: place?.unwrap_or_default(),
        prices: prices?,
        slots: slots?,
    };
    check_policy(&keys, &spec);
    check_workload(&keys, &spec);
    Some(spec)
}

/// Nobody should change the wrong cluster by accident: which one is meant is always said.
fn context(keys: &Keys<'_>, scene: &Scene<'_>) -> Option<String> {
    let Some(reader) = keys.get("context") else {
        let known = &scene.context.contexts;
        let remedy = if known.is_empty() {
            format!("see kubectl config get-contexts, or write {IN_CLUSTER}")
        } else {
            format!("one of {}, or {IN_CLUSTER}", known.join(", "))
        };
        let what = "the key \"context\" is missing: which cluster is meant has no default";
        keys.reader.refuse_with(what, remedy);
        return None;
    };
    filled(&reader)
}

/// What may be done to something that is live is always said.
fn policy(keys: &Keys<'_>) -> Option<ClusterPolicy> {
    let Some(reader) = keys.get("policy") else {
        let all = ClusterPolicy::ALL.map(|(_, word, meaning)| format!("{word} {meaning}"));
        let what = "the key \"policy\" is missing: what may be done to the workload has no default";
        keys.reader.refuse_with(what, all.join("; "));
        return None;
    };
    let words = ClusterPolicy::ALL.map(|(policy, word, _)| (word, policy));
    let text = reader.text()?;
    if POLICIES_NOT_YET.contains(&text) {
        let known = words.map(|(word, _)| word).join(", ");
        let what = format!("policy {text:?} is not supported yet");
        reader.refuse_with(what, format!("one of {known}"));
        return None;
    }
    reader.one_of(&words)
}

/// Text with something in it.
pub(super) fn filled(reader: &Reader<'_>) -> Option<String> {
    let text = reader.text()?;
    if text.trim().is_empty() {
        reader.refuse("the text is empty");
        return None;
    }
    Some(text.to_owned())
}

fn is_label(text: &str) -> bool {
    text.len() <= 63 && is_dns_name(text) && !text.contains('.')
}

/// What namespaces and containers are called.
fn label(reader: &Reader<'_>) -> Option<String> {
    let text = reader.text()?;
    if !is_label(text) {
        reader.refuse_with(
            format!("{text:?} cannot be the name of anything in a cluster"),
            "lower-case letters, digits and '-', 63 at most, starting and ending with a letter or digit",
        );
        return None;
    }
    Some(text.to_owned())
}

fn service(reader: &Reader<'_>) -> Option<ServiceRef> {
    let text = reader.text()?;
    let (name, port) = match text.split_once(':') {
        Some((name, port)) => (name, Some(port)),
        None => (text, None),
    };
    let is_port = |port: &str| {
        let is_number = port.bytes().all(|byte| byte.is_ascii_digit());
        let is_name = || port.len() <= 15 && is_label(port);
        if is_number {
            matches!(port.parse::<u16>(), Ok(1..))
        } else {
            is_name()
        }
    };
    if !is_label(name) || !port.is_none_or(is_port) {
        reader.refuse_with(
            format!("{text:?} is no service"),
            "write its name, or NAME:PORT where it has several ports, such as checkout:http or checkout:8080",
        );
        return None;
    }
    Some(ServiceRef {
        name: name.to_owned(),
        port: port.map(str::to_owned),
    })
}

fn clones<'a>(reader: &Reader<'a>, scene: &Scene<'a>) -> Option<CloneSpec> {
    let keys = reader.keys(&CLONE_KEYS, &[])?;
    let replicas = optional(&keys, "replicas", |reader| reader.count(1..=MOST_REPLICAS));
    let env = environment(&keys, scene, Place::Target);
    let patch = optional(&keys, "patch", |reader| {
        if reader.map_if_any().is_none() {
            reader.wanted("a map");
            return None;
        }
        let patch = patch::plain(reader)?;
        if patch.to_string().contains("{{") {
            reader.warn(
                "the patch of clones is used as it is: placeholders in it are not filled in",
                "a tunable reaches the clones by its apply",
            );
        }
        Some(patch)
    });
    let shares = texts(&keys, "shares");
    Some(CloneSpec {
        replicas: replicas?,
        env: env?,
        patch: patch?,
        shares: shares?,
    })
}

fn texts(keys: &Keys<'_>, key: &str) -> Option<Vec<String>> {
    let Some(reader) = keys.get(key) else {
        return Some(Vec::new());
    };
    let read: Vec<Option<String>> = reader.list()?.iter().map(filled).collect();
    read.into_iter().collect()
}

fn autoscaler(reader: &Reader<'_>) -> Option<Autoscaler> {
    reader.one_of(&[
        ("refuse", Autoscaler::Refuse),
        ("pin", Autoscaler::Pin),
        ("allow", Autoscaler::Allow),
    ])
}

fn prices(reader: &Reader<'_>) -> Option<Prices> {
    let keys = reader.keys(&PRICE_KEYS, &[])?;
    let [core_hour, gib_hour] = PRICE_KEYS.map(|key| {
        let price = keys.required(key);
        price.and_then(|price| price.number(0.0..=f64::MAX))
    });
    Some(Prices {
        core_hour: core_hour?,
        gib_hour: gib_hour?,
    })
}

/// Keys that mean nothing under the policy are refused: whoever writes them expects something.
fn check_policy(keys: &Keys<'_>, spec: &KubernetesSpec) {
    let word = spec.policy.word();
    let refuse = |key: &str, what: String, remedy: &str| {
        let place = keys.get(key).unwrap_or_else(|| keys.reader.clone());
        place.refuse_with(what, remedy);
    };
    let copies = spec.policy == ClusterPolicy::NewDeployment;
    for key in ["clones", "place"] {
        if keys.has(key) && !copies {
            let what = format!("{key:?} has no meaning with policy {word}");
            refuse(key, what, "only new-deployment makes copies");
        }
    }
    if spec.slots > 1 && !copies {
        let what = format!("policy {word} measures one iteration at a time");
        refuse("slots", what, "slots above 1 need policy new-deployment");
    }
    let writes = spec.policy != ClusterPolicy::Observe;
    for key in ["hooks", "accept"] {
        if keys.has(key) && !writes {
            let what = format!("{key:?} has no meaning with policy {word}");
            refuse(key, what, "nothing is run and nothing is asked for");
        }
    }
    if spec.autoscaler == Autoscaler::Pin && !spec.policy.is_in_place() {
        let what = format!("policy {word} leaves the live object and its autoscaler alone");
        refuse("autoscaler", what, "write refuse or allow");
    }
}

fn check_workload(keys: &Keys<'_>, spec: &KubernetesSpec) {
    let workload = &spec.workload;
    if !workload.has_pod_template() && spec.policy != ClusterPolicy::RollingUpdate {
        let place = keys.get("workload").unwrap_or_else(|| keys.reader.clone());
        place.refuse_with(
            format!(
                "policy {} needs a deployment, statefulset or daemonset, not {workload}",
                spec.policy.word()
            ),
            "other objects are changed by patches under policy rolling-update",
        );
    }
    if workload.kind == "daemonset"
        && let Some(replicas) = keys.get("clones").and_then(|c| c.peek("replicas"))
    {
        replicas.refuse_with(
            "a daemonset has no replicas",
            "it has one pod on every node that fits",
        );
    }
}
