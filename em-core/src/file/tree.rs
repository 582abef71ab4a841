//! The text of a file as a tree in which everything knows its place.
//!
//! YAML 1.2 and, with it, JSON: `yes`, `no`, `on` and `off` are text, keys come once, anchors may repeat a node but not blow up the
//! tree.

use granit_parser::{Event, Parser, ScalarStyle, Span, Tag};

use super::reader::joined;
use super::scalar;
use super::violation::{Position, Violation, Violations};

/// The largest file.
pub const LARGEST: usize = 10 * 1024 * 1024;
/// Lists and maps inside each other; an experiment needs eight or so.
const DEEPEST: usize = 64;
/// Scalars, lists and maps of one file, each use of an anchor counted anew.
const MOST_NODES: usize = 200_000;

/// A part of the file with its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// What it is.
    pub kind: NodeKind,
    /// Where it starts.
    pub at: Position,
}

/// What a part of the file is.
#[derive(Debug, Clone, PartialEq)]
pub enum NodeKind {
    /// Nothing: an empty value, `null` or `~`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// Another number, with its text: `1.10` is not what a version means. Infinite where it is too large.
    Real(f64, String),
    /// Text.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// Keys and their values, in file order.
    Map(Vec<Entry>),
}

/// A key and its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Where the key starts.
    pub at: Position,
    /// Its value.
    pub value: Node,
}

impl Node {
    /// Reads a whole file.
    pub fn parse(bytes: &[u8]) -> Result<Self, Violations> {
        if bytes.len() > LARGEST {
            let what = format!(
                "the file has {} bytes, more than the {LARGEST} that an experiment file may have",
                bytes.len()
            );
            return Err(one(start(), what, Some("keep data in files of its own")));
        }
        let text = std::str::from_utf8(bytes).map_err(|error| not_utf8(bytes, error))?;
        Builder::default().build(text)
    }

    /// What it is, for people.
    pub fn noun(&self) -> &'static str {
        match &self.kind {
            NodeKind::Null => "nothing",
            NodeKind::Bool(_) => "a boolean",
            NodeKind::Integer(_) | NodeKind::Real(..) => "a number",
            NodeKind::Text(_) => "text",
            NodeKind::List(_) => "a list",
            NodeKind::Map(_) => "a map",
        }
    }

    /// What it means in JSON.
    pub fn to_json(&self) -> String {
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        match &self.kind {
            NodeKind::Null => "null".to_owned(),
            NodeKind::Bool(value) => value.to_string(),
            NodeKind::Integer(value) => value.to_string(),
            NodeKind::Real(value, _) => serde_json::Value::from(*value).to_string(),
            NodeKind::Text(text) => quoted(text),
            NodeKind::List(items) => {
                let items: Vec<String> = items.iter().map(Self::to_json).collect();
                format!("[{}]", items.join(","))
            }
            NodeKind::Map(entries) => {
                let entry =
                    |entry: &Entry| format!("{}: {}", quoted(&entry.key), entry.value.to_json());
                let entries: Vec<String> = entries.iter().map(entry).collect();
                // The spaces keep two braces apart, which mean something in a template.
                format!("{{ {} }}", entries.join(", "))
            }
        }
    }

    fn count(&self) -> usize {
        match &self.kind {
            NodeKind::List(items) => 1 + items.iter().map(Self::count).sum::<usize>(),
            NodeKind::Map(entries) => 1 + entries.iter().map(|e| e.value.count()).sum::<usize>(),
            NodeKind::Null
            | NodeKind::Bool(_)
            | NodeKind::Integer(_)
            | NodeKind::Real(..)
            | NodeKind::Text(_) => 1,
        }
    }
}

fn start() -> Position {
    Position { line: 1, column: 1 }
}

fn one(at: Position, what: impl Into<String>, remedy: Option<&str>) -> Violations {
    Violations::new(vec![violation(at, what, remedy)])
}

fn violation(at: Position, what: impl Into<String>, remedy: Option<&str>) -> Violation {
    Violation {
        at,
        path: String::new(),
        what: what.into(),
        remedy: remedy.map(str::to_owned),
    }
}

fn not_utf8(bytes: &[u8], error: std::str::Utf8Error) -> Violations {
    let before = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |s| s.chars().count()) + 1;
    let what = format!("byte {:#04x} is no UTF-8 text", bytes[error.valid_up_to()]);
    one(
        Position { line, column },
        what,
        Some("save the file as UTF-8"),
    )
}

/// A list or map that is not closed yet.
struct Open {
    node: Node,
    anchor: usize,
    /// The key that waits for its value.
    key: Option<(String, Position)>,
}

#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    root: Option<Node>,
    /// Finished nodes with an anchor, by its number, with their size.
    anchored: Vec<(usize, Node, usize)>,
    nodes: usize,
    violations: Vec<Violation>,
    documents: usize,
}

