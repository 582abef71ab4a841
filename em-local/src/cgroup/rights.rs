//! Which controllers this process may use, and where.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

use super::files::members;
use super::hierarchy::{self, Mount};

/// What a group can limit or count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Controller {
    /// CPU quota, and throttling counts.
    Cpu,
    /// CPU seconds; in version 2 a part of every group.
    CpuAccounting,
    /// Memory limit, peak and out-of-memory kills.
    Memory,
    /// The set of CPUs.
    CpuSet,
}

impl Controller {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Cpu, Self::CpuAccounting, Self::Memory, Self::CpuSet];

    /// The kernel's name in version 1.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::CpuAccounting => "cpuacct",
            Self::Memory => "memory",
            Self::CpuSet => "cpuset",
        }
    }
}

impl fmt::Display for Controller {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// Version of a hierarchy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// One hierarchy per controller.
    V1,
    /// One hierarchy for all.
    V2,
}

/// A folder in which groups with a certain controller may be created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) version: Version,
    pub(super) parent: PathBuf,
}

/// The places found for each controller, and what stood in the way where none was.
#[derive(Debug, Clone, Default)]
pub struct Rights {
    pub(super) places: BTreeMap<Controller, Place>,
    pub(super) obstacles: BTreeMap<Controller, String>,
    pub(super) mount_points: Vec<PathBuf>,
}

impl Rights {
    /// Looks at this machine. Nothing is created.
    pub fn survey() -> Self {
        let mountinfo = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        let cgroups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let mounts = hierarchy::mounts(&mountinfo);
        let mut rights = Self {
            mount_points: mounts.iter().map(|mount| mount.point.clone()).collect(),
            ..Self::default()
        };
        let (v1, v2): (Vec<Controller>, Vec<Controller>) = Controller::ALL
            .into_iter()
            .partition(|one| mount_v1(*one, &mounts).is_some());
        for controller in v1 {
            if let Some(mount) = mount_v1(controller, &mounts) {
                rights.add(controller, place_v1(controller, mount, &cgroups));
            }
        }
        rights.add_v2(&v2, &mounts, &cgroups);
        rights
    }

    fn add(&mut self, controller: Controller, found: Result<Place, String>) {
        match found {
            Ok(place) => {
                self.places.insert(controller, place);
            }
            Err(obstacle) => {
                self.obstacles.insert(controller, obstacle);
            }
        }
    }

    /// A process is in one group of version 2, so all of its controllers need the same place: the
    /// nearest, from our own group upwards, that offers the most of them.
    fn add_v2(&mut self, controllers: &[Controller], mounts: &[Mount], cgroups: &str) {
        let own = own_v2(mounts, cgroups);
        let (mount, own) = match own {
            Ok(found) => found,
            Err(obstacle) => {
                let all = controllers.iter().map(|one| (*one, obstacle.clone()));
                return self.obstacles.extend(all);
            }
        };
        let answers = |folder: &Path| {
            let is_root = folder == mount.point;
            let ask = |one: &Controller| (*one, offers(*one, folder, is_root));
            controllers.iter().map(ask).collect::<Vec<_>>()
        };
        let offered = |answers: &[(Controller, Result<(), String>)]| {
            answers.iter().filter(|(_, answer)| answer.is_ok()).count()
        };
        let folders = own
            .ancestors()
            .take_while(|folder| folder.starts_with(&mount.point));
        let mut best = (own.clone(), answers(&own));
        for folder in folders.skip(1) {
            let there = answers(folder);
            if offered(&there) > offered(&best.1) {
                best = (folder.to_owned(), there);
            }
        }
        let (parent, answers) = best;
        for (controller, answer) in answers {
            let place = Place {
                version: Version::V2,
                parent: parent.clone(),
            };
            self.add(controller, answer.map(|()| place));
        }
    }

    /// No right at all, as on a machine without control groups.
    pub fn none() -> Self {
        let nothing = Controller::ALL.map(|controller| (controller, "not looked for".to_owned()));
        Self {
            obstacles: BTreeMap::from(nothing),
            ..Self::default()
        }
    }

    /// Whether groups with this controller can be created.
    pub fn has(&self, controller: Controller) -> bool {
        self.places.contains_key(&controller)
    }

    /// The version in which a controller was found.
    pub fn version(&self, controller: Controller) -> Option<Version> {
        self.places.get(&controller).map(|place| place.version)
    }

    /// Why a controller cannot be used; `None` when it can.
    pub fn obstacle(&self, controller: Controller) -> Option<&str> {
        self.obstacles.get(&controller).map(String::as_str)
    }
}

fn mount_v1(controller: Controller, mounts: &[Mount]) -> Option<&Mount> {
    mounts.iter().find(|mount| {
        mount
            .controllers
            .iter()
            .any(|name| name == controller.name())
    })
}

/// The version 2 hierarchy and our own group in it.
fn own_v2<'m>(mounts: &'m [Mount], cgroups: &str) -> Result<(&'m Mount, PathBuf), String> {
    let mount = mounts.iter().find(|mount| mount.unified);
    let mount = mount.ok_or_else(|| "no control group hierarchy is mounted".to_owned())?;
    let own = hierarchy::own_path_v2(cgroups).and_then(|path| hierarchy::folder(mount, path));
    let own = own.ok_or_else(|| "our own group lies outside the mounted hierarchy".to_owned())?;
    Ok((mount, own))
}

/// Version 1: below our own group, or below a folder `em` that somebody prepared for this user.
fn place_v1(controller: Controller, mount: &Mount, cgroups: &str) -> Result<Place, String> {
    let own = hierarchy::own_path_v1(cgroups, controller.name())
        .and_then(|path| hierarchy::folder(mount, path));
    let prepared = mount.point.join("em");
    let found = own
        .iter()
        .chain([&prepared])
        .find(|folder| is_writable(folder));
    match found {
        Some(parent) => Ok(Place {
            version: Version::V1,
            parent: parent.clone(),
        }),
        None if mount.read_only => Err(format!("{} is mounted read-only", mount.point.display())),
        None => Err(format!(
            "{} is not writable for this user",
            own.unwrap_or(prepared).display()
        )),
    }
}

/// Whether groups with this controller can be made in a folder of version 2. A group that hands
/// controllers down must not hold processes itself (the root may). Our own group qualifies when nobody
/// but us is in it: we step aside into a leaf when the first group is made.
fn offers(controller: Controller, folder: &Path, is_root: bool) -> Result<(), String> {
    let shown = folder.display();
    if !is_writable(folder) || !is_writable(&folder.join("cgroup.procs")) {
        return Err(format!("{shown} is not writable for this user"));
    }
    if controller == Controller::CpuAccounting
        || lists(folder, "cgroup.subtree_control", controller)
    {
        return Ok(());
    }
    if !lists(folder, "cgroup.controllers", controller) {
        return Err(format!("{shown} was not given the {controller} controller"));
    }
    if !is_writable(&folder.join("cgroup.subtree_control")) {
        return Err(format!(
            "{shown} may not hand the {controller} controller down"
        ));
    }
    if !is_root && members(folder).iter().any(|pid| *pid != std::process::id()) {
        return Err(format!(
            "{shown} holds processes, so it cannot hand the {controller} controller down"
        ));
    }
    Ok(())
}

fn lists(folder: &Path, file: &str, controller: Controller) -> bool {
    fs::read_to_string(folder.join(file)).is_ok_and(|text| {
        text.split_ascii_whitespace()
            .any(|name| name == controller.name())
    })
}

fn is_writable(path: &Path) -> bool {
    access(path, Access::WRITE_OK).is_ok()
}
