//! Schema versions of the two databases. A released migration file is never edited: its checksum
//! is in every store that ran it.

use std::path::Path;
use std::sync::LazyLock;
use std::time::Duration;

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _, SqlSafeStr as _, SqliteConnection};

use crate::StoreError;
use crate::folder::{DataFolder, SchemaLock};

/// Migrations of `em.db`.
pub(crate) static JOURNAL: LazyLock<Migrator> = LazyLock::new(|| {
    Migrator::with_migrations(vec![migration(
        1,
        "init",
        include_str!("../migrations/journal/0001_init.sql"),
    )])
});

/// Migrations of `raw.db`.
pub(crate) static RAW: LazyLock<Migrator> = LazyLock::new(|| {
    Migrator::with_migrations(vec![
        migration(1, "init", include_str!("../migrations/raw/0001_init.sql")),
        migration(
            2,
            "deflated",
            include_str!("../migrations/raw/0002_deflated.sql"),
        ),
    ])
});

fn migration(version: i64, description: &'static str, sql: &'static str) -> Migration {
    Migration::new(
        version,
        description.into(),
        MigrationType::Simple,
        sql.into_sql_str(),
        false,
    )
}

/// Brings both databases of a writer up to date and answers the lock that keeps them so.
///
/// A migration needs the store alone, because other processes hold statements of the old schema.
/// Whoever is in the way may be about to migrate, too: they get some time.
pub(crate) async fn open_current(folder: &DataFolder) -> Result<SchemaLock, StoreError> {
    for _ in 0..ATTEMPTS {
        let shared = share(folder).await?;
        if behind(folder).await?.is_none() {
            return Ok(shared);
        }
        drop(shared);
        match folder.alone()? {
            Some(_alone) => {
                migrate(&folder.journal(), &JOURNAL).await?;
                migrate(&folder.raw(), &RAW).await?;
            }
            None => tokio::time::sleep(PAUSE).await,
        }
    }
    let folder = folder.path().to_owned();
    Err(StoreError::Busy { folder })
}

/// How often a migration is tried while somebody else uses the store.
const ATTEMPTS: u32 = 50;

/// How long it waits in between.
const PAUSE: Duration = Duration::from_millis(100);

async fn share(folder: &DataFolder) -> Result<SchemaLock, StoreError> {
    let folder = folder.clone();
    let locked = tokio::task::spawn_blocking(move || folder.share()).await;
    locked.map_err(|_| StoreError::Closed)?
}

/// Checks what a reader is about to open: not newer than this build. Never migrates.
pub(crate) async fn open_readable(folder: &DataFolder) -> Result<SchemaLock, StoreError> {
    let shared = share(folder).await?;
    if behind(folder).await? == Some(0) {
        return Err(StoreError::Missing {
            folder: folder.path().to_owned(),
        });
    }
    Ok(shared)
}

/// The version of a database that is behind, if one is.
async fn behind(folder: &DataFolder) -> Result<Option<i64>, StoreError> {
    for (path, migrator) in [(folder.journal(), &*JOURNAL), (folder.raw(), &*RAW)] {
        let ours = migrator
            .iter()
            .map(|migration| migration.version)
            .max()
            .unwrap_or(0);
        let found = version(&path).await?;
        if found > ours {
            return Err(StoreError::Newer { path, found, ours });
        }
        if found < ours {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

async fn version(path: &Path) -> Result<i64, StoreError> {
    let failed = |source| StoreError::database("read the schema version", path, source);
    let mut connection = reading(path).connect().await.map_err(failed)?;
    let found = applied(&mut connection).await.map_err(failed)?;
    connection.close().await.map_err(failed)?;
    Ok(found)
}

async fn applied(connection: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    let known: i64 =
        sqlx::query_scalar("SELECT count(*) FROM sqlite_schema WHERE name = '_sqlx_migrations'")
            .fetch_one(&mut *connection)
            .await?;
    if known == 0 {
        return Ok(0);
    }
    sqlx::query_scalar("SELECT coalesce(max(version), 0) FROM _sqlx_migrations")
        .fetch_one(connection)
        .await
}

async fn migrate(path: &Path, migrator: &Migrator) -> Result<(), StoreError> {
    let failed = |source| StoreError::database("open the database", path, source);
    let mut connection = writing(path).connect().await.map_err(failed)?;
    migrator
        .run_direct(None, &mut connection, false)
        .await
        .map_err(|source| StoreError::Migrate {
            path: path.to_owned(),
            source: Box::new(source),
        })?;
    connection.close().await.map_err(failed)
}

/// How a writer opens a database: a commit is on disk before it returns.
pub(crate) fn writing(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(BUSY)
        .foreign_keys(false)
        .pragma("temp_store", "memory")
        .pragma("cache_size", "-8192")
        .disable_statement_logging()
}

/// How a reader opens a database.
pub(crate) fn reading(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .read_only(true)
        .busy_timeout(BUSY)
        .row_buffer_size(1024)
        .disable_statement_logging()
}

/// How long a statement waits for another process to finish its transaction.
const BUSY: Duration = Duration::from_secs(10);
