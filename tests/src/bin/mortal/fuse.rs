//! A store in which one append is the manager's last.

use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use em_core::fault::Fault;
use em_core::id::{Digest, Epoch, ExperimentName};
use em_core::port::{Claim, Entry, Request, Store, StreamFilter, StreamHead, StreamId};
use em_store::SqliteStore;

/// Whether the last append is still written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    /// It is lost.
    Before,
    /// It is written, and nobody hears of it.
    After,
}

/// The store of `em`, and the append at which this process ends as `kill -9` ends it.
#[derive(Debug)]
pub(crate) struct Fuse {
    store: SqliteStore,
    dies: Option<(u64, When)>,
    appends: AtomicU64,
}

impl Fuse {
    pub(crate) fn new(store: SqliteStore, dies: Option<(u64, When)>) -> Self {
        Self {
            store,
            dies,
            appends: AtomicU64::new(0),
        }
    }

    /// Appends so far.
    pub(crate) fn appends(&self) -> u64 {
        self.appends.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Store for Fuse {
    async fn append(
        &self,
        stream: &StreamId,
        seq: u64,
        epoch: &Epoch,
        entries: &[Entry],
    ) -> Result<(), Fault> {
        let number = self.appends.fetch_add(1, Ordering::SeqCst) + 1;
        let dies = self.dies.filter(|(at, _)| *at == number);
        if dies.is_some_and(|(_, when)| when == When::Before) {
            std::process::abort();
        }
        let done = self.store.append(stream, seq, epoch, entries).await;
        if dies.is_some() {
            std::process::abort();
        }
        done
    }

    async fn claim(&self, experiment: &ExperimentName) -> Result<Claim, Fault> {
        self.store.claim(experiment).await
    }

    async fn read(&self, stream: &StreamId) -> Result<Vec<Entry>, Fault> {
        self.store.read(stream).await
    }

    async fn read_all(
        &self,
        experiment: &ExperimentName,
    ) -> Result<Vec<(StreamId, Vec<Entry>)>, Fault> {
        self.store.read_all(experiment).await
    }

    async fn list(&self, filter: &StreamFilter) -> Result<Vec<StreamHead>, Fault> {
        self.store.list(filter).await
    }

    async fn put(&self, bytes: &[u8]) -> Result<Digest, Fault> {
        self.store.put(bytes).await
    }

    async fn get(&self, digest: &Digest) -> Result<Vec<u8>, Fault> {
        self.store.get(digest).await
    }

    async fn shortage(&self) -> Option<String> {
        self.store.shortage().await
    }

    async fn submit(&self, experiment: &ExperimentName, body: &str) -> Result<u64, Fault> {
        self.store.submit(experiment, body).await
    }

    async fn requests(
        &self,
        experiment: &ExperimentName,
        after: u64,
    ) -> Result<Vec<Request>, Fault> {
        self.store.requests(experiment, after).await
    }
}
