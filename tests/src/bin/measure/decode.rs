//! How fast an answer with a million points becomes observations, and how much memory that takes.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::bench::Bench;
use crate::figure::Measured;

const SERIES: u32 = 100;
const POINTS: u32 = 10_000;
/// What people would write: the text, then an array of numbers.
const PYTHON: &str = "
import json, sys, time
import numpy
body = open(sys.argv[1], 'rb').read()
began = time.perf_counter()
read = json.loads(body)
all = numpy.array([[float(v) for _, v in one['values']] for one in read['data']['result']])
folded = all.mean(axis=0)
print(time.perf_counter() - began, 0, all.size)
";

/// One run of one way.
struct Run {
    seconds: f64,
    kilobytes: f64,
    points: f64,
}

pub(crate) fn measure(bench: &mut Bench) -> Result<Measured> {
    let folder = tempfile::tempdir().context("failed to make a folder")?;
    let path = folder.path().join("answer.json");
    std::fs::write(&path, answer()).context("failed to write the answer")?;
    let body = std::fs::metadata(&path).context("failed to look at the answer")?;
    let body = u32::try_from(body.len()).context("the answer is too large")?;
    let body = f64::from(body) / 1024.0;
    let rounds = bench.by_form(3, 15);
    let python = python(bench)?;
    bench.say(&format!(
        "{SERIES} series of {POINTS} points, {:.1} MB, {rounds} rounds, the least of each; decode and fold beside \
         serde_json into borrowed values, and json and numpy",
        body / 1024.0
    ))?;
    let us = std::env::current_exe().context("failed to find the own executable")?;
    let decode = us.with_file_name("decode");
    let way = |way: &'static str| {
        let mut command = Command::new(&decode);
        command.arg(way).arg(&path);
        command
    };
    let floor = fastest(&mut way("read"), rounds)?;
    let serde = fastest(&mut way("serde"), rounds)?;
    let em = fastest(&mut way("em"), rounds)?;
    let mut script = Command::new(python);
    let numpy = fastest(script.arg("-c").arg(PYTHON).arg(&path), rounds.min(3))?;
    for run in [&serde, &em, &numpy] {
        let points = f64::from(SERIES * POINTS);
        ensure!(
            (run.points - points).abs() < 0.5,
            "{} points were read",
            run.points
        );
    }
    // The floor holds the body, too.
    let memory = (em.kilobytes - floor.kilobytes + body) / body;
    let (time, part) = (em.seconds / serde.seconds, em.seconds / numpy.seconds);
    bench.say(&format!(
        "em {:.1} ms, serde_json {:.1} ms, Python {:.1} ms; peak {:.1} MB of em, {:.1} MB of serde_json, {:.1} MB with \
         the body alone",
        em.seconds * 1e3,
        serde.seconds * 1e3,
        numpy.seconds * 1e3,
        em.kilobytes / 1024.0,
        serde.kilobytes / 1024.0,
        floor.kilobytes / 1024.0
    ))?;
    Ok(Measured {
        value: format!("{time:.2} x serde_json, {memory:.2} x body of memory, {part:.3} x Python"),
        is_met: time <= 1.3 && memory <= 2.0 && part <= 0.2,
    })
}

/// As a server writes it: times with milliseconds, values of a few digits.
fn answer() -> String {
    let mut text = String::from(r#"{"status":"success","data":{"resultType":"matrix","result":["#);
    for series in 0..SERIES {
        let comma = if series == 0 { "" } else { "," };
        let _ = write!(
            text,
            r#"{comma}{{"metric":{{"__name__":"m","pod":"p{series}"}},"values":["#
        );
        for point in 0..POINTS {
            let comma = if point == 0 { "" } else { "," };
            let value = f64::from((series * 7_919 + point * 104_729) % 1_000_003) / 1e4;
            let second = 1_700_000_000 + point;
            let _ = write!(text, r#"{comma}[{second}.781,"{value}"]"#);
        }
        text.push_str("]}");
    }
    text.push_str("]}}");
    text
}

fn fastest(command: &mut Command, rounds: u32) -> Result<Run> {
    let mut best: Option<Run> = None;
    for _ in 0..rounds {
        let output = command.output().context("failed to start a reader")?;
        let said = String::from_utf8_lossy(&output.stdout);
        let numbers: Vec<f64> = said
            .split_whitespace()
            .filter_map(|word| word.parse().ok())
            .collect();
        let [seconds, kilobytes, points] = numbers[..] else {
            let said = String::from_utf8_lossy(&output.stderr);
            anyhow::bail!("a reader said something else: {said}");
        };
        let run = Run {
            seconds,
            kilobytes,
            points,
        };
        if best.as_ref().is_none_or(|best| run.seconds < best.seconds) {
            best = Some(run);
        }
    }
    best.context("nothing was run")
}

/// A Python with numpy: the machine's own, or one beside what is built here.
fn python(bench: &mut Bench) -> Result<String> {
    let has_numpy = |program: &str| {
        let asked = Command::new(program).args(["-c", "import numpy"]).output();
        asked.is_ok_and(|output| output.status.success())
    };
    if has_numpy("python3") {
        return Ok("python3".to_owned());
    }
    let built = std::env::var("CARGO_TARGET_DIR").unwrap_or_else(|_| "target".to_owned());
    let folder = Path::new(&built).join("python");
    let own = folder.join("bin/python3").display().to_string();
    if !has_numpy(&own) {
        bench.say("numpy is fetched, once")?;
        run(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
        run(Command::new(&own).args(["-m", "pip", "install", "--quiet", "numpy"]))?;
    }
    Ok(own)
}

fn run(command: &mut Command) -> Result<()> {
    let status = command.status().context("failed to start python3")?;
    ensure!(status.success(), "{command:?} failed");
    Ok(())
}
