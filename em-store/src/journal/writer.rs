//! The one writer of `em.db` in this process: a task that commits whatever waits as one group.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use em_core::id::ExperimentName;
use sqlx::error::DatabaseError;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Arguments as _, Connection as _, SqliteConnection};
use tokio::sync::{mpsc, oneshot};

use super::append::Append;
use super::heads::Claimed;
use super::key::StreamKey;
use crate::StoreError;
use crate::group::gather;
use crate::reserve::Reserve;
use crate::statements::{ENTRY_COLUMNS, MOST_ROWS, insert_entries};

/// What the writer is asked to do.
#[derive(Debug)]
pub(crate) enum Command {
    /// Write entries.
    Append(Append),
    /// Begin a new epoch of an experiment whose lock the caller holds; the answer is its counter.
    Claim {
        experiment: ExperimentName,
        alive: Arc<AtomicBool>,
        reply: oneshot::Sender<Result<u64, StoreError>>,
    },
    /// The claim of this counter is over: its heads need not be remembered.
    Release {
        experiment: ExperimentName,
        counter: u64,
    },
    /// Add a request to an inbox; the answer is its number.
    Submit {
        experiment: ExperimentName,
        at: i64,
        body: String,
        reply: oneshot::Sender<Result<u64, StoreError>>,
    },
}

/// The writer task.
#[derive(Debug)]
pub(crate) struct Writer {
    connection: SqliteConnection,
    path: PathBuf,
    reserve: Reserve,
    claims: HashMap<ExperimentName, Claimed>,
}

impl Writer {
    pub(crate) fn new(connection: SqliteConnection, path: &Path, reserve: Reserve) -> Self {
        Self {
            connection,
            path: path.to_owned(),
            reserve,
            claims: HashMap::new(),
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
                    Command::Append(append) => group.push(append),
                    other @ (Command::Claim { .. }
                    | Command::Release { .. }
                    | Command::Submit { .. }) => {
                        self.write(std::mem::take(&mut group)).await;
                        self.perform(other).await;
                    }
                }
            }
            self.write(group).await;
        }
        if let Err(error) = self.connection.close().await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the journal did not close"
            );
        }
    }

    async fn perform(&mut self, command: Command) {
        // Whoever asked may be gone; what was done stays done.
        match command {
            Command::Append(append) => self.write(vec![append]).await,
            Command::Claim {
                experiment,
                alive,
                reply,
            } => {
                let _ = reply.send(self.claim(experiment, alive).await);
            }
            Command::Release {
                experiment,
                counter,
            } => {
                self.claims
                    .retain(|name, claimed| *name != experiment || claimed.counter != counter);
            }
            Command::Submit {
                experiment,
                at,
                body,
                reply,
            } => {
                let _ = reply.send(self.submit(&experiment, at, &body).await);
            }
        }
    }

    /// Writes a group of appends and answers each of them.
    async fn write(&mut self, group: Vec<Append>) {
        let accepted = self.accept(group);
        if accepted.is_empty() {
            return;
        }
        let mut committed = self.commit(&accepted).await;
        if self.reserve.helps(&committed) {
            committed = self.commit(&accepted).await;
        }
        let Some(error) = committed.err() else {
            for (append, _) in accepted {
                append.answer(Ok(()));
            }
            return;
        };
        for (append, _) in accepted.iter().rev() {
            if let Some(claimed) = self.claims.get_mut(&append.experiment) {
                claimed.forget(append);
            }
        }
        match <[_; 1]>::try_from(accepted) {
            Ok([(append, _)]) => {
                let refused = self.refusal(&append, error);
                append.answer(Err(refused));
            }
            // One by one, so that only the culprit fails.
            Err(several) => {
                for (append, _) in several {
                    Box::pin(self.write(vec![append])).await;
                }
            }
        }
    }

    /// Keeps the appends that may be written, in their order, each with the row of its experiment;
    /// answers the others.
    fn accept(&mut self, group: Vec<Append>) -> Vec<(Append, i64)> {
        let mut accepted = Vec::with_capacity(group.len());
        for append in group {
            let place = match self.claims.get_mut(&append.experiment) {
                Some(claimed) => claimed.accept(&append).map(|()| claimed.id),
                None => Err(append.lost()),
            };
            match place {
                Ok(id) => accepted.push((append, id)),
                Err(error) => append.answer(Err(error)),
            }
        }
        accepted
    }

    /// All entries of the group in one transaction, on disk when this returns.
    async fn commit(&mut self, group: &[(Append, i64)]) -> Result<(), sqlx::Error> {
        let mut rows = Vec::with_capacity(group.len());
        for (append, id) in group {
            rows.extend((0..append.len()).map(|index| (append, *id, index)));
        }
        if rows.len() <= MOST_ROWS {
            // One statement is a transaction of its own.
            return insert(&rows, &mut self.connection).await;
        }
        let mut transaction = self.connection.begin_with("BEGIN IMMEDIATE").await?;
        for rows in rows.chunks(MOST_ROWS) {
            insert(rows, &mut transaction).await?;
        }
        transaction.commit().await
    }

    /// Why a single append was refused.
    fn refusal(&self, append: &Append, error: sqlx::Error) -> StoreError {
        let said = error.as_database_error().map(DatabaseError::message);
        if said.is_some_and(|message| message.contains("stale epoch")) {
            return append.lost();
        }
        StoreError::database("append entries", &self.path, error)
    }

    /// Begins the next epoch of an experiment and reads where its streams end.
    async fn claim(
        &mut self,
        experiment: ExperimentName,
        alive: Arc<AtomicBool>,
    ) -> Result<u64, StoreError> {
        let mut begun = begin(&experiment, &mut self.connection).await;
        if self.reserve.helps(&begun) {
            begun = begin(&experiment, &mut self.connection).await;
        }
        let failed = |source| StoreError::database("claim an experiment", &self.path, source);
        let (id, counter) = begun.map_err(failed)?;
        let heads = heads(id, &mut self.connection).await.map_err(failed)?;
        let counter = counter.cast_unsigned();
        self.claims.insert(
            experiment,
            Claimed {
                id,
                counter,
                alive,
                heads,
            },
        );
        Ok(counter)
    }

    async fn submit(
        &mut self,
        experiment: &ExperimentName,
        at: i64,
        body: &str,
    ) -> Result<u64, StoreError> {
        let mut left = leave(experiment, at, body, &mut self.connection).await;
        if self.reserve.helps(&left) {
            left = leave(experiment, at, body, &mut self.connection).await;
        }
        left.map_err(|source| StoreError::database("leave a request", &self.path, source))
    }
}

