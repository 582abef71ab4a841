//! References of a workload to objects that were copied with it.

use std::collections::BTreeMap;

use serde_json::Value as Json;

/// Where a pod names a `ConfigMap`.
const KEYS: [&str; 3] = ["configMap", "configMapRef", "configMapKeyRef"];

/// Lets the workload use the copies.
pub(super) fn rename(workload: &mut Json, renamed: &BTreeMap<String, String>) {
    match workload {
        Json::Object(map) => {
            for (key, inner) in map.iter_mut() {
                if KEYS.contains(&key.as_str())
                    && let Some(name) = inner.get_mut("name")
                    && let Some(new) = name.as_str().and_then(|name| renamed.get(name))
                {
                    *name = Json::String(new.clone());
                }
                rename(inner, renamed);
            }
        }
        Json::Array(entries) => {
            for entry in entries {
                rename(entry, renamed);
            }
        }
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
    }
}
