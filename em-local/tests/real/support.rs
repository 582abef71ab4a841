//! What the tests with real processes share.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use em_local::guard;
use em_local::launch::{Guardian, Launch, Running};
use em_local::mark::{self, Mark};
use em_local::proc_table;

/// A mark nobody else has.
pub(crate) fn a_mark(key: &str) -> Mark {
    Mark::new(&format!("test{}", std::process::id()), 1, key)
}

/// The example `guarded`, which `cargo test` builds beside the tests.
pub(crate) fn guarded_example() -> PathBuf {
    let me = std::env::current_exe().unwrap();
    let path = me.ancestors().nth(2).unwrap().join("examples/guarded");
    assert!(
        path.exists(),
        "{} is missing: cargo build -p em-local --examples",
        path.display()
    );
    path
}

/// A real guard.
pub(crate) fn a_guardian() -> Guardian {
    Guardian::Executable {
        path: guarded_example(),
        word: guard::WORD.to_owned(),
    }
}

/// A launch of a shell script.
pub(crate) fn a_script(key: &str, script: &str) -> Launch {
    Launch::new(
        a_mark(key),
        ["/bin/sh", "-c", script].map(str::to_owned).to_vec(),
    )
}

/// Starts it under a real guard.
pub(crate) async fn started(launch: &Launch) -> Running {
    Running::start(&a_guardian(), launch).await.unwrap()
}

/// Everything that lives and carries the mark, guards included.
pub(crate) fn marked(mark: &Mark) -> Vec<u32> {
    let text = mark.to_string();
    let carries = |pid: &u32| {
        proc_table::environment(*pid).is_some_and(|env| {
            env.iter()
                .any(|(name, value)| name == mark::VARIABLE && *value == text)
        })
    };
    proc_table::read_all()
        .iter()
        .filter(|stat| !stat.is_zombie())
        .map(|stat| stat.pid)
        .filter(carries)
        .collect()
}

/// Waits until `condition` holds; false when it never did.
pub(crate) fn eventually(limit: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + limit;
    while !condition() {
        if Instant::now() > end {
            return false;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    true
}
