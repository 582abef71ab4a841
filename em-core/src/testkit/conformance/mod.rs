//! One suite per port: whatever implements the port passes it, fakes and adapters alike.
//!
//! A suite takes what makes a fresh scene (the thing under test and what it needs), calls it as
//! often as it likes, panics at the first rule that is broken and says which.
#![expect(
    clippy::unwrap_used,
    reason = "a suite is test code: it panics where a rule is broken"
)]

mod analyst;
mod clock;
mod datasource;
mod load_driver;
mod recommender;
mod store;
mod summarizer;
mod target;

use jiff::SignedDuration;
use tokio_util::sync::CancellationToken;

use crate::id::{Epoch, ExperimentName, IterationNo, OpKey, SlotId, TrialId};
use crate::port::{Clock as _, OpContext, SystemClock};

pub use analyst::analyst;
pub use clock::clock;
pub use datasource::{DatasourceScene, datasource};
pub use load_driver::{LoadScene, load_driver};
pub use recommender::{RecommenderScene, recommender};
pub use store::store;
pub use summarizer::summarizer;
pub use target::{TargetScene, target};

/// A context of an act of this owner, with a minute of time.
fn context(epoch: &Epoch, key: OpKey) -> OpContext {
    let deadline = SystemClock.now() + SignedDuration::from_secs(60);
    OpContext::new(key, epoch.clone(), deadline, CancellationToken::new())
}

fn experiment(name: &ExperimentName, seq: u64) -> OpKey {
    OpKey::Experiment {
        experiment: name.clone(),
        seq,
    }
}

fn hold(name: &ExperimentName, n: u32) -> OpKey {
    OpKey::Hold {
        experiment: name.clone(),
        slot: SlotId(0),
        n,
    }
}

fn iteration(name: &ExperimentName, number: u32) -> OpKey {
    OpKey::Iteration {
        experiment: name.clone(),
        trial: TrialId(1),
        iteration: IterationNo(number),
    }
}

/// An owner that a suite acts for where the scene names none.
fn an_epoch() -> Epoch {
    Epoch {
        store: "conformance".to_owned(),
        counter: 1,
    }
}
