//! The server of these tests: a real program on loopback with data of its own.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use em_core::plan::{DatasourceKind, DatasourceSpec, InfluxDbSpec, Tls};
use em_core::port::SystemClock;
use em_datasource::InfluxDbDatasource;
use tempfile::TempDir;

use crate::servers::T0;

/// A host whose name ends every text that is not escaped.
pub(super) const ODD: &str = r#"it's "b" \ c"#;
/// The same as it is written into a line.
const ODD_WRITTEN: &str = r#"it's\ "b"\ \\ c"#;

/// A server that ends with the test.
#[derive(Debug)]
pub(super) struct Influx {
    child: Child,
    url: String,
    pub(super) folder: TempDir,
}

impl Drop for Influx {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Influx {
    /// One with `settings` in its section `http`.
    pub(super) fn new(settings: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| folder.path().join(name).display().to_string();
        let config = format!(
            "reporting-disabled = true\nbind-address = \"127.0.0.1:0\"\n\
             [meta]\ndir = {:?}\n[data]\ndir = {:?}\nwal-dir = {:?}\n\
             [monitor]\nstore-enabled = false\n\
             [http]\nbind-address = \"127.0.0.1:0\"\n{settings}\n",
            file("meta"),
            file("data"),
            file("wal")
        );
        std::fs::write(file("influxdb.conf"), config).unwrap();
        let mut child = Command::new("influxd")
            .args(["-config", &file("influxdb.conf")])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("influxdb is installed (tests/run datasources installs it)");
        let mut said = BufReader::new(child.stderr.take().unwrap());
        let address = loop {
            let mut line = String::new();
            assert!(said.read_line(&mut line).unwrap() > 0, "influxd ended");
            if line.contains("Listening on HTTP") {
                let (_, after) = line.split_once("addr=").unwrap();
                break after.split_whitespace().next().unwrap().to_owned();
            }
        };
        // It blocks when nobody reads what it says.
        std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
        Self {
            child,
            url: format!("http://{address}"),
            folder,
        }
    }

    /// One with the data of the tests.
    pub(super) async fn filled(settings: &str) -> Self {
        let influx = Self::new(settings);
        influx.tell(None, "CREATE DATABASE em").await;
        influx.write(&data()).await;
        influx
    }

    pub(super) async fn tell(&self, user: Option<(&str, &str)>, statement: &str) {
        let url = format!("{}/query", self.url);
        let mut request = client().post(url).form(&[("q", statement)]);
        if let Some((user, password)) = user {
            request = request.basic_auth(user, Some(password));
        }
        let said = request.send().await.unwrap().text().await.unwrap();
        assert!(!said.contains("error"), "{said}");
    }

    async fn write(&self, lines: &str) {
        let url = format!("{}/write?db=em&precision=s", self.url);
        let request = client().post(url).body(lines.to_owned());
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 204, "{:?}", answer.text().await);
    }

    pub(super) fn spec(&self) -> DatasourceSpec {
        DatasourceSpec {
            kind: DatasourceKind::InfluxDb(InfluxDbSpec {
                url: self.url.clone(),
                database: "em".to_owned(),
                retention_policy: None,
            }),
            headers: std::collections::BTreeMap::new(),
            every: None,
            auth: None,
            tls: Tls::default(),
        }
    }

    pub(super) fn source(&self) -> InfluxDbDatasource {
        source(&self.spec())
    }
}

fn client() -> reqwest::Client {
    // Whoever came first has chosen; both choices are this one.
    drop(rustls::crypto::ring::default_provider().install_default());
    reqwest::Client::builder().no_proxy().build().unwrap()
}

pub(super) fn source(spec: &DatasourceSpec) -> InfluxDbDatasource {
    let DatasourceKind::InfluxDb(influxdb) = &spec.kind else {
        panic!("it is of another kind");
    };
    InfluxDbDatasource::new(Arc::new(SystemClock), influxdb, spec)
}

/// Ten minutes, one point each 15 seconds: two hosts with a level, one that counts, one with an odd
/// name, and one that pauses from 30 to 60 seconds.
fn data() -> String {
    let mut lines = String::new();
    for step in 0..40 {
        let at = T0 + step * 15;
        writeln!(lines, "load,host=a v={step},text=\"x\" {at}").unwrap();
        writeln!(lines, "load,host=b v={} {at}", step * 2).unwrap();
        let hits = if step < 20 { step * 3 } else { step - 20 };
        writeln!(lines, "hits,host=a total={hits}i,ok=true {at}").unwrap();
        writeln!(lines, "odd,host={ODD_WRITTEN} v=7 {at}").unwrap();
        if !(2..4).contains(&step) {
            writeln!(lines, "pausing v={step} {at}").unwrap();
        }
    }
    lines
}
