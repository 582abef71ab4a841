//! What a killed manager leaves on this machine.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use em_local::mark::VARIABLE;
use em_local::{cgroup, mark, proc_table};

/// Who is looked for: whatever runs this copy of `em`, or carries a mark of this store.
#[derive(Debug)]
pub(crate) struct Suspects<'a> {
    /// The copy of `em`.
    pub(crate) program: &'a Path,
    /// Id of the store; none before there is one.
    pub(crate) store: Option<&'a str>,
}

impl Suspects<'_> {
    /// Processes, as `id command`.
    pub(crate) fn processes(&self) -> Vec<(u32, String)> {
        let table = proc_table::read_all();
        let ours = table
            .iter()
            .filter(|stat| !stat.is_zombie() && self.is_ours(stat.pid));
        ours.map(|stat| (stat.pid, stat.name.clone())).collect()
    }

    fn is_ours(&self, pid: u32) -> bool {
        let is_program = proc_table::executable(pid).is_some_and(|path| path == self.program);
        is_program || self.carries_a_mark(pid)
    }

    fn carries_a_mark(&self, pid: u32) -> bool {
        let Some(store) = self.store else {
            return false;
        };
        let environment = proc_table::environment(pid).unwrap_or_default();
        environment
            .iter()
            .any(|(name, value)| name == VARIABLE && value.starts_with(&format!("{store}.")))
    }

    /// Sockets on which one of the processes listens, by inode.
    pub(crate) fn listening(&self) -> BTreeSet<u64> {
        let open: BTreeSet<u64> = self
            .processes()
            .iter()
            .flat_map(|(pid, _)| sockets(*pid))
            .collect();
        all_listening().intersection(&open).copied().collect()
    }

    /// cgroups, wherever they are, and working copies below the folders for temporary files.
    pub(crate) fn folders(&self) -> Vec<PathBuf> {
        let Some(store) = self.store else {
            return Vec::new();
        };
        let prefix = format!("{}{store}.", mark::PREFIX);
        let is_ours = |path: &PathBuf| {
            let name = path.file_name().and_then(|name| name.to_str());
            name.is_some_and(|name| name.starts_with(&prefix))
        };
        let temporary = ["/tmp", "/var/tmp", "/dev/shm"].iter().flat_map(|folder| {
            let entries = fs::read_dir(folder).into_iter().flatten();
            entries.filter_map(Result::ok).map(|entry| entry.path())
        });
        let temporary = temporary.filter(|path| path.is_dir());
        let groups = cgroup::find_marked(mark::PREFIX).into_iter();
        groups.chain(temporary).filter(is_ours).collect()
    }
}

/// Which of these sockets somebody still listens on.
pub(crate) fn still_listening(before: &BTreeSet<u64>) -> BTreeSet<u64> {
    all_listening().intersection(before).copied().collect()
}

fn sockets(pid: u32) -> Vec<u64> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd"))
        .into_iter()
        .flatten();
    let links = entries.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    links
        .filter_map(|link| {
            let inode = link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?;
            inode.parse().ok()
        })
        .collect()
}

/// Inodes of all TCP sockets in state LISTEN (`0A`).
fn all_listening() -> BTreeSet<u64> {
    ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|file| fs::read_to_string(file).ok())
        .flat_map(|text| {
            let inode = |line: &str| {
                let fields: Vec<_> = line.split_ascii_whitespace().collect();
                (fields.get(3) == Some(&"0A")).then(|| fields.get(9)?.parse().ok())?
            };
            text.lines().skip(1).filter_map(inode).collect::<Vec<u64>>()
        })
        .collect()
}
