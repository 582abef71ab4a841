//! What the local adapters need to know of the program they run in.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use em_core::port::{Clock, OpContext, SystemClock};

use crate::launch::Guardian;
use crate::lock_file;
use crate::mark::Mark;

/// Folders, guard and clock of the embedding program.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Surroundings {
    /// Everything that is written lies below: working folders, undo copies, outputs, artifacts.
    pub data: PathBuf,
    /// Where the locks lie that all users of the machine share.
    pub locks: PathBuf,
    /// What relative paths of a plan start from.
    pub base: PathBuf,
    /// The executable behind `{{em}}`.
    pub executable: PathBuf,
    /// Who stands guard over what is started.
    pub guardian: Guardian,
    /// Stamps.
    pub clock: Arc<dyn Clock>,
}

impl Surroundings {
    /// For an embedder: data below `data`, a shell as guard (it holds the process group only).
    ///
    /// A binary whose `main` calls [`crate::guard::run`] sets `guardian` to
    /// [`Guardian::this_executable`].
    pub fn new(data: &Path) -> Self {
        Self {
            data: data.to_owned(),
            locks: PathBuf::from(lock_file::FOLDER),
            base: std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/")),
            executable: std::env::current_exe().unwrap_or_default(),
            guardian: Guardian::ProcessGroup,
            clock: Arc::new(SystemClock),
        }
    }

    /// The same with another guard.
    #[must_use]
    pub fn guardian(mut self, guardian: Guardian) -> Self {
        self.guardian = guardian;
        self
    }

    /// The folder that goes with an act: made by it, removed with it.
    pub fn work_folder(&self, mark: &Mark) -> PathBuf {
        self.work_root().join(mark.folder_name())
    }

    /// Where all such folders lie.
    pub fn work_root(&self) -> PathBuf {
        self.data.join("work")
    }

    /// Where outputs and artifacts of an act are kept.
    pub fn kept_folder(&self, cx: &OpContext) -> PathBuf {
        self.data.join("kept").join(cx.key.to_string())
    }

    /// Where the copy of a hold's undo lies.
    pub fn undo_file(&self, mark: &Mark) -> PathBuf {
        self.data
            .join("undo")
            .join(format!("{}.json", mark.folder_name()))
    }

    /// Folders below `data` that nobody else is to look into, whoever a target runs as.
    pub(crate) fn private_folders(&self) -> [PathBuf; 3] {
        ["kept", "undo", "input"].map(|name| self.data.join(name))
    }

    /// A path of the plan.
    pub fn resolve(&self, path: &Path) -> PathBuf {
        self.base.join(path)
    }
}

/// The mark of what is done under a context.
pub fn mark_of(cx: &OpContext) -> Mark {
    Mark::new(cx.epoch.clone(), cx.key.clone())
}
