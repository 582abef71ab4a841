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

    /// Makes an object here as `model` is. What `model` has not, goes from the outermost part of it on: what the
    /// cluster added to a volume or a probe of its own accord cannot stand alone.
    pub fn copy(&self, object: &mut Json, model: &Json) {
        match self.missing_in(model) {
            Some(outermost) => outermost.set(object, None),
            None => self.set(object, self.get(model).cloned()),
        }
    }

    /// The outermost part on the way here that an object has not, lists and maps aside that others fill, too.
    pub fn missing_in(&self, object: &Json) -> Option<Self> {
        let ends = 1..=self.0.len();
        let mut prefixes = ends.filter_map(|end| Some(Self(self.0.get(..end)?.to_vec())));
        prefixes.find(|prefix| {
            let next = self.0.get(prefix.0.len());
            let is_list = matches!(next, Some(Step::Named(_)));
            let is_shared = next.is_some() && (is_list || prefix.is_shared());
            !is_shared && prefix.get(object).is_none()
        })
    }

    /// Whether this is `other` or lies below it.
    pub fn is_within(&self, other: &Self) -> bool {
        self.0.starts_with(&other.0)
    }

    /// Whether this is a map that anybody puts something into.
    fn is_shared(&self) -> bool {
        matches!(self.0.last(), Some(Step::Key(key)) if SHARED.contains(&key.as_str()))
    }

    /// The place of the same thing under its older name, which the cluster keeps equal.
    pub fn twin(&self) -> Option<Self> {
        let (last, above) = self.0.split_last()?;
        let is_account = matches!(last, Step::Key(key) if key == "serviceAccountName");
        is_account.then(|| Self(above.to_vec()).key("serviceAccount"))
    }
}

/// Maps of free names.
const SHARED: [&str; 8] = [
    "metadata",
    "annotations",
    "labels",
    "matchLabels",
    "nodeSelector",
    "limits",
    "requests",
    "data",
];

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

    #[test]
    fn what_was_added_goes_with_what_the_cluster_added_to_it() {
        let original =
            json!({"spec": {"containers": [{"name": "app", "image": "a"}], "restart": "Always"}});
        let volume = Place::of(["spec", "volumes"]).named("more");
        let probe = Place::of(["spec", "containers"]).named("app").key("probe");
        let mut object = json!({"spec": {
            "containers": [{"name": "app", "image": "a", "probe": {"get": {"path": "/", "scheme": "HTTP"}, "period": 10}}],
            "restart": "Always",
            "volumes": [{"name": "more", "configMap": {"name": "x", "defaultMode": 420}}, {"name": "theirs"}],
        }});
        let touched = [
            volume.key("configMap").key("name"),
            probe.key("get").key("path"),
        ];
        for place in &touched {
            place.copy(&mut object, &original);
        }
        // The whole list is new, and the entry of somebody else stands in it.
        assert_eq!(
            object,
            json!({"spec": {"containers": [{"name": "app", "image": "a"}], "restart": "Always", "volumes": [{"name": "theirs"}]}})
        );
        let mark = Place::of(["metadata", "annotations"]).key("ours");
        let mut object = json!({"metadata": {"annotations": {"ours": "1", "theirs": "2"}}});
        mark.copy(&mut object, &json!({"metadata": {}}));
        assert_eq!(
            object,
            json!({"metadata": {"annotations": {"theirs": "2"}}})
        );
    }

    #[test]
    fn an_account_is_known_by_two_names() {
        let place = Place::of(["spec", "serviceAccountName"]);
        assert_eq!(place.twin(), Some(Place::of(["spec", "serviceAccount"])));
        assert_eq!(Place::of(["spec", "replicas"]).twin(), None);
    }
}
