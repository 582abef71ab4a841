//! `target` of kind `simulated`: a formula instead of a system.

use std::collections::BTreeMap;

use super::process::optional;
use super::reader::{Keys, Reader};
use super::target::slots;
use crate::expression::Expression;
use crate::id::MetricName;
use crate::plan::{SimulatedFailure, SimulatedSpec};

/// Keys of `kind: simulated`.
pub(super) const KEYS: [&str; 8] = [
    "kind",
    "model",
    "noise",
    "drift",
    "deployment_noise",
    "failures",
    "seed",
    "slots",
];

pub(super) fn read(reader: &Reader<'_>) -> Option<SimulatedSpec> {
    let keys = reader.keys(&KEYS, &[])?;
    let model = keys.required("model").and_then(|reader| model(&reader));
    let noise = noise(&keys, model.as_ref());
    let drift = optional(&keys, "drift", |reader| signed_share(reader));
    let deployment_noise = optional(&keys, "deployment_noise", Reader::share);
    let failures = failures(&keys);
    let seed = optional(&keys, "seed", |reader| reader.integer(0..=i64::MAX));
    let slots = slots(&keys);
    Some(SimulatedSpec {
        model: model?,
        noise: noise?,
        drift: drift?.unwrap_or(0.0),
        deployment_noise: deployment_noise?.unwrap_or(0.0),
        failures: failures?,
        seed: seed?.unwrap_or(1).unsigned_abs(),
        slots: slots?,
    })
}

fn signed_share(reader: &Reader<'_>) -> Option<f64> {
    match reader.text_if_any().and_then(|text| text.strip_prefix('-')) {
        Some(_) => {
            reader.refuse_with(
                "a drift with a percent sign cannot be negative",
                "write -0.02",
            );
            None
        }
        None if reader.text_if_any().is_some() => reader.share(),
        None => reader.number(-1.0..=1.0),
    }
}

fn model(reader: &Reader<'_>) -> Option<BTreeMap<MetricName, Expression>> {
    let entries = reader.any_map()?;
    if entries.is_empty() {
        reader.refuse("the model is empty (give at least one metric a formula)");
        return None;
    }
    let mut model = BTreeMap::new();
    for (name, reader) in entries {
        let name = metric_name(name, &reader);
        let text = reader.word();
        let expression = text.and_then(|text| {
            Expression::parse(&text)
                .map_err(|error| reader.refuse(error))
                .ok()
        });
        if let (Some(name), Some(expression)) = (name, expression) {
            model.insert(name, expression);
        }
    }
    Some(model)
}

/// A key that names a metric.
pub(super) fn metric_name(name: &str, reader: &Reader<'_>) -> Option<MetricName> {
    name.parse().map_err(|error| reader.refuse(error)).ok()
}

fn noise(
    keys: &Keys<'_>,
    model: Option<&BTreeMap<MetricName, Expression>>,
) -> Option<BTreeMap<MetricName, f64>> {
    let Some(reader) = keys.get("noise") else {
        return Some(BTreeMap::new());
    };
    let mut noise = BTreeMap::new();
    for (name, reader) in reader.any_map()? {
        let Some(name) = metric_name(name, &reader) else {
            continue;
        };
        if model.is_some_and(|model| !model.contains_key(&name)) {
            reader.refuse(format!("the model has no metric {name}"));
        }
        if let Some(share) = reader.share() {
            noise.insert(name, share);
        }
    }
    Some(noise)
}

fn failures(keys: &Keys<'_>) -> Option<BTreeMap<SimulatedFailure, f64>> {
    let Some(reader) = keys.get("failures") else {
        return Some(BTreeMap::new());
    };
    let kinds = [
        ("deploy", SimulatedFailure::Deploy),
        ("ready", SimulatedFailure::Ready),
        ("health", SimulatedFailure::Health),
    ];
    let keys = reader.keys(&kinds.map(|(name, _)| name), &[])?;
    let mut failures = BTreeMap::new();
    for (name, kind) in kinds {
        if let Some(share) = keys.get(name).and_then(|reader| reader.share()) {
            failures.insert(kind, share);
        }
    }
    Some(failures)
}