/// The row of an experiment and the counter of its next epoch.
async fn begin(
    experiment: &ExperimentName,
    connection: &mut SqliteConnection,
) -> Result<(i64, i64), sqlx::Error> {
    sqlx::query_as(
        "INSERT INTO experiment (name, epoch) VALUES (?, 1) \
         ON CONFLICT (name) DO UPDATE SET epoch = epoch + 1 RETURNING id, epoch",
    )
    .bind(experiment.as_str())
    .fetch_one(connection)
    .await
}

/// The number of a request that is added to an inbox.
async fn leave(
    experiment: &ExperimentName,
    at: i64,
    body: &str,
    connection: &mut SqliteConnection,
) -> Result<u64, sqlx::Error> {
    let inserted = sqlx::query("INSERT INTO inbox (experiment, at, body) VALUES (?, ?, ?)")
        .bind(experiment.as_str())
        .bind(at)
        .bind(body)
        .execute(connection)
        .await?;
    Ok(inserted.last_insert_rowid().cast_unsigned())
}

async fn insert(
    rows: &[(&Append, i64, usize)],
    connection: &mut SqliteConnection,
) -> Result<(), sqlx::Error> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut arguments = SqliteArguments::default();
    arguments.reserve(rows.len() * ENTRY_COLUMNS, 0);
    for (append, id, index) in rows {
        append
            .bind(*id, *index, &mut arguments)
            .map_err(sqlx::Error::Encode)?;
    }
    sqlx::query_with(insert_entries(rows.len()), arguments)
        .execute(connection)
        .await?;
    Ok(())
}

