//! CPU and wall time of durable writes, beside the floor: the same statement on a bare connection.
//!
//! `cargo bench -p em-store --bench append [-- TRIALS]`; with TRIALS also the flatness over that
//! many trials and what reading them all takes. CPU is of the whole process, kernel included.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench prints what it found and stops at the first failure"
)]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use em_core::id::{Epoch, ExperimentName, IterationNo, TrialId};
use em_core::port::{Clock, Entry, Store, StreamId, SystemClock};
use em_store::SqliteStore;
use rustix::time::{ClockId, clock_gettime};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions as _, SqliteConnection};
use tokio::task::JoinSet;

/// Entries of one no-op trial.
const ENTRIES: u64 = 12;
/// Length of the body of an entry.
const BODY_BYTES: usize = 250;
/// Length of one piece of raw data.
const RAW_BYTES: usize = 600;

#[tokio::main]
async fn main() {
    let trials = std::env::args()
        .skip(1)
        .find_map(|argument| argument.parse().ok());
    println!("{ENTRIES} entries of {BODY_BYTES} bytes and {RAW_BYTES} bytes raw per trial");
    println!("{:34} {:>10} {:>10}", "", "CPU us", "wall us");
    for group in [1, 4, 16, 64] {
        floor(group).await;
        appends(group).await;
        whole_trials(group).await;
    }
    puts().await;
    if let Some(trials) = trials {
        flatness(trials).await;
    }
}

/// One statement of `group` rows at a time on a connection that does nothing else.
async fn floor(group: u32) {
    let folder = tempfile::tempdir().unwrap();
    let mut connection = bare(folder.path()).await;
    let sql = format!(
        "INSERT INTO entry VALUES {}",
        vec!["(?,?,?,?)"; group as usize].join(",")
    );
    let sql: &'static str = Box::leak(sql.into_boxed_str());
    let body = body();
    let rounds = 4000 / group;
    let meter = Meter::start();
    for round in 0..rounds {
        let mut insert = sqlx::query(sql);
        for row in 0..group {
            insert = insert
                .bind(round * group + row)
                .bind(0)
                .bind(i64::from(round))
                .bind(&body);
        }
        insert.execute(&mut connection).await.unwrap();
    }
    meter.print(
        &format!("floor, {group} rows per sync, per row"),
        rounds * group,
    );
}

/// `group` writers, each waiting for its append before it makes the next.
async fn appends(group: u32) {
    let (_folder, store) = store().await;
    let (_claim, epoch) = claim(&store).await;
    let each = 4000 / group;
    let meter = Meter::start();
    let mut writers = JoinSet::new();
    for writer in 0..group {
        let (store, epoch) = (Arc::clone(&store), epoch.clone());
        writers.spawn(async move {
            for n in 0..each {
                append(
                    &store,
                    &epoch,
                    stream(writer, n / 12),
                    u64::from(n) % ENTRIES,
                )
                .await;
            }
        });
    }
    writers.join_all().await;
    meter.print(&format!("append, {group} at a time"), each * group);
}

/// Trials of twelve appends and one put, `group` side by side.
async fn whole_trials(group: u32) {
    let (_folder, store) = store().await;
    let (_claim, epoch) = claim(&store).await;
    let each = (1600 / group).max(20);
    let meter = Meter::start();
    run_trials(&store, &epoch, 0, group, each).await;
    meter.print(&format!("whole trial, {group} side by side"), each * group);
}

async fn run_trials(store: &Arc<SqliteStore>, epoch: &Epoch, first: u32, group: u32, each: u32) {
    let mut slots = JoinSet::new();
    for slot in 0..group {
        let (store, epoch) = (Arc::clone(store), epoch.clone());
        slots.spawn(async move {
            for n in 0..each {
                let trial = first + n * group + slot;
                for seq in 0..ENTRIES {
                    if seq == ENTRIES - 1 {
                        let mut bytes = vec![7; RAW_BYTES];
                        bytes[..4].copy_from_slice(&trial.to_le_bytes());
                        store.put(&bytes).await.unwrap();
                    }
                    append(&store, &epoch, stream(trial, 1), seq).await;
                }
            }
        });
    }
    slots.join_all().await;
}

