//! Journals of earlier versions: what was written once can be read, and gone on with, for ever.

#![expect(clippy::unwrap_used, reason = "a test may panic wherever it likes")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};

/// A data folder with a stored journal.
struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    fn new(version: &str, name: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let em = (format!("{name}.sql"), folder.path().join("em.db"));
        let raw = (format!("{name}.raw.sql"), folder.path().join("raw.db"));
        for (dump, file) in [em, raw] {
            runtime.block_on(restore(&stored(version, &dump), &file));
        }
        Self { folder }
    }

    fn em(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_em"))
            .args(arguments)
            .env("EM_DATA", self.folder.path())
            .env("EM_BESIDE", "1")
            .output()
            .unwrap()
    }

    /// What a command prints as JSON.
    fn json(&self, arguments: &[&str]) -> Value {
        let ran = self.em(&[arguments, &["--output", "json"]].concat());
        let said = String::from_utf8_lossy(&ran.stderr);
        assert_eq!(ran.status.code(), Some(0), "{said}");
        serde_json::from_slice(&ran.stdout).unwrap()
    }
}

/// Makes a database of what `sqlite3 FILE .dump` wrote.
async fn restore(dump: &Path, file: &Path) {
    let dump = std::fs::read_to_string(dump).unwrap();
    let options = SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true);
    let mut database = options.connect().await.unwrap();
    let dump = sqlx::AssertSqlSafe(dump);
    sqlx::raw_sql(dump).execute(&mut database).await.unwrap();
    database.close().await.unwrap();
}

fn stored(version: &str, file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/journals")
        .join(version)
        .join(file)
}

fn run(bench: &Bench, version: &str, name: &str) -> Value {
    let file = stored(version, &format!("{name}.yaml"));
    bench.json(&["run", file.to_str().unwrap()])
}

#[test]
fn a_finished_experiment_of_version_1_is_shown_and_not_run_again() {
    let bench = Bench::new("v1", "finished");
    let shown = bench.json(&["show", "finished"]);
    assert_eq!(shown["answer"], "found");
    assert_eq!(shown["winning"]["x"], 30);
    assert_eq!(shown["winning"]["mode"], "fast");
    let blocks = |trial: usize| shown["trials"][trial]["blocks"].as_u64();
    assert_eq!(
        [blocks(0), blocks(1)],
        [Some(7), Some(6)],
        "the second trial was added to what was measured before"
    );
    let again = run(&bench, "v1", "finished");
    assert!(again == shown, "what is stored is shown, bit for bit");
}

/// Its manager was killed while it measured iteration 1 of trial 6.
#[test]
fn an_unfinished_experiment_of_version_1_is_gone_on_with() {
    let bench = Bench::new("v1", "unfinished");
    let report = run(&bench, "v1", "unfinished");
    assert_eq!(report["answer"], "found");
    // Begun then: the same seed would propose the same to a search that began anew.
    let started = report["started"].as_str().unwrap();
    assert!(started.starts_with("2026-11-24T13:13:53"), "{started}");
    assert_eq!(report["winning"]["x"], 1);
    let labels = report["trials"].as_array().unwrap().iter();
    let labels: BTreeSet<_> = labels.filter_map(|trial| trial["label"].as_str()).collect();
    assert!(labels.is_superset(&["t1", "t6"].into()), "{labels:?}");
}
