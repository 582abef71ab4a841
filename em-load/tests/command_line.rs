//! The program `em-load`, as a user runs it.
#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use em_load::Report;

fn em_load(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_em-load"))
        .args(arguments)
        .output()
        .unwrap()
}

/// A null server in a process of its own, ended when dropped.
struct Server {
    child: Child,
    url: String,
}

impl Server {
    fn start() -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_em-load"))
            .args(["null-server", "--listen", "127.0.0.1:0"])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stderr.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let url = line
            .split([' ', ','])
            .find(|word| word.starts_with("http"))
            .unwrap()
            .to_owned();
        Self { child, url }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn report(path: &Path, url: &str, seed: &str) -> Report {
    let run = em_load(&[
        url, "--rate", "300", "-d", "500ms", "--seed", seed, "--json", "-q",
    ]);
    std::fs::write(path, &run.stdout).unwrap();
    Report::from_json(&String::from_utf8(run.stdout).unwrap()).unwrap()
}

#[test]
fn two_reports_merge_into_the_sum_of_both() {
    let server = Server::start();
    let folder = std::path::PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let (a, b) = (folder.join("a.json"), folder.join("b.json"));
    let (mut first, second) = (report(&a, &server.url, "1"), report(&b, &server.url, "2"));
    let merged = em_load(&["merge", a.to_str().unwrap(), b.to_str().unwrap(), "--json"]);
    let merged = Report::from_json(&String::from_utf8(merged.stdout).unwrap()).unwrap();
    assert!(first.steady.counts.offered > 0 && second.steady.counts.offered > 0);
    first.merge(&second);
    assert_eq!(merged, first);
}

#[test]
fn the_table_goes_to_stdout_and_progress_to_stderr() {
    let server = Server::start();
    let run = em_load(&[
        &server.url,
        "--rate",
        "200",
        "-d",
        "1200ms",
        "--arrivals",
        "constant",
    ]);
    let (stdout, stderr) = (
        String::from_utf8_lossy(&run.stdout),
        String::from_utf8_lossy(&run.stderr),
    );
    for expected in [
        "response",
        "service",
        "send lag",
        "p99",
        "offered",
        "240",
        "Little's law",
    ] {
        assert!(stdout.contains(expected), "{expected} is not in\n{stdout}");
    }
    assert!(stderr.contains("steady"), "{stderr}");
}

#[test]
fn exit_codes_tell_a_wrong_command_line_from_a_failed_load() {
    for wrong in [
        &["https://127.0.0.1/"][..],
        &["http://127.0.0.1/", "--rate", "-1"],
        &["http://127.0.0.1/", "--header", "no colon"],
        &["http://127.0.0.1/", "--accept", "99"],
        &["merge", "/nowhere/at-all.json"],
        &[],
    ] {
        assert_eq!(em_load(wrong).status.code(), Some(2), "{wrong:?}");
    }
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let refused = em_load(&[&format!("http://{free}/"), "-q"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("refused"));
}

#[test]
fn a_secret_header_is_taken_from_the_environment_and_never_printed() {
    let missing = em_load(&[
        "http://127.0.0.1/",
        "--header-env",
        "Authorization=NO_SUCH_VARIABLE_AT_ALL",
    ]);
    assert_eq!(missing.status.code(), Some(2));
    let server = Server::start();
    let run = Command::new(env!("CARGO_BIN_EXE_em-load"))
        .args([
            &*server.url,
            "-d",
            "100ms",
            "--json",
            "--header-env",
            "Authorization=TOKEN",
        ])
        .env("TOKEN", "Bearer hidden")
        .output()
        .unwrap();
    assert!(!String::from_utf8_lossy(&run.stdout).contains("hidden"));
    assert!(!String::from_utf8_lossy(&run.stderr).contains("hidden"));
}
