//! Every command and file at the baseline and at each bound.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use em_core::assign::assign;
use em_core::configuration::Configuration;
use em_core::plan::{Domain, Plan, ProcessSpec, TargetSpec, Tunable};
use em_core::value::Value;
use em_local::fill::Places;
use em_local::process::{ports_of, render};

/// What would be started, for a target of kind `process`; empty for others and without values.
pub fn commands(plan: &Plan, base: &Path, executable: &Path) -> Result<String> {
    let TargetSpec::Process(spec) = &plan.target else {
        return Ok(String::new());
    };
    let Some(baseline) = plan.baseline.configuration() else {
        return Ok(String::new());
    };
    let places = places(plan, spec, base, executable);
    let mut text = String::new();
    for (name, configuration) in settings(plan, baseline) {
        add(&mut text, plan, spec, &places, &name, &configuration)?;
    }
    Ok(text)
}

/// What would be started for one configuration; none for targets of other kinds.
pub fn command(
    plan: &Plan,
    configuration: &Configuration,
    base: &Path,
    executable: &Path,
) -> Result<Option<String>> {
    let TargetSpec::Process(spec) = &plan.target else {
        return Ok(None);
    };
    let places = places(plan, spec, base, executable);
    let mut text = String::new();
    add(&mut text, plan, spec, &places, "", configuration)?;
    Ok(Some(text))
}

fn add(
    text: &mut String,
    plan: &Plan,
    spec: &ProcessSpec,
    places: &Places,
    name: &str,
    configuration: &Configuration,
) -> Result<()> {
    let values = assign(plan, configuration)
        .with_context(|| format!("failed to work out the values at {name}"))?;
    let rendered = render(plan, spec, &values, places)
        .with_context(|| format!("failed to fill in the target at {name}"))?;
    let env = rendered.env.iter().map(|(name, value)| {
        let is_secret = rendered.secret.contains(name);
        let value = if is_secret { "(secret)" } else { value };
        format!("{name}={}", word(value))
    });
    let command = rendered.command.iter().map(|one| word(one));
    let line: Vec<String> = env.chain(command).collect();
    let line = line.join(" ");
    if name.is_empty() {
        writeln!(text, "  {line}")?;
    } else {
        writeln!(text, "  {name:<24}{line}")?;
    }
    for (path, content) in &rendered.files {
        writeln!(text, "    {}:", path.display())?;
        for line in content.lines() {
            writeln!(text, "      {line}")?;
        }
    }
    Ok(())
}

/// The baseline, and the baseline with one tunable at each of its bounds or at each other choice.
fn settings(plan: &Plan, baseline: &Configuration) -> Vec<(String, Configuration)> {
    let mut settings = vec![("baseline".to_owned(), baseline.clone())];
    for tunable in &plan.tunables {
        for value in bounds(tunable) {
            let mut configuration = baseline.clone();
            configuration.set(tunable.name.clone(), value.clone());
            let is_new = settings.iter().all(|(_, known)| *known != configuration);
            if is_new {
                settings.push((format!("{}={value}", tunable.name), configuration));
            }
        }
    }
    settings
}

fn bounds(tunable: &Tunable) -> Vec<Value> {
    match &tunable.domain {
        Domain::Integer { low, high, .. } => vec![Value::Integer(*low), Value::Integer(*high)],
        Domain::Real { low, high, .. } => [*low, *high]
            .into_iter()
            .filter_map(|bound| Value::real(bound).ok())
            .collect(),
        Domain::Quantity { low, high, .. } => vec![Value::Quantity(*low), Value::Quantity(*high)],
        Domain::Categorical { choices } => choices.clone(),
        Domain::Derived { .. } => Vec::new(),
    }
}

/// Ports are drawn when something is started; until then they stand as 0.
fn places(plan: &Plan, spec: &ProcessSpec, base: &Path, executable: &Path) -> Places {
    let ports = ports_of(plan, spec).into_iter().map(|name| (name, 0));
    let files: BTreeMap<String, PathBuf> = spec
        .files
        .iter()
        .map(|(name, file)| {
            let own = file.path.file_name().unwrap_or_default();
            (name.clone(), Path::new("RUN_FOLDER").join(own))
        })
        .collect();
    Places {
        executable: executable.to_owned(),
        ports: ports.collect(),
        address: None,
        files,
        trial: 0,
        iteration: 0,
        base: base.to_owned(),
    }
}

/// A word as a shell would need it.
fn word(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=,@%+".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}