impl Builder {
    fn build(mut self, text: &str) -> Result<Node, Violations> {
        for event in Parser::new_from_str(text) {
            let step = match event {
                Ok((event, span)) => self.on(event, position(&span)),
                Err(error) => {
                    let marker = error.marker();
                    let at = Position {
                        line: marker.line(),
                        column: marker.col() + 1,
                    };
                    let what = format!("it is not YAML or JSON: {}", error.info());
                    Err(violation(at, what, None))
                }
            };
            if let Err(violation) = step {
                self.violations.push(violation);
                return Err(Violations::new(self.violations));
            }
        }
        if !self.violations.is_empty() {
            return Err(Violations::new(self.violations));
        }
        self.root.ok_or_else(|| {
            let remedy = "`em init process -- COMMAND` writes one to start from";
            one(start(), "the file is empty", Some(remedy))
        })
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the parser's other events, comments among them, are no nodes"
    )]
    fn on(&mut self, event: Event<'_>, at: Position) -> Result<(), Violation> {
        match event {
            Event::DocumentStart(..) => self.document(at),
            Event::Scalar(text, style, anchor, tag) => {
                let kind = scalar_kind(&text, style, tag.as_deref(), at)?;
                self.finished(Node { kind, at }, anchor)
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.opened(NodeKind::List(Vec::new()), anchor, tag.as_deref(), at)
            }
            Event::MappingStart(_, anchor, tag) => {
                self.opened(NodeKind::Map(Vec::new()), anchor, tag.as_deref(), at)
            }
            Event::SequenceEnd | Event::MappingEnd => self.closed(),
            Event::Alias(anchor) => self.repeated(anchor, at),
            _ => Ok(()),
        }
    }

    fn document(&mut self, at: Position) -> Result<(), Violation> {
        self.documents += 1;
        if self.documents == 1 {
            return Ok(());
        }
        let remedy = "one file is one experiment";
        Err(violation(at, "a second document starts here", Some(remedy)))
    }

    fn opened(
        &mut self,
        kind: NodeKind,
        anchor: usize,
        tag: Option<&Tag>,
        at: Position,
    ) -> Result<(), Violation> {
        if tag.is_some() {
            return Err(violation(
                at,
                "tags (!...) have no meaning here",
                Some("remove it"),
            ));
        }
        if self.open.len() >= DEEPEST {
            let what = format!("more than {DEEPEST} lists and maps stand inside each other");
            return Err(violation(at, what, None));
        }
        self.counted(1, at)?;
        let node = Node { kind, at };
        self.open.push(Open {
            node,
            anchor,
            key: None,
        });
        Ok(())
    }

    fn closed(&mut self) -> Result<(), Violation> {
        let open = self
            .open
            .pop()
            .expect("the parser balances starts and ends");
        // It was counted when it was opened.
        self.nodes -= 1;
        self.finished(open.node, open.anchor)
    }

    fn repeated(&mut self, anchor: usize, at: Position) -> Result<(), Violation> {
        let found = self.anchored.iter().rfind(|(known, ..)| *known == anchor);
        let Some((_, node, size)) = found else {
            return Err(violation(at, "a node cannot contain itself", None));
        };
        let (node, size) = (node.clone(), *size);
        self.counted(size, at)?;
        self.nodes -= 1;
        self.finished(Node { at, ..node }, 0)
    }

    fn finished(&mut self, node: Node, anchor: usize) -> Result<(), Violation> {
        self.counted(1, node.at)?;
        if anchor != 0 {
            let size = node.count();
            self.anchored.push((anchor, node.clone(), size));
        }
        let Some(parent) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        match (&mut parent.node.kind, parent.key.take()) {
            (NodeKind::Map(_), None) => {
                parent.key = Some((key_of(&node)?, node.at));
            }
            (NodeKind::Map(entries), Some((key, at))) => {
                if let Some(first) = entries.iter().find(|entry| entry.key == key) {
                    let what = format!("the key {key:?} is already on line {}", first.at.line);
                    let mut twice = violation(at, what, Some("keep one of them"));
                    twice.path = self.path(&key);
                    self.violations.push(twice);
                } else {
                    let value = node;
                    entries.push(Entry { key, at, value });
                }
            }
            (NodeKind::List(items), _) => items.push(node),
            _ => unreachable!("only lists and maps are opened"),
        }
        Ok(())
    }

    /// The path of a key of the innermost map.
    fn path(&self, key: &str) -> String {
        let mut path = String::new();
        for open in &self.open {
            match (&open.node.kind, &open.key) {
                (NodeKind::List(items), _) => path = format!("{path}[{}]", items.len()),
                (_, Some((key, _))) => path = joined(&path, key),
                (_, None) => {}
            }
        }
        joined(&path, key)
    }

    fn counted(&mut self, nodes: usize, at: Position) -> Result<(), Violation> {
        self.nodes += nodes;
        if self.nodes <= MOST_NODES {
            return Ok(());
        }
        let what = format!("the file has more than {MOST_NODES} parts, repeated anchors included");
        Err(violation(at, what, None))
    }
}

fn key_of(node: &Node) -> Result<String, Violation> {
    match &node.kind {
        NodeKind::Text(text) | NodeKind::Real(_, text) => Ok(text.clone()),
        NodeKind::Bool(value) => Ok(value.to_string()),
        NodeKind::Integer(value) => Ok(value.to_string()),
        NodeKind::Null => Err(violation(node.at, "a key is empty", None)),
        NodeKind::List(_) | NodeKind::Map(_) => Err(violation(
            node.at,
            format!("a key is {}, not text", node.noun()),
            Some("a value that starts with {{ has to be quoted: \"{{name}}\""),
        )),
    }
}

fn position(span: &Span) -> Position {
    Position {
        line: span.start.line(),
        column: span.start.col() + 1,
    }
}

fn scalar_kind(
    text: &str,
    style: ScalarStyle,
    tag: Option<&Tag>,
    at: Position,
) -> Result<NodeKind, Violation> {
    match tag {
        Some(tag) if tag.is_yaml_core_schema_tag("str") => Ok(NodeKind::Text(text.to_owned())),
        Some(_) => Err(violation(
            at,
            "tags (!...) have no meaning here",
            Some("remove it"),
        )),
        None if style == ScalarStyle::Plain => Ok(scalar::resolve(text)),
        None => Ok(NodeKind::Text(text.to_owned())),
    }
}
