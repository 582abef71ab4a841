//! Working folders: copies of a folder, files written into them, and whose they are.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, lchown, symlink};
use std::path::{Path, PathBuf};

use crate::user::Account;

/// A working folder could not be made.
#[derive(Debug, thiserror::Error)]
#[error("failed to {act} {}", path.display())]
pub struct WorkdirError {
    act: &'static str,
    path: PathBuf,
    #[source]
    source: io::Error,
}

/// Makes a folder; there already = success.
pub fn make(folder: &Path) -> Result<(), WorkdirError> {
    fs::create_dir_all(folder).map_err(|source| WorkdirError {
        act: "make folder",
        path: folder.to_owned(),
        source,
    })
}

/// Copies all of `from` into `to`, which is made: files as reflinks where the file system can, with
/// their permissions and, for root, their owners; links as links. Sockets, pipes and devices are left
/// out: they belong to whoever runs in the original.
pub fn copy(from: &Path, to: &Path) -> Result<(), WorkdirError> {
    let failed = |act, path: &Path| {
        let path = path.to_owned();
        move |source| WorkdirError { act, path, source }
    };
    fs::create_dir_all(to).map_err(failed("make folder", to))?;
    for entry in fs::read_dir(from).map_err(failed("read folder", from))? {
        let entry = entry.map_err(failed("read folder", from))?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type().map_err(failed("look at", &source))?;
        if kind.is_dir() {
            copy(&source, &target)?;
        } else if kind.is_symlink() {
            let destination = fs::read_link(&source).map_err(failed("read link", &source))?;
            symlink(destination, &target).map_err(failed("make link", &target))?;
        } else if kind.is_file() {
            copy_file(&source, &target).map_err(failed("copy", &source))?;
        } else {
            continue;
        }
        keep_owner(&source, &target).map_err(failed("set the owner of", &target))?;
    }
    // After the contents: the folder may be read-only.
    let permissions = fs::metadata(from)
        .map_err(failed("look at", from))?
        .permissions();
    fs::set_permissions(to, permissions).map_err(failed("set the permissions of", to))?;
    keep_owner(from, to).map_err(failed("set the owner of", to))
}

fn copy_file(from: &Path, to: &Path) -> io::Result<()> {
    let source = File::open(from)?;
    let target = File::create_new(to)?;
    if rustix::fs::ioctl_ficlone(&target, &source).is_ok() {
        return target.set_permissions(source.metadata()?.permissions());
    }
    drop(target);
    fs::copy(from, to).map(|_| ())
}

/// Only root may give files away; for everybody else the copy is their own.
fn keep_owner(from: &Path, to: &Path) -> io::Result<()> {
    if !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    let metadata = fs::symlink_metadata(from)?;
    lchown(to, Some(metadata.uid()), Some(metadata.gid()))
}

/// Writes a rendered file, readable for its owner and those who may run as somebody else.
pub fn write_file(path: &Path, text: &str) -> Result<(), WorkdirError> {
    let write = || {
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(path, text)?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o644))
    };
    write().map_err(|source| WorkdirError {
        act: "write",
        path: path.to_owned(),
        source,
    })
}

/// Gives a folder and all in it to a user. Links themselves are given, not what they point to.
pub fn give_to(folder: &Path, account: &Account) -> Result<(), WorkdirError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| WorkdirError {
            act: "set the owner of",
            path,
            source,
        }
    };
    lchown(folder, Some(account.uid), Some(account.gid)).map_err(failed(folder))?;
    if !fs::symlink_metadata(folder)
        .map_err(failed(folder))?
        .is_dir()
    {
        return Ok(());
    }
    for entry in fs::read_dir(folder).map_err(failed(folder))? {
        give_to(&entry.map_err(failed(folder))?.path(), account)?;
    }
    Ok(())
}

