//! `tunables`: the knobs.

use super::apply;
use super::domain;
use super::process::optional;
use super::reader::{Reader, Unsupported};
use super::scene::Scene;
use super::tree::NodeKind;
use crate::id::TunableName;
use crate::plan::{Apply, ChangeCost, Condition, Domain, Prior, Special, Tunable};
use crate::value::Value;

/// Keys of one tunable.
pub(super) const KEYS: [&str; 13] = [
    "name", "type", "range", "choices", "value", "step", "scale", "default", "when", "special",
    "prior", "apply", "takes",
];

const NOT_YET: Unsupported = &["target"];
/// More than any search can use; a bound for what a file can make us do.
const MOST: usize = 1000;

/// A tunable with its place.
#[derive(Debug)]
pub(super) struct ReadTunable<'a> {
    pub(super) tunable: Tunable,
    pub(super) reader: Reader<'a>,
}

/// Reads the list; what is broken is left out of it.
pub(super) fn read<'a>(reader: &Reader<'a>, scene: &Scene<'a>) -> Vec<ReadTunable<'a>> {
    let entries = reader.list().unwrap_or_default();
    if entries.len() > MOST {
        reader.refuse(format!("more than {MOST} tunables"));
        return Vec::new();
    }
    let mut tunables: Vec<ReadTunable<'a>> = Vec::new();
    for entry in entries {
        let Some(tunable) = one(&entry, scene) else {
            continue;
        };
        let same = tunables.iter().find(|t| t.tunable.name == tunable.name);
        if let Some(first) = same {
            entry.refuse_with(
                format!("there are two tunables {}", tunable.name),
                format!("the first is on line {}", first.reader.at().line),
            );
            continue;
        }
        tunables.push(ReadTunable {
            tunable,
            reader: entry,
        });
    }
    tunables
}

fn one<'a>(reader: &Reader<'a>, scene: &Scene<'a>) -> Option<Tunable> {
    let keys = reader.keys(&KEYS, NOT_YET)?;
    let name = keys.required("name").and_then(|name| {
        let text = name.text()?;
        if text == "value" || text.starts_with("ports.") {
            name.refuse(format!("{text:?} is the name of a placeholder already"));
            return None;
        }
        name.name::<TunableName>()
    });
    let apply = apply::read(&keys, scene);
    let resource = apply.as_deref().unwrap_or_default().iter().any(is_resource);
    let domain = domain::read(&keys, resource);
    let when = optional(&keys, "when", conditions);
    let takes = optional(&keys, "takes", |reader| takes(reader));
    let mut tunable = Tunable {
        name: name?,
        domain: domain?,
        default: None,
        when: when?.unwrap_or_default(),
        special: Vec::new(),
        prior: None,
        apply: apply?,
        takes: takes?.unwrap_or_default(),
    };
    let special = optional(&keys, "special", |reader| specials(reader, &tunable));
    let prior = optional(&keys, "prior", |reader| prior(reader, &tunable.domain));
    tunable.special = special?.unwrap_or_default();
    tunable.prior = prior?;
    let default = optional(&keys, "default", |reader| default_of(reader, &tunable));
    tunable.default = default?;
    Some(tunable)
}

fn is_resource(apply: &Apply) -> bool {
    matches!(apply, Apply::Resource { .. })
}

fn default_of(reader: &Reader<'_>, tunable: &Tunable) -> Option<Value> {
    if tunable.is_derived() {
        reader.refuse_with(
            "a derived value has no default",
            "it follows from the others",
        );
        return None;
    }
    let value = tunable.domain.typed(&reader.value()?);
    match tunable.refusal(&value) {
        Some(problem) => {
            reader.refuse(problem);
            None
        }
        None => Some(value),
    }
}

fn takes(reader: &Reader<'_>) -> Option<ChangeCost> {
    match reader.text()? {
        "restart" => Some(ChangeCost::Restart),
        text @ ("reload" | "live") => {
            reader.refuse_with(
                format!("takes {text:?} is not supported yet"),
                "leave it out: every change is then a new deployment",
            );
            None
        }
        _ => reader.one_of(&[("restart", ChangeCost::Restart)]),
    }
}

fn conditions(reader: &Reader<'_>) -> Option<Vec<Condition>> {
    let mut conditions = Vec::new();
    for (name, reader) in reader.any_map()? {
        let tunable = name
            .parse()
            .map_err(|error: crate::id::NameError| reader.refuse(error))
            .ok();
        let is = if let NodeKind::List(_) = reader.kind() {
            reader
                .filled_list()
                .map(|entries| entries.iter().filter_map(Reader::value).collect())
        } else {
            reader.value().map(|value| vec![value])
        };
        conditions.push(Condition {
            tunable: tunable?,
            is: is?,
        });
    }
    Some(conditions)
}

fn specials(reader: &Reader<'_>, tunable: &Tunable) -> Option<Vec<Special>> {
    if tunable.domain.kind().is_none() {
        reader.refuse_with(
            "only a range has special values",
            "a choice is one value more in choices",
        );
        return None;
    }
    let mut specials = Vec::new();
    for entry in reader.list()? {
        let keys = entry.keys(&["value", "share"], &[])?;
        let value = keys.required("value").and_then(|value| value.value());
        let share = keys.required("share").and_then(|share| share.share());
        let value = tunable.domain.typed(&value?);
        if tunable.domain.contains(&value) {
            let what = format!("{value} is within the range already");
            entry.refuse_with(what, "a special value lies outside");
        }
        specials.push(Special {
            value,
            share: share?,
        });
    }
    if specials.iter().map(|special| special.share).sum::<f64>() > 1.0 {
        reader.refuse("the shares add up to more than 1");
    }
    Some(specials)
}

fn prior(reader: &Reader<'_>, domain: &Domain) -> Option<Prior> {
    let Some(low) = domain.snap(f64::MIN).and_then(|low| low.to_f64()) else {
        reader.refuse("only a range can have a prior");
        return None;
    };
    let high = domain.snap(f64::MAX).and_then(|high| high.to_f64())?;
    let keys = reader.keys(&["normal"], &[])?;
    let normal = keys.required("normal")?;
    let keys = normal.keys(&["mean", "sd"], &[])?;
    let number = |key: &str| keys.required(key).and_then(|reader| amount(&reader));
    let (mean, sd) = (number("mean"), number("sd"));
    let (mean, sd) = (mean?, sd?);
    if sd <= 0.0 {
        normal.refuse("the standard deviation sd must be above 0");
        return None;
    }
    if !(low..=high).contains(&mean) {
        normal.warn(
            format!("the most likely value {mean} is outside the range"),
            "the search starts at the range's end",
        );
    }
    Some(Prior::Normal { mean, sd })
}

/// A number or a quantity, in base units.
fn amount(reader: &Reader<'_>) -> Option<f64> {
    if reader.text_if_any().is_some() {
        return reader.quantity().map(crate::value::Quantity::to_f64);
    }
    reader.number(f64::MIN..=f64::MAX)
}
