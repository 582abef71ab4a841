//! The built `em`, copied where its user finds it.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context as _, Result, bail};
use em_core::report::Report;
use em_tests::house;
use tempfile::TempDir;

/// The user without rights: `nobody`.
const NOBODY: u32 = 65_534;

/// `em` in a folder of its own.
#[derive(Debug)]
pub(crate) struct Em {
    folder: TempDir,
    is_nobodys: bool,
    before: Vec<String>,
}

impl Em {
    /// For whoever runs this, with the whole machine.
    pub(crate) fn copied() -> Result<Self> {
        let folder = tempfile::tempdir().context("failed to make a folder for em")?;
        let em = Self {
            folder,
            is_nobodys: false,
            before: Vec::new(),
        };
        let here = std::env::current_exe().context("failed to find the own executable")?;
        em.take(&here.with_file_name("em"), "em")?;
        Ok(em)
    }

    /// For a user without rights, bound to one core. Without the rights to become somebody else it
    /// is whoever runs this.
    pub(crate) fn unprivileged() -> Result<Self> {
        let mut em = Self::copied()?;
        let who = fs::metadata("/proc/self").context("failed to find out who runs this")?;
        if who.uid() == 0 {
            em.is_nobodys = true;
            chown(em.folder.path(), Some(NOBODY), Some(NOBODY))
                .context("failed to give a folder away")?;
            let setpriv = [
                "setpriv",
                "--reuid=65534",
                "--regid=65534",
                "--clear-groups",
                "--inh-caps=-all",
                "--bounding-set=-all",
            ];
            em.before.extend(setpriv.map(str::to_owned));
        }
        let core = first_core().context("failed to find a core to run on")?;
        em.before
            .extend(["taskset".to_owned(), "-c".to_owned(), core]);
        Ok(em)
    }

    /// Its folder, which is the user's home.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Copies a file into the folder.
    pub(crate) fn take(&self, from: &Path, name: &str) -> Result<PathBuf> {
        let to = self.folder().join(name);
        fs::copy(from, &to).with_context(|| format!("failed to copy {}", from.display()))?;
        if self.is_nobodys {
            chown(&to, Some(NOBODY), Some(NOBODY)).context("failed to give a file away")?;
        }
        Ok(to)
    }

    /// Writes a file into the folder.
    pub(crate) fn write(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.folder().join(name);
        fs::write(&path, text)
            .and_then(|()| fs::set_permissions(&path, Permissions::from_mode(0o644)))
            .with_context(|| format!("failed to write {}", path.display()))?;
        Ok(path)
    }

    /// Copies the quickstart's file.
    pub(crate) fn take_quickstart(&self) -> Result<PathBuf> {
        self.take(
            &house::root().join("examples/quickstart.yaml"),
            "quickstart.yaml",
        )
    }

    /// Who runs it, and where.
    pub(crate) fn who(&self) -> String {
        let before = self.before.join(" ");
        format!("{before} em in {}", self.folder().display())
            .trim_start()
            .to_owned()
    }

    /// A command line of it; what it keeps lies in `data` below its folder. The measuring lock is
    /// left alone: whoever measures here holds it.
    pub(crate) fn command(&self, data: &str, arguments: &[&str]) -> Command {
        let program = self.folder().join("em");
        let mut command = match self.before.split_first() {
            None => Command::new(program),
            Some((first, rest)) => {
                let mut command = Command::new(first);
                command.args(rest).arg(program);
                command
            }
        };
        command
            .args(arguments)
            .current_dir(self.folder())
            .env("HOME", self.folder())
            .env_remove("XDG_DATA_HOME")
            .env("EM_DATA", self.folder().join(data))
            .env("EM_BESIDE", "1");
        command
    }

    /// Runs a file to its report.
    pub(crate) fn report(&self, data: &str, arguments: &[&str]) -> Result<Report> {
        let json = ["--output", "json"];
        let mut command = self.command(data, &[&["run"], arguments, &json].concat());
        let output = command.output().context("failed to start em")?;
        read_report(&output)
    }
}

/// The report that `em run --output json` printed.
pub(crate) fn read_report(output: &Output) -> Result<Report> {
    if output.stdout.is_empty() {
        let said = String::from_utf8_lossy(&output.stderr);
        let last: Vec<_> = said.lines().rev().take(5).collect();
        let last: Vec<_> = last.into_iter().rev().collect();
        bail!(
            "em gave no report ({}): {}",
            output.status,
            last.join(" / ")
        );
    }
    serde_json::from_slice(&output.stdout).context("em printed something else than a report")
}

/// The first core that this process may run on.
fn first_core() -> Option<String> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
    let first = line.trim().split([',', '-']).next()?;
    Some(first.to_owned())
}
