//! Secrets by reference. A secret's text never enters a plan; it is resolved at each use.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::fault::{Fault, FaultKind};
use crate::template::Template;

/// Where a secret lies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretRef {
    /// In this environment variable of the manager.
    FromEnv(String),
    /// In this file, read anew at each use; a final line break is cut off.
    FromFile(PathBuf),
}

impl SecretRef {
    /// Reads the secret.
    pub fn resolve(&self) -> Result<Secret, Fault> {
        match self {
            Self::FromEnv(name) => std::env::var(name).map(Secret).map_err(|source| {
                Fault::new(
                    FaultKind::NotFound,
                    format!("failed to read the secret from environment variable {name}: set it"),
                )
                .caused_by(source)
            }),
            Self::FromFile(path) => std::fs::read_to_string(path)
                .map(|text| Secret(text.trim_end_matches(['\r', '\n']).to_owned()))
                .map_err(|source| {
                    let message = format!("failed to read the secret from file {}", path.display());
                    Fault::new(FaultKind::NotFound, message).caused_by(source)
                }),
        }
    }
}

/// The text of a secret, never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// A secret of that text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the one place that sends it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// A text of the file that may be a template or a secret: an environment value, a header, a body.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Text {
    /// Text with placeholders.
    Template(Template),
    /// A reference.
    Secret(SecretRef),
}
