//! A launch without a guard executable: a shell watches the process group.
//!
//! The command waits behind a pipe until its watcher stands, so no moment is unguarded. What leaves the
//! process group is not held; the survey of the target says so.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use std::os::unix::process::ExitStatusExt;
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::{Control, Launch, LaunchError, Running, TreeState, as_typed};
use crate::cgroup::{Group, joining};
use crate::cores;
use crate::guard::Exit;
use crate::proc_table::{self, ProcStat};
use crate::stop::{SignalName, send};

/// Waits for the word to go, then becomes the command with the file `$1` as its input; ends when the
/// manager dies before.
const WAIT: &str = r#"read -r go || exit 125; input=$1; shift; exec "$@" <"$input""#;
/// Waits for the end of its input, then ends the process group `$1` (unless a line said that it is
/// empty: its number may belong to somebody else by then) and clears away what follows in pairs:
/// `group FOLDER`, `folder FOLDER`.
const WATCH: &str = r#"read -r empty
[ -z "$empty" ] || cat >/dev/null
if [ -z "$empty" ] && kill -s TERM -- "-$1" 2>/dev/null; then sleep 1; kill -s KILL -- "-$1" 2>/dev/null; sleep 0.1; fi
shift
while [ $# -gt 1 ]; do
  case $1 in
    folder) rm -rf -- "$2" ;;
    group) for p in $(cat "$2/cgroup.procs" 2>/dev/null); do kill -s KILL "$p" 2>/dev/null; done; sleep 0.1; rmdir -- "$2" 2>/dev/null ;;
  esac
  shift 2
done"#;
/// Between two looks at a group whose first process has ended.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

#[derive(Debug)]
pub(super) struct Handle {
    main: u32,
    group: Option<Group>,
    watcher: Child,
}

impl Handle {
    fn living(&self) -> Vec<ProcStat> {
        living(self.main)
    }

    pub(super) fn members(&self) -> Vec<u32> {
        self.living().iter().map(|stat| stat.pid).collect()
    }

    /// Waits for the watcher to end, whose sign of life has been dropped.
    pub(super) async fn gone(mut self) {
        let _ = self.watcher.wait().await;
    }

    pub(super) fn signal(&self, signal: SignalName) {
        let living = self.living();
        match living.iter().find(|stat| stat.pid == self.main) {
            Some(main) => {
                send(main, signal);
            }
            None => living.iter().for_each(|stat| {
                send(stat, signal);
            }),
        }
    }

    pub(super) async fn stop(
        &self,
        signal: SignalName,
        grace: Duration,
        mut state: watch::Receiver<TreeState>,
    ) {
        self.signal(signal);
        let asked = async {
            let _ = state.wait_for(|state| state.exit.is_some()).await;
            // What the first process leaves behind was not asked yet.
            for stat in self.living() {
                send(&stat, SignalName::TERM);
            }
            let _ = state.wait_for(|state| !state.is_alive()).await;
        };
        if tokio::time::timeout(grace, asked).await.is_ok() {
            return;
        }
        if let Some(group) = self.group.clone() {
            let _ = tokio::task::spawn_blocking(move || group.kill()).await;
        }
        for stat in self.living() {
            send(&stat, SignalName::KILL);
        }
    }
}

fn living(group: u32) -> Vec<ProcStat> {
    proc_table::read_all()
        .into_iter()
        .filter(|stat| stat.group == group && !stat.is_zombie())
        .collect()
}

pub(super) async fn start(launch: &Launch) -> Result<Running, LaunchError> {
    let failed = |source| LaunchError::Guard {
        program: "/bin/sh".into(),
        source,
    };
    let mut child = waiting(launch).spawn().map_err(failed)?;
    let main = child.id().unwrap_or_default();
    let mut watcher = watcher(launch, main).spawn().map_err(failed)?;
    if !launch.cpus.is_empty() {
        cores::pin(main, &launch.cpus).map_err(|error| failed(error.into()))?;
    }
    if let Some(mut pipe) = child.stdin.take() {
        pipe.write_all(b"go\n").await.map_err(failed)?;
    }
    let (sender, state) = watch::channel(TreeState {
        main: Some(main),
        ..TreeState::default()
    });
    let (stdout, stderr) = (launch.output(), launch.output());
    let mut tasks = JoinSet::new();
    if let Some(pipe) = child.stdout.take() {
        tasks.spawn(stdout.clone().fill_from(pipe));
    }
    if let Some(pipe) = child.stderr.take() {
        tasks.spawn(stderr.clone().fill_from(pipe));
    }
    tasks.spawn(wait_for_end(child, main, watcher.stdin.take(), sender));
    Ok(Running {
        command: as_typed(&launch.command),
        state,
        control: Control::Group(Handle {
            main,
            group: launch.group.clone(),
            watcher,
        }),
        stdout,
        stderr,
        tasks,
    })
}

fn waiting(launch: &Launch) -> Command {
    let mut command = Command::new("/bin/sh");
    command
        .args(["-c", WAIT, "em-wait"])
        .arg(launch.input.as_deref().unwrap_or(Path::new("/dev/null")))
        .args(joining(&launch.join_files(), &launch.command))
        .envs(launch.environment())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    if let Some(folder) = &launch.folder {
        command.current_dir(folder);
    }
    command
}

fn watcher(launch: &Launch, main: u32) -> Command {
    let mut command = Command::new("/bin/sh");
    command
        .args(["-c", WATCH, "em-watch", &main.to_string()])
        .stdin(Stdio::piped());
    for group in launch.group_folders() {
        command.arg("group").arg(group);
    }
    for folder in &launch.delete {
        command.arg("folder").arg(folder);
    }
    command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0);
    command
}

/// Holds the watcher's standard input, the sign that the manager lives, for as long as it is not
/// dropped.
async fn wait_for_end(
    mut child: Child,
    group: u32,
    mut sign_of_life: Option<ChildStdin>,
    state: watch::Sender<TreeState>,
) {
    let Ok(status) = child.wait().await else {
        return;
    };
    let exit = status
        .code()
        .map(Exit::Code)
        .or_else(|| status.signal().map(Exit::Signal))
        .unwrap_or(Exit::Code(-1));
    state.send_modify(|state| state.exit = Some(exit));
    while !living(group).is_empty() {
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    if let Some(pipe) = &mut sign_of_life {
        let _ = pipe.write_all(b"empty\n").await;
    }
    state.send_modify(|state| state.empty = true);
    std::future::pending::<()>().await;
}
