//! A place in an object, with lists of named things (containers, variables, volumes) taken by name.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

/// One step into an object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// A key of a map.
    Key(String),
    /// The entry of a list whose `name` is this.
    Named(String),
}

/// A place in an object.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Place(Vec<Step>);

impl Place {
    /// The place below these keys.
    pub fn of<'a>(keys: impl IntoIterator<Item = &'a str>) -> Self {
        Self(
            keys.into_iter()
                .map(|key| Step::Key(key.to_owned()))
                .collect(),
        )
    }

    /// The place of a key below this one.
    #[must_use]
    pub fn key(&self, key: &str) -> Self {
        self.then(Step::Key(key.to_owned()))
    }

    /// The entry of that name in the list at this place.
    #[must_use]
    pub fn named(&self, name: &str) -> Self {
        self.then(Step::Named(name.to_owned()))
    }

    fn then(&self, step: Step) -> Self {
        let mut steps = self.0.clone();
        steps.push(step);
        Self(steps)
    }

    /// The steps that lead here.
    pub fn steps(&self) -> &[Step] {
        &self.0
    }

    /// What an object has here.
    pub fn get<'a>(&self, object: &'a Json) -> Option<&'a Json> {
        let mut at = object;
        for step in &self.0 {
            at = match step {
                Step::Key(key) => at.get(key)?,
                Step::Named(name) => at.as_array()?.iter().find(|entry| is_named(entry, name))?,
            };
        }
        Some(at)
    }

    /// Puts a value here, or nothing. What leads here is made where it is not there; a map, list or entry
    /// that is emptied by this is taken away, too.
    pub fn set(&self, object: &mut Json, value: Option<Json>) {
        set(object, &self.0, value);
    }
}

fn is_named(entry: &Json, name: &str) -> bool {
    entry.get("name").and_then(Json::as_str) == Some(name)
}

fn set(at: &mut Json, steps: &[Step], value: Option<Json>) {
    let Some((step, rest)) = steps.split_first() else {
        if let Some(value) = value {
            *at = value;
        }
        return;
    };
    match step {
        Step::Key(key) => set_key(at, key, rest, value),
        Step::Named(name) => set_named(at, name, rest, value),
    }
}

fn set_key(at: &mut Json, key: &str, rest: &[Step], value: Option<Json>) {
    if !at.is_object() {
        if value.is_none() {
            return;
        }
        *at = Json::Object(Map::new());
    }
    let Some(map) = at.as_object_mut() else {
        return;
    };
    if rest.is_empty() {
        match value {
            Some(value) => drop(map.insert(key.to_owned(), value)),
            None => drop(map.shift_remove(key)),
        }
        return;
    }
    if value.is_none() && !map.contains_key(key) {
        return;
    }
    let removes = value.is_none();
    let inner = map.entry(key.to_owned()).or_insert(Json::Null);
    let was_empty = is_empty(inner);
    set(inner, rest, value);
    if removes && !was_empty && is_empty(inner) {
        map.shift_remove(key);
    }
}

fn set_named(at: &mut Json, name: &str, rest: &[Step], value: Option<Json>) {
    if !at.is_array() {
        if value.is_none() {
            return;
        }
        *at = Json::Array(Vec::new());
    }
    let Some(list) = at.as_array_mut() else {
        return;
    };
    let found = list.iter().position(|entry| is_named(entry, name));
    match (found, rest.is_empty(), value) {
        (Some(index), true, None) => drop(list.remove(index)),
        (None, _, None) => {}
        (Some(index), _, value) => {
            let removes = value.is_none();
            if let Some(entry) = list.get_mut(index) {
                let was_bare = is_bare(entry);
                set(entry, rest, value);
                if removes && !was_bare && is_bare(entry) {
                    list.remove(index);
                }
            }
        }
        (None, _, value) => {
            let mut entry = serde_json::json!({ "name": name });
            set(&mut entry, rest, value);
            list.push(entry);
        }
    }
}

/// Whether an entry holds nothing but its name.
fn is_bare(entry: &Json) -> bool {
    entry.as_object().is_some_and(|map| map.len() == 1)
}

fn is_empty(value: &Json) -> bool {
    value.is_null()
        || value.as_object().is_some_and(Map::is_empty)
        || value.as_array().is_some_and(Vec::is_empty)
}

impl fmt::Display for Place {
    /// As people write it: `spec.template.spec.containers[app].env[WORKERS].value`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, step) in self.0.iter().enumerate() {
            match step {
                Step::Key(key) if key.contains(['.', '/']) => write!(f, "[{key:?}]")?,
                Step::Key(key) if index == 0 => f.write_str(key)?,
                Step::Key(key) => write!(f, ".{key}")?,
                Step::Named(name) => write!(f, "[{name}]")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn variable(name: &str) -> Place {
        Place::of(["spec", "containers"])
            .named("app")
            .key("env")
            .named(name)
    }

    #[test]
    fn a_variable_is_set_and_taken_away_without_a_trace() {
        let original = json!({"spec": {"containers": [{"name": "app", "image": "a"}]}});
        let mut object = original.clone();
        let place = variable("WORKERS");
        place.set(&mut object, Some(json!({"name": "WORKERS", "value": "4"})));
        assert_eq!(place.key("value").get(&object), Some(&json!("4")));
        place.key("value").set(&mut object, Some(json!("5")));
        assert_eq!(
            place.get(&object),
            Some(&json!({"name": "WORKERS", "value": "5"}))
        );
        place.set(&mut object, None);
        assert_eq!(object, original);
    }

    #[test]
    fn neighbours_and_their_order_stay() {
        let original = json!({"spec": {"containers": [
            {"name": "proxy"}, {"name": "app", "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]},
        ]}});
        let mut object = original.clone();
        let place = variable("A").key("value");
        place.set(&mut object, Some(json!("9")));
        place.set(&mut object, Some(json!("1")));
        assert_eq!(object, original);
        assert_eq!(place.to_string(), "spec.containers[app].env[A].value");
    }

    #[test]
    fn what_is_not_there_is_taken_away_without_making_its_parents() {
        let original = json!({"spec": {}});
        let mut object = original.clone();
        variable("A").set(&mut object, None);
        assert_eq!(object, original);
    }
}
