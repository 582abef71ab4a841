//! The writing tasks of an open store.

use sqlx::ConnectOptions as _;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::folder::DataFolder;
use crate::group::QUEUE;
use crate::reserve::Reserve;
use crate::schema::writing;
use crate::{StoreError, journal, raw};

/// One task per database. They end when this is dropped and what was asked for is done.
#[derive(Debug)]
pub(crate) struct Writers {
    journal: mpsc::Sender<journal::Command>,
    raw: mpsc::Sender<raw::Command>,
    tasks: [JoinHandle<()>; 2],
}

impl Writers {
    pub(crate) async fn start(folder: &DataFolder, reserve: &Reserve) -> Result<Self, StoreError> {
        let (journal_path, raw_path) = (folder.journal(), folder.raw());
        let failed =
            |path, source| StoreError::database("open the database for writing", path, source);
        let connection = writing(&journal_path).connect().await;
        let connection = connection.map_err(|source| failed(&journal_path, source))?;
        let (journal, queue) = mpsc::channel(QUEUE);
        let writer = journal::Writer::new(connection, &journal_path, reserve.clone());
        let journal_task = tokio::spawn(writer.run(queue));
        let connection = writing(&raw_path).connect().await;
        let connection = connection.map_err(|source| failed(&raw_path, source))?;
        let (raw, queue) = mpsc::channel(QUEUE);
        let writer = raw::Writer::new(connection, &raw_path, reserve.clone());
        let raw_task = tokio::spawn(writer.run(queue));
        Ok(Self {
            journal,
            raw,
            tasks: [journal_task, raw_task],
        })
    }

    pub(crate) async fn journal(&self, command: journal::Command) -> Result<(), StoreError> {
        self.journal
            .send(command)
            .await
            .map_err(|_| StoreError::Closed)
    }

    pub(crate) async fn raw(&self, command: raw::Command) -> Result<(), StoreError> {
        self.raw.send(command).await.map_err(|_| StoreError::Closed)
    }

    /// A way to the journal's writer that does not keep it from ending.
    pub(crate) fn weak_journal(&self) -> mpsc::WeakSender<journal::Command> {
        self.journal.downgrade()
    }

    /// Waits for what was asked for, then for the databases to close.
    pub(crate) async fn finish(self) {
        let Self {
            journal,
            raw,
            tasks,
        } = self;
        drop((journal, raw));
        for task in tasks {
            if let Err(error) = task.await {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "a writer panicked"
                );
            }
        }
    }
}
