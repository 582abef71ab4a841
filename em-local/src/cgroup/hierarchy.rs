//! Where the control group hierarchies are mounted and where this process stands in them.

use std::path::{Path, PathBuf};

/// One mounted hierarchy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mount {
    /// Where it is mounted.
    pub(super) point: PathBuf,
    /// Which part of the hierarchy is visible there: `/` outside containers.
    pub(super) root: String,
    /// The controllers of a version 1 mount; empty for version 2.
    pub(super) controllers: Vec<String>,
    /// Whether this is the one version 2 hierarchy.
    pub(super) unified: bool,
    /// Whether it is mounted read-only.
    pub(super) read_only: bool,
}

/// Reads the hierarchies out of the text of `/proc/self/mountinfo`.
pub(super) fn mounts(mountinfo: &str) -> Vec<Mount> {
    mountinfo.lines().filter_map(mount).collect()
}

/// `36 35 0:30 ROOT POINT OPTIONS [tags] - TYPE SOURCE SUPER_OPTIONS`
fn mount(line: &str) -> Option<Mount> {
    let (front, back) = line.split_once(" - ")?;
    let front: Vec<&str> = front.split(' ').collect();
    let back: Vec<&str> = back.split(' ').collect();
    let kind = *back.first()?;
    if kind != "cgroup" && kind != "cgroup2" {
        return None;
    }
    let unified = kind == "cgroup2";
    let options = back.get(2).copied().unwrap_or_default();
    Some(Mount {
        root: (*front.get(3)?).to_owned(),
        point: PathBuf::from(unescape(front.get(4)?)),
        controllers: if unified {
            Vec::new()
        } else {
            options.split(',').map(str::to_owned).collect()
        },
        unified,
        read_only: front.get(5)?.split(',').any(|option| option == "ro"),
    })
}

/// Blanks in a mount point are written as `\040`.
fn unescape(text: &str) -> String {
    text.replace("\\040", " ")
}

/// The path of this process in the hierarchy of a version 1 controller, out of `/proc/self/cgroup`.
pub(super) fn own_path_v1<'a>(cgroups: &'a str, controller: &str) -> Option<&'a str> {
    entries(cgroups)
        .find(|(_, controllers, _)| controllers.split(',').any(|name| name == controller))
        .map(|(_, _, path)| path)
}

/// The path of this process in the version 2 hierarchy, out of `/proc/self/cgroup`.
pub(super) fn own_path_v2(cgroups: &str) -> Option<&str> {
    entries(cgroups)
        .find(|(number, controllers, _)| *number == "0" && controllers.is_empty())
        .map(|(_, _, path)| path)
}

fn entries(cgroups: &str) -> impl Iterator<Item = (&str, &str, &str)> {
    cgroups.lines().filter_map(|line| {
        let mut parts = line.splitn(3, ':');
        Some((parts.next()?, parts.next()?, parts.next()?))
    })
}

/// The folder in which `path` of the hierarchy is visible; `None` when it lies outside the mount.
pub(super) fn folder(mount: &Mount, path: &str) -> Option<PathBuf> {
    let inside = if mount.root == "/" {
        path
    } else {
        let rest = path.strip_prefix(mount.root.as_str())?;
        if !rest.is_empty() && !rest.starts_with('/') {
            return None;
        }
        rest
    };
    // A path that starts with `/..` is outside our cgroup namespace.
    if inside.split('/').any(|part| part == "..") {
        return None;
    }
    Some(join(&mount.point, inside))
}

fn join(point: &Path, inside: &str) -> PathBuf {
    let inside = inside.trim_start_matches('/');
    if inside.is_empty() {
        point.to_owned()
    } else {
        point.join(inside)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HYBRID: &str = "\
25 30 0:22 / /proc rw,nosuid - proc proc rw
31 24 0:27 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct
32 24 0:28 / /sys/fs/cgroup/memory ro,relatime shared:9 - cgroup cgroup rw,memory
33 24 0:29 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw,nsdelegate";
    const OWN: &str =
        "9:name=systemd:/\n4:memory:/user/a:b\n2:cpu,cpuacct:/\n0::/user.slice/x.scope\n";

    #[test]
    fn mounts_of_both_versions_are_told_apart() {
        let found = mounts(HYBRID);
        assert_eq!(found.len(), 3);
        assert_eq!(found[0].controllers, ["rw", "cpu", "cpuacct"]);
        assert!(found[1].read_only && !found[0].read_only);
        assert!(found[2].unified && found[2].controllers.is_empty());
    }

    #[test]
    fn our_own_place_is_found_in_each_hierarchy() {
        assert_eq!(own_path_v1(OWN, "cpuacct"), Some("/"));
        assert_eq!(own_path_v1(OWN, "memory"), Some("/user/a:b"));
        assert_eq!(own_path_v1(OWN, "cpuset"), None);
        assert_eq!(own_path_v2(OWN), Some("/user.slice/x.scope"));
    }

    #[test]
    fn a_container_sees_its_part_of_the_hierarchy_at_the_mount_point() {
        let mut mount = mounts(HYBRID).remove(2);
        assert_eq!(
            folder(&mount, "/a/b"),
            Some("/sys/fs/cgroup/unified/a/b".into())
        );
        assert_eq!(folder(&mount, "/../outside"), None);
        mount.root = "/docker/1".to_owned();
        assert_eq!(
            folder(&mount, "/docker/1"),
            Some("/sys/fs/cgroup/unified".into())
        );
        assert_eq!(
            folder(&mount, "/docker/1/x"),
            Some("/sys/fs/cgroup/unified/x".into())
        );
        assert_eq!(folder(&mount, "/docker/12"), None);
    }
}
