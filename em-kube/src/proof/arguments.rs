//! Arguments and command of the container.

use em_core::port::Fact;
use serde_json::Value as Json;

use super::agree::{self, Shown};
use super::asked::{Asked, Touched};
use super::seen::PodSeen;
use super::variables::{Declared, hide};

/// One fact for each argument, where the plan sets arguments.
pub(super) fn facts(asked: &Asked, pods: &[PodSeen]) -> Vec<Fact> {
    let Some(container) = asked.container_asked() else {
        return Vec::new();
    };
    let mut facts = Vec::new();
    for (key, name) in [("command", "command"), ("args", "arg")] {
        if asked.is_touched(&Touched::Words(key)) {
            facts.extend(words_facts(asked, container, key, name, pods));
        }
    }
    if !facts.is_empty() {
        facts.extend(agree::noted(
            "args.source",
            pods.iter()
                .map(|pod| (pod.name(), Some(source(container, pod).to_owned()))),
        ));
    }
    facts
}

/// The words of a list of the container.
fn words<'a>(container: &'a Json, key: &str) -> Vec<&'a str> {
    let words = container.get(key).and_then(Json::as_array);
    words
        .into_iter()
        .flatten()
        .filter_map(Json::as_str)
        .collect()
}

fn words_facts(
    asked: &Asked,
    container: &Json,
    key: &str,
    name: &str,
    pods: &[PodSeen],
) -> Vec<Fact> {
    let wanted = words(container, key);
    let before = asked.container_before();
    let before = before.map_or_else(Vec::new, |before| words(before, key));
    let seen: Vec<_> = pods.iter().map(|pod| declared(pod, asked, key)).collect();
    let most = seen.iter().map(Vec::len).chain([wanted.len()]).max();
    let facts = (0..most.unwrap_or_default()).map(|index| {
        let word = wanted.get(index).copied();
        // What was there before is not the plan's to show.
        let is_hidden = word.is_none_or(|word| before.contains(&word));
        let shown = pods.iter().zip(&seen).map(|(pod, seen)| {
            let shown = compare(word, seen.get(index).copied());
            (pod.name(), if is_hidden { hide(shown) } else { shown })
        });
        let shown: Vec<_> = shown.collect();
        let spelled = match word {
            Some(_) if is_hidden => "as before",
            Some(word) => word,
            None => "none",
        };
        agree::asked(&format!("{name}.{index}"), spelled, &shown)
    });
    facts.collect()
}

fn declared<'a>(pod: &'a PodSeen, asked: &Asked, key: &str) -> Vec<&'a str> {
    let container = pod.container(asked.container());
    container.map_or_else(Vec::new, |container| words(container, key))
}

fn compare(wanted: Option<&str>, seen: Option<&str>) -> Shown {
    match seen {
        _ if wanted == seen => Shown::AsAsked,
        Some(seen) => Shown::Other(seen.to_owned()),
        None => Shown::Absent,
    }
}

/// Whether the process shows the arguments, too. An image whose entry point starts something else does not.
fn source(container: &Json, pod: &PodSeen) -> &'static str {
    let variables = Declared::of(container);
    let wanted: Vec<_> = words(container, "command")
        .into_iter()
        .chain(words(container, "args"))
        .map(|word| variables.argument(word, &pod.process))
        .collect();
    let Some(real) = &pod.process.arguments else {
        return "declared";
    };
    let tail = real.len().checked_sub(wanted.len());
    let tail = tail.and_then(|at| real.get(at..)).unwrap_or_default();
    let is_same = tail.len() == wanted.len()
        && tail
            .iter()
            .zip(&wanted)
            .all(|(real, wanted)| wanted.is(real));
    if is_same {
        "process"
    } else {
        "declared: the first process of the container has other arguments, as it does when the image's entry point starts another program"
    }
}
