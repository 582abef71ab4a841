//! Broken files, each with every message it must give, to the letter.
//!
//! `files/bad_input.txt` holds them: a line `=== STORY`, the file, a line `--->`, the messages. What a file does not say itself is
//! added from a working one below it, so that a case shows only what is broken in it; `=== ! STORY` is a file as it is.

#![expect(clippy::unwrap_used, reason = "a test may panic wherever it likes")]

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

use em_core::file::{self, FileContext};

const CASES: &str = include_str!("files/bad_input.txt");

/// A working file, by keys.
const WORKING: [(&str, &str); 6] = [
    ("name", "name: demo\n"),
    (
        "target",
        "target: { kind: process, command: [demo, --port, \"{{port}}\"] }\n",
    ),
    (
        "tunables",
        "tunables: [{ name: workers, range: [1, 16], default: 2, apply: { env: WORKERS } }, { name: cache, choices: [lru, none], default: lru, apply: { env: CACHE } }]\n",
    ),
    (
        "load",
        "load: { kind: http, url: \"http://{{address}}/\" }\n",
    ),
    (
        "objective",
        "objective: { minimize: load.response_time.p99 }\n",
    ),
    ("budget", "budget: { trials: 20 }\n"),
];

struct Case {
    story: String,
    text: String,
    messages: String,
}

fn cases() -> Vec<Case> {
    let blocks = CASES.split("=== ").skip(1);
    blocks.map(case).collect()
}

fn case(block: &str) -> Case {
    let (story, rest) = block.split_once('\n').unwrap();
    let (text, messages) = rest.split_once("--->\n").unwrap_or((rest, ""));
    let (story, text) = match story.strip_prefix("! ") {
        Some(story) => (story, text.to_owned()),
        None => (story, completed(text)),
    };
    Case {
        story: story.to_owned(),
        text,
        messages: messages.trim_end().to_owned(),
    }
}

fn completed(text: &str) -> String {
    let has = |key: &str| {
        text.lines()
            .any(|line| line.starts_with(&format!("{key}:")))
    };
    let missing = WORKING.iter().filter(|(key, _)| !has(key));
    let mut whole = text.to_owned();
    whole.extend(missing.map(|(_, lines)| *lines));
    whole
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    match path.to_str() {
        Some("/lab/app.tmpl") => Ok(b"listen {{port}};\n".to_vec()),
        Some("/lab/broken.tmpl") => Ok(b"a\n  listen {{prt}};\n".to_vec()),
        _ => Err(io::Error::new(io::ErrorKind::NotFound, "no such file")),
    }
}

fn lab() -> FileContext<'static> {
    FileContext {
        base: PathBuf::from("/lab"),
        executable: Some(PathBuf::from("/usr/bin/em")),
        read: &read,
        ..FileContext::bare()
    }
}

fn refusal(bytes: &[u8]) -> String {
    match file::parse(bytes, &lab()) {
        Ok(_) => "it is taken for a plan".to_owned(),
        Err(violations) => violations.to_string(),
    }
}

#[test]
fn every_broken_file_gives_exactly_its_messages() {
    let cases = cases();
    assert!(cases.len() >= 80, "{}", cases.len());
    let mut wrong = String::new();
    for case in &cases {
        let said = refusal(case.text.as_bytes());
        if said != case.messages {
            writeln!(wrong, "=== {}\n--->\n{said}", case.story).unwrap();
        }
    }
    assert!(wrong.is_empty(), "these say something else:\n{wrong}");
}

#[test]
fn a_cluster_that_is_not_named_is_answered_with_those_that_there_are() {
    let text = completed(
        "target: { kind: kubernetes, workload: deploy/app, policy: rolling-update, service: app }\n",
    );
    let context = FileContext {
        contexts: vec!["staging".to_owned(), "production".to_owned()],
        ..lab()
    };
    let violations = file::parse(text.as_bytes(), &context).unwrap_err();
    assert_eq!(
        violations.to_string(),
        "line 1, column 9: target: the key \"context\" is missing: which cluster is meant has no default (one of staging, production, or in-cluster)"
    );
}

#[test]
fn the_file_that_completes_the_cases_is_a_plan() {
    let parsed = file::parse(completed("").as_bytes(), &lab());
    assert!(parsed.unwrap().warnings.is_empty());
}

#[test]
fn every_message_says_where_and_ends_like_a_sentence_without_its_stop() {
    for case in cases() {
        for line in case.messages.lines() {
            assert!(line.starts_with("line "), "{}: {line}", case.story);
            assert!(!line.ends_with(['.', ' ', ':']), "{}: {line}", case.story);
        }
    }
}

#[test]
fn no_message_repeats_a_secret() {
    let whole: String = cases().iter().map(|case| case.messages.clone()).collect();
    for secret in ["hunter2", "abc", "u:p@"] {
        assert!(!whole.contains(secret), "{secret}");
    }
}

#[test]
fn a_file_in_another_encoding_is_refused_with_the_place() {
    assert_eq!(
        refusal(b"name: demo\nuser: \xffx\n"),
        "line 2, column 7: byte 0xff is no UTF-8 text (save the file as UTF-8)"
    );
}

#[test]
fn a_file_above_ten_megabytes_is_refused_unread() {
    let large = vec![b'#'; file::LARGEST + 1];
    assert_eq!(
        refusal(&large),
        "line 1, column 1: the file has 10485761 bytes, more than the 10485760 that an experiment file may have (keep data in files of its own)"
    );
}

#[test]
fn a_list_of_ten_megabytes_ends_at_the_number_of_parts() {
    let large = format!("x-data: [{}]", "1,".repeat(file::LARGEST / 2 - 10));
    assert_eq!(
        refusal(large.as_bytes()),
        "line 1, column 400004: the file has more than 200000 parts, repeated anchors included"
    );
}

#[test]
fn anchors_cannot_blow_up_the_tree() {
    let mut bomb = "x-a: &a [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for (name, before) in [
        ("b", "a"),
        ("c", "b"),
        ("d", "c"),
        ("e", "d"),
        ("f", "e"),
        ("g", "f"),
    ] {
        let uses = vec![format!("*{before}"); 10].join(", ");
        writeln!(bomb, "x-{name}: &{name} [{uses}]").unwrap();
    }
    let said = refusal(bomb.as_bytes());
    assert!(
        said.ends_with("the file has more than 200000 parts, repeated anchors included"),
        "{said}"
    );
}

#[test]
fn depth_has_an_end() {
    for (open, close) in [("[", "]"), ("{a: ", "}")] {
        let deep = format!("x-a: {}1{}", open.repeat(100), close.repeat(100));
        let said = refusal(deep.as_bytes());
        assert!(
            said.ends_with("more than 64 lists and maps stand inside each other"),
            "{said}"
        );
    }
}
