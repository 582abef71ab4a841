//! What of ours is still out there: processes, cgroups, work folders - found by their mark.

use std::fs;
use std::path::{Path, PathBuf};

use em_core::fault::{Fault, FaultKind};
use em_core::port::Remnant;

use crate::cgroup::{find_marked, kill_members, remove_folder};
use crate::fault::blocking;
use crate::launch::as_typed;
use crate::mark::{self, Mark};
use crate::proc_table::{self, ProcStat};
use crate::stop::{SignalName, send};
use crate::workdir;

/// Everything on this machine that carries a mark, whoever's it is: the engine tells its own from
/// others'. Processes of other users are not readable, and therefore not ours either.
pub fn find(work_root: &Path) -> Vec<Remnant> {
    let processes = marked_processes().into_iter().map(|(mark, stat)| {
        let command = proc_table::command_line(stat.pid).unwrap_or_default();
        let what = format!("process {} ({})", stat.pid, as_typed(&command));
        remnant(
            mark,
            what,
            format!("process {} {}", stat.pid, stat.started_ticks),
        )
    });
    let groups = find_marked(mark::PREFIX).into_iter().filter_map(|folder| {
        let what = format!("cgroup {}", folder.display());
        Some(remnant(
            mark_of(&folder)?,
            what,
            format!("cgroup {}", folder.display()),
        ))
    });
    let folders = work_folders(work_root).into_iter().filter_map(|folder| {
        let what = format!("folder {}", folder.display());
        Some(remnant(
            mark_of(&folder)?,
            what,
            format!("folder {}", folder.display()),
        ))
    });
    processes.chain(groups).chain(folders).collect()
}

/// Ends or removes one of them. Gone = success. Blocks for a moment.
pub fn end(handle: &str) -> Result<(), String> {
    match handle.split_once(' ') {
        Some(("process", rest)) => end_process(rest),
        Some(("cgroup", folder)) => {
            let folder = Path::new(folder);
            kill_members(folder);
            let gone = remove_folder(folder);
            gone.then_some(())
                .ok_or_else(|| format!("cgroup {} still has members", folder.display()))
        }
        Some(("folder", folder)) => {
            workdir::remove(Path::new(folder)).map_err(|error| em_core::fault::chain(&error))
        }
        _ => Err(format!("{handle:?} is no handle of a local remnant")),
    }
}

/// The same as an answer of a port.
pub(crate) async fn end_one(remnant: &Remnant) -> Result<(), Fault> {
    let handle = remnant.handle.clone();
    let ended = blocking(move || end(&handle)).await;
    ended.map_err(|why| {
        let message = format!("failed to end {}: {why}", remnant.what);
        Fault::new(FaultKind::Unavailable, message)
    })
}

/// Ends everything that carries exactly this store's mark for `mark`'s act, of whatever epoch.
pub fn end_all_of(mark: &Mark, work_root: &Path) -> Result<(), String> {
    let same =
        |remnant: &Remnant| remnant.key == mark.key && remnant.epoch.store == mark.epoch.store;
    for remnant in find(work_root).iter().filter(|remnant| same(remnant)) {
        end(&remnant.handle)?;
    }
    Ok(())
}

fn marked_processes() -> Vec<(Mark, ProcStat)> {
    let marked = |stat: ProcStat| {
        let environment = proc_table::environment(stat.pid)?;
        let (_, text) = environment
            .into_iter()
            .find(|(name, _)| name == mark::VARIABLE)?;
        Some((text.parse().ok()?, stat))
    };
    let me = std::process::id();
    proc_table::read_all()
        .into_iter()
        .filter(|stat| stat.pid != me && !stat.is_zombie())
        .filter_map(marked)
        .collect()
}

/// What hangs below a process has its mark unless it cleaned its environment: it goes with it.
fn end_process(handle: &str) -> Result<(), String> {
    let wrong = || format!("process {handle:?} is no handle of a local remnant");
    let (pid, started) = handle.split_once(' ').ok_or_else(wrong)?;
    let (pid, started): (u32, u64) = (
        pid.parse().map_err(|_| wrong())?,
        started.parse().map_err(|_| wrong())?,
    );
    let Some(stat) = proc_table::read(pid).filter(|stat| stat.started_ticks == started) else {
        return Ok(());
    };
    let below = proc_table::descendants(pid, &proc_table::read_all());
    for stat in below.iter().chain([&stat]) {
        send(stat, SignalName::KILL);
    }
    Ok(())
}

fn remnant(mark: Mark, what: String, handle: String) -> Remnant {
    Remnant {
        key: mark.key,
        epoch: mark.epoch,
        what,
        handle,
    }
}

fn mark_of(folder: &Path) -> Option<Mark> {
    Mark::from_folder_name(folder.file_name()?.to_str()?)
}

fn work_folders(root: &Path) -> Vec<PathBuf> {
    fs::read_dir(root)
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .collect()
}
