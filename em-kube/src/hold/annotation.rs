//! What a held object says of itself.

use em_core::id::Epoch;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::Owner;
use crate::mark;
use crate::place::Place;

/// What a held object says of itself: for us, and for whoever finds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Annotation {
    /// The experiment.
    pub experiment: String,
    /// The act, as the engine names it.
    pub key: String,
    /// Who acts.
    pub epoch: String,
    /// The Secret with the undo.
    pub undo: String,
    /// The Lease.
    pub lease: String,
    /// What to do when nobody is left to put it back.
    pub by_hand: String,
}

impl Annotation {
    /// What the objects of a hold say.
    pub fn new(owner: &Owner, undo: &str, lease: &str, workload: &str) -> Self {
        Self {
            experiment: owner.key.experiment().to_string(),
            key: mark::key(&owner.key),
            epoch: owner.epoch.to_string(),
            undo: undo.to_owned(),
            lease: lease.to_owned(),
            by_hand: format!(
                "an experiment changes this object and puts it back at its end; if nobody is left to do so: em kube restore {workload}"
            ),
        }
    }

    /// Where it is in an object.
    pub fn place() -> Place {
        Place::of(["metadata", "annotations"]).key(mark::HOLD)
    }

    /// What an object says. None: nobody holds it.
    pub fn of(object: &Json) -> Option<Self> {
        let text = Self::place().get(object)?.as_str()?;
        serde_json::from_str(text).ok()
    }

    /// Whether an object is held, whatever it says.
    pub fn is_on(object: &Json) -> bool {
        Self::place().get(object).is_some()
    }

    /// Whose hold it is.
    pub fn owner(&self) -> Option<Owner> {
        Some(Owner {
            key: mark::read_key(&self.key)?,
            epoch: self.epoch.parse::<Epoch>().ok()?,
        })
    }

    /// The object, saying this.
    pub fn onto(&self, object: &mut Json) {
        let text = serde_json::to_string(self).unwrap_or_default();
        Self::place().set(object, Some(json!(text)));
    }

    /// The object, saying nothing any more.
    pub fn off(object: &mut Json) {
        Self::place().set(object, None);
        let applied = Place::of(["metadata", "annotations"]).key(mark::APPLIED);
        applied.set(object, None);
    }
}
