//! A command target: its commands, and the values that they are given.

use anyhow::Result;
use em_core::plan::CommandSpec;
use em_local::fill::{self, Places, Values};

use super::{Part, variables};

pub(super) fn parts(spec: &CommandSpec, values: &Values, places: &Places) -> Result<Vec<Part>> {
    let lookup = |name: &str| fill::lookup(places, values, name);
    let (env, secret) = fill::environment("target.env", &spec.env, &lookup)?;
    let mut parts = Vec::new();
    if !env.is_empty() {
        parts.push(Part::words("environment", variables(&env, &secret)));
    }
    let commands = [
        ("snapshot", &spec.snapshot),
        ("apply", &spec.apply),
        ("ready", &spec.ready),
        ("facts", &spec.facts),
        ("restore", &spec.restore),
    ];
    for (name, command) in commands {
        if !command.is_empty() {
            let place = format!("target.{name}");
            let words = fill::command(&place, command, &places.base, &lookup)?;
            parts.push(Part::words(name, words));
        }
        if name == "apply" {
            let given = values.iter().map(|(name, value)| format!("{name}={value}"));
            parts.push(Part::words("its values", given.collect()));
        }
    }
    Ok(parts)
}