/// Lets other users pass through `data` to the working folders in it, without looking around; `ours` are
/// the folders in it that stay closed to them.
pub fn let_pass(data: &Path, ours: &[PathBuf]) -> Result<(), WorkdirError> {
    let set = |folder: &Path, mode: u32| {
        fs::set_permissions(folder, fs::Permissions::from_mode(mode)).map_err(|source| {
            let path = folder.to_owned();
            let act = "set the permissions of";
            WorkdirError { act, path, source }
        })
    };
    for folder in ours {
        make(folder)?;
        set(folder, 0o700)?;
    }
    let mode = fs::metadata(data).map_err(|source| WorkdirError {
        act: "look at",
        path: data.to_owned(),
        source,
    })?;
    set(data, mode.permissions().mode() & 0o7777 | 0o011)
}

/// The first folder on the way to `path` that an account may not enter; `path` itself is not looked at.
pub fn closed_to(account: &Account, path: &Path) -> Option<PathBuf> {
    let is_closed = |folder: &&Path| {
        let Ok(seen) = fs::metadata(folder) else {
            return false;
        };
        let needed = match (seen.uid() == account.uid, seen.gid() == account.gid) {
            (true, _) => 0o100,
            (false, true) => 0o010,
            (false, false) => 0o001,
        };
        account.uid != 0 && seen.mode() & needed == 0
    };
    let way: Vec<&Path> = path.ancestors().skip(1).collect();
    let closed = way.into_iter().rev().find(is_closed);
    closed.map(Path::to_owned)
}

/// Removes a folder with all that is in it, also where a copied folder is read-only; gone = success.
pub fn remove(folder: &Path) -> Result<(), WorkdirError> {
    match fs::remove_dir_all(folder) {
        Ok(()) => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(_) => make_writable(folder),
    }
    fs::remove_dir_all(folder).map_err(|source| WorkdirError {
        act: "remove",
        path: folder.to_owned(),
        source,
    })
}

fn make_writable(folder: &Path) {
    let _ = fs::set_permissions(folder, fs::Permissions::from_mode(0o700));
    for entry in fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
    {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            make_writable(&entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_has_contents_permissions_and_links_of_the_original_and_no_tie_to_it() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        fs::create_dir_all(from.join("deep")).unwrap();
        fs::write(from.join("deep/run.sh"), "one").unwrap();
        fs::set_permissions(from.join("deep/run.sh"), fs::Permissions::from_mode(0o750)).unwrap();
        symlink("deep/run.sh", from.join("link")).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(from.join("socket")).unwrap();
        fs::set_permissions(from.join("deep"), fs::Permissions::from_mode(0o500)).unwrap();

        copy(&from, &to).unwrap();

        fs::write(from.join("deep/run.sh"), "two").unwrap();
        assert_eq!(fs::read_to_string(to.join("link")).unwrap(), "one");
        assert!(fs::symlink_metadata(to.join("link")).unwrap().is_symlink());
        let mode = |path: &str| fs::metadata(to.join(path)).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode("deep"), mode("deep/run.sh")), (0o500, 0o750));
        assert!(!to.join("socket").exists());
        remove(&to).unwrap();
        remove(&to).unwrap();
        assert!(!to.exists());
    }

    #[test]
    fn others_may_pass_to_the_working_folders_and_see_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let kept = data.join("kept");
        make(&kept).unwrap();
        let close = |path: &Path| {
            fs::set_permissions(path, fs::Permissions::from_mode(0o700)).unwrap();
        };
        close(&data);
        close(folder.path());
        let other = Account {
            name: "other".to_owned(),
            uid: u32::MAX - 2,
            gid: u32::MAX - 2,
            home: PathBuf::new(),
        };
        let work = data.join("work");
        assert_eq!(closed_to(&other, &work), Some(folder.path().to_owned()));
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o711)).unwrap();
        assert_eq!(closed_to(&other, &work), Some(data.clone()));

        let_pass(&data, std::slice::from_ref(&kept)).unwrap();

        assert_eq!(closed_to(&other, &work), None);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&data), mode(&kept)), (0o711, 0o700));
    }

    #[test]
    fn what_is_missing_is_named() {
        let error = copy(
            Path::new("/no/such/folder"),
            &tempfile::tempdir().unwrap().path().join("x"),
        );
        assert_eq!(
            error.unwrap_err().to_string(),
            "failed to read folder /no/such/folder"
        );
    }
}
