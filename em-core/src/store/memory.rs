//! [`MemoryStore`], and how it dies and comes back.

use std::fmt::{self, Debug};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::crash::{Crash, Fate, Fuse};
use super::shelf::Shelf;
use crate::fault::{Fault, FaultKind};
use crate::id::{Digest, Epoch, ExperimentName};
use crate::port::{
    Claim, Clock, Entry, Request, Store, StreamFilter, StreamHead, StreamId, SystemClock,
};

/// A [`Store`] that lives as long as the process: same rules, nothing durable.
///
/// Clones share what is stored, as two processes share a folder. For crash tests a store can die
/// at an append ([`Self::failing_at`]): from then on every call fails, and [`Self::reopened`] is
/// what the next process finds.
///
/// ```
/// use em_core::port::{Store, StreamId};
/// use em_core::store::MemoryStore;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), em_core::fault::Fault> {
/// let store = MemoryStore::new();
/// let name = "checkout".parse().expect("a valid name");
/// let claim = store.claim(&name).await?;
/// store.append(&StreamId::Experiment(name), 0, &claim.epoch, &[]).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct MemoryStore {
    shelf: Arc<Mutex<Shelf>>,
    clock: Arc<dyn Clock>,
}

impl MemoryStore {
    /// An empty store. Requests are stamped by the system's clock.
    pub fn new() -> Self {
        Self::with_clock(Arc::new(SystemClock))
    }

    /// An empty store that stamps requests by `clock`.
    pub fn with_clock(clock: Arc<dyn Clock>) -> Self {
        Self {
            shelf: Arc::default(),
            clock,
        }
    }

    /// An empty store that dies at an append.
    pub fn failing_at(crash: Crash) -> Self {
        let store = Self::new();
        store.fail_at(crash);
        store
    }

    /// Dies at an append, counted from now on.
    pub fn fail_at(&self, crash: Crash) {
        self.lock().fuse = Fuse {
            crash: Some(crash),
            ..Fuse::default()
        };
    }

    /// Is short of room from now on, or has enough again.
    pub fn run_short(&self, why: Option<&str>) {
        self.lock().shortage = why.map(str::to_owned);
    }

    /// Whether the store has died.
    pub fn is_dead(&self) -> bool {
        self.lock().fuse.is_dead
    }

    /// How many appends there were since it was made, reopened or told when to die.
    pub fn appends(&self) -> u64 {
        self.lock().fuse.appends
    }

