//! The store on SQLite: two databases and lock files in one folder.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use async_trait::async_trait;
use em_core::fault::Fault;
use em_core::id::{Digest, Epoch, ExperimentName};
use em_core::port::{Claim, Clock, Entry, Request, Store, StreamFilter, StreamHead, StreamId};
use jiff::Timestamp;
use tokio::sync::oneshot;

use crate::claim::{Guard, OwnerLock};
use crate::folder::{DataFolder, SchemaLock};
use crate::journal::{self, Append, nanoseconds};
use crate::raw::{self, Put, RawUsage};
use crate::reserve::{self, Reserve};
use crate::writers::Writers;
use crate::{StoreError, schema};

/// Journal and raw data in a folder of this machine, for any number of processes.
///
/// Every write goes through one task per database, which commits whatever waits as one group with
/// one sync. The tasks belong to the runtime in which the store was opened and end with it. A call
/// that is given up while it waits may still be carried out.
#[derive(Debug)]
pub struct SqliteStore {
    folder: DataFolder,
    id: String,
    clock: Arc<dyn Clock>,
    writers: Option<Writers>,
    journal: journal::Reader,
    raw: raw::Reader,
    reserve: Reserve,
    _schema: SchemaLock,
}

impl SqliteStore {
    /// Opens the store in `folder`, makes it where there is none, migrates it where it is older.
    ///
    /// A migration is refused while another process uses the store, a newer schema always.
    pub async fn open(folder: &Path, clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        let folder = DataFolder::prepared(folder)?;
        let lock = schema::open_current(&folder).await?;
        let reserve = Reserve::of(&folder);
        // Where there is no room for it, `shortage` says so before anything is begun.
        reserve.is_kept();
        let writers = Writers::start(&folder, &reserve).await?;
        Self::assemble(folder, lock, clock, Some(writers)).await
    }

    /// Opens the store in `folder` to look only: never makes, migrates or writes anything.
    pub async fn open_to_read(folder: &Path, clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        let folder = DataFolder::existing(folder)?;
        let lock = schema::open_readable(&folder).await?;
        Self::assemble(folder, lock, clock, None).await
    }

    async fn assemble(
        folder: DataFolder,
        schema: SchemaLock,
        clock: Arc<dyn Clock>,
        writers: Option<Writers>,
    ) -> Result<Self, StoreError> {
        let journal = journal::Reader::new(&folder.journal());
        let raw = raw::Reader::new(&folder.raw());
        let id = journal.store_id().await?;
        Ok(Self {
            reserve: Reserve::of(&folder),
            folder,
            id,
            clock,
            writers,
            journal,
            raw,
            _schema: schema,
        })
    }

    /// Waits until everything asked for so far is written and the databases are closed.
    pub async fn close(self) {
        // Readers first: the last connection folds the log into the database, and they cannot.
        self.journal.close().await;
        self.raw.close().await;
        if let Some(writers) = self.writers {
            writers.finish().await;
        }
    }

    /// Random id of this store, 16 hexadecimal digits; part of every epoch.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Removes raw data that was last put before `before` and is not in `keep`; answers how many
    /// bytes. A record that somebody puts again meanwhile stays.
    pub async fn sweep(&self, before: Timestamp, keep: HashSet<Digest>) -> Result<u64, StoreError> {
        let before = nanoseconds(before)?;
        let (reply, answer) = oneshot::channel();
        self.writers()?
            .raw(raw::Command::Sweep {
                before,
                keep,
                reply,
            })
            .await?;
        answer.await.map_err(|_| StoreError::Closed)?
    }

    /// What [`sweep`](Self::sweep) would remove now: records and bytes. Nothing is changed.
    pub async fn sweepable(
        &self,
        before: Timestamp,
        keep: &HashSet<Digest>,
    ) -> Result<(u64, u64), StoreError> {
        self.raw.unnamed(nanoseconds(before)?, keep).await
    }

    /// What raw data takes.
    pub async fn usage(&self) -> Result<RawUsage, StoreError> {
        self.raw.usage().await
    }

    fn writers(&self) -> Result<&Writers, StoreError> {
        let read_only = || StoreError::ReadOnly {
            folder: self.folder.path().to_owned(),
        };
        self.writers.as_ref().ok_or_else(read_only)
    }

