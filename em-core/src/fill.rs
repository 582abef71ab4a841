//! Filling placeholders in: texts, words of a command line, environments.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use crate::fault::Fault;
use crate::plan::Text;
use crate::template::{Escape, Template, TemplateError};
use crate::value::Value;

/// What a placeholder stands for. None: it stands for nothing here.
pub type Lookup<'l> = &'l dyn Fn(&str) -> Option<Value>;

/// Something of the plan cannot be filled in.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FillError {
    /// A template.
    #[error("failed to fill in {place}")]
    Template {
        /// Where: `target.command[2]`.
        place: String,
        /// What is wrong.
        #[source]
        source: TemplateError,
    },
    /// A secret.
    #[error("failed to resolve the secret of {place}")]
    Secret {
        /// Where: `target.env.TOKEN`.
        place: String,
        /// Why.
        #[source]
        source: Fault,
    },
}

/// A duration in seconds, `{{duration_s}}`: a whole number where it is one.
pub fn seconds(duration: Duration) -> Option<Value> {
    match (duration.subsec_nanos(), i64::try_from(duration.as_secs())) {
        (0, Ok(whole)) => Some(Value::Integer(whole)),
        _ => Value::real(duration.as_secs_f64()).ok(),
    }
}

/// One text.
pub fn fill(
    place: &str,
    template: &Template,
    lookup: Lookup<'_>,
    escape: Escape,
) -> Result<String, FillError> {
    let failed = |source| FillError::Template {
        place: place.to_owned(),
        source,
    };
    template.render(lookup, escape).map_err(failed)
}

/// The words of a command line.
///
/// The script of a shell (`sh -c SCRIPT`) is a language of its own, in which a value must not become a
/// command.
pub fn words(
    place: &str,
    templates: &[Template],
    lookup: Lookup<'_>,
) -> Result<Vec<String>, FillError> {
    let mut words: Vec<String> = Vec::with_capacity(templates.len());
    for (index, template) in templates.iter().enumerate() {
        let escape = if is_script(&words) {
            Escape::Shell
        } else {
            Escape::None
        };
        words.push(fill(
            &format!("{place}[{index}]"),
            template,
            lookup,
            escape,
        )?);
    }
    Ok(words)
}

fn is_script(before: &[String]) -> bool {
    let [program, .., flag] = before else {
        return false;
    };
    let program = Path::new(program)
        .file_name()
        .and_then(|name| name.to_str());
    matches!(
        program,
        Some("sh" | "bash" | "dash" | "ash" | "ksh" | "zsh")
    ) && flag.starts_with('-')
        && !flag.starts_with("--")
        && flag.ends_with('c')
}

/// An environment, and the names of those variables whose values are secret.
pub fn environment(
    place: &str,
    env: &BTreeMap<String, Text>,
    lookup: Lookup<'_>,
) -> Result<(BTreeMap<String, String>, Vec<String>), FillError> {
    let mut filled = BTreeMap::new();
    let mut secret = Vec::new();
    for (name, text) in env {
        let place = format!("{place}.{name}");
        let value = match text {
            Text::Template(template) => fill(&place, template, lookup, Escape::None)?,
            Text::Secret(reference) => {
                secret.push(name.clone());
                let resolved = reference.resolve();
                resolved
                    .map(|secret| secret.expose().to_owned())
                    .map_err(|source| FillError::Secret { place, source })?
            }
        };
        filled.insert(name.clone(), value);
    }
    Ok((filled, secret))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_cannot_become_a_command_of_a_shell_script() {
        let evil = |name: &str| (name == "x").then(|| Value::from("a; rm -rf /"));
        let script = ["/bin/sh", "-ec", "echo {{x}}", "{{x}}"];
        let script = script.map(|word| Template::parse(word).unwrap());
        let words = words("target.command", &script, &evil).unwrap();
        assert_eq!(words[2..], ["echo 'a; rm -rf /'", "a; rm -rf /"]);
    }
}
