//! A crash at every append: with fakes in the tests of em-core, here with a real target and store.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use em_core::report::Report;

use crate::bench::Bench;
use crate::em::{Em, read_report};
use crate::figure::Measured;
use crate::remains::Suspects;
use crate::stopwatch::Stopwatch;
use crate::stored::Stored;
use crate::suites;

/// What the experiment is called.
const NAME: &str = "mortal";
/// How long what hangs on a manager may outlive it.
const MERCY: Duration = Duration::from_secs(2);
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// In the short form, every so many appends.
const STRIDE: usize = 7;

pub(crate) fn measure(bench: &mut Bench) -> Result<Measured> {
    let fakes = suites::crash_with_fakes(bench)?;
    let mortal = Mortal::new()?;
    let (expected, appends) = mortal.whole()?;
    bench.say(&format!(
        "with processes and SQLite: a baseline, two trials, two blocks, two slots; {appends} appends, {} results, best {}",
        expected.results,
        expected.best
    ))?;
    let stride = bench.by_form(STRIDE, 1);
    let mut wrong = Vec::new();
    let mut crashes = 0;
    for (number, whens) in (1..=appends).step_by(stride).zip(1..) {
        let both: &[&str] = &["before", "after"];
        let one = &both[whens % 2..=whens % 2];
        for when in *bench.by_form(&one, &both) {
            crashes += 1;
            for what in mortal.crash(number, when, &expected)? {
                let what = format!("crash {when} append {number}: {what}");
                bench.say(&what)?;
                wrong.push(what);
            }
        }
    }
    Ok(Measured {
        value: format!(
            "{} wrong of {crashes} crashes of {appends} appends with processes; with fakes {} failed",
            wrong.len(),
            fakes.failed
        ),
        is_met: wrong.is_empty() && fakes.failed == 0 && fakes.passed == 1,
    })
}

/// What must not depend on crashes.
#[derive(Debug, PartialEq, Eq)]
struct Answer {
    best: String,
    places: usize,
    results: usize,
}

impl Answer {
    fn of(report: &Report, stored: &Stored) -> Result<Self> {
        let best = report.trials.first().context("the report has no trial")?;
        // A block that stood still for too long is drawn again: its numbers belong to no block.
        let results = stored.results();
        Ok(Self {
            best: best.label.clone(),
            places: results.len(),
            results: results.values().sum(),
        })
    }
}

/// A manager that dies when it is told to.
struct Mortal {
    em: Em,
    program: PathBuf,
    file: PathBuf,
}

impl Mortal {
    fn new() -> Result<Self> {
        let em = Em::copied()?;
        let here = std::env::current_exe().context("failed to find the own executable")?;
        let program = em.take(&here.with_file_name("mortal"), "mortal")?;
        let service = em.folder().join("em");
        let file = em.write("mortal.yaml", &file(&service))?;
        Ok(Self { em, program, file })
    }

    /// The answer without a crash, and how many appends it takes.
    fn whole(&self) -> Result<(Answer, usize)> {
        let output = self.run("whole", &[])?;
        let report = read_report(&output)?;
        let said = String::from_utf8_lossy(&output.stderr);
        let appends = said.lines().find_map(|line| line.strip_suffix(" appends"));
        let appends = appends.context("mortal did not say its number of appends")?;
        let appends = appends.parse().context("a number of appends is a number")?;
        let stored = Stored::read(&self.em.folder().join("whole"), NAME)?;
        ensure!(stored.lost() == 0, "an iteration was lost without a crash");
        Ok((Answer::of(&report, &stored)?, appends))
    }

    /// What is wrong after a crash and a resume.
    fn crash(&self, number: usize, when: &str, expected: &Answer) -> Result<Vec<String>> {
        let data = format!("{when}-{number}");
        let died = self.run(&data, &[&number.to_string(), when])?;
        let mut wrong = Vec::new();
        // The order of appends side by side differs a little from run to run: so may their number.
        if died.status.code().is_some() && !died.status.success() {
            let said = String::from_utf8_lossy(&died.stderr);
            wrong.push(format!("it ended by itself: {}", said.trim()));
        }
        wrong.extend(self.left(&data));
        let report = read_report(&self.run(&data, &[])?)?;
        let stored = Stored::read(&self.em.folder().join(&data), NAME)?;
        let (placed, ended) = stored.placed_and_ended();
        if placed != ended {
            wrong.push(format!("{placed} iterations placed, {ended} ended"));
        }
        let answer = Answer::of(&report, &stored)?;
        if answer != *expected {
            wrong.push(format!("{answer:?}"));
        }
        wrong.extend(self.left(&data));
        let folder = self.em.folder().join(&data);
        std::fs::remove_dir_all(folder).context("failed to remove a data folder")?;
        Ok(wrong)
    }

    fn run(&self, data: &str, moment: &[&str]) -> Result<Output> {
        let mut command = Command::new(&self.program);
        command
            .arg(&self.file)
            .arg(self.em.folder().join(data))
            .args(moment)
            .current_dir(self.em.folder())
            .stdin(Stdio::null());
        command.output().context("failed to start mortal")
    }

    /// What is still there when the mercy is over.
    fn left(&self, data: &str) -> Vec<String> {
        let stored = Stored::read(&self.em.folder().join(data), NAME).ok();
        let store = stored.map(|stored| stored.store);
        let service = self.em.folder().join("em");
        let suspects = Suspects {
            program: &service,
            store: store.as_deref(),
        };
        let watch = Stopwatch::start();
        loop {
            let processes = suspects.processes().into_iter();
            let processes = processes.map(|(pid, name)| format!("process {pid} ({name})"));
            let folders = suspects.folders().into_iter();
            let left: Vec<_> = processes
                .chain(folders.map(|folder| folder.display().to_string()))
                .map(|what| format!("left behind: {what}"))
                .collect();
            if left.is_empty() || watch.elapsed() > MERCY {
                return left;
            }
            thread::sleep(LOOK_AGAIN);
        }
    }
}

/// Two trials of which one is better by far, in two blocks, on two slots.
fn file(service: &Path) -> String {
    format!(
        "\
name: {NAME}
target: {{ kind: process, slots: 2, command: ['{}', demo, --port, '{{{{port}}}}'] }}
tunables: [{{ name: workers, range: [1, 16], default: 2, apply: {{ env: WORKERS }} }}]
load: {{ kind: http, url: 'http://{{{{address}}}}/', rate: 20 }}
objective: {{ minimize: load.response_time.median }}
trials: [{{ id: slow, values: {{ workers: 1 }} }}, {{ id: fast, values: {{ workers: 4 }} }}]
measurement: {{ warmup: 100ms, cycles: 1, cycle_duration: 300ms, iterations: {{ min: 2, max: 2 }} }}
",
        service.display()
    )
}
