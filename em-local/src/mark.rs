//! The mark that everything started here carries, so that it can be found and told apart later.
//!
//! It is the environment variable [`VARIABLE`] of every process, and the tail of the names of cgroups
//! and work folders: `STORE.COUNTER.KEY`. The store's id is random, so somebody else's never matches;
//! the key names the act, so the engine knows whether it is still open.

use std::fmt;
use std::str::FromStr;

use em_core::id::{Epoch, ExperimentName, IterationNo, OpKey, SlotId, TrialId};

/// Environment variable that holds the mark.
pub const VARIABLE: &str = "EM_MARK";
/// What names of cgroups and work folders start with.
pub const PREFIX: &str = "em-";

/// Who started something, and for which act.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Mark {
    /// The owner.
    pub epoch: Epoch,
    /// The act.
    pub key: OpKey,
}

/// A text that is not a mark of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a mark (STORE.COUNTER.KEY)")]
pub struct NotAMark(String);

impl Mark {
    /// Makes a mark.
    pub fn new(epoch: Epoch, key: OpKey) -> Self {
        Self { epoch, key }
    }

    /// The name of a cgroup or work folder that belongs to this act.
    pub fn folder_name(&self) -> String {
        format!("{PREFIX}{self}")
    }

    /// Reads the name of a cgroup or work folder back.
    pub fn from_folder_name(name: &str) -> Option<Self> {
        name.strip_prefix(PREFIX)?.parse().ok()
    }
}

/// Keys are written with commas, which no name of an experiment holds and every file name may.
impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.", self.epoch)?;
        match &self.key {
            OpKey::Experiment { experiment, seq } => write!(f, "{experiment},{seq}"),
            OpKey::Hold {
                experiment,
                slot,
                n,
            } => write!(f, "{experiment},{slot},h{n}"),
            OpKey::Iteration {
                experiment,
                trial,
                iteration,
            } => {
                write!(f, "{experiment},{trial},{iteration}")
            }
        }
    }
}

impl FromStr for Mark {
    type Err = NotAMark;

    fn from_str(text: &str) -> Result<Self, NotAMark> {
        read(text)
            .filter(|mark| mark.to_string() == text)
            .ok_or_else(|| NotAMark(text.to_owned()))
    }
}

fn read(text: &str) -> Option<Mark> {
    let mut parts = text.splitn(3, '.');
    let epoch = Epoch {
        store: parts.next()?.to_owned(),
        counter: parts.next()?.parse().ok()?,
    };
    let mut key = parts.next()?.split(',');
    let experiment: ExperimentName = key.next()?.parse().ok()?;
    let key = match (key.next()?, key.next(), key.next()) {
        (seq, None, None) => OpKey::Experiment {
            experiment,
            seq: seq.parse().ok()?,
        },
        (first, Some(second), None) => match (number(first, 's'), number(second, 'h')) {
            (Some(slot), Some(n)) => OpKey::Hold {
                experiment,
                slot: SlotId(slot),
                n,
            },
            _ => OpKey::Iteration {
                experiment,
                trial: TrialId(number(first, 't')?),
                iteration: IterationNo(number(second, 'i')?),
            },
        },
        _ => return None,
    };
    (!epoch.store.is_empty()).then_some(Mark { epoch, key })
}

fn number(text: &str, prefix: char) -> Option<u32> {
    text.strip_prefix(prefix)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_of_every_key_survive_their_text_and_their_folder_name() {
        let experiment: ExperimentName = "my.demo-1#2".parse().unwrap();
        let (slot, trial, iteration) = (SlotId(1), TrialId(3), IterationNo(2));
        for (key, text) in [
            (
                OpKey::Experiment {
                    experiment: experiment.clone(),
                    seq: 9,
                },
                "00ff.7.my.demo-1#2,9",
            ),
            (
                OpKey::Hold {
                    experiment: experiment.clone(),
                    slot,
                    n: 4,
                },
                "00ff.7.my.demo-1#2,s1,h4",
            ),
            (
                OpKey::Iteration {
                    experiment,
                    trial,
                    iteration,
                },
                "00ff.7.my.demo-1#2,t3,i2",
            ),
        ] {
            let mark = Mark::new(
                Epoch {
                    store: "00ff".to_owned(),
                    counter: 7,
                },
                key,
            );
            assert_eq!(mark.to_string(), text);
            assert_eq!(text.parse(), Ok(mark.clone()));
            assert_eq!(Mark::from_folder_name(&mark.folder_name()), Some(mark));
        }
    }

    #[test]
    fn other_names_are_not_taken_for_ours() {
        for text in [
            "",
            "a.b.c,1",
            "a.1.",
            ".1.c,1",
            "a.01.c,1",
            "a.1.c/d,1",
            "a.1.c,t1",
            "a.1.c,t1,h1",
        ] {
            assert!(text.parse::<Mark>().is_err(), "{text}");
        }
        assert_eq!(Mark::from_folder_name("emacs"), None);
    }
}
