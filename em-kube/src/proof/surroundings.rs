//! What is noted of pods though nobody asked for it: names, revision, node, times.

use em_core::port::Fact;
use serde_json::Value as Json;

use super::agree::{self, Shown};
use super::asked::{Asked, Touched};
use super::cpus;
use super::seen::PodSeen;

/// Labels by which a controller tells its pods of one template from others.
const REVISIONS: [&str; 2] = ["pod-template-hash", "controller-revision-hash"];

/// The pods, their number, revision and image, and where they run.
pub(super) fn facts(asked: &Asked, pods: &[PodSeen]) -> Vec<Fact> {
    let mut facts = names(asked, pods);
    facts.push(replicas(asked, pods));
    facts.extend(revision(asked, pods));
    facts.extend(image(asked, pods));
    facts.extend(digest(asked, pods));
    facts.extend(places(asked, pods));
    facts
}

fn note(name: &str, seen: Option<&str>) -> Option<Fact> {
    Some(Fact {
        name: name.to_owned(),
        asked: None,
        seen: Some(seen?.to_owned()),
    })
}

fn listed(pods: &[PodSeen], pointer: &str) -> Option<String> {
    let texts: Vec<_> = pods.iter().filter_map(|pod| pod.text(pointer)).collect();
    (!texts.is_empty()).then(|| texts.join(" "))
}

/// What queries call the deployment: placeholders have these names.
fn names(asked: &Asked, pods: &[PodSeen]) -> Vec<Fact> {
    let namespace = pods.iter().find_map(|pod| pod.text("/metadata/namespace"));
    let namespace = namespace.or_else(|| asked.text("/metadata/namespace"));
    let facts = [
        note("pods", listed(pods, "/metadata/name").as_deref()),
        note("container", Some(asked.container())),
        note("namespace", namespace),
        note("workload", asked.text("/metadata/name")),
        note("pods.uid", listed(pods, "/metadata/uid").as_deref()),
    ];
    facts.into_iter().flatten().collect()
}

fn replicas(asked: &Asked, pods: &[PodSeen]) -> Fact {
    let wanted = asked.replicas();
    let wanted = wanted.filter(|_| asked.is_touched(&Touched::Replicas));
    Fact {
        name: "replicas".to_owned(),
        asked: wanted.map(|wanted| wanted.to_string()),
        seen: Some(pods.len().to_string()),
    }
}

fn revision(asked: &Asked, pods: &[PodSeen]) -> Option<Fact> {
    let labels: Vec<_> = pods.iter().map(|pod| (pod.name(), label(pod))).collect();
    let Some(wanted) = asked.revision_asked() else {
        return agree::noted("template", labels);
    };
    let shown = labels.into_iter().map(|(pod, label)| {
        let shown = match label {
            Some(label) if label == wanted => Shown::AsAsked,
            Some(label) => Shown::Other(label),
            None => Shown::Absent,
        };
        (pod, shown)
    });
    let shown: Vec<_> = shown.collect();
    Some(agree::asked("template", wanted, &shown))
}

fn label(pod: &PodSeen) -> Option<String> {
    let labels = pod.pod.pointer("/metadata/labels")?;
    let found = REVISIONS
        .iter()
        .find_map(|name| labels.get(*name)?.as_str());
    found.map(str::to_owned)
}

fn image(asked: &Asked, pods: &[PodSeen]) -> Option<Fact> {
    let image = |container: Option<&Json>| Some(container?.get("image")?.as_str()?.to_owned());
    let seen = pods
        .iter()
        .map(|pod| (pod.name(), image(pod.container(asked.container()))));
    let wanted = image(asked.container_asked());
    match wanted.filter(|_| asked.is_touched(&Touched::Image)) {
        None => agree::noted("image", seen),
        Some(wanted) => {
            let shown = seen.map(|(pod, image)| {
                let shown = match image {
                    Some(image) if image == wanted => Shown::AsAsked,
                    Some(image) => Shown::Other(image),
                    None => Shown::Absent,
                };
                (pod, shown)
            });
            let shown: Vec<_> = shown.collect();
            Some(agree::asked("image", &wanted, &shown))
        }
    }
}

/// What the tag stood for on each node. Pods of one deployment have to run one image; whether it is another one
/// in the next iteration is for whoever compares iterations.
fn digest(asked: &Asked, pods: &[PodSeen]) -> Option<Fact> {
    let digest = |pod: &PodSeen| {
        let id = pod.status(asked.container())?.get("imageID")?.as_str()?;
        (!id.is_empty()).then(|| id.to_owned())
    };
    let digests: Vec<_> = pods.iter().map(|pod| (pod.name(), digest(pod))).collect();
    let mut known = digests.iter().filter_map(|(_, digest)| digest.as_deref());
    let first = known.next()?;
    let is_one = known.all(|other| bare(other) == bare(first));
    if is_one {
        return note("image.digest", Some(first));
    }
    let fact = agree::noted("image.digest", digests)?;
    Some(Fact {
        asked: Some("the same in all pods".to_owned()),
        ..fact
    })
}

/// A digest without the registry that it came from: nodes may have mirrors of their own.
fn bare(id: &str) -> &str {
    id.rsplit_once('@').map_or(id, |(_, digest)| digest)
}

fn places(asked: &Asked, pods: &[PodSeen]) -> Vec<Fact> {
    type Look<'a> = &'a dyn Fn(&PodSeen) -> Option<String>;
    let container = asked.container();
    let of_node = |name: &'static str| {
        move |pod: &PodSeen| {
            let info = pod.node.as_ref()?.pointer("/status/nodeInfo")?;
            Some(info.get(name)?.as_str()?.to_owned())
        }
    };
    let of_pod = |pointer: &'static str| move |pod: &PodSeen| pod.text(pointer).map(str::to_owned);
    let started = |pod: &PodSeen| {
        let at = pod.status(container)?.pointer("/state/running/startedAt")?;
        Some(at.as_str()?.to_owned())
    };
    let manager = |pod: &PodSeen| Some(cpus::manager(pod, container)?.word().to_owned());
    let looks: [(&str, Look<'_>); 8] = [
        ("qos", &of_pod("/status/qosClass")),
        ("node", &of_pod("/spec/nodeName")),
        ("kernel", &of_node("kernelVersion")),
        ("kubelet", &of_node("kubeletVersion")),
        ("runtime", &of_node("containerRuntimeVersion")),
        ("cpu_manager", &manager),
        ("cpus", &|pod| pod.process.cpus.clone()),
        ("started", &started),
    ];
    let noted = looks.into_iter().filter_map(|(name, look)| {
        let shown = pods.iter().map(|pod| (pod.name(), look(pod)));
        agree::noted(name, shown)
    });
    noted.collect()
}
