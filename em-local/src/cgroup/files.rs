//! Reading and writing the files of one group folder.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use crate::proc_table;
use crate::stop::{SignalName, send};

/// How often a folder is tried again that still holds a process about to vanish.
const REMOVE_ATTEMPTS: u32 = 50;
const REMOVE_PAUSE: Duration = Duration::from_millis(10);

/// The processes that are members of a group.
pub fn members(folder: &Path) -> Vec<u32> {
    fs::read_to_string(folder.join("cgroup.procs"))
        .unwrap_or_default()
        .lines()
        .filter_map(|line| line.trim().parse().ok())
        .collect()
}

/// Kills every process in a group and below: in one act where the kernel can, else one by one until
/// none is left (a fork in between is caught by the next round).
pub fn kill_members(folder: &Path) {
    if fs::write(folder.join("cgroup.kill"), "1").is_ok() {
        return;
    }
    for _ in 0..REMOVE_ATTEMPTS {
        let living: Vec<_> = members(folder)
            .into_iter()
            .filter_map(proc_table::read)
            .filter(|stat| !stat.is_zombie())
            .collect();
        if living.is_empty() {
            return;
        }
        for stat in &living {
            send(stat, SignalName::KILL);
        }
        thread::sleep(Duration::from_millis(1));
    }
}

/// Removes a group folder and those below; true when it is gone. Blocks for at most half a second
/// while members are still vanishing.
pub fn remove_folder(folder: &Path) -> bool {
    for attempt in 0..REMOVE_ATTEMPTS {
        for below in subfolders(folder) {
            remove_folder(&below);
        }
        match fs::remove_dir(folder) {
            Ok(()) => return true,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return true,
            Err(_) if attempt + 1 < REMOVE_ATTEMPTS => thread::sleep(REMOVE_PAUSE),
            Err(_) => {}
        }
    }
    false
}

/// The group folders directly below a folder.
pub(super) fn subfolders(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| entry.path())
        .collect()
}

/// A file with one number; `max` and what is not there are `None`.
pub(super) fn number(folder: &Path, file: &str) -> Option<u64> {
    fs::read_to_string(folder.join(file))
        .ok()?
        .trim()
        .parse()
        .ok()
}

/// The number behind a key in a file of `KEY NUMBER` lines.
pub(super) fn keyed(folder: &Path, file: &str, key: &str) -> Option<u64> {
    let text = fs::read_to_string(folder.join(file)).ok()?;
    text.lines()
        .find_map(|line| line.split_once(' ').filter(|(name, _)| *name == key))
        .and_then(|(_, value)| value.trim().parse().ok())
}

/// A file's text without its line end.
pub(super) fn text(folder: &Path, file: &str) -> Option<String> {
    fs::read_to_string(folder.join(file))
        .ok()
        .map(|text| text.trim().to_owned())
}
