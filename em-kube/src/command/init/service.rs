//! The Service through which a workload is reached: found by its selector.

use serde_json::Value as Json;

use super::quoted;
use crate::change::template;

/// A Service that selects the pods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Guess {
    name: String,
    /// Of several ports the one that looks like HTTP.
    port: Option<String>,
    /// Others that select the pods, too.
    others: Vec<String>,
}

impl Guess {
    /// The line of the file.
    pub(super) fn line(&self) -> String {
        let others = if self.others.is_empty() {
            String::new()
        } else {
            format!(" (also: {})", self.others.join(", "))
        };
        let port = self.port.as_ref();
        let service =
            port.map_or_else(|| self.name.clone(), |port| format!("{}:{port}", self.name));
        format!(
            "  # The Service through which load reaches it{others}.\n  service: {}\n",
            quoted(&service)
        )
    }
}

/// The first Service, by name, whose selector matches the pods.
pub(super) fn of(workload: &Json, services: &[Json]) -> Option<Guess> {
    let labels = template().key("metadata").key("labels");
    let labels = labels.get(workload)?;
    let is_its = |service: &&Json| {
        let selector = service["spec"]["selector"].as_object();
        selector.is_some_and(|selector| {
            !selector.is_empty()
                && selector
                    .iter()
                    .all(|(key, value)| labels.get(key) == Some(value))
        })
    };
    let mut its: Vec<&Json> = services.iter().filter(is_its).collect();
    its.sort_by_key(|service| service["metadata"]["name"].as_str().unwrap_or_default());
    let (first, others) = its.split_first()?;
    let name = |service: &Json| service["metadata"]["name"].as_str().map(str::to_owned);
    Some(Guess {
        name: name(first)?,
        port: port(first),
        others: others.iter().filter_map(|service| name(service)).collect(),
    })
}

/// None where there is only one.
fn port(service: &Json) -> Option<String> {
    let ports = service["spec"]["ports"].as_array()?;
    if ports.len() < 2 {
        return None;
    }
    let is_http = |port: &&Json| {
        let name = port["name"].as_str().unwrap_or_default();
        name.starts_with("http") || matches!(port["port"].as_u64(), Some(80 | 8080))
    };
    let port = ports.iter().find(is_http).or_else(|| ports.first())?;
    let name = port["name"].as_str().map(str::to_owned);
    name.or_else(|| Some(port["port"].as_u64()?.to_string()))
}
