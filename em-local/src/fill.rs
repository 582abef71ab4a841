//! Filling placeholders in: commands, environments and texts of local targets, loads and datasources.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use em_core::id::TunableName;
use em_core::template::Template;
use em_core::value::Value;

pub use em_core::fill::{FillError, Lookup, environment, fill, seconds, words};

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

/// Program and arguments; a program named by a relative path lies below `base`, wherever it runs.
pub fn command(
    place: &str,
    templates: &[Template],
    base: &Path,
    lookup: Lookup<'_>,
) -> Result<Vec<String>, FillError> {
    let mut words = words(place, templates, lookup)?;
    if let Some(program) = words.first_mut().filter(|program| program.contains('/')) {
        *program = base.join(&*program).to_string_lossy().into_owned();
    }
    Ok(words)
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
