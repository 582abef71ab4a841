//! The one writer of `raw.db` in this process.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use em_core::id::Digest;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Arguments as _, Connection as _, SqliteConnection};
use tokio::sync::{mpsc, oneshot};

use crate::StoreError;
use crate::group::gather;
use crate::reserve::Reserve;
use crate::statements::{MOST_ROWS, RAW_COLUMNS, insert_raw};

/// Bytes to keep.
#[derive(Debug)]
pub(crate) struct Put {
    pub(crate) digest: Digest,
    /// When, in nanoseconds since 1970.
    pub(crate) at: i64,
    /// In the form in which they are stored.
    pub(crate) bytes: Vec<u8>,
    pub(crate) reply: oneshot::Sender<Result<(), StoreError>>,
}

/// What the writer is asked to do.
#[derive(Debug)]
pub(crate) enum Command {
    /// Keep bytes.
    Put(Put),
    /// Remove what was last put before a time and is not named; the answer is how many bytes.
    Sweep {
        before: i64,
        keep: HashSet<Digest>,
        reply: oneshot::Sender<Result<u64, StoreError>>,
    },
}

/// The writer task.
#[derive(Debug)]
pub(crate) struct Writer {
    connection: SqliteConnection,
    path: PathBuf,
    reserve: Reserve,
}

impl Writer {
    pub(crate) fn new(connection: SqliteConnection, path: &Path, reserve: Reserve) -> Self {
        Self {
            connection,
            path: path.to_owned(),
            reserve,
        }
    }

    /// Works until nobody can send any more, then closes the database.
    pub(crate) async fn run(mut self, mut queue: mpsc::Receiver<Command>) {
        loop {
            let commands = gather(&mut queue, MOST_ROWS).await;
            if commands.is_empty() {
                break;
            }
            let mut group = Vec::with_capacity(commands.len());
            for command in commands {
                match command {
                    Command::Put(put) => group.push(put),
                    Command::Sweep {
                        before,
                        keep,
                        reply,
                    } => {
                        self.write(std::mem::take(&mut group)).await;
                        let _ = reply.send(self.sweep(before, &keep).await);
                    }
                }
            }
            self.write(group).await;
        }
        if let Err(error) = self.connection.close().await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "raw data did not close"
            );
        }
    }

    /// Writes a group of puts and answers each of them.
    async fn write(&mut self, group: Vec<Put>) {
        if group.is_empty() {
            return;
        }
        let mut inserted = self.insert(&group).await;
        if self.reserve.helps(&inserted) {
            inserted = self.insert(&group).await;
        }
        let Some(source) = inserted.err() else {
            for put in group {
                let _ = put.reply.send(Ok(()));
            }
            return;
        };
        match <[_; 1]>::try_from(group) {
            Ok([put]) => {
                let error = StoreError::database("put raw data", &self.path, source);
                let _ = put.reply.send(Err(error));
            }
            // One by one: where the disk is nearly full, a small one may still fit.
            Err(several) => {
                for put in several {
                    Box::pin(self.write(vec![put])).await;
                }
            }
        }
    }

    async fn insert(&mut self, group: &[Put]) -> Result<(), sqlx::Error> {
        let mut arguments = SqliteArguments::default();
        arguments.reserve(group.len() * RAW_COLUMNS, 0);
        for put in group {
            let digest = put.digest.as_bytes().as_slice();
            arguments.add(digest).map_err(sqlx::Error::Encode)?;
            arguments.add(put.at).map_err(sqlx::Error::Encode)?;
            arguments
                .add(put.bytes.as_slice())
                .map_err(sqlx::Error::Encode)?;
        }
        let insert = sqlx::query_with(insert_raw(group.len()), arguments);
        insert.execute(&mut self.connection).await.map(drop)
    }

    async fn sweep(&mut self, before: i64, keep: &HashSet<Digest>) -> Result<u64, StoreError> {
        self.remove(before, keep)
            .await
            .map_err(|source| StoreError::database("sweep raw data", &self.path, source))
    }

    /// Looks and removes within one transaction: what another process renews in between stays.
    async fn remove(&mut self, before: i64, keep: &HashSet<Digest>) -> Result<u64, sqlx::Error> {
        let mut transaction = self.connection.begin_with("BEGIN IMMEDIATE").await?;
        let old: Vec<(i64, Vec<u8>, i64)> =
            sqlx::query_as("SELECT number, digest, length(bytes) FROM raw WHERE put_at < ?")
                .bind(before)
                .fetch_all(&mut *transaction)
                .await?;
        let mut freed = 0;
        for (number, digest, bytes) in old {
            let digest = <[u8; 32]>::try_from(digest).ok().map(Digest::from);
            if digest.is_some_and(|digest| keep.contains(&digest)) {
                continue;
            }
            sqlx::query("DELETE FROM raw WHERE number = ?")
                .bind(number)
                .execute(&mut *transaction)
                .await?;
            freed += bytes.cast_unsigned();
        }
        transaction.commit().await?;
        Ok(freed)
    }
}
