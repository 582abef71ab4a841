//! Servers of the tests: real programs on loopback with data of their own, ended with the test.

use std::ffi::OsString;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// When the data of the tests begins: a fixed time, so that answers are the same for ever.
pub(crate) const T0: i64 = 1_700_000_000;

/// A server that ends with the test.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    pub(crate) url: String,
    pub(crate) folder: TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Server {
    /// Stops it in mid-work, as a machine does that is out of memory; `CONT` lets it go on.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args([format!("-{name}"), self.child.id().to_string()])
            .status();
        assert!(sent.unwrap().success());
    }

    /// Ends it, and starts another on the same data and the same port.
    pub(crate) fn restart(&mut self, more: &[&str]) {
        drop(self.child.kill());
        drop(self.child.wait());
        let port = self.url.rsplit(':').next().unwrap().to_owned();
        let (child, _) = prometheus_on(self.folder.path(), &port, more);
        self.child = child;
    }
}

/// The installed program, or the one that the environment names.
fn program(variable: &str, installed: &str) -> OsString {
    std::env::var_os(variable).unwrap_or_else(|| installed.into())
}

/// A Prometheus that holds `data`, in OpenMetrics text with times in seconds.
pub(crate) fn prometheus(data: &str, more: &[&str]) -> Server {
    let folder = tempfile::tempdir().unwrap();
    let config =
        "global: { scrape_interval: 15s }\nstorage: { tsdb: { out_of_order_time_window: 100y } }\n";
    std::fs::write(folder.path().join("prometheus.yml"), config).unwrap();
    if !data.is_empty() {
        let page = folder.path().join("data.om");
        std::fs::write(&page, format!("{data}# EOF\n")).unwrap();
        let written = Command::new(program("EM_TEST_PROMTOOL", "promtool"))
            .args(["tsdb", "create-blocks-from", "openmetrics"])
            .arg(&page)
            .arg(folder.path().join("data"))
            .output()
            .expect("promtool is installed (tests/run datasources installs it)");
        let said = String::from_utf8_lossy(&written.stderr);
        assert!(written.status.success(), "{said}");
    }
    let (child, port) = prometheus_on(folder.path(), "0", more);
    Server {
        child,
        url: format!("http://127.0.0.1:{port}"),
        folder,
    }
}

fn prometheus_on(folder: &Path, port: &str, more: &[&str]) -> (Child, String) {
    let file = |name: &str| folder.join(name).display().to_string();
    let mut child = Command::new(program("EM_TEST_PROMETHEUS", "prometheus"))
        .arg(format!("--config.file={}", file("prometheus.yml")))
        .arg(format!("--storage.tsdb.path={}", file("data")))
        .arg("--storage.tsdb.retention.time=100y")
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .arg("--web.enable-remote-write-receiver")
        .arg("--enable-feature=native-histograms")
        .args(more)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("prometheus is installed (tests/run datasources installs it)");
    let mut said = BufReader::new(child.stderr.take().unwrap());
    let port = loop {
        let mut line = String::new();
        assert!(said.read_line(&mut line).unwrap() > 0, "prometheus ended");
        if line.contains("Listening on") {
            break line
                .trim()
                .rsplit(':')
                .next()
                .unwrap()
                .trim_matches('"')
                .to_owned();
        }
    };
    // It blocks when nobody reads what it says.
    std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
    wait_until("prometheus is ready", || {
        // One that wants a password says so instead.
        let answers = ["200 OK", "401 Unauthorized"];
        answers
            .iter()
            .any(|answer| speaks(&port, "GET /-/ready HTTP/1.0\r\n\r\n", answer))
    });
    (child, port)
}

/// A VictoriaMetrics that was sent `data`, Prometheus text with times in milliseconds.
pub(crate) fn victoria_metrics(data: &str) -> Server {
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let child = Command::new("victoria-metrics")
        .arg(format!("-storageDataPath={}", folder.path().display()))
        .arg(format!("-httpListenAddr=127.0.0.1:{port}"))
        .arg("-retentionPeriod=100y")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("victoria-metrics is installed (tests/run datasources installs it)");
    let server = Server {
        child,
        url: format!("http://127.0.0.1:{port}"),
        folder,
    };
    let port = port.to_string();
    wait_until("victoria-metrics is ready", || {
        speaks(&port, "GET /health HTTP/1.0\r\n\r\n", "200 OK")
    });
    let post = format!(
        "POST /api/v1/import/prometheus HTTP/1.0\r\nContent-Length: {}\r\n\r\n{data}",
        data.len()
    );
    assert!(speaks(&port, &post, "204"));
    assert!(speaks(
        &port,
        "GET /internal/force_flush HTTP/1.0\r\n\r\n",
        "200 OK"
    ));
    server
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// Waits, bounded, until it holds.
pub(crate) fn wait_until(what: &str, holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(30), "in vain: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn speaks(port: &str, request: &str, wanted: &str) -> bool {
    use std::io::Read as _;

    let Ok(mut stream) = std::net::TcpStream::connect(format!("127.0.0.1:{port}")) else {
        return false;
    };
    let mut answer = Vec::new();
    drop(stream.set_read_timeout(Some(Duration::from_secs(5))));
    drop(stream.write_all(request.as_bytes()));
    drop(stream.read_to_end(&mut answer));
    String::from_utf8_lossy(&answer).contains(wanted)
}