    async fn begin_claim(&self, experiment: &ExperimentName) -> Result<Claim, StoreError> {
        let writers = self.writers()?;
        let lock = OwnerLock::take(&self.folder, experiment)?;
        let alive = Arc::new(AtomicBool::new(true));
        let (reply, answer) = oneshot::channel();
        let experiment = experiment.clone();
        let command = journal::Command::Claim {
            experiment: experiment.clone(),
            alive: Arc::clone(&alive),
            reply,
        };
        writers.journal(command).await?;
        let counter = answer.await.map_err(|_| StoreError::Closed)??;
        let release = writers.weak_journal();
        let guard = Guard {
            alive,
            experiment,
            counter,
            writer: release,
            _lock: lock,
        };
        let epoch = Epoch {
            store: self.id.clone(),
            counter,
        };
        Ok(Claim {
            epoch,
            guard: Box::new(guard),
        })
    }

    async fn write(
        &self,
        stream: &StreamId,
        seq: u64,
        epoch: &Epoch,
        entries: &[Entry],
    ) -> Result<(), StoreError> {
        let (reply, answer) = oneshot::channel();
        let append = Append::new(stream, seq, epoch, entries, reply)?;
        if epoch.store != self.id {
            return Err(append.lost());
        }
        self.writers()?
            .journal(journal::Command::Append(append))
            .await?;
        answer.await.map_err(|_| StoreError::Closed)?
    }

    async fn keep(&self, bytes: &[u8]) -> Result<Digest, StoreError> {
        let writers = self.writers()?;
        let digest = Digest::of(bytes);
        let at = nanoseconds(self.clock.now())?;
        let (reply, answer) = oneshot::channel();
        let put = Put {
            digest,
            at,
            bytes: raw::stored(bytes).await,
            reply,
        };
        writers.raw(raw::Command::Put(put)).await?;
        answer.await.map_err(|_| StoreError::Closed)??;
        Ok(digest)
    }

    async fn leave(&self, experiment: &ExperimentName, body: &str) -> Result<u64, StoreError> {
        let at = nanoseconds(self.clock.now())?;
        let (reply, answer) = oneshot::channel();
        let (experiment, body) = (experiment.clone(), body.to_owned());
        let command = journal::Command::Submit {
            experiment,
            at,
            body,
            reply,
        };
        self.writers()?.journal(command).await?;
        answer.await.map_err(|_| StoreError::Closed)?
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn claim(&self, experiment: &ExperimentName) -> Result<Claim, Fault> {
        Ok(self.begin_claim(experiment).await?)
    }

    async fn append(
        &self,
        stream: &StreamId,
        seq: u64,
        epoch: &Epoch,
        entries: &[Entry],
    ) -> Result<(), Fault> {
        Ok(self.write(stream, seq, epoch, entries).await?)
    }

    async fn read(&self, stream: &StreamId) -> Result<Vec<Entry>, Fault> {
        Ok(self.journal.read(stream).await?)
    }

    async fn read_all(
        &self,
        experiment: &ExperimentName,
    ) -> Result<Vec<(StreamId, Vec<Entry>)>, Fault> {
        Ok(self.journal.read_all(experiment).await?)
    }

    async fn list(&self, filter: &StreamFilter) -> Result<Vec<StreamHead>, Fault> {
        Ok(self.journal.heads(filter).await?)
    }

    async fn put(&self, bytes: &[u8]) -> Result<Digest, Fault> {
        Ok(self.keep(bytes).await?)
    }

    async fn get(&self, digest: &Digest) -> Result<Vec<u8>, Fault> {
        Ok(self.raw.get(digest).await?)
    }

    async fn submit(&self, experiment: &ExperimentName, body: &str) -> Result<u64, Fault> {
        Ok(self.leave(experiment, body).await?)
    }

    async fn shortage(&self) -> Option<String> {
        let full = || {
            format!(
                "the disk that holds {} is full, {} MiB are needed to finish what is begun; free \
                 some space",
                self.folder.path().display(),
                reserve::BYTES >> 20
            )
        };
        (!self.reserve.is_kept()).then(full)
    }

    async fn requests(
        &self,
        experiment: &ExperimentName,
        after: u64,
    ) -> Result<Vec<Request>, Fault> {
        Ok(self.journal.requests(experiment, after).await?)
    }
}