    /// What the next process finds: all that is stored, and nobody who owns it. Whoever still
    /// holds the old store does not change the new one.
    #[must_use]
    pub fn reopened(&self) -> Self {
        let shelf = self.lock().reopened();
        Self {
            shelf: Arc::new(Mutex::new(shelf)),
            clock: Arc::clone(&self.clock),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Shelf> {
        lock(&self.shelf)
    }

    /// The shelf, while the store is not dead.
    fn living(&self) -> Result<MutexGuard<'_, Shelf>, Fault> {
        let shelf = self.lock();
        if shelf.fuse.is_dead {
            Err(dead())
        } else {
            Ok(shelf)
        }
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore")
            .field("fuse", &self.lock().fuse)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn claim(&self, experiment: &ExperimentName) -> Result<Claim, Fault> {
        let epoch = self.living()?.claim(experiment)?;
        let guard = Guard {
            shelf: Arc::clone(&self.shelf),
            experiment: experiment.clone(),
            epoch: epoch.clone(),
        };
        Ok(Claim {
            epoch,
            guard: Box::new(guard),
        })
    }

    async fn append(
        &self,
        stream: &StreamId,
        seq: u64,
        epoch: &Epoch,
        entries: &[Entry],
    ) -> Result<(), Fault> {
        let mut shelf = self.living()?;
        let fate = shelf.fuse.burn();
        if fate != Fate::Lost {
            shelf.append(stream, seq, epoch, entries)?;
        }
        if fate == Fate::Written {
            Ok(())
        } else {
            Err(dead())
        }
    }

    async fn read(&self, stream: &StreamId) -> Result<Vec<Entry>, Fault> {
        Ok(self.living()?.read(stream))
    }

    async fn read_all(
        &self,
        experiment: &ExperimentName,
    ) -> Result<Vec<(StreamId, Vec<Entry>)>, Fault> {
        Ok(self.living()?.read_all(experiment))
    }

    async fn list(&self, filter: &StreamFilter) -> Result<Vec<StreamHead>, Fault> {
        Ok(self.living()?.list(filter))
    }

    async fn put(&self, bytes: &[u8]) -> Result<Digest, Fault> {
        Ok(self.living()?.put(bytes))
    }

    async fn get(&self, digest: &Digest) -> Result<Vec<u8>, Fault> {
        self.living()?.get(digest)
    }

    async fn shortage(&self) -> Option<String> {
        self.lock().shortage.clone()
    }

    async fn submit(&self, experiment: &ExperimentName, body: &str) -> Result<u64, Fault> {
        let at = self.clock.now();
        Ok(self.living()?.submit(experiment, at, body))
    }

    async fn requests(
        &self,
        experiment: &ExperimentName,
        after: u64,
    ) -> Result<Vec<Request>, Fault> {
        Ok(self.living()?.requests(experiment, after))
    }
}

/// Lets go of the experiment when dropped.
struct Guard {
    shelf: Arc<Mutex<Shelf>>,
    experiment: ExperimentName,
    epoch: Epoch,
}

impl Drop for Guard {
    fn drop(&mut self) {
        lock(&self.shelf).release(&self.experiment, &self.epoch);
    }
}

/// A panic elsewhere leaves the shelf as it is: each change is one step.
fn lock(shelf: &Mutex<Shelf>) -> MutexGuard<'_, Shelf> {
    shelf.lock().unwrap_or_else(PoisonError::into_inner)
}

fn dead() -> Fault {
    Fault::new(
        FaultKind::Unavailable,
        "the store in memory has died, as it was told to",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::conformance;

    #[tokio::test(flavor = "multi_thread")]
    async fn the_store_in_memory_keeps_the_rules_of_its_port() {
        conformance::store(|| {
            let store = MemoryStore::new();
            move || {
                let store = store.clone();
                async move { Arc::new(store) as Arc<dyn Store> }
            }
        })
        .await;
    }

    #[tokio::test]
    async fn an_append_that_is_lost_was_never_written() {
        let store = two_appends(Crash::Lost(2)).await;
        assert_eq!(
            store.reopened().read(&stream()).await.unwrap(),
            [entry("1")]
        );
    }

    #[tokio::test]
    async fn an_append_whose_answer_is_lost_was_written() {
        let store = two_appends(Crash::Unanswered(2)).await;
        assert_eq!(
            store.reopened().read(&stream()).await.unwrap(),
            [entry("1"), entry("2")]
        );
    }

    #[tokio::test]
    async fn a_dead_store_refuses_everything_and_its_successor_is_free() {
        let store = two_appends(Crash::Lost(2)).await;
        assert_eq!(
            store.read(&stream()).await.unwrap_err().kind,
            FaultKind::Unavailable
        );
        assert_eq!(
            store.put(b"x").await.unwrap_err().kind,
            FaultKind::Unavailable
        );
        let claim = store.reopened().claim(stream().experiment()).await.unwrap();
        assert_eq!(claim.epoch.counter, 2);
    }

    #[tokio::test]
    async fn who_outlives_its_store_does_not_change_the_next_one() {
        let store = MemoryStore::new();
        let old = store.claim(stream().experiment()).await.unwrap();
        let next = store.reopened();
        let new = next.claim(stream().experiment()).await.unwrap();
        drop(old);
        next.append(&stream(), 0, &new.epoch, &[entry("1")])
            .await
            .unwrap();
        assert!(store.read(&stream()).await.unwrap().is_empty());
    }

    /// A store in which the first append succeeded and the second met `crash`.
    async fn two_appends(crash: Crash) -> MemoryStore {
        let store = MemoryStore::failing_at(crash);
        let claim = store.claim(stream().experiment()).await.unwrap();
        store
            .append(&stream(), 0, &claim.epoch, &[entry("1")])
            .await
            .unwrap();
        let fault = store
            .append(&stream(), 1, &claim.epoch, &[entry("2")])
            .await
            .unwrap_err();
        assert_eq!(fault.kind, FaultKind::Unavailable);
        assert!(store.is_dead());
        store
    }

    fn stream() -> StreamId {
        StreamId::Experiment("a".parse().unwrap())
    }

    fn entry(body: &str) -> Entry {
        Entry {
            at: jiff::Timestamp::UNIX_EPOCH,
            body: body.to_owned(),
        }
    }
}
