//! What was reported as written survives `kill -9` of the process that wrote it.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use em_core::id::{Digest, ExperimentName, IterationNo, TrialId};
use em_core::port::{Clock as _, Entry, Store as _, StreamId, SystemClock};
use em_store::SqliteStore;
use tokio::task::JoinSet;

/// Set for the child: where its store is.
const FOLDER: &str = "EM_STORE_KILL_TEST_FOLDER";
/// Streams that the child writes at the same time.
const WRITERS: u32 = 8;
/// Times that a child is started and killed on one folder.
const LIVES: usize = 6;

#[tokio::test]
async fn everything_reported_is_there_after_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let mut reported = vec![0; WRITERS as usize];
    for life in 1..=LIVES {
        let mut child = Writing::start(folder.path());
        for report in child.reports().take(100 * life + life) {
            let (writer, length) = report;
            reported[writer] = length;
        }
        child.kill();
        let store = open(folder.path()).await;
        for (writer, reported) in reported.iter_mut().enumerate() {
            let entries = store.read(&stream(writer)).await.unwrap();
            assert!(
                entries.len() as u64 >= *reported,
                "life {life}: reported entries are gone"
            );
            for (entry, seq) in entries.iter().zip(0_u64..) {
                let digest: Digest = entry.body.trim_matches('"').parse().unwrap();
                assert_eq!(
                    store.get(&digest).await.unwrap(),
                    raw(writer, seq),
                    "named raw data"
                );
            }
            *reported = entries.len() as u64;
        }
        // The lock died with the child: the next life claims what this one left.
        let claim = store.claim(&name()).await.expect("the owner is dead");
        assert_eq!(claim.epoch.counter, 2 * life as u64);
        store.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "the child of everything_reported_is_there_after_a_kill: writes until it is killed"]
async fn writes_until_killed() {
    let Some(folder) = std::env::var_os(FOLDER) else {
        return;
    };
    let store = Arc::new(open(Path::new(&folder)).await);
    let claim = store.claim(&name()).await.unwrap();
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS as usize {
        let (store, epoch) = (Arc::clone(&store), claim.epoch.clone());
        writers.spawn(async move {
            let first = store.read(&stream(writer)).await.unwrap().len() as u64;
            // Ends by itself should the parent forget to kill it.
            for seq in first..first + 10_000 {
                let digest = store.put(&raw(writer, seq)).await.unwrap();
                let entry = Entry {
                    at: SystemClock.now(),
                    body: format!("\"{digest}\""),
                };
                store
                    .append(&stream(writer), seq, &epoch, &[entry])
                    .await
                    .unwrap();
                println!("written {writer} {}", seq + 1);
            }
        });
    }
    writers.join_all().await;
}

struct Writing(Child);

impl Writing {
    fn start(folder: &Path) -> Self {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "--nocapture", "writes_until_killed"])
            .env(FOLDER, folder)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Self(child)
    }

    /// Writer and number of its entries, each time that one is reported as written.
    fn reports(&mut self) -> impl Iterator<Item = (usize, u64)> + use<> {
        let output = BufReader::new(self.0.stdout.take().unwrap());
        output.lines().map_while(Result::ok).filter_map(|line| {
            let (_, report) = line.split_once("written ")?;
            let (writer, length) = report.split_once(' ')?;
            Some((writer.parse().ok()?, length.parse().ok()?))
        })
    }

    fn kill(mut self) {
        self.0.kill().unwrap();
        let status = self.0.wait().unwrap();
        assert!(
            status.code().is_none(),
            "the child ended before it was killed: {status}"
        );
    }
}

async fn open(folder: &Path) -> SqliteStore {
    SqliteStore::open(folder, Arc::new(SystemClock))
        .await
        .unwrap()
}

fn stream(writer: usize) -> StreamId {
    StreamId::Iteration(
        name(),
        TrialId(u32::try_from(writer).unwrap()),
        IterationNo(1),
    )
}

fn raw(writer: usize, seq: u64) -> Vec<u8> {
    format!("raw {writer} {seq}").into_bytes()
}

fn name() -> ExperimentName {
    "killed".parse().unwrap()
}
