//! Who holds something.

use std::fmt;

use em_core::id::{Epoch, OpKey};
use em_core::port::OpContext;
use serde_json::{Value as Json, json};

use crate::mark;

/// Who holds something: the act and on whose behalf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// The hold.
    pub key: OpKey,
    /// The store and how often the experiment was claimed in it.
    pub epoch: Epoch,
}

impl Owner {
    /// Who acts under this context.
    pub fn of(cx: &OpContext) -> Self {
        Self {
            key: cx.key.clone(),
            epoch: cx.epoch.clone(),
        }
    }

    /// The owner whose marks an object carries.
    pub fn in_marks(object: &Json) -> Option<Self> {
        let annotations = object.get("metadata")?.get("annotations")?;
        let text = |name: &str| annotations.get(name)?.as_str();
        Some(Self {
            key: mark::read_key(text(mark::KEY)?)?,
            epoch: text(mark::EPOCH)?.parse().ok()?,
        })
    }

    /// As one text, which [`Owner::read`] reads.
    pub fn text(&self) -> String {
        format!("{} {}", self.epoch, mark::key(&self.key))
    }

    /// The owner that such a text names.
    pub fn read(text: &str) -> Option<Self> {
        let (epoch, key) = text.split_once(' ')?;
        Some(Self {
            key: mark::read_key(key)?,
            epoch: epoch.parse().ok()?,
        })
    }

    /// Whether both are one hold of one store, whoever acts for it now.
    pub fn is_same_hold(&self, other: &Self) -> bool {
        self.key == other.key && self.epoch.store == other.epoch.store
    }

    /// Labels by which everything of this owner is found.
    pub fn labels(&self) -> Json {
        json!({
            mark::EXPERIMENT: mark::label(self.key.experiment().as_str()),
            mark::STORE: mark::label(&self.epoch.store),
        })
    }

    /// Annotations that say exactly whose something is.
    pub fn annotations(&self) -> Json {
        json!({
            mark::KEY: mark::key(&self.key),
            mark::EPOCH: self.epoch.to_string(),
        })
    }

    /// The selector of the labels.
    pub fn selector(&self) -> String {
        format!(
            "{}={},{}={}",
            mark::EXPERIMENT,
            mark::label(self.key.experiment().as_str()),
            mark::STORE,
            mark::label(&self.epoch.store)
        )
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "experiment {} of store {}",
            self.key.experiment(),
            self.epoch.store
        )
    }
}
