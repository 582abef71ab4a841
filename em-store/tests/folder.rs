//! The data folder: rights, schema versions, reading without writing, raw data that is swept.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex};

use em_core::fault::{Fault, FaultKind};
use em_core::id::ExperimentName;
use em_core::port::{Clock, Entry, Store as _, StreamFilter, StreamId, SystemClock};
use em_store::{SqliteStore, StoreError};
use jiff::{SignedDuration, Timestamp};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};

#[tokio::test]
async fn only_the_owner_may_read_what_is_stored() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("new/data");
    let store = open(&data).await;
    let _claim = store.claim(&name()).await.unwrap();
    store.put(b"raw").await.unwrap();
    assert_eq!(mode(&data), 0o700);
    assert_eq!(mode(&data.join("locks")), 0o700);
    let files = [data.clone(), data.join("locks")].map(|folder| fs::read_dir(folder).unwrap());
    let files: Vec<_> = files
        .into_iter()
        .flatten()
        .map(|file| file.unwrap().path())
        .collect();
    assert!(files.contains(&data.join("em.db-wal")) && files.contains(&data.join("raw.db")));
    for file in files.iter().filter(|path| path.is_file()) {
        assert_eq!(mode(file), 0o600, "{}", file.display());
    }
}

#[tokio::test]
async fn rights_that_somebody_opened_are_closed_again() {
    let folder = tempfile::tempdir().unwrap();
    open(folder.path()).await.close().await;
    let journal = folder.path().join("em.db");
    fs::set_permissions(&journal, fs::Permissions::from_mode(0o644)).unwrap();
    open(folder.path()).await.close().await;
    assert_eq!(mode(&journal), 0o600);
}

#[tokio::test]
async fn a_newer_schema_is_refused_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    open(folder.path()).await.close().await;
    pretend_schema(folder.path(), 999).await;
    let writing = SqliteStore::open(folder.path(), clock()).await.unwrap_err();
    let reading = SqliteStore::open_to_read(folder.path(), clock())
        .await
        .unwrap_err();
    for error in [writing, reading] {
        let text = error.to_string();
        assert!(
            text.contains("has schema 999, this build reads up to 1"),
            "{text}"
        );
        assert!(text.contains("use the newer em that wrote it"), "{text}");
        assert_eq!(Fault::from(error).kind, FaultKind::Invalid);
    }
}

#[tokio::test]
async fn two_who_make_the_same_store_at_once_both_get_it() {
    let folder = tempfile::tempdir().unwrap();
    let opened = futures::future::join_all((0..6).map(|_| open(folder.path()))).await;
    assert!(
        opened.iter().all(|store| store.id() == opened[0].id()),
        "one store, one id"
    );
    assert_eq!(opened[0].id().len(), 16);
}

#[tokio::test]
async fn a_migration_needs_the_store_alone() {
    let folder = tempfile::tempdir().unwrap();
    let user = open(folder.path()).await;
    pretend_schema(folder.path(), 0).await;
    let error = SqliteStore::open(folder.path(), clock()).await.unwrap_err();
    assert!(matches!(error, StoreError::Busy { .. }), "{error}");
    assert!(
        error
            .to_string()
            .contains("end every other em that uses it"),
        "{error}"
    );
    drop(user);
}

#[tokio::test]
async fn a_reader_makes_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let missing = SqliteStore::open_to_read(folder.path(), clock())
        .await
        .unwrap_err();
    assert!(matches!(missing, StoreError::Missing { .. }), "{missing}");
    assert_eq!(
        fs::read_dir(folder.path()).unwrap().count(),
        0,
        "a reader made something"
    );

    let writer = open(folder.path()).await;
    let claim = writer.claim(&name()).await.unwrap();
    let stream = StreamId::Experiment(name());
    writer
        .append(&stream, 0, &claim.epoch, &[entry()])
        .await
        .unwrap();
    let digest = writer.put(b"raw").await.unwrap();

    let reader = SqliteStore::open_to_read(folder.path(), clock())
        .await
        .unwrap();
    assert_eq!(reader.read(&stream).await.unwrap(), [entry()]);
    assert_eq!(
        reader.list(&StreamFilter::default()).await.unwrap()[0].entries,
        1
    );
    assert_eq!(reader.get(&digest).await.unwrap(), b"raw");
    let refused = [
        reader
            .append(&stream, 1, &claim.epoch, &[entry()])
            .await
            .unwrap_err(),
        reader.put(b"x").await.unwrap_err(),
        reader.submit(&name(), "{}").await.unwrap_err(),
        reader.claim(&"other".parse().unwrap()).await.unwrap_err(),
    ];
    assert!(
        refused.iter().all(|fault| fault.kind == FaultKind::Denied),
        "{refused:?}"
    );

    // Also when the last writer has left and taken its log along.
    drop(claim);
    writer.close().await;
    drop(reader);
    let reader = SqliteStore::open_to_read(folder.path(), clock())
        .await
        .unwrap();
    assert_eq!(reader.read(&stream).await.unwrap(), [entry()]);
}

