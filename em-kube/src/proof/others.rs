//! Anything else of the template that the plan sets: probes, volumes, annotations, other containers.

use em_core::port::Fact;
use em_core::value::Quantity;
use serde_json::Value as Json;

use super::agree::{self, Shown};
use super::asked::{Asked, Touched};
use super::seen::PodSeen;
use crate::place::Place;

/// One fact for each other place that the plan sets, called like the place in a pod.
pub(super) fn facts(asked: &Asked, pods: &[PodSeen]) -> Vec<Fact> {
    let places = asked.touched().iter().filter_map(|touched| match touched {
        Touched::Other(place) => Some(place),
        Touched::Variable(_)
        | Touched::Words(_)
        | Touched::Amount(..)
        | Touched::Image
        | Touched::Replicas => None,
    });
    let facts = places.filter_map(|place| fact(place, asked, pods));
    facts.collect()
}

/// A place that the template does not have proves nothing: the cluster fills many in.
fn fact(place: &Place, asked: &Asked, pods: &[PodSeen]) -> Option<Fact> {
    let wanted = place.get(asked.template()?)?;
    let shown = pods.iter().map(|pod| {
        let shown = match place.get(&pod.pod) {
            None => Shown::Absent,
            Some(seen) => compare(place, wanted, seen),
        };
        (pod.name(), shown)
    });
    let shown: Vec<_> = shown.collect();
    let spelled = scalar(wanted).unwrap_or_else(|| "as asked".to_owned());
    Some(agree::asked(&place.to_string(), &spelled, &shown))
}

/// Values are shown; of maps and lists only where they differ, because they may hold anything.
fn compare(place: &Place, wanted: &Json, seen: &Json) -> Shown {
    match difference(place, wanted, seen) {
        None => Shown::AsAsked,
        Some(at) if at == *place => {
            Shown::Other(scalar(seen).unwrap_or_else(|| "differs".to_owned()))
        }
        Some(at) => Shown::Other(format!("differs at {at}")),
    }
}

fn scalar(value: &Json) -> Option<String> {
    match value {
        Json::String(text) => Some(text.clone()),
        Json::Null | Json::Bool(_) | Json::Number(_) => Some(value.to_string()),
        Json::Array(_) | Json::Object(_) => None,
    }
}

/// The first place at which something that is wanted is not there. More than what is wanted may be there: the
/// cluster fills in what was left out.
pub(super) fn difference(at: &Place, wanted: &Json, seen: &Json) -> Option<Place> {
    match (wanted, seen) {
        (Json::Object(wanted), Json::Object(seen)) => wanted.iter().find_map(|(key, wanted)| {
            let at = at.key(key);
            match seen.get(key) {
                Some(seen) => difference(&at, wanted, seen),
                None => (!wanted.is_null()).then_some(at),
            }
        }),
        (Json::Array(wanted), Json::Array(seen)) => list_difference(at, wanted, seen),
        _ => (!is_same(at, wanted, seen)).then(|| at.clone()),
    }
}

fn list_difference(at: &Place, wanted: &[Json], seen: &[Json]) -> Option<Place> {
    let name = |entry: &Json| Some(entry.get("name")?.as_str()?.to_owned());
    let names: Option<Vec<String>> = wanted.iter().map(name).collect();
    let Some(names) = names else {
        let is_same = wanted.len() == seen.len()
            && wanted
                .iter()
                .zip(seen)
                .all(|(wanted, seen)| difference(at, wanted, seen).is_none());
        return (!is_same).then(|| at.clone());
    };
    wanted.iter().zip(names).find_map(|(wanted, name)| {
        let at = at.named(&name);
        let found = seen
            .iter()
            .find(|entry| entry.get("name").and_then(Json::as_str) == Some(name.as_str()));
        match found {
            Some(seen) => difference(&at, wanted, seen),
            None => Some(at),
        }
    })
}

/// Amounts are compared by value where the cluster spells them its own way.
fn is_same(at: &Place, wanted: &Json, seen: &Json) -> bool {
    let place = at.to_string();
    let is_amount = place.contains(".resources.") || place.ends_with(".sizeLimit");
    let amount = |value: &Json| -> Option<Quantity> { scalar(value)?.parse().ok() };
    if is_amount && let (Some(wanted), Some(seen)) = (amount(wanted), amount(seen)) {
        return wanted == seen;
    }
    wanted == seen
}
