//! Files kept from an iteration's working folder: globs, copied out before the folder goes.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// More than this is not copied from one iteration: the store is not a dump.
pub const LIMIT_BYTES: u64 = 256 << 20;

/// What was kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kept {
    /// Paths relative to the working folder.
    pub files: Vec<PathBuf>,
    /// Their size together.
    pub bytes: u64,
    /// What was not kept, and why.
    pub left_out: Vec<String>,
}

/// Copies every regular file below `folder` that one of `globs` matches to the same place below
/// `destination`. Links are not followed.
pub fn keep(folder: &Path, globs: &[String], destination: &Path) -> io::Result<Kept> {
    let mut kept = Kept::default();
    if globs.is_empty() {
        return Ok(kept);
    }
    for relative in files_below(folder) {
        if !globs
            .iter()
            .any(|glob| matches(glob, &relative.to_string_lossy()))
        {
            continue;
        }
        let source = folder.join(&relative);
        let size = fs::symlink_metadata(&source)?.len();
        if kept.bytes + size > LIMIT_BYTES {
            let limit = LIMIT_BYTES >> 20;
            kept.left_out.push(format!(
                "{} (over {limit} MiB together)",
                relative.display()
            ));
            continue;
        }
        let target = destination.join(&relative);
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::copy(&source, &target)?;
        kept.bytes += size;
        kept.files.push(relative);
    }
    Ok(kept)
}

/// The regular files below a folder that a glob matches, in order of their names.
pub fn find(folder: &Path, glob: &str) -> Vec<PathBuf> {
    files_below(folder)
        .into_iter()
        .filter(|relative| matches(glob, &relative.to_string_lossy()))
        .map(|relative| folder.join(relative))
        .collect()
}

/// Whether a glob matches a relative path: `?` is one character, `*` any run within one component,
/// `**` any run of components.
pub fn matches(glob: &str, path: &str) -> bool {
    let glob: Vec<&str> = glob.trim_start_matches("./").split('/').collect();
    let path: Vec<&str> = path.split('/').collect();
    matches_components(&glob, &path)
}

fn matches_components(glob: &[&str], path: &[&str]) -> bool {
    match (glob.split_first(), path.split_first()) {
        (None, None) => true,
        (Some((&"**", rest)), _) => {
            matches_components(rest, path)
                || path
                    .split_first()
                    .is_some_and(|(_, below)| matches_components(glob, below))
        }
        (Some((first, rest)), Some((name, below))) => {
            let (first, name): (Vec<char>, Vec<char>) =
                (first.chars().collect(), name.chars().collect());
            matches_name(&first, &name) && matches_components(rest, below)
        }
        (None, Some(_)) | (Some(_), None) => false,
    }
}

fn matches_name(glob: &[char], name: &[char]) -> bool {
    match (glob.split_first(), name.split_first()) {
        (None, None) => true,
        (Some(('*', rest)), _) => {
            matches_name(rest, name)
                || name
                    .split_first()
                    .is_some_and(|(_, below)| matches_name(glob, below))
        }
        (Some((wanted, rest)), Some((char, below))) => {
            (*wanted == '?' || wanted == char) && matches_name(rest, below)
        }
        (None, Some(_)) | (Some(_), None) => false,
    }
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    fn walk(root: &Path, relative: &Path, found: &mut Vec<PathBuf>) {
        let Ok(entries) = fs::read_dir(root.join(relative)) else {
            return;
        };
        for entry in entries.filter_map(Result::ok) {
            let below = relative.join(entry.file_name());
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => walk(root, &below, found),
                Ok(kind) if kind.is_file() => found.push(below),
                _ => {}
            }
        }
    }
    let mut found = Vec::new();
    walk(folder, Path::new(""), &mut found);
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_match_within_a_component_and_across_components() {
        for (glob, path, expected) in [
            ("*.log", "a.log", true),
            ("*.log", "logs/a.log", false),
            ("**/*.log", "a.log", true),
            ("**/*.log", "x/y/a.log", true),
            ("logs/**", "logs/x/y", true),
            ("./a?c", "abc", true),
            ("a?c", "ac", false),
            ("a*b*c", "aXbXbc", true),
            ("*", "", true),
        ] {
            assert_eq!(matches(glob, path), expected, "{glob} on {path}");
        }
    }

    #[test]
    fn matching_files_are_copied_with_their_folders_and_links_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let kept_in = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("logs")).unwrap();
        fs::write(folder.path().join("logs/a.log"), "12345").unwrap();
        fs::write(folder.path().join("b.txt"), "x").unwrap();
        std::os::unix::fs::symlink("/etc/passwd", folder.path().join("c.log")).unwrap();
        let kept = keep(folder.path(), &["**/*.log".to_owned()], kept_in.path()).unwrap();
        assert_eq!(kept.files, [PathBuf::from("logs/a.log")]);
        assert_eq!(kept.bytes, 5);
        assert_eq!(
            fs::read_to_string(kept_in.path().join("logs/a.log")).unwrap(),
            "12345"
        );
    }
}
