//! A launch under a real guard: one socket, lines of JSON both ways.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdStream;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::process::{Child, Command};
use tokio::sync::{Mutex, watch};
use tokio::task::JoinSet;

use super::{Control, Launch, LaunchError, Running, TreeState, as_typed};
use crate::guard::{Instructions, Report, Request};
use crate::mark;
use crate::proc_table;
use crate::stop::SignalName;

#[derive(Debug)]
pub(super) struct Handle {
    guard: u32,
    writer: Mutex<OwnedWriteHalf>,
}

impl Handle {
    pub(super) fn members(&self) -> Vec<u32> {
        proc_table::descendants(self.guard, &proc_table::read_all())
            .iter()
            .filter(|stat| !stat.is_zombie())
            .map(|stat| stat.pid)
            .collect()
    }

    pub(super) async fn signal(&self, signal: SignalName) {
        self.ask(&Request::Signal {
            signal: signal.to_string(),
        })
        .await;
    }

    /// Tells the guard that nobody is there any more.
    pub(super) async fn let_go(&self) {
        let _ = self.writer.lock().await.shutdown().await;
    }

    pub(super) async fn stop(&self, signal: SignalName, grace: Duration) {
        let grace_ms = u64::try_from(grace.as_millis()).unwrap_or(u64::MAX);
        self.ask(&Request::Stop {
            signal: signal.to_string(),
            grace_ms,
        })
        .await;
    }

    /// A guard that cannot be written to is gone, which the reader of its reports notices.
    async fn ask(&self, request: &Request) {
        let mut line = serde_json::to_vec(request).unwrap_or_default();
        line.push(b'\n');
        let _ = self.writer.lock().await.write_all(&line).await;
    }
}

pub(super) async fn start(
    path: &Path,
    word: &str,
    launch: &Launch,
) -> Result<Running, LaunchError> {
    let failed = |source| LaunchError::Guard {
        program: path.to_owned(),
        source,
    };
    let (ours, theirs) = StdStream::pair().map_err(failed)?;
    ours.set_nonblocking(true).map_err(failed)?;
    let (reader, mut writer) = UnixStream::from_std(ours).map_err(failed)?.into_split();
    let mut child = guard(path, word, launch, theirs).spawn().map_err(failed)?;
    let mut line =
        serde_json::to_vec(&instructions(launch)).map_err(|error| failed(error.into()))?;
    line.push(b'\n');
    // A guard that ended already is reported with what it printed.
    let _ = writer.write_all(&line).await;

    let (sender, state) = watch::channel(TreeState::default());
    let (stdout, stderr) = (launch.output(), launch.output());
    let mut tasks = JoinSet::new();
    if let Some(pipe) = child.stdout.take() {
        tasks.spawn(stdout.clone().fill_from(pipe));
    }
    if let Some(pipe) = child.stderr.take() {
        tasks.spawn(stderr.clone().fill_from(pipe));
    }
    let guard = child.id().unwrap_or_default();
    tasks.spawn(read_reports(reader, sender, child));
    Ok(Running {
        command: as_typed(&launch.command),
        state,
        control: Control::Guard(Handle {
            guard,
            writer: Mutex::new(writer),
        }),
        stdout,
        stderr,
        tasks,
    })
}

fn guard(path: &Path, word: &str, launch: &Launch, channel: StdStream) -> Command {
    let mut command = Command::new(path);
    command
        .arg(word)
        .arg(launch.mark.to_string())
        .env(mark::VARIABLE, launch.mark.to_string())
        .stdin(Stdio::from(OwnedFd::from(channel)))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    command
}

fn instructions(launch: &Launch) -> Instructions {
    Instructions {
        command: launch.command.clone(),
        env: launch.environment(),
        folder: launch.folder.clone(),
        input: launch.input.clone(),
        join: launch.join_files(),
        cpus: launch.cpus.clone(),
        groups: launch.group_folders(),
        folders: launch.delete.clone(),
    }
}

async fn read_reports(reader: OwnedReadHalf, state: watch::Sender<TreeState>, mut child: Child) {
    let mut lines = BufReader::new(reader).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let Ok(report) = serde_json::from_str::<Report>(&line) else {
            continue;
        };
        state.send_modify(|state| match report {
            Report::Started { pid } => state.main = Some(pid),
            Report::Failed { why } => state.failed = Some(why),
            Report::Exited { exit } => state.exit = Some(exit),
            Report::Empty => state.empty = true,
        });
    }
    let _ = child.wait().await;
    state.send_modify(|state| state.guard_gone = state.failed.is_none());
}
