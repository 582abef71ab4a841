//! Laws over all scenes: there is always an answer, and what is missing never makes ready what was not.

use em_kube::incidents::{before, incidents};
use em_kube::readiness::{Verdict, Wanted, judge};
use em_kube::scene::Scene;
use serde_json::Value as Json;

use crate::recorded::{Recorded, all, read_part, recorded};

/// All places of a value, as JSON pointers.
fn places(json: &Json, at: &str, found: &mut Vec<String>) {
    let below = |key: &str| format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"));
    let members: Vec<(String, &Json)> = match json {
        Json::Object(map) => map.iter().map(|(key, value)| (below(key), value)).collect(),
        Json::Array(list) => (0..)
            .zip(list)
            .map(|(index, value): (usize, _)| (below(&index.to_string()), value))
            .collect(),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => Vec::new(),
    };
    for (place, value) in members {
        found.push(place.clone());
        places(value, &place, found);
    }
}

fn without(json: &Json, place: &str) -> Json {
    let mut json = json.clone();
    let (parent, key) = place.rsplit_once('/').expect("a place is in something");
    let key = key.replace("~1", "/").replace("~0", "~");
    match json.pointer_mut(parent) {
        Some(Json::Object(map)) => drop(map.shift_remove(&key)),
        Some(Json::Array(list)) => drop(list.remove(key.parse().expect("an index"))),
        _ => unreachable!("the parent of a place has places"),
    }
    json
}

/// A scene with one of its fields taken away.
struct Gap<'a> {
    name: &'a str,
    place: &'a str,
    whole: &'a Recorded,
    base: &'a Scene,
    scene: &'a Scene,
}

/// Every scene with every one of its fields taken away in turn.
fn for_each_gap(mut check: impl FnMut(&Gap<'_>)) -> usize {
    let mut checked = 0;
    for name in all() {
        let whole = recorded(&name);
        let base = whole.scene();
        let mut found = Vec::new();
        places(&whole.json, "", &mut found);
        found.retain(|place| !matches!(place.as_str(), "/asked_at" | "/now" | "/iteration"));
        for place in &found {
            if let Some(scene) = scene_without(&whole, &base, place) {
                let gap = Gap {
                    name: &name,
                    place,
                    whole: &whole,
                    base: &base,
                    scene: &scene,
                };
                check(&gap);
                checked += 1;
            }
        }
    }
    checked
}

/// Reads again only what is changed.
fn scene_without(whole: &Recorded, base: &Scene, place: &str) -> Option<Scene> {
    let (_, rest) = place.split_once('/')?;
    let (part, inner) = rest.split_once('/').unwrap_or((rest, ""));
    let mut scene = base.clone();
    let json = if inner.is_empty() {
        Json::Null
    } else {
        without(whole.json.get(part)?, &format!("/{inner}"))
    };
    read_part(&mut scene, part, &json)?;
    Some(scene)
}

#[test]
fn whatever_is_missing_there_is_an_answer() {
    let checked = for_each_gap(|gap| {
        let Gap {
            whole, base, scene, ..
        } = gap;
        let wanted = whole.wanted();
        let any = Wanted {
            iteration: None,
            ..whole.wanted()
        };
        for at in [jiff::Timestamp::MIN, whole.now, jiff::Timestamp::MAX] {
            judge(scene, &wanted, at);
            judge(scene, &any, at);
        }
        let was = before(scene, &wanted);
        incidents(&was, base, whole.asked_at, whole.now);
        let was = before(base, &wanted);
        incidents(&was, scene, whole.asked_at, whole.now);
    });
    assert!(checked > 5_000, "only {checked} gaps");
}

#[test]
fn nothing_becomes_ready_by_something_missing() {
    let mut wrong = Vec::new();
    for_each_gap(|gap| {
        let Gap {
            name,
            place,
            whole,
            base,
            scene,
        } = gap;
        let is_ready = |scene| {
            matches!(
                judge(scene, &whole.wanted(), whole.now),
                Verdict::Ready { .. }
            )
        };
        if is_ready(scene) && !is_ready(base) && !says_what_is_wrong(name, place) {
            wrong.push(format!("{name} without {place}"));
        }
    });
    assert_eq!(wrong, [] as [&str; 0]);
}

/// Places without which the scene is that of a deployment to which nothing happened.
fn says_what_is_wrong(name: &str, place: &str) -> bool {
    match name {
        // The pod answers nobody's probe but its own: what ended is all that tells.
        "liveness-probe" => place.contains("/containerStatuses") || place.starts_with("/events"),
        // Without the pod that leaves, all the rest is ready.
        "former-leaving" => place.starts_with("/pods"),
        _ => false,
    }
}