async fn puts() {
    let (_folder, store) = store().await;
    let meter = Meter::start();
    for n in 0_u32..2000 {
        let mut bytes = vec![7; 5 * 1024];
        bytes[..4].copy_from_slice(&n.to_le_bytes());
        store.put(&bytes).await.unwrap();
    }
    meter.print("put of 5 KiB, 1 at a time", 2000);
}

/// Cost per trial as the store grows, and of reading everything back.
async fn flatness(trials: u32) {
    const GROUP: u32 = 16;
    let (_folder, store) = store().await;
    let (claim, epoch) = claim(&store).await;
    let mut done = 0;
    for goal in [1_000, 10_000, 100_000] {
        let upto = goal.min(trials);
        if upto <= done {
            break;
        }
        let each = (upto - done) / GROUP;
        let meter = Meter::start();
        run_trials(&store, &epoch, done, GROUP, each).await;
        meter.print(&format!("whole trial, up to {upto} trials"), each * GROUP);
        done += each * GROUP;
    }
    let meter = Meter::start();
    let streams = store.read_all(&name()).await.unwrap();
    meter.print(&format!("read_all, per stream of {}", streams.len()), done);
    drop(streams);
    let meter = Meter::start();
    for trial in 0..100 {
        store.read(&stream(done / 100 * trial, 1)).await.unwrap();
    }
    meter.print("read of one stream", 100);
    drop(claim);
    let meter = Meter::start();
    store.claim(&name()).await.unwrap();
    meter.print("claim of all that", 1);
}

async fn append(store: &SqliteStore, epoch: &Epoch, stream: StreamId, seq: u64) {
    let entry = Entry {
        at: SystemClock.now(),
        body: body(),
    };
    store.append(&stream, seq, epoch, &[entry]).await.unwrap();
}

async fn store() -> (tempfile::TempDir, Arc<SqliteStore>) {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path(), Arc::new(SystemClock))
        .await
        .unwrap();
    (folder, Arc::new(store))
}

async fn claim(store: &SqliteStore) -> (em_core::port::Claim, Epoch) {
    let claim = store.claim(&name()).await.unwrap();
    let epoch = claim.epoch.clone();
    (claim, epoch)
}

async fn bare(folder: &Path) -> SqliteConnection {
    let mut connection = SqliteConnectOptions::new()
        .filename(folder.join("floor.db"))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .disable_statement_logging()
        .connect()
        .await
        .unwrap();
    sqlx::query(
        "CREATE TABLE entry (stream INTEGER NOT NULL, seq INTEGER NOT NULL, at INTEGER NOT NULL, \
         body TEXT NOT NULL, PRIMARY KEY (stream, seq)) WITHOUT ROWID",
    )
    .execute(&mut connection)
    .await
    .unwrap();
    connection
}

fn stream(trial: u32, n: u32) -> StreamId {
    StreamId::Iteration(name(), TrialId(trial), IterationNo(n))
}

fn name() -> ExperimentName {
    "bench".parse().unwrap()
}

fn body() -> String {
    format!("{{\"x\":\"{}\"}}", "e".repeat(BODY_BYTES - 8))
}

/// CPU and wall time since it was started.
struct Meter(Instant, Duration);

impl Meter {
    fn start() -> Self {
        Self(Instant::now(), cpu())
    }

    fn print(self, what: &str, acts: u32) {
        let per_act = |spent: Duration| spent.as_secs_f64() * 1e6 / f64::from(acts);
        let (wall, cpu) = (self.0.elapsed(), cpu().saturating_sub(self.1));
        println!("{what:34} {:10.1} {:10.1}", per_act(cpu), per_act(wall));
    }
}

fn cpu() -> Duration {
    let spent = clock_gettime(ClockId::ProcessCPUTime);
    Duration::try_from(spent).expect("CPU time is not negative")
}