async fn heads(
    experiment: i64,
    connection: &mut SqliteConnection,
) -> Result<HashMap<StreamKey, u64>, sqlx::Error> {
    let rows: Vec<(u32, u32, u32, i64)> = sqlx::query_as(
        "SELECT kind, major, minor, count(*) FROM entry WHERE experiment = ? \
         GROUP BY kind, major, minor",
    )
    .bind(experiment)
    .fetch_all(connection)
    .await?;
    let head = |(kind, major, minor, next): (u32, u32, u32, i64)| {
        (StreamKey { kind, major, minor }, next.cast_unsigned())
    };
    Ok(rows.into_iter().map(head).collect())
}

#[cfg(test)]
mod tests {
    use em_core::fault::{Fault, FaultKind};
    use em_core::id::Epoch;
    use em_core::port::{Entry, StreamId};
    use sqlx::ConnectOptions as _;

    use super::*;
    use crate::folder::DataFolder;
    use crate::schema::{JOURNAL, writing};

    #[tokio::test]
    async fn a_full_disk_is_told_plainly_and_loses_nothing_that_was_answered() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("em.db");
        let (journal, writer) = start(&path, "max_page_count", "24").await;
        let counter = claim(&journal).await;
        let mut written = 0;
        let fault = loop {
            match append(&journal, counter, written).await {
                Ok(()) => written += 1,
                Err(error) => break Fault::from(error),
            }
            assert!(written < 1000, "the limit does not hold");
        };
        assert!(written > 0);
        assert_eq!(fault.kind, FaultKind::Unavailable);
        let wanted = format!(
            "the disk that holds {} is full; free some space",
            path.display()
        );
        assert!(fault.message.starts_with(&wanted), "{fault}");
        drop(journal);
        writer.await.unwrap();

        // Space was made: the same entry is the next one.
        let (journal, writer) = start(&path, "max_page_count", "1000").await;
        let counter = claim(&journal).await;
        append(&journal, counter, written).await.unwrap();
        drop(journal);
        writer.await.unwrap();
    }

    #[tokio::test]
    async fn an_epoch_that_another_process_began_is_noticed_by_the_database() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("em.db");
        let (journal, writer) = start(&path, "cache_size", "-100").await;
        let counter = claim(&journal).await;
        append(&journal, counter, 0).await.unwrap();
        // As after somebody removed the lock file of a living owner.
        let mut other = writing(&path).connect().await.unwrap();
        sqlx::query("UPDATE experiment SET epoch = 7")
            .execute(&mut other)
            .await
            .unwrap();
        other.close().await.unwrap();
        let error = append(&journal, counter, 1).await.unwrap_err();
        assert!(
            matches!(error, StoreError::Lost { counter: 1, .. }),
            "{error}"
        );
        drop(journal);
        writer.await.unwrap();
    }

    async fn start(
        path: &Path,
        pragma: &'static str,
        value: &'static str,
    ) -> (mpsc::Sender<Command>, tokio::task::JoinHandle<()>) {
        let options = writing(path).create_if_missing(true).pragma(pragma, value);
        let mut connection = options.connect().await.unwrap();
        JOURNAL
            .run_direct(None, &mut connection, false)
            .await
            .unwrap();
        let (journal, queue) = mpsc::channel(8);
        let folder = DataFolder::prepared(path.parent().unwrap()).unwrap();
        let reserve = Reserve::of(&folder);
        (
            journal,
            tokio::spawn(Writer::new(connection, path, reserve).run(queue)),
        )
    }

    async fn claim(journal: &mpsc::Sender<Command>) -> u64 {
        let (reply, answer) = oneshot::channel();
        let alive = Arc::new(AtomicBool::new(true));
        let claim = Command::Claim {
            experiment: "a".parse().unwrap(),
            alive,
            reply,
        };
        journal.send(claim).await.unwrap();
        answer.await.unwrap().unwrap()
    }

    async fn append(
        journal: &mpsc::Sender<Command>,
        counter: u64,
        seq: u64,
    ) -> Result<(), StoreError> {
        let (reply, answer) = oneshot::channel();
        let stream = StreamId::Experiment("a".parse().unwrap());
        let epoch = Epoch {
            store: String::new(),
            counter,
        };
        let entry = Entry {
            at: jiff::Timestamp::UNIX_EPOCH,
            body: "x".repeat(2000),
        };
        let append = Append::new(&stream, seq, &epoch, &[entry], reply).unwrap();
        journal.send(Command::Append(append)).await.unwrap();
        answer.await.unwrap()
    }
}
