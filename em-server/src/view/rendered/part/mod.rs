//! What one configuration becomes, in named parts.

mod command;
pub(super) mod measured;
pub(super) mod process;
mod workload;

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use em_core::plan::{Plan, TargetSpec};
use em_core::template::Template;
use em_core::value::Value;
use em_local::fill::{self, Places, Values};

/// One named part: a command, a file, a query.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Part {
    pub(super) name: String,
    pub(super) form: Form,
}

/// What a part is made of.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Form {
    /// Words of a command, variables, values.
    Words(Vec<String>),
    /// Lines of a text.
    Lines(Vec<String>),
}

impl Part {
    pub(super) fn words(name: impl Into<String>, words: Vec<String>) -> Self {
        Self {
            name: name.into(),
            form: Form::Words(words),
        }
    }

    pub(super) fn lines(name: impl Into<String>, lines: Vec<String>) -> Self {
        Self {
            name: name.into(),
            form: Form::Lines(lines),
        }
    }

    /// All of it; words as a shell would need them.
    pub(super) fn whole(&self) -> std::vec::IntoIter<String> {
        match &self.form {
            Form::Words(words) => {
                let words: Vec<String> = words.iter().map(|word| shell_word(word)).collect();
                vec![words.join(" ")].into_iter()
            }
            Form::Lines(lines) => lines.clone().into_iter(),
        }
    }
}

/// Everything that these values become.
pub(super) fn all(
    plan: &Plan,
    values: &Values,
    base: &Path,
    executable: &Path,
) -> Result<Vec<Part>> {
    let mut places = Places {
        executable: executable.to_owned(),
        base: base.to_owned(),
        ..Places::default()
    };
    let mut parts = match &plan.target {
        TargetSpec::Process(spec) => {
            places = process::places(plan, spec, base, executable);
            process::parts(plan, spec, values, &places)?
        }
        TargetSpec::Command(spec) => {
            places.address.clone_from(&spec.address);
            command::parts(spec, values, &places)?
        }
        TargetSpec::Kubernetes(spec) => workload::parts(plan, spec, values)?,
        TargetSpec::Simulated(spec) => vec![measured::model(spec, values)?],
        TargetSpec::Observe | TargetSpec::Custom(_) | _ => Vec::new(),
    };
    let known = Known {
        plan,
        values,
        places: &places,
    };
    parts.extend(measured::load(&known)?);
    parts.extend(measured::queries(&known)?);
    Ok(parts)
}

/// What placeholders of loads, datasources and queries stand for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known<'a> {
    pub(super) plan: &'a Plan,
    pub(super) values: &'a Values,
    pub(super) places: &'a Places,
}

impl Known<'_> {
    /// What only a running deployment has stands as its own name in capitals. A tunable without a value
    /// has none here either.
    pub(super) fn lookup(&self, name: &str) -> Option<Value> {
        let known = fill::lookup(self.places, self.values, name);
        let is_tunable = || {
            let mut tunables = self.plan.tunables.iter();
            tunables.any(|tunable| tunable.name.as_str() == name)
        };
        known.or_else(|| (!is_tunable()).then(|| Value::from(name.to_uppercase())))
    }

    pub(super) fn command(&self, place: &str, command: &[Template]) -> Result<Vec<String>> {
        let lookup = |name: &str| self.lookup(name);
        Ok(fill::command(place, command, &self.places.base, &lookup)?)
    }
}

/// Variables as words; secrets are not shown.
pub(super) fn variables(env: &BTreeMap<String, String>, secret: &[String]) -> Vec<String> {
    let shown = env.iter().map(|(name, value)| {
        let is_secret = secret.contains(name);
        let value = if is_secret { "(secret)" } else { value };
        format!("{name}={value}")
    });
    shown.collect()
}

/// A word as a shell would need it; of a variable or an option only its value is quoted.
pub(super) fn shell_word(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=,@%+".contains(c);
    let quoted = |text: &str| {
        if !text.is_empty() && text.chars().all(is_plain) {
            text.to_owned()
        } else {
            format!("'{}'", text.replace('\'', r"'\''"))
        }
    };
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() && name.chars().all(is_plain) => {
            if value.is_empty() {
                text.to_owned()
            } else {
                format!("{name}={}", quoted(value))
            }
        }
        Some(_) | None => quoted(text),
    }
}
