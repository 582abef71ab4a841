//! Names and numbers that identify things: experiments, trials, iterations, blocks, slots, owners.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// A name that does not follow the rule of its kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} is not {kind}: {rule}")]
pub struct NameError {
    /// The text that was given.
    pub name: String,
    /// What it should have been, with its article.
    pub kind: &'static str,
    /// The rule it breaks.
    pub rule: &'static str,
}

macro_rules! name_type {
    ($(#[$doc:meta])* $type:ident, $kind:literal, $rule:literal, $accepts:path) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
        )]
        #[serde(try_from = "String", into = "String")]
        #[schemars(with = "String", description = $rule)]
        pub struct $type(String);

        impl $type {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $type {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                if $accepts(text) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(NameError { name: text.to_owned(), kind: $kind, rule: $rule })
                }
            }
        }

        impl TryFrom<String> for $type {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, NameError> {
                text.parse()
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> Self {
                name.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name_type!(
    /// Name of an experiment; `#2` after it counts repetitions of the same file.
    ExperimentName,
    "an experiment name",
    "1 to 63 letters, digits, '-', '_' or '.', starting with a letter or digit; '#N' may follow",
    is_experiment_name
);
name_type!(
    /// Name of a tunable. Dots and dashes are allowed; expressions then quote it.
    TunableName,
    "a tunable name",
    "1 to 100 printable characters without spaces, quotes, braces or '|'",
    is_tunable_name
);
name_type!(
    /// Name of a metric that the file defines, or one of the `load.NAME` metrics.
    MetricName,
    "a metric name",
    "a lower-case letter, then lower-case letters, digits or '_'; 'load.' may stand before it",
    is_metric_name
);

impl MetricName {
    /// What a load driver calls the time from when a request was due to its answer.
    pub fn response_time() -> Self {
        Self("response_time".to_owned())
    }
}
name_type!(
    /// Name of a datasource in the file.
    DatasourceName,
    "a datasource name",
    "1 to 63 letters, digits, '-', '_' or '.', starting with a letter or digit",
    is_plain_name
);

fn is_plain_name(text: &str) -> bool {
    let mut chars = text.chars();
    text.len() <= 63
        && chars.next().is_some_and(|c| c.is_ascii_alphanumeric())
        && chars.all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
}

fn is_experiment_name(text: &str) -> bool {
    match text.split_once('#') {
        None => is_plain_name(text),
        Some((name, count)) => is_plain_name(name) && count.parse::<u32>().is_ok_and(|n| n > 1),
    }
}

fn is_tunable_name(text: &str) -> bool {
    (1..=100).contains(&text.len())
        && text.chars().all(|c| !c.is_control() && !c.is_whitespace())
        && !text.contains(['"', '\'', '{', '}', '|'])
}

fn is_metric_name(text: &str) -> bool {
    let mut chars = text.strip_prefix("load.").unwrap_or(text).chars();
    text.len() <= 100
        && chars.next().is_some_and(|c| c.is_ascii_lowercase())
        && chars.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

macro_rules! number_type {
    ($(#[$doc:meta])* $type:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
        )]
        #[serde(transparent)]
        pub struct $type(pub u32);

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0)
            }
        }
    };
}

number_type!(
    /// A trial, numbered in the order in which it joined. The baseline, where there is one, is 0.
    TrialId,
    "t"
);
number_type!(
    /// The n-th deployment of a trial, from 1. Iteration 0 of the baseline is the calibration.
    IterationNo,
    "i"
);
number_type!(
    /// A block, numbered in the order in which it was drawn.
    BlockNo,
    "b"
);
number_type!(
    /// A place where one iteration can run.
    SlotId,
    "s"
);
number_type!(
    /// A cycle of an iteration: 0 is the first that counts.
    CycleNo,
    "c"
);

impl TrialId {
    /// The trial against which all others are compared.
    pub const BASELINE: Self = Self(0);
}

