//! What reading one file needs beside its tree: the surroundings, and the templates and files met on the way.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use super::reader::Reader;
use super::secret;
use crate::id::Digest;
use crate::plan::{SecretRef, Text};
use crate::port::Summarizer;
use crate::template::{Delimiters, Template};

/// The surroundings of a file. Parsing itself does no I/O beyond `read`.
pub struct FileContext<'a> {
    /// Where relative paths start: the folder of the file.
    pub base: PathBuf,
    /// What `{{em}}` stands for. None: `{{em}}` is refused.
    pub executable: Option<PathBuf>,
    /// Digest of the executable, part of the identity where `{{em}}` is used.
    pub executable_digest: Option<Digest>,
    /// Statistics of each summarizer that the embedding program registered, beside the built-in one.
    pub summarizers: BTreeMap<String, Vec<String>>,
    /// The contexts of the kubeconfig, for the message where a file names none. Empty: not known.
    pub contexts: Vec<String>,
    /// Reads a file that the experiment names.
    pub read: &'a dyn Fn(&Path) -> io::Result<Vec<u8>>,
}

impl std::fmt::Debug for FileContext<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileContext")
            .field("base", &self.base)
            .field("executable", &self.executable)
            .field("summarizers", &self.summarizers)
            .field("contexts", &self.contexts)
            .finish_non_exhaustive()
    }
}

/// Reads nothing: for files that name no others.
fn nothing(path: &Path) -> io::Result<Vec<u8>> {
    let what = format!("{} is not available here", path.display());
    Err(io::Error::new(io::ErrorKind::NotFound, what))
}

impl FileContext<'static> {
    /// Surroundings without any other file and without an executable.
    pub fn bare() -> Self {
        Self {
            base: PathBuf::new(),
            executable: None,
            executable_digest: None,
            summarizers: BTreeMap::new(),
            contexts: Vec::new(),
            read: &nothing,
        }
    }
}

impl FileContext<'_> {
    /// Adds a summarizer of the embedding program: files may name it and its statistics.
    #[must_use]
    pub fn summarizer(mut self, name: impl Into<String>, summarizer: &dyn Summarizer) -> Self {
        let statistics = summarizer.statistics();
        self.summarizers.insert(name.into(), statistics);
        self
    }
}

/// Where a template stands, which decides the names it may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// In the target: its command, environment, files, hooks.
    Target,
    /// In `apply` of a tunable: `{{value}}` is its value.
    Apply,
    /// In the load.
    Load,
    /// In a datasource or a query.
    Query,
    /// In a header of a datasource, which is filled in by whoever asks.
    Header {
        /// Whether it is the target that is asked, so that there is an address.
        of_target: bool,
    },
}

/// A template with its place in the file.
#[derive(Debug)]
pub(super) struct Placed<'a> {
    pub(super) reader: Reader<'a>,
    pub(super) template: Template,
    pub(super) place: Place,
    /// The file that it was read from, where it is not written in the experiment itself.
    pub(super) file: Option<String>,
}

/// One reading of one file.
#[derive(Debug)]
pub(super) struct Scene<'a> {
    pub(super) context: &'a FileContext<'a>,
    pub(super) templates: RefCell<Vec<Placed<'a>>>,
    /// Digest of every file that is named, by its path as it is written.
    pub(super) files: RefCell<BTreeMap<String, Digest>>,
}

impl<'a> Scene<'a> {
    pub(super) fn new(context: &'a FileContext<'a>) -> Self {
        Self {
            context,
            templates: RefCell::default(),
            files: RefCell::default(),
        }
    }

    /// A path of the file, relative to its folder.
    pub(super) fn path(&self, text: &str) -> PathBuf {
        self.context.base.join(text)
    }

    /// Text with placeholders.
    pub(super) fn template(&self, reader: &Reader<'a>, place: Place) -> Option<Template> {
        let text = reader.word()?;
        self.template_of(reader, &text, place)
    }

    pub(super) fn template_of(
        &self,
        reader: &Reader<'a>,
        text: &str,
        place: Place,
    ) -> Option<Template> {
        if text.contains('\0') {
            reader.refuse("it holds a NUL character, which no program can be given");
            return None;
        }
        let template = Template::parse(text)
            .map_err(|error| reader.refuse(error.problem))
            .ok()?;
        self.place(reader, template.clone(), place, None);
        Some(template)
    }

