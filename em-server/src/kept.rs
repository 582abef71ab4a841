//! What is kept of iterations beside the store: outputs and artifacts, one folder each.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use em_core::id::{ExperimentName, IterationNo, TrialId};

/// The kept folder of one iteration.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeptIteration {
    /// Its trial.
    pub trial: TrialId,
    /// Its number.
    pub iteration: IterationNo,
    /// Where its files lie.
    pub folder: PathBuf,
}

/// Where everything that is kept of an experiment lies.
pub fn folder(data: &Path, name: &ExperimentName) -> PathBuf {
    data.join("kept").join(name.as_str())
}

/// The iterations of which something is kept, in order of their numbers; none where nothing is.
pub fn iterations(data: &Path, name: &ExperimentName) -> io::Result<Vec<KeptIteration>> {
    let mut found = Vec::new();
    for (trial, below) in numbered(&folder(data, name), 't')? {
        for (iteration, folder) in numbered(&below, 'i')? {
            found.push(KeptIteration {
                trial: TrialId(trial),
                iteration: IterationNo(iteration),
                folder,
            });
        }
    }
    found.sort();
    Ok(found)
}

impl KeptIteration {
    /// Its files below the folder with their sizes, in order of their names. Links are not followed.
    pub fn files(&self) -> io::Result<Vec<(PathBuf, u64)>> {
        let mut found = Vec::new();
        walk(&self.folder, Path::new(""), &mut found)?;
        found.sort();
        Ok(found)
    }
}

/// Bytes of all files below a folder; 0 where there is none.
pub fn size(folder: &Path) -> io::Result<u64> {
    let mut found = Vec::new();
    walk(folder, Path::new(""), &mut found)?;
    Ok(found.iter().map(|(_, bytes)| bytes).sum())
}

/// Folders named by a letter and a number.
fn numbered(folder: &Path, letter: char) -> io::Result<Vec<(u32, PathBuf)>> {
    let Some(entries) = entries(folder)? else {
        return Ok(Vec::new());
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix(letter));
        if let Some(number) = number.and_then(|number| number.parse().ok()) {
            found.push((number, entry.path()));
        }
    }
    Ok(found)
}

fn walk(root: &Path, relative: &Path, found: &mut Vec<(PathBuf, u64)>) -> io::Result<()> {
    let Some(entries) = entries(&root.join(relative))? else {
        return Ok(());
    };
    for entry in entries {
        let entry = entry?;
        let below = relative.join(entry.file_name());
        // The entry's own kind: a link is neither.
        let kind = entry.file_type()?;
        if kind.is_dir() {
            walk(root, &below, found)?;
        } else if kind.is_file() {
            found.push((below, entry.metadata()?.len()));
        }
    }
    Ok(())
}

/// None: there is no such folder.
fn entries(folder: &Path) -> io::Result<Option<fs::ReadDir>> {
    match fs::read_dir(folder) {
        Ok(entries) => Ok(Some(entries)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn iterations_are_found_by_their_numbers_and_other_folders_are_not() {
        let data = tempfile::tempdir().unwrap();
        let name: ExperimentName = "demo#2".parse().unwrap();
        for below in ["t10/i1", "t2/i1/artifacts", "t2/i0", "t2/x", "hold/s0/1"] {
            fs::create_dir_all(folder(data.path(), &name).join(below)).unwrap();
        }
        fs::write(folder(data.path(), &name).join("t2/i1/stdout"), "abc").unwrap();
        fs::write(folder(data.path(), &name).join("t2/i1/artifacts/a"), "de").unwrap();
        let found = iterations(data.path(), &name).unwrap();
        let keys: Vec<_> = found
            .iter()
            .map(|one| (one.trial.0, one.iteration.0))
            .collect();
        assert_eq!(keys, [(2, 0), (2, 1), (10, 1)]);
        let files = found[1].files().unwrap();
        assert_eq!(
            files,
            [
                (PathBuf::from("artifacts/a"), 2),
                (PathBuf::from("stdout"), 3)
            ]
        );
        assert_eq!(size(&folder(data.path(), &name)).unwrap(), 5);
        let other: ExperimentName = "other".parse().unwrap();
        assert!(iterations(data.path(), &other).unwrap().is_empty());
    }
}
