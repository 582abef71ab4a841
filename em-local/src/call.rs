//! One call of a command from the plan: JSON (or nothing) in, what it printed out.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::guard::Exit;
use crate::launch::{Launch, LaunchError, Running, as_typed};
use crate::mark::Mark;
use crate::surroundings::Surroundings;

/// How much of what a call prints is read.
pub const LARGEST_OUTPUT: usize = 64 << 20;

/// What is called, and how.
#[derive(Debug, Clone)]
pub struct Call {
    /// Program and arguments.
    pub command: Vec<String>,
    /// Environment on top of the manager's own.
    pub env: Vec<(String, String)>,
    /// Working folder.
    pub folder: PathBuf,
}

/// What a call has done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Called {
    /// The command as a person would type it.
    pub command: String,
    /// How it ended; none where its guard was killed.
    pub exit: Option<Exit>,
    /// Standard output.
    pub stdout: String,
    /// The end of its standard error.
    pub stderr: String,
}

/// A call could not be made, or did not do what it was called for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// It could not be started.
    #[error("failed to call {command}")]
    Start {
        /// The command.
        command: String,
        /// Why.
        #[source]
        source: Box<LaunchError>,
    },
    /// Its input could not be written.
    #[error("failed to write the input of {command} to {}", path.display())]
    Input {
        /// The command.
        command: String,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It ended otherwise than with 0.
    #[error("{command} ended with {how}; it printed: {printed:?}")]
    Failed {
        /// The command.
        command: String,
        /// How it ended.
        how: String,
        /// The end of what it printed.
        printed: String,
    },
    /// It printed more than is read.
    #[error("{command} printed more than {} MiB", LARGEST_OUTPUT >> 20)]
    TooMuch {
        /// The command.
        command: String,
    },
    /// It printed something else than JSON.
    #[error("{command} printed something else than one JSON text: {printed:?}")]
    NotJson {
        /// The command.
        command: String,
        /// The beginning of what it printed.
        printed: String,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
}

impl Call {
    /// Makes the call and waits for its end. What it leaves running ends, too. Cancel-safe: a dropped
    /// call is ended.
    pub async fn make(
        &self,
        surroundings: &Surroundings,
        mark: &Mark,
        input: Option<&(impl Serialize + Sync)>,
    ) -> Result<Called, CallError> {
        let command = as_typed(&self.command);
        let mut launch = Launch::new(mark.clone(), self.command.clone());
        launch.env.clone_from(&self.env);
        launch.folder = Some(self.folder.clone());
        launch.keep = LARGEST_OUTPUT;
        let _file = match input {
            None => None,
            Some(input) => {
                let file = InputFile::write(&surroundings.data.join("input"), &command, input)?;
                launch.input = Some(file.path.clone());
                Some(file)
            }
        };
        let running = Running::start(&surroundings.guardian, &launch).await;
        let running = running.map_err(|source| CallError::Start {
            command: command.clone(),
            source: Box::new(source),
        })?;
        let exit = running.exited().await;
        running.outputs_closed().await;
        let is_cut = running.stdout.is_cut();
        let (stdout, stderr) = (running.stdout.text(), running.stderr.last_lines(10));
        running.close().await;
        if is_cut {
            return Err(CallError::TooMuch { command });
        }
        Ok(Called {
            command,
            exit,
            stdout,
            stderr,
        })
    }
}

impl Called {
    /// Itself where it ended with one of `codes`.
    pub fn ended_with(self, codes: &[i32]) -> Result<Self, CallError> {
        match self.exit {
            Some(exit) if exit.is_one_of(codes) => Ok(self),
            _ => Err(CallError::Failed {
                how: self.how(),
                printed: self.printed(),
                command: self.command,
            }),
        }
    }

    /// How it ended.
    pub fn how(&self) -> String {
        self.exit
            .map_or_else(|| "its guard gone".to_owned(), |exit| exit.to_string())
    }

    /// The end of what it printed: errors where there are any.
    pub fn printed(&self) -> String {
        let lines: Vec<&str> = self.stdout.lines().collect();
        let last = lines
            .get(lines.len().saturating_sub(10)..)
            .unwrap_or_default()
            .join("\n");
        if self.stderr.is_empty() {
            last
        } else {
            self.stderr.clone()
        }
    }

    /// What it printed, as JSON.
    pub fn json(&self) -> Result<serde_json::Value, CallError> {
        serde_json::from_str(&self.stdout).map_err(|source| CallError::NotJson {
            command: self.command.clone(),
            printed: self.stdout.chars().take(200).collect(),
            source,
        })
    }
}

/// An input, on disk for as long as the call lasts; readable for us only.
struct InputFile {
    path: PathBuf,
    /// The folders that were made for it, the innermost first: they go with it.
    made: Vec<PathBuf>,
}

/// How often folders are made again that somebody else's call took away with its own input.
const ATTEMPTS: usize = 10;

impl InputFile {
    fn write(folder: &Path, command: &str, input: &impl Serialize) -> Result<Self, CallError> {
        use std::os::unix::fs::OpenOptionsExt;
        use std::sync::atomic::{AtomicU64, Ordering};
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = folder.join(format!("{}-{number}.json", std::process::id()));
        let failed = |source| CallError::Input {
            command: command.to_owned(),
            path: path.clone(),
            source,
        };
        let missing = |folder: &&Path| !folder.as_os_str().is_empty() && !folder.exists();
        let made = folder.ancestors().take_while(missing);
        // From here on, also a failure takes away what was made.
        let own = Self {
            path: path.clone(),
            made: made.map(Path::to_owned).collect(),
        };
        let mut options = fs::OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        let open = || fs::create_dir_all(folder).and_then(|()| options.open(&path));
        let is_gone = |opened: &io::Result<_>| {
            let error = opened.as_ref().err();
            error.is_some_and(|error| error.kind() == io::ErrorKind::NotFound)
        };
        let mut opened = open();
        for _ in 1..ATTEMPTS {
            if !is_gone(&opened) {
                break;
            }
            opened = open();
        }
        let file = opened.map_err(failed)?;
        serde_json::to_writer(file, input).map_err(|source| failed(source.into()))?;
        Ok(own)
    }
}

impl Drop for InputFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
        // What others use by now is not empty, and stays.
        for folder in &self.made {
            let _ = fs::remove_dir(folder);
        }
    }
}
