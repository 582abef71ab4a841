//! Changes of single values from the command line: `--set measurement.cycles=1`.

use super::tree::{Entry, Node, NodeKind};
use super::violation::Position;

/// Why a `--set PATH=VALUE` cannot be done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot set {path:?}: {problem}")]
pub struct SetError {
    /// The path, as it was given.
    pub path: String,
    /// What is wrong and what to do.
    pub problem: String,
}

enum Step<'a> {
    Key(&'a str),
    Index(usize),
}

/// Puts a value into the tree of a file. The value is read as YAML; maps on the way are made, list entries have to be there.
///
/// ```
/// use em_core::file::{Node, set};
/// let mut tree = Node::parse(b"tunables: [{name: a, range: [1, 2]}]").unwrap();
/// set(&mut tree, "tunables[0].range", "[1, 9]")?;
/// set(&mut tree, "measurement.cycles", "1")?;
/// assert!(set(&mut tree, "tunables[4].range", "1").is_err());
/// # Ok::<(), em_core::file::SetError>(())
/// ```
pub fn set(tree: &mut Node, path: &str, value: &str) -> Result<(), SetError> {
    let refused = |problem: String| SetError {
        path: path.to_owned(),
        problem,
    };
    let steps = steps(path).map_err(refused)?;
    let mut value = if value.trim().is_empty() {
        unplaced(NodeKind::Text(String::new()))
    } else {
        Node::parse(value.as_bytes()).map_err(|violations| refused(violations.to_string()))?
    };
    unplace(&mut value);
    let mut node = tree;
    for step in &steps {
        node = step_into(node, step).map_err(refused)?;
    }
    *node = value;
    Ok(())
}

fn steps(path: &str) -> Result<Vec<Step<'_>>, String> {
    let mut steps = Vec::new();
    for part in path.split('.') {
        let (key, indices) = part
            .split_once('[')
            .map_or((part, ""), |(key, _)| (key, &part[key.len()..]));
        if key.is_empty() {
            return Err("a key is missing (write KEY.KEY or KEY[0].KEY)".into());
        }
        steps.push(Step::Key(key));
        let mut rest = indices;
        while !rest.is_empty() {
            let inner = rest.strip_prefix('[').and_then(|rest| rest.split_once(']'));
            let (index, after) = inner.ok_or("a bracket is not closed")?;
            let index = index
                .parse()
                .map_err(|_| format!("{index:?} is not the number of an entry, from 0"))?;
            steps.push(Step::Index(index));
            rest = after;
        }
    }
    Ok(steps)
}

fn step_into<'t>(node: &'t mut Node, step: &Step<'_>) -> Result<&'t mut Node, String> {
    let noun = node.noun();
    match step {
        Step::Key(key) => {
            if node.kind == NodeKind::Null {
                node.kind = NodeKind::Map(Vec::new());
            }
            let NodeKind::Map(entries) = &mut node.kind else {
                return Err(format!("{key:?} is wanted of {noun}, which has no keys"));
            };
            let index = entries.iter().position(|entry| entry.key == *key);
            let index = index.unwrap_or_else(|| {
                entries.push(Entry {
                    key: (*key).to_owned(),
                    at: Position::default(),
                    value: unplaced(NodeKind::Null),
                });
                entries.len() - 1
            });
            Ok(&mut entries[index].value)
        }
        Step::Index(index) => {
            let NodeKind::List(items) = &mut node.kind else {
                return Err(format!(
                    "entry {index} is wanted of {noun}, which is no list"
                ));
            };
            let count = items.len();
            items
                .get_mut(*index)
                .ok_or_else(|| format!("there is no entry {index}: the list has {count}, from 0"))
        }
    }
}

fn unplaced(kind: NodeKind) -> Node {
    let at = Position::default();
    Node { kind, at }
}

fn unplace(node: &mut Node) {
    node.at = Position::default();
    match &mut node.kind {
        NodeKind::List(items) => items.iter_mut().for_each(unplace),
        NodeKind::Map(entries) => {
            for entry in entries {
                entry.at = Position::default();
                unplace(&mut entry.value);
            }
        }
        NodeKind::Null
        | NodeKind::Bool(_)
        | NodeKind::Integer(_)
        | NodeKind::Real(..)
        | NodeKind::Text(_) => {}
    }
}