/// Whose act something is: the store's random id and how often the experiment was claimed in it.
///
/// Everything changed outside carries it, so that a restarted owner knows its own from others'.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Epoch {
    /// Random id of the store, 16 hexadecimal digits.
    pub store: String,
    /// How often the experiment was claimed; grows by one with each owner.
    pub counter: u64,
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.store, self.counter)
    }
}

impl FromStr for Epoch {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let parts = text.split_once('.').and_then(|(store, counter)| {
            Some(Self {
                store: store.to_owned(),
                counter: counter.parse().ok()?,
            })
        });
        parts
            .filter(|epoch| !epoch.store.is_empty())
            .ok_or_else(|| NameError {
                name: text.to_owned(),
                kind: "an epoch",
                rule: "STORE.COUNTER",
            })
    }
}

/// SHA-256 of something, printed as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The first twelve digits: enough for people, too few for keys.
    pub fn short(&self) -> String {
        hex::encode(&self.0[..6])
    }
}

impl From<[u8; 32]> for Digest {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({})", self.short())
    }
}

impl FromStr for Digest {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| NameError {
            name: text.to_owned(),
            kind: "a digest",
            rule: "64 hexadecimal digits",
        })?;
        Ok(Self(bytes))
    }
}

impl TryFrom<String> for Digest {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

/// Names one act on the outside. The same key twice is one act in effect.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OpKey {
    /// An act for the experiment as a whole: a survey, a calibration, an ask of the recommender.
    Experiment {
        /// The experiment.
        experiment: ExperimentName,
        /// Sequence number of the event that the act will become.
        seq: u64,
    },
    /// An act on a held slot.
    Hold {
        /// The experiment.
        experiment: ExperimentName,
        /// The slot that is held.
        slot: SlotId,
        /// The n-th hold of this slot, from 1.
        n: u32,
    },
    /// An act of one iteration.
    Iteration {
        /// The experiment.
        experiment: ExperimentName,
        /// The trial.
        trial: TrialId,
        /// Its n-th deployment.
        iteration: IterationNo,
    },
}

impl OpKey {
    /// The experiment that acts.
    pub fn experiment(&self) -> &ExperimentName {
        match self {
            Self::Experiment { experiment, .. }
            | Self::Hold { experiment, .. }
            | Self::Iteration { experiment, .. } => experiment,
        }
    }
}

impl fmt::Display for OpKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Experiment { experiment, seq } => write!(f, "{experiment}/{seq}"),
            Self::Hold {
                experiment,
                slot,
                n,
            } => write!(f, "{experiment}/hold/{slot}/{n}"),
            Self::Iteration {
                experiment,
                trial,
                iteration,
            } => {
                write!(f, "{experiment}/{trial}/{iteration}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_the_rule_they_break() {
        let error = "Has Space".parse::<ExperimentName>().unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("\"Has Space\" is not an experiment name: 1 to 63")
        );
        assert!("checkout-latency#2".parse::<ExperimentName>().is_ok());
        assert!("checkout#1".parse::<ExperimentName>().is_err());
        assert!("load.response_time".parse::<MetricName>().is_ok());
        assert!("Load".parse::<MetricName>().is_err());
        assert!("innodb.pool-size".parse::<TunableName>().is_ok());
        assert!("a{b".parse::<TunableName>().is_err());
    }

    #[test]
    fn digests_and_epochs_survive_their_text() {
        let digest = Digest::of(b"abc");
        assert!(
            digest
                .to_string()
                .starts_with("ba7816bf8f01cfea414140de5dae2223")
        );
        assert_eq!(digest.to_string().parse::<Digest>(), Ok(digest));
        let epoch = Epoch {
            store: "00ff".into(),
            counter: 7,
        };
        assert_eq!(epoch.to_string().parse::<Epoch>(), Ok(epoch));
        assert!("nothing".parse::<Epoch>().is_err());
    }
}
