//! Filling placeholders in: commands, environments and texts of local targets, loads and datasources.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use em_core::fault::Fault;
use em_core::id::TunableName;
use em_core::plan::Text;
use em_core::template::{Escape, Template, TemplateError};
use em_core::value::Value;

/// Values of an iteration, derived ones included.
pub type Values = BTreeMap<TunableName, Value>;

/// What placeholders of the machine stand for in one iteration.
#[derive(Debug, Clone, Default)]
pub struct Places {
    /// `{{em}}`.
    pub executable: PathBuf,
    /// `{{port}}` (under the empty name) and `{{ports.NAME}}`.
    pub ports: BTreeMap<String, u16>,
    /// `{{address}}` where the target has no port of ours.
    pub address: Option<String>,
    /// Paths of the rendered files, by their name in the plan.
    pub files: BTreeMap<String, PathBuf>,
    /// Number of the trial.
    pub trial: u32,
    /// Number of the iteration.
    pub iteration: u32,
    /// What relative paths start from.
    pub base: PathBuf,
}

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

/// What a placeholder stands for.
pub fn lookup(places: &Places, values: &Values, name: &str) -> Option<Value> {
    let port = |name: &str| places.ports.get(name).copied();
    let path = |path: &Path| Value::from(path.to_string_lossy().into_owned());
    match name {
        "em" => Some(path(&places.executable)),
        "port" => port("").map(|port| Value::Integer(port.into())),
        "address" => {
            let own = port("").map(|port| format!("127.0.0.1:{port}"));
            own.or_else(|| places.address.clone()).map(Value::from)
        }
        "trial" => Some(Value::Integer(places.trial.into())),
        "iteration" => Some(Value::Integer(places.iteration.into())),
        _ => match (name.strip_prefix("ports."), places.files.get(name)) {
            (Some(named), _) => port(named).map(|port| Value::Integer(port.into())),
            (None, Some(file)) => Some(path(file)),
            (None, None) => values.get(&name.parse::<TunableName>().ok()?).cloned(),
        },
    }
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
    lookup: &dyn Fn(&str) -> Option<Value>,
    escape: Escape,
) -> Result<String, FillError> {
    let failed = |source| FillError::Template {
        place: place.to_owned(),
        source,
    };
    template.render(lookup, escape).map_err(failed)
}

/// Program and arguments; a program named by a relative path lies below `base`, wherever it runs.
///
/// The script of a shell (`sh -c SCRIPT`) is a language of its own, in which a value must not become a
/// command.
pub fn command(
    place: &str,
    templates: &[Template],
    base: &Path,
    lookup: &dyn Fn(&str) -> Option<Value>,
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
    if let Some(program) = words.first_mut().filter(|program| program.contains('/')) {
        *program = base.join(&*program).to_string_lossy().into_owned();
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
    lookup: &dyn Fn(&str) -> Option<Value>,
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

    fn templates(words: &[&str]) -> Vec<Template> {
        words
            .iter()
            .map(|word| Template::parse(word).unwrap())
            .collect()
    }

    #[test]
    fn a_value_cannot_become_a_command_of_a_shell_script() {
        let evil = |name: &str| (name == "x").then(|| Value::from("a; rm -rf /"));
        let base = Path::new("/base");
        let script = templates(&["/bin/sh", "-ec", "echo {{x}}", "{{x}}"]);
        let words = command("target.command", &script, base, &evil).unwrap();
        assert_eq!(words[2..], ["echo 'a; rm -rf /'", "a; rm -rf /"]);
    }

    #[test]
    fn a_relative_program_lies_beside_the_file() {
        let none = |_: &str| None;
        let words = command(
            "c",
            &templates(&["./srv", "./x"]),
            Path::new("/base"),
            &none,
        )
        .unwrap();
        assert_eq!(words, ["/base/./srv", "./x"]);
        let words = command("c", &templates(&["srv"]), Path::new("/base"), &none).unwrap();
        assert_eq!(words, ["srv"]);
    }

    #[test]
    fn ports_files_and_tunables_have_their_names() {
        let places = Places {
            ports: BTreeMap::from([(String::new(), 1), ("admin".to_owned(), 2)]),
            files: BTreeMap::from([("conf".to_owned(), PathBuf::from("/w/nginx.conf"))]),
            ..Places::default()
        };
        let values = Values::from([("workers".parse().unwrap(), Value::Integer(8))]);
        for (name, expected) in [
            ("port", Some("1")),
            ("ports.admin", Some("2")),
            ("ports.other", None),
            ("address", Some("127.0.0.1:1")),
            ("conf", Some("/w/nginx.conf")),
            ("workers", Some("8")),
            ("nothing", None),
        ] {
            let found = lookup(&places, &values, name).map(|value| value.to_string());
            assert_eq!(found.as_deref(), expected, "{name}");
        }
    }
}
