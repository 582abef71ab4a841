//! A real Prometheus that scrapes, for as long as a test or a figure needs it.

use std::io::{self, BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, ensure};

/// A server on a free port of the loopback interface; ended when it is dropped.
#[derive(Debug)]
pub struct Prometheus {
    child: Child,
    /// Where it answers, `http://127.0.0.1:PORT`.
    pub url: String,
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Prometheus {
    /// Starts it in `folder` with this configuration.
    ///
    /// # Errors
    /// When it is not installed (`tests/run datasources` does that) or does not begin to listen.
    pub fn start(folder: &Path, config: &str) -> Result<Self> {
        std::fs::write(folder.join("prometheus.yml"), config)
            .context("failed to write the configuration of Prometheus")?;
        // Another one than the installed, where somebody says so.
        let program = std::env::var_os("EM_TEST_PROMETHEUS");
        let mut child = Command::new(program.unwrap_or_else(|| "prometheus".into()))
            .current_dir(folder)
            .args(["--config.file=prometheus.yml", "--storage.tsdb.path=tsdb"])
            .arg("--web.listen-address=127.0.0.1:0")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .context("failed to start prometheus: tests/run datasources installs it")?;
        let said = child.stderr.take().context("nothing is heard of it")?;
        let mut server = Self {
            child,
            url: String::new(),
        };
        let mut said = BufReader::new(said);
        let port = loop {
            let mut line = String::new();
            let read = said.read_line(&mut line);
            let read = read.context("failed to read what Prometheus says")?;
            ensure!(read > 0, "Prometheus ended before it listened");
            if line.contains("Listening on") {
                let port = line.trim().rsplit(':').next().unwrap_or_default();
                break port.trim_matches('"').to_owned();
            }
        };
        // Read on, or it stands still when the pipe is full.
        std::thread::spawn(move || io::copy(&mut said, &mut io::sink()));
        server.url = format!("http://127.0.0.1:{port}");
        Ok(server)
    }
}
