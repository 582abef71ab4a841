//! Nothing is written to a cluster that was not meant, and nothing without a word of agreement. No cluster is needed: what is
//! refused is refused before any call.

#![expect(clippy::unwrap_used, reason = "a test may panic wherever it likes")]

use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

const KUBECONFIG: &str = r#"
apiVersion: v1
kind: Config
clusters: [{ name: none, cluster: { server: "http://127.0.0.1:1" } }]
users: [{ name: nobody, user: {} }]
contexts:
  - { name: staging, context: { cluster: none, user: nobody } }
  - { name: eu-prod, context: { cluster: none, user: nobody } }
current-context: staging
"#;

const FILE: &str = r#"
name: guarded
target:
  kind: kubernetes
  context: staging
  namespace: shop
  workload: deployment/checkout
  policy: rolling-update
  service: checkout
tunables: [{ name: workers, range: [1, 16], apply: { env: WORKERS } }]
load: { kind: http, url: "http://{{address}}/", rate: 10 }
objective: { minimize: load.response_time.p99 }
budget: { trials: 4 }
"#;

/// A folder with a kubeconfig, a file, and a data folder that is made by whoever writes.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new(file: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("kubeconfig"), KUBECONFIG).unwrap();
        std::fs::write(folder.path().join("file.yaml"), file).unwrap();
        Self { folder }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn em(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_em"));
        command
            .current_dir(self.path())
            .args(arguments)
            .env("KUBECONFIG", self.path().join("kubeconfig"))
            .env("XDG_CONFIG_HOME", self.path().join("config"))
            .env("EM_DATA", self.path().join("data"));
        command
    }

    fn run(&self, arguments: &[&str]) -> (Output, String) {
        let ran = self
            .em(&[&["run", "file.yaml"], arguments].concat())
            .output();
        let ran = ran.unwrap();
        let said = String::from_utf8(ran.stderr.clone()).unwrap();
        (ran, said)
    }

    fn experiments(&self) -> String {
        let listed = self.em(&["list"]).output().unwrap();
        String::from_utf8(listed.stdout).unwrap()
    }

    fn settings(&self, text: &str) {
        let folder = self.path().join("config/experiment-manager");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("config.yaml"), text).unwrap();
    }
}

#[test]
fn a_protected_context_has_to_be_named_once_more() {
    let place = Place::new(&FILE.replace("context: staging", "context: eu-prod"));
    let (ran, said) = place.run(&["--yes"]);
    assert_eq!(ran.status.code(), Some(2), "{said}");
    assert!(said.contains("\"eu-prod\" is protected"), "{said}");
    assert!(said.contains("--context eu-prod"), "{said}");
    let (ran, said) = place.run(&["--context", "eu-prod"]);
    assert_eq!(ran.status.code(), Some(2), "{said}");
    assert!(!said.contains("is protected"), "{said}");
    assert!(said.contains("--yes"), "{said}");
    assert!(!place.experiments().contains("guarded"));
}

#[test]
fn a_value_of_the_command_line_is_guarded_like_one_of_the_file() {
    let place = Place::new(FILE);
    let (ran, said) = place.run(&["--yes", "--set", "target.context=eu-prod"]);
    assert_eq!(ran.status.code(), Some(2), "{said}");
    assert!(said.contains("\"eu-prod\" is protected"), "{said}");
}

#[test]
fn another_context_than_the_files_is_refused_with_both() {
    let place = Place::new(FILE);
    let (ran, said) = place.run(&["--yes", "--context", "eu-prod"]);
    assert_eq!(ran.status.code(), Some(2), "{said}");
    assert!(
        said.contains("--context says \"eu-prod\", and the file has context staging"),
        "{said}"
    );
}

#[test]
fn what_will_be_written_is_shown_and_needs_a_yes() {
    let place = Place::new(FILE);
    let (ran, said) = place.run(&[]);
    assert_eq!(ran.status.code(), Some(2), "{said}");
    for part in [
        "What will be written to a cluster",
        "staging",
        "shop",
        "deployment/checkout",
        "rolling-update: changes the live object",
        "roll-outs",
        "em kube restore deployment/checkout",
        "of measuring",
        "--yes agrees",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(
        !place.experiments().contains("guarded"),
        "nothing was begun"
    );
}

#[test]
fn agreed_it_begins() {
    let place = Place::new(FILE);
    let mut running = place.em(&["run", "file.yaml", "--yes"]).spawn().unwrap();
    let begun = Instant::now();
    while !place.experiments().contains("guarded") {
        assert!(begun.elapsed() < Duration::from_mins(1), "it never began");
        std::thread::sleep(Duration::from_millis(100));
    }
    running.kill().unwrap();
    running.wait().unwrap();
}

#[test]
fn users_protect_what_they_like() {
    let place = Place::new(FILE);
    place.settings("protected: ['stag*']\n");
    let (ran, said) = place.run(&["--yes"]);
    assert_eq!(ran.status.code(), Some(2), "{said}");
    assert!(
        said.contains("\"staging\" is protected (\"stag*\""),
        "{said}"
    );
    place.settings("protect: []\n");
    let (ran, said) = place.run(&["--yes"]);
    assert_eq!(ran.status.code(), Some(2), "{said}");
    assert!(said.contains("there is no key \"protect\""), "{said}");
}

#[test]
fn the_context_of_a_load_is_guarded_too() {
    let load = "load: { kind: http, url: \"http://{{address}}/\", rate: 10 }";
    let job = "load: { kind: job, context: eu-prod, namespace: loads, image: loader, args: ['{{address}}'], \
               output: { patterns: { response_time: { find: 'x ([0-9]+)', as: value } } } }";
    let file = FILE
        .replace(load, job)
        .replace("load.response_time.p99", "load.response_time.value");
    let place = Place::new(&file);
    let (ran, said) = place.run(&["--yes", "--context", "staging"]);
    assert_eq!(ran.status.code(), Some(2), "{said}");
    assert!(said.contains("\"eu-prod\" is protected"), "{said}");
    let (ran, said) = place.run(&["--context", "eu-prod"]);
    assert_eq!(ran.status.code(), Some(2), "{said}");
    assert!(
        said.contains("Jobs of 1 pod of loader in context eu-prod, namespace loads"),
        "{said}"
    );
}

#[test]
fn settings_of_clusters_matter_only_to_who_writes_to_one() {
    let place = Place::new(
        r#"
name: local
target: { kind: simulated, model: { load.response_time: "0.010 / values.workers" } }
tunables: [{ name: workers, range: [1, 4], default: 1, apply: { env: WORKERS } }]
trials: [{ id: four, values: { workers: 4 } }]
load: { kind: http, url: "http://{{address}}/", rate: 100 }
objective: { minimize: load.response_time.p99 }
measurement: { warmup: 0s, cycles: 1, cycle_duration: 100ms, iterations: { max: 6 } }
"#,
    );
    place.settings("protected: 5\n");
    let (ran, said) = place.run(&[]);
    assert!(ran.status.success(), "{said}");
}
