//! Reads of `raw.db`.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use em_core::id::Digest;
use sqlx::SqlitePool;
use sqlx::sqlite::SqlitePoolOptions;

use super::RawUsage;
use super::form::plain;
use crate::StoreError;
use crate::schema::reading;

/// Connections that read at the same time.
const READERS: u32 = 2;

/// The reading side of raw data.
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

    pub(crate) async fn get(&self, digest: &Digest) -> Result<Vec<u8>, StoreError> {
        let found: Option<Vec<u8>> = sqlx::query_scalar("SELECT bytes FROM raw WHERE digest = ?")
            .bind(digest.as_bytes().as_slice())
            .fetch_optional(&self.pool)
            .await
            .map_err(|source| StoreError::database("read raw data", &self.path, source))?;
        let stored = found.ok_or_else(|| StoreError::NoRaw {
            digest: digest.to_string(),
        })?;
        plain(stored, digest)
    }

    pub(crate) async fn usage(&self) -> Result<RawUsage, StoreError> {
        let (records, bytes, file_bytes): (i64, i64, i64) = sqlx::query_as(
            "SELECT count(*), coalesce(sum(length(bytes)), 0), \
             (SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()) FROM raw",
        )
        .fetch_one(&self.pool)
        .await
        .map_err(|source| StoreError::database("measure raw data", &self.path, source))?;
        Ok(RawUsage {
            records: records.cast_unsigned(),
            bytes: bytes.cast_unsigned(),
            file_bytes: file_bytes.cast_unsigned(),
        })
    }

    /// Records that were last put before a time and are not in `keep`, and their bytes.
    pub(crate) async fn unnamed(
        &self,
        before: i64,
        keep: &HashSet<Digest>,
    ) -> Result<(u64, u64), StoreError> {
        let old: Vec<(Vec<u8>, i64)> =
            sqlx::query_as("SELECT digest, length(bytes) FROM raw WHERE put_at < ?")
                .bind(before)
                .fetch_all(&self.pool)
                .await
                .map_err(|source| StoreError::database("look at raw data", &self.path, source))?;
        let unnamed = old.into_iter().filter(|(digest, _)| {
            let digest = <[u8; 32]>::try_from(digest.as_slice()).map(Digest::from);
            !digest.is_ok_and(|digest| keep.contains(&digest))
        });
        Ok(unnamed.fold((0, 0), |(records, all), (_, bytes)| {
            (records + 1, all + bytes.cast_unsigned())
        }))
    }

    pub(crate) async fn close(&self) {
        self.pool.close().await;
    }
}