    fn place(&self, reader: &Reader<'a>, template: Template, place: Place, file: Option<String>) {
        self.templates.borrow_mut().push(Placed {
            reader: reader.clone(),
            template,
            place,
            file,
        });
    }

    /// Program and arguments. A relative path of a program is one from the folder of the file.
    pub(super) fn command(&self, reader: &Reader<'a>, place: Place) -> Option<Vec<Template>> {
        if reader.text_if_any().is_some() {
            reader.refuse_with(
                "a command is a list of words, not one text",
                "write [program, argument], or [sh, -c, \"...\"] for a line of shell",
            );
            return None;
        }
        let words = reader.filled_list()?;
        let program = self.program(&words[0], place);
        let rest = words[1..].iter().map(|word| self.template(word, place));
        let rest: Vec<Option<Template>> = rest.collect();
        let mut command = vec![program?];
        for word in rest {
            command.push(word?);
        }
        Some(command)
    }

    fn program(&self, word: &Reader<'a>, place: Place) -> Option<Template> {
        let text = word.word()?;
        if text.is_empty() {
            word.refuse("the program has no name");
            return None;
        }
        if !text.contains('/') || text.contains("{{") {
            return self.template_of(word, &text, place);
        }
        let path = self.path(&text);
        // Whether it is there and may be run is the target's to say; here it only gives the numbers their meaning.
        if let Ok(bytes) = (self.context.read)(&path) {
            self.files.borrow_mut().insert(text, Digest::of(&bytes));
        }
        self.template_of(word, &path.to_string_lossy(), place)
    }

    /// The text of a template file, which becomes part of the plan.
    pub(super) fn file(
        &self,
        reader: &Reader<'a>,
        path: &str,
        delimiters: &Delimiters,
    ) -> Option<Template> {
        let bytes = (self.context.read)(&self.path(path));
        let bytes = bytes
            .map_err(|error| {
                let what = format!("cannot read {path:?}: {error}");
                reader.refuse_with(what, "paths are relative to the experiment file");
            })
            .ok()?;
        self.files
            .borrow_mut()
            .insert(path.to_owned(), Digest::of(&bytes));
        let Ok(text) = String::from_utf8(bytes) else {
            reader.refuse(format!("{path:?} is no UTF-8 text"));
            return None;
        };
        let template = Template::parse_with(&text, delimiters)
            .map_err(|error| reader.refuse(format!("in {path:?}, {error}")))
            .ok()?;
        self.place(
            reader,
            template.clone(),
            Place::Target,
            Some(path.to_owned()),
        );
        Some(template)
    }

    /// Text that may be a reference to a secret. `name` is what it is called: some names hold secrets only.
    pub(super) fn secret_or_text(
        &self,
        reader: &Reader<'a>,
        name: &str,
        place: Place,
    ) -> Option<Text> {
        if let Some(entries) = reader.map_if_any() {
            return self.reference(reader, entries).map(Text::Secret);
        }
        let text = reader.word()?;
        if secret::is_inline(name, &text) {
            reader.refuse_with(
                format!("{name} looks like a secret and stands in the file itself"),
                secret::remedy(name),
            );
            return None;
        }
        secret::check_url(reader, &text);
        self.template_of(reader, &text, place).map(Text::Template)
    }

    fn reference(&self, reader: &Reader<'a>, entries: usize) -> Option<SecretRef> {
        let keys = reader.keys(&["from_env", "from_file"], &["from_secret"])?;
        if entries != 1 {
            reader.refuse("a reference has exactly one key, from_env or from_file");
            return None;
        }
        if let Some(name) = keys.get("from_env") {
            let text = name.text()?;
            if text.is_empty() || text.contains(['=', '\0']) {
                name.refuse(format!("{text:?} is no name of an environment variable"));
                return None;
            }
            return Some(SecretRef::FromEnv(text.to_owned()));
        }
        let path = keys.get("from_file")?.text()?;
        Some(SecretRef::FromFile(self.path(path)))
    }
}
