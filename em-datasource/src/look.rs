//! Looks at documents without history: metrics that are asked together share one.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use em_core::fault::Fault;
use em_core::id::OpKey;
use em_core::port::{Clock, OpContext};
use jiff::Timestamp;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// The last look at a document.
#[derive(Debug)]
pub(crate) struct Looks<T> {
    every: Duration,
    last: Mutex<Option<Kept<T>>>,
}

/// What was seen, and when.
#[derive(Debug)]
pub(crate) struct Look<T> {
    pub(crate) at: Timestamp,
    pub(crate) seen: Arc<T>,
}

#[derive(Debug)]
struct Kept<T> {
    key: OpKey,
    place: String,
    began: Instant,
    at: Timestamp,
    seen: Arc<T>,
    /// Queries it was used for: whoever asks the same again wants a new look.
    used: BTreeSet<String>,
}

impl<T> Looks<T> {
    /// Two looks are `every` apart.
    pub(crate) fn new(every: Duration) -> Self {
        let last = Mutex::new(None);
        Self { every, last }
    }

    pub(crate) fn every(&self) -> Duration {
        self.every
    }

    /// What `see` sees at `place`, shared by all that ask within half a period.
    pub(crate) async fn share(
        &self,
        cx: &OpContext,
        clock: &dyn Clock,
        place: &str,
        query: &str,
        see: impl Future<Output = Result<T, Fault>>,
    ) -> Result<Look<T>, Fault> {
        let mut last = self.last.lock().await;
        if let Some(kept) = &mut *last
            && kept.key == cx.key
            && kept.place == place
            && kept.began.elapsed() < self.every / 2
            && kept.used.insert(query.to_owned())
        {
            return Ok(kept.look());
        }
        let (began, at) = (Instant::now(), clock.now());
        let seen = Arc::new(see.await?);
        let kept = Kept {
            key: cx.key.clone(),
            place: place.to_owned(),
            began,
            at,
            seen,
            used: BTreeSet::from([query.to_owned()]),
        };
        Ok(last.insert(kept).look())
    }
}

impl<T> Kept<T> {
    fn look(&self) -> Look<T> {
        Look {
            at: self.at,
            seen: Arc::clone(&self.seen),
        }
    }
}
