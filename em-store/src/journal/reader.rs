//! Reads of `em.db`: never wait for the writer, see all that is committed.

use std::path::{Path, PathBuf};

use em_core::id::{ExperimentName, NameError};
use em_core::port::{Entry, Request, StreamFilter, StreamHead, StreamId};
use futures::TryStreamExt as _;
use sqlx::sqlite::SqlitePoolOptions;
use sqlx::{Row as _, SqlitePool};

use super::key::{StreamKey, timestamp};
use super::packed;
use crate::StoreError;
use crate::schema::reading;

/// Connections that read at the same time.
const READERS: u32 = 2;

/// The reading side of the journal.
#[derive(Debug, Clone)]
pub(crate) struct Reader {
    pool: SqlitePool,
    path: PathBuf,
}

impl Reader {
    /// Connects when something is read.
    pub(crate) fn new(path: &Path) -> Self {
        let pool = SqlitePoolOptions::new()
            .max_connections(READERS)
            .test_before_acquire(false)
            .connect_lazy_with(reading(path));
        Self {
            pool,
            path: path.to_owned(),
        }
    }

    /// The store's random id.
    pub(crate) async fn store_id(&self) -> Result<String, StoreError> {
        sqlx::query_scalar("SELECT id FROM store")
            .fetch_one(&self.pool)
            .await
            .map_err(|source| self.failed("read the id of the store", source))
    }

    /// All entries of one stream, in order.
    pub(crate) async fn read(&self, stream: &StreamId) -> Result<Vec<Entry>, StoreError> {
        let key = StreamKey::from(stream);
        let rows = sqlx::query(
            "SELECT at, body FROM entry \
             WHERE experiment = (SELECT id FROM experiment WHERE name = ?) \
             AND kind = ? AND major = ? AND minor = ? ORDER BY seq",
        )
        .bind(stream.experiment().as_str())
        .bind(key.kind)
        .bind(key.major)
        .bind(key.minor)
        .fetch_all(&self.pool)
        .await
        .map_err(|source| self.failed("read a stream", source))?;
        rows.iter()
            .map(|row| entry(row.get(0), row.get(1)))
            .collect()
    }

    /// All streams of an experiment.
    ///
    /// A row through the driver costs more than what is in it, so all entries of a short stream
    /// come as one. The experiment's own grows without bound and comes entry by entry.
    pub(crate) async fn read_all(
        &self,
        experiment: &ExperimentName,
    ) -> Result<Vec<(StreamId, Vec<Entry>)>, StoreError> {
        let own = StreamId::Experiment(experiment.clone());
        let entries = self.read(&own).await?;
        let mut streams = Vec::new();
        if !entries.is_empty() {
            streams.push((own, entries));
        }
        let mut rows = sqlx::query(
            "SELECT kind, major, minor, \
             group_concat(at || ' ' || octet_length(body) || ' ' || body, '' ORDER BY seq) \
             FROM entry WHERE experiment = (SELECT id FROM experiment WHERE name = ?) \
             AND kind > 0 GROUP BY kind, major, minor",
        )
        .bind(experiment.as_str())
        .fetch(&self.pool);
        let failed = |source| self.failed("read an experiment", source);
        while let Some(row) = rows.try_next().await.map_err(failed)? {
            let key = StreamKey {
                kind: row.get(0),
                major: row.get(1),
                minor: row.get(2),
            };
            streams.push((key.stream(experiment)?, packed::entries(row.get(3))?));
        }
        Ok(streams)
    }

    /// Heads of the streams that pass the filter.
    pub(crate) async fn heads(&self, filter: &StreamFilter) -> Result<Vec<StreamHead>, StoreError> {
        // CROSS JOIN: experiments outside, so that each is one run along the key of `entry`.
        let rows: Vec<(String, u32, u32, u32, i64)> = sqlx::query_as(
            "SELECT name, kind, major, minor, count(*) \
             FROM experiment CROSS JOIN entry ON entry.experiment = experiment.id \
             WHERE (name = ?1 OR ?1 IS NULL) AND kind <= ?2 GROUP BY name, kind, major, minor \
             ORDER BY name, kind, major, minor",
        )
        .bind(filter.experiment.as_ref().map(ExperimentName::as_str))
        .bind(if filter.experiments_only { 0 } else { i64::MAX })
        .fetch_all(&self.pool)
        .await
        .map_err(|source| self.failed("list streams", source))?;
        let head = |(name, kind, major, minor, entries): (String, u32, u32, u32, i64)| {
            Ok(StreamHead {
                stream: StreamKey { kind, major, minor }.stream(&experiment_name(name)?)?,
                entries: entries.cast_unsigned(),
            })
        };
        rows.into_iter().map(head).collect()
    }

    /// Requests with a number greater than `after`.
    pub(crate) async fn requests(
        &self,
        experiment: &ExperimentName,
        after: u64,
    ) -> Result<Vec<Request>, StoreError> {
        let Ok(after) = i64::try_from(after) else {
            return Ok(Vec::new());
        };
        let rows: Vec<(i64, i64, String)> = sqlx::query_as(
            "SELECT number, at, body FROM inbox WHERE experiment = ? AND number > ? \
             ORDER BY number",
        )
        .bind(experiment.as_str())
        .bind(after)
        .fetch_all(&self.pool)
        .await
        .map_err(|source| self.failed("read requests", source))?;
        let request = |(number, at, body): (i64, i64, String)| {
            Ok(Request {
                number: number.cast_unsigned(),
                at: timestamp(at)?,
                body,
            })
        };
        rows.into_iter().map(request).collect()
    }

    pub(crate) async fn close(&self) {
        self.pool.close().await;
    }

    fn failed(&self, act: &'static str, source: sqlx::Error) -> StoreError {
        StoreError::database(act, &self.path, source)
    }
}

fn entry(at: i64, body: String) -> Result<Entry, StoreError> {
    Ok(Entry {
        at: timestamp(at)?,
        body,
    })
}

fn experiment_name(name: String) -> Result<ExperimentName, StoreError> {
    let what = "the name of an experiment";
    name.try_into()
        .map_err(|NameError { name, .. }| StoreError::Damaged { what, found: name })
}
