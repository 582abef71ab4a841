//! The manager is killed in mid-window, and what it measures lives in Prometheus.
//!
//! A service that is only observed outlives the manager, so the iteration goes on: the *same* window
//! is asked, whole, whoever lived meanwhile.

#![expect(clippy::unwrap_used, reason = "a test may panic wherever it likes")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use em_core::port::{Clock as _, SystemClock};
use em_tests::http;
use em_tests::prometheus::Prometheus;
use jiff::Timestamp;
use serde_json::Value;

const FILE: &str = "
name: watched
target: { kind: observe }
load: { kind: none }
datasources: { prom: { kind: prometheus, url: 'URL', every: 200ms } }
metrics:
  - { name: ticks, datasource: prom, as: counter, query: ticks_total }
  - { name: level, datasource: prom, as: gauge, query: level }
  - { name: took, datasource: prom, as: histogram, query: took_bucket }
measurement: { warmup: 1s, cycles: 3, cycle_duration: 2s, iterations: { min: 1, max: 1 } }
";

/// What the service says when it is asked for the n-th time.
fn page(n: u64) -> String {
    format!(
        "\
# TYPE ticks_total counter
ticks_total {}
# TYPE level gauge
level {}.25
# TYPE took histogram
took_bucket{{le=\"1\"}} {}
took_bucket{{le=\"+Inf\"}} {}
took_sum {}
took_count {}
",
        n * 7,
        n * n % 11,
        n * 2,
        n * 3,
        n * 9,
        n * 3,
    )
}

/// Where a service answers that nobody here manages.
fn service() -> String {
    let mut asked = 0;
    let url = http::serve(move |_| {
        asked += 1;
        ("200 OK", page(asked - 1))
    });
    url.unwrap().replace("http://", "")
}

/// Starts the manager on the file in `folder`.
fn manager(folder: &Path) -> Child {
    Command::new(env!("CARGO_BIN_EXE_em"))
        .args(["run", "--beside", "--output", "json"])
        .arg(folder.join("file.yaml"))
        .env("EM_DATA", folder.join("data"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// A running manager, once it has begun to measure.
fn measuring(folder: &Path) -> Child {
    let mut manager = manager(folder);
    let mut said = BufReader::new(manager.stderr.take().unwrap()).lines();
    while !said.next().unwrap().unwrap().starts_with("block b1") {}
    thread::spawn(move || said.for_each(drop));
    manager
}

/// Raw samples as the server's own API tells them: series by labels, values as they are written.
fn samples(server: &Prometheus, name: &str, start: Timestamp, end: Timestamp) -> Vec<Series> {
    let milliseconds = end.as_millisecond() - start.as_millisecond() + 1;
    // The server reads times to the millisecond.
    let time = format!(
        "{}.{:03}",
        end.as_second(),
        end.as_millisecond().rem_euclid(1000)
    );
    let path = format!("/api/v1/query?query={name}%5B{milliseconds}ms%5D&time={time}");
    let told: Value = serde_json::from_str(&body(server, &path)).unwrap();
    let found = told["data"]["result"].as_array().unwrap();
    found.iter().map(|one| Series::read(one, start)).collect()
}

fn body(server: &Prometheus, path: &str) -> String {
    let address = server.url.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    body.to_owned()
}

/// A server answers at once, and begins to scrape some seconds later.
fn wait_for_scrapes(server: &Prometheus) {
    for _ in 0..100 {
        let told = body(
            server,
            "/api/v1/query?query=count_over_time(ticks_total%5B2s%5D)%3E3",
        );
        if told.contains("\"value\"") {
            return;
        }
        thread::sleep(Duration::from_millis(200));
    }
    panic!("the server did not begin to scrape");
}

struct Series {
    le: Option<String>,
    at: Vec<f64>,
    values: Vec<f64>,
}

impl Series {
    fn read(told: &Value, start: Timestamp) -> Self {
        let values = told["values"].as_array().unwrap();
        let points = values.iter().map(|pair| {
            let value = pair[1].as_str().unwrap();
            (pair[0].as_f64().unwrap(), value.parse::<f64>().unwrap())
        });
        let points = points.filter(|(at, _)| *at >= start.as_duration().as_secs_f64());
        let (at, values) = points.unzip();
        let le = told["metric"]["le"].as_str().map(str::to_owned);
        Self { le, at, values }
    }

    /// What was counted; nothing here is ever reset.
    fn increase(&self) -> f64 {
        self.values.last().unwrap() - self.values.first().unwrap()
    }

    fn mean(&self) -> f64 {
        let number = f64::from(u32::try_from(self.values.len()).unwrap());
        self.values.iter().sum::<f64>() / number
    }
}

/// One metric of the only iteration.
struct Seen<'r>(&'r Value);

impl Seen<'_> {
    fn estimate(&self, statistic: &str) -> f64 {
        let value = self.0["estimates"][statistic]["value"].as_f64();
        value.unwrap_or_else(|| panic!("{statistic} is missing: {}", self.0))
    }

    /// The window that was asked and answered, and the points in it.
    fn origin(&self) -> (Timestamp, Timestamp, u64) {
        let origin = &self.0["origin"];
        assert_eq!(origin["asked"], origin["answered"], "{origin}");
        let at = |end: &str| origin["answered"][end].as_str().unwrap().parse().unwrap();
        (at("start"), at("end"), origin["points"].as_u64().unwrap())
    }
}

/// Kills the manager within the window, and starts another one so long after that.
fn killed_for(pause: Duration) {
    let folder = tempfile::tempdir().unwrap();
    let config = format!(
        "global: {{ scrape_interval: 200ms }}\n\
         scrape_configs: [{{ job_name: service, static_configs: [{{ targets: ['{}'] }}] }}]\n",
        service()
    );
    let server = Prometheus::start(folder.path(), &config).unwrap();
    let file = FILE.replace("URL", &server.url);
    std::fs::write(folder.path().join("file.yaml"), file).unwrap();

    wait_for_scrapes(&server);
    let mut first = measuring(folder.path());
    thread::sleep(Duration::from_secs(3));
    let before = SystemClock.now();
    first.kill().unwrap();
    first.wait().unwrap();
    thread::sleep(pause);
    let again = SystemClock.now();
    let ran = manager(folder.path()).wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(ran.status.code(), Some(0), "{said}");
    assert!(said.contains("goes on where it was broken off"), "{said}");

    let report: Value = serde_json::from_slice(&ran.stdout).unwrap();
    // It is the one that was begun: nothing was measured anew, and nothing twice.
    assert_eq!(report["iterations"], 1);
    let iterations = report["trials"][0]["iterations"].as_array().unwrap();
    let [iteration] = iterations.as_slice() else {
        panic!("there is one iteration: {iterations:?}");
    };
    let (ticks, level, took) = (
        Seen(&iteration["ticks"]),
        Seen(&iteration["level"]),
        Seen(&iteration["took"]),
    );
    let (start, end, points) = ticks.origin();
    assert!(start < before && before < end, "{start} {before} {end}");
    assert_eq!(end.duration_since(start).as_secs(), 6);
    assert_eq!(again > end, pause > Duration::from_secs(5), "{again} {end}");
    assert_eq!(level.origin(), (start, end, points));

    let asked = |name: &str| samples(&server, name, start, end);
    let [counter] = asked("ticks_total").try_into().ok().unwrap();
    assert_eq!(counter.values.len() as u64, points);
    let longest = counter.at.windows(2).map(|pair| pair[1] - pair[0]);
    let longest = longest.fold(0.0, f64::max);
    assert!(longest < 2.0, "the server itself stood still: {longest} s");
    let covered = counter.at.last().unwrap() - counter.at.first().unwrap();
    assert!(covered > 5.0, "{covered}");
    same(ticks.estimate("total"), counter.increase());

    let [gauge] = asked("level").try_into().ok().unwrap();
    same(level.estimate("mean"), gauge.mean());
    same(level.estimate("last"), *gauge.values.last().unwrap());

    let [sum] = asked("took_sum").try_into().ok().unwrap();
    let buckets = asked("took_bucket");
    let all = buckets.iter().find(|one| one.le.as_deref() == Some("+Inf"));
    let all = all.unwrap();
    same(took.estimate("count"), all.increase());
    same(took.estimate("mean"), sum.increase() / all.increase());
    same(took.estimate("mean"), 3.0);
}

/// To the last digit.
#[track_caller]
fn same(seen: f64, wanted: f64) {
    assert_eq!(seen.to_bits(), wanted.to_bits(), "{seen}, not {wanted}");
}

#[test]
#[ignore = "needs prometheus: tests/run datasources"]
fn a_manager_that_comes_back_in_mid_window_goes_on_with_it() {
    killed_for(Duration::ZERO);
}

#[test]
#[ignore = "needs prometheus: tests/run datasources"]
fn a_manager_that_comes_back_after_the_window_asks_for_it_whole() {
    killed_for(Duration::from_secs(7));
}
