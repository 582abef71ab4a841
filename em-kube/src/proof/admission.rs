//! What the cluster made of the template that nobody asked for: containers put in, limits filled in.

use em_core::port::Fact;
use em_core::value::Quantity;
use serde_json::Value as Json;

use super::agree;
use super::asked::Asked;
use super::others::difference;
use super::seen::PodSeen;
use crate::place::Place;

/// Volumes of the service account's token, which every pod gets.
const TOKEN_VOLUME: &str = "kube-api-access-";

/// How pods differ from their template; none where they do not.
pub(super) fn fact(asked: &Asked, pods: &[PodSeen]) -> Option<Fact> {
    let template = asked.template()?;
    let shown = pods.iter().map(|pod| {
        let changes = changes(template, &pod.pod);
        let text = (!changes.is_empty()).then(|| changes.join(", "));
        (pod.name(), text)
    });
    agree::noted("admission", shown)
}

/// Every change as people say it. Values are not told: they may be secret.
fn changes(template: &Json, pod: &Json) -> Vec<String> {
    let mut changes = Vec::new();
    for (list, word) in [
        ("initContainers", "init container"),
        ("containers", "container"),
    ] {
        let place = Place::of(["spec", list]);
        let (wanted, seen) = (entries(place.get(template)), entries(place.get(pod)));
        changes.extend(added_and_gone(word, &wanted, &seen));
        for (name, wanted) in &wanted {
            if let Some((_, seen)) = seen.iter().find(|(other, _)| other == name) {
                changes.extend(in_container(name, wanted, seen));
            }
        }
    }
    let place = Place::of(["spec", "volumes"]);
    let (wanted, mut seen) = (entries(place.get(template)), entries(place.get(pod)));
    seen.retain(|(name, _)| !name.starts_with(TOKEN_VOLUME));
    changes.extend(added_and_gone("volume", &wanted, &seen));
    changes
}

type Entries<'a> = Vec<(&'a str, &'a Json)>;

/// The entries of a list with their names.
fn entries(list: Option<&Json>) -> Entries<'_> {
    let list = list.and_then(Json::as_array).into_iter().flatten();
    let named = list.filter_map(|entry| Some((entry.get("name")?.as_str()?, entry)));
    named.collect()
}

fn added_and_gone(word: &str, wanted: &Entries<'_>, seen: &Entries<'_>) -> Vec<String> {
    let has = |entries: &Entries<'_>, name: &str| entries.iter().any(|(known, _)| *known == name);
    let added = seen.iter().filter(|(name, _)| !has(wanted, name));
    let added = added.map(|(name, _)| format!("{word} {name} added"));
    let gone = wanted.iter().filter(|(name, _)| !has(seen, name));
    let gone = gone.map(|(name, _)| format!("{word} {name} taken away"));
    added.chain(gone).collect()
}

fn in_container(name: &str, wanted: &Json, seen: &Json) -> Vec<String> {
    let mut changes = Vec::new();
    for key in ["image", "command", "args"] {
        let is_same = match (wanted.get(key), seen.get(key)) {
            (Some(wanted), Some(seen)) => wanted == seen,
            (wanted, seen) => wanted.is_none() && seen.is_none(),
        };
        if !is_same {
            changes.push(format!("{key} of {name} changed"));
        }
    }
    let (env, seen_env) = (entries(wanted.get("env")), entries(seen.get("env")));
    let word = format!("variable of {name}:");
    changes.extend(added_and_gone(&word, &env, &seen_env));
    for (variable, wanted) in &env {
        let other = seen_env.iter().find(|(other, _)| other == variable);
        if other.is_some_and(|(_, seen)| difference(&Place::default(), wanted, seen).is_some()) {
            changes.push(format!("variable of {name}: {variable} changed"));
        }
    }
    changes.extend(amounts(name, wanted, seen));
    changes
}

/// Amounts that were filled in or changed; they are no secret.
fn amounts(name: &str, wanted: &Json, seen: &Json) -> Vec<String> {
    let mut changes = Vec::new();
    for (key, word) in [("limits", "limit"), ("requests", "request")] {
        let place = Place::of(["resources", key]);
        let amounts = place.get(seen).and_then(Json::as_object);
        for (resource, amount) in amounts.into_iter().flatten() {
            let at = place.key(resource);
            // A request that is left out is the limit: nobody's doing.
            let limit = Place::of(["resources", "limits"]).key(resource);
            let asked = at.get(wanted).or_else(|| limit.get(wanted));
            let is_same = asked.is_some_and(|asked| is_same(asked, amount));
            if !is_same {
                let amount = amount.as_str().unwrap_or("another");
                changes.push(format!("{word}.{resource} of {name} is {amount}"));
            }
        }
    }
    changes
}

fn is_same(asked: &Json, seen: &Json) -> bool {
    let amount = |value: &Json| value.as_str()?.parse::<Quantity>().ok();
    asked == seen || amount(asked).is_some_and(|asked| amount(seen) == Some(asked))
}
