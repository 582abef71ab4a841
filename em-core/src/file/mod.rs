//! The experiment file: text to a validated [`Plan`], with everything that is wrong said at once.
//!
//! Text (YAML or JSON) becomes a [`Node`] tree in which everything knows its line; a collecting reader turns the tree into the types
//! of the plan and never stops at the first trouble; checks across the file follow. What the design has and this build has not is
//! refused, never ignored. Not here: the formats of neighbours, and anything that looks at the outside beyond the files that the
//! experiment names.

mod access;
mod apply;
mod cross;
mod datasource;
mod domain;
mod experiment;
mod fit;
mod identity;
mod job;
mod kubernetes;
mod load;
mod measurement;
mod metric;
mod names;
mod objective;
mod output;
mod patch;
mod pods;
mod process;
mod reader;
mod rehearsal;
mod scalar;
mod scene;
mod schema;
mod search;
mod secret;
mod set;
mod simulated;
mod target;
mod tree;
mod tunable;
mod typed;
mod vendor;
mod violation;

pub use identity::differences;
pub use scene::FileContext;
pub use schema::schema;
pub use set::{SetError, set};
pub use tree::{Entry, LARGEST, Node, NodeKind};
pub use violation::{Position, Violation, Violations};

use crate::plan::Plan;
use reader::{Notes, Reader};
use scene::Scene;

/// A file that is a plan.
#[derive(Debug, Clone, PartialEq)]
pub struct Parsed {
    /// The resolved plan.
    pub plan: Plan,
    /// What is allowed and worth a second look.
    pub warnings: Vec<Violation>,
}

/// Reads an experiment file.
///
/// ```
/// use em_core::file::{FileContext, parse};
/// let text = b"
/// name: sleepy
/// target: { kind: process, command: [sleep, '{{seconds}}'] }
/// tunables: [{ name: seconds, range: [5, 1], default: 3 }]
/// ";
/// let violations = parse(text, &FileContext::bare()).unwrap_err();
/// assert_eq!(
///     violations.to_string(),
///     "line 4, column 37: tunables[0].range[0]: the range is empty: 5 is above 1 (write the smaller end first)"
/// );
/// ```
pub fn parse(bytes: &[u8], context: &FileContext<'_>) -> Result<Parsed, Violations> {
    read(&Node::parse(bytes)?, context)
}

/// Reads the tree of an experiment file, after [`set`] has changed it.
pub fn read(tree: &Node, context: &FileContext<'_>) -> Result<Parsed, Violations> {
    let notes = Notes::default();
    let scene = Scene::new(context);
    let root = Reader::new(tree, "", &notes);
    let plan = experiment::read(&root, &scene);
    drop(scene);
    let violations = notes.violations.take();
    let mut warnings = notes.warnings.take();
    warnings.sort();
    if plan.is_none() && violations.is_empty() {
        debug_assert!(false, "a file was refused without a word");
        root.refuse("it cannot be read, and this build cannot say why");
        return Err(Violations::new(notes.violations.take()));
    }
    match plan {
        Some(plan) if violations.is_empty() => Ok(Parsed { plan, warnings }),
        Some(_) | None => Err(Violations::new(violations)),
    }
}