#[tokio::test]
async fn a_sweep_takes_what_is_old_and_unnamed_and_was_not_renewed() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(HandClock::default());
    let store = SqliteStore::open(folder.path(), Arc::clone(&clock) as Arc<dyn Clock>).await;
    let store = store.unwrap();
    let old = store.put(b"old").await.unwrap();
    let named = store.put(b"named").await.unwrap();
    let renewed = store.put(b"renewed").await.unwrap();
    clock.advance(SignedDuration::from_hours(2));
    store.put(b"renewed").await.unwrap();
    let new = store.put(b"new").await.unwrap();
    assert_eq!(store.usage().await.unwrap().records, 4);

    let an_hour_ago = clock.now() - SignedDuration::from_hours(1);
    let freed = store
        .sweep(an_hour_ago, HashSet::from([named]))
        .await
        .unwrap();
    assert_eq!(freed, 3, "the three bytes of \"old\"");
    assert_eq!(store.get(&old).await.unwrap_err().kind, FaultKind::NotFound);
    for digest in [named, renewed, new] {
        store.get(&digest).await.unwrap();
    }
    let usage = store.usage().await.unwrap();
    assert_eq!((usage.records, usage.bytes), (3, 15));
    assert!(usage.file_bytes >= usage.bytes);
}

#[tokio::test]
async fn raw_data_of_the_first_schema_is_read_before_and_after_the_migration() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    // As the first schema kept it: the bytes themselves, however long.
    let bytes = vec![b'7'; 5_000];
    let digest = store.put(&bytes).await.unwrap();
    store.close().await;
    let options = SqliteConnectOptions::new().filename(folder.path().join("raw.db"));
    let mut connection = options.connect().await.unwrap();
    sqlx::query("UPDATE raw SET bytes = ?")
        .bind(&bytes)
        .execute(&mut connection)
        .await
        .unwrap();
    sqlx::query("DELETE FROM _sqlx_migrations WHERE version = 2")
        .execute(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();

    let reader = SqliteStore::open_to_read(folder.path(), clock())
        .await
        .unwrap();
    assert_eq!(reader.get(&digest).await.unwrap(), bytes);
    reader.close().await;
    let store = open(folder.path()).await;
    assert_eq!(store.get(&digest).await.unwrap(), bytes);
    let more = vec![b'8'; 5_000];
    let digest = store.put(&more).await.unwrap();
    assert_eq!(store.get(&digest).await.unwrap(), more);
    assert!(
        store.usage().await.unwrap().bytes < 6_000,
        "the new one is short"
    );
}

#[tokio::test]
async fn a_closed_store_has_written_what_it_was_asked_to() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    let claim = store.claim(&name()).await.unwrap();
    let stream = StreamId::Experiment(name());
    store
        .append(&stream, 0, &claim.epoch, &[entry()])
        .await
        .unwrap();
    drop(claim);
    store.close().await;
    assert!(
        !folder.path().join("em.db-wal").exists(),
        "the log is folded into the database"
    );
}

/// Writes another schema version into the journal, as another build would have.
async fn pretend_schema(folder: &Path, version: i64) {
    let options = SqliteConnectOptions::new().filename(folder.join("em.db"));
    let mut connection = options.connect().await.unwrap();
    sqlx::query("UPDATE _sqlx_migrations SET version = ?")
        .bind(version)
        .execute(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
}

#[derive(Debug, Default)]
struct HandClock(Mutex<Timestamp>);

impl HandClock {
    fn advance(&self, by: SignedDuration) {
        *self.0.lock().unwrap() += by;
    }
}

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

async fn open(folder: &Path) -> SqliteStore {
    SqliteStore::open(folder, clock()).await.unwrap()
}

fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock)
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn entry() -> Entry {
    Entry {
        at: Timestamp::UNIX_EPOCH,
        body: "{}".to_owned(),
    }
}

fn name() -> ExperimentName {
    "a".parse().unwrap()
}
