//! Who proposes trials, and how they are sifted.

use serde::{Deserialize, Serialize};

use crate::configuration::Configuration;

/// A trial that the file lists.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ListedTrial {
    /// Its name in the file.
    pub label: String,
    /// Its values; what is left out is the baseline's.
    pub configuration: Configuration,
}

/// How configurations are searched.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Search {
    /// Who proposes.
    pub suggester: Suggester,
    /// Trials of one round.
    pub parallel: u32,
    /// Screening blocks of a round.
    pub blocks: u32,
    /// The best that are measured again, in fresh blocks.
    pub verify: u32,
    /// Whether a person has to agree to each trial.
    #[serde(default)]
    pub approval: bool,
}

/// Who proposes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Suggester {
    /// The search of this house.
    BuiltIn {
        /// Its method.
        method: SearchMethod,
        /// Its seed.
        seed: u64,
    },
    /// A recommender that the embedding program registered under this name.
    Custom {
        /// The name.
        name: String,
    },
}

/// Methods of the built-in search.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SearchMethod {
    /// Gaussian process with expected improvement.
    Gp,
    /// Latin hypercube.
    LatinHypercube,
    /// Every combination of the tunables' steps.
    Grid,
    /// Independent draws.
    Random,
}
