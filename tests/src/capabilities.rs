//! `docs/capabilities.md` as a table.

use std::fs;

use crate::house::root;

/// One line of the page.
#[derive(Debug, PartialEq, Eq)]
pub struct Row {
    /// Its number: `17` or `L3`.
    pub number: String,
    /// What it is.
    pub what: String,
    /// How far we are.
    pub state: State,
    /// Tests that show it, as `file.rs::function`.
    pub tests: Vec<Reference>,
}

/// How far a capability is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It is there, and a test shows it.
    Yes,
    /// A part of it is there.
    Partly,
    /// It is not there.
    NotYet,
}

/// Where a test stands.
#[derive(Debug, PartialEq, Eq)]
pub struct Reference {
    /// File, from the root of the repository.
    pub file: String,
    /// Name of the function.
    pub function: String,
}

/// All rows of the page.
///
/// # Errors
/// The line that is not a row, with what is wrong.
pub fn read() -> Result<Vec<Row>, String> {
    let path = root().join("docs/capabilities.md");
    let page = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    page.lines().filter(|line| is_row(line)).map(row).collect()
}

impl Reference {
    /// Whether the file has a test of this name.
    pub fn exists(&self) -> bool {
        let Ok(text) = fs::read_to_string(root().join(&self.file)) else {
            return false;
        };
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        let named = format!("fn {}(", self.function);
        lines.iter().enumerate().any(|(at, line)| {
            line.contains(&named)
                && lines[..at]
                    .iter()
                    .rev()
                    .take(12)
                    .any(|above| is_mark(above))
        })
    }

    fn read(text: &str) -> Result<Self, String> {
        let (file, function) = text
            .split_once("::")
            .ok_or_else(|| format!("{text:?} is not file.rs::function"))?;
        Ok(Self {
            file: file.to_owned(),
            function: function.to_owned(),
        })
    }
}

fn is_mark(line: &str) -> bool {
    ["#[test]", "#[tokio::test", "#[rstest"]
        .iter()
        .any(|mark| line.starts_with(mark))
}

/// A row starts with its number; heads and rules of tables do not.
fn is_row(line: &str) -> bool {
    let cell = line
        .strip_prefix("| ")
        .and_then(|rest| rest.split(' ').next());
    cell.is_some_and(|cell| cell.trim_start_matches('L').parse::<u32>().is_ok())
}

fn row(line: &str) -> Result<Row, String> {
    let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
    let [number, what, state, shown] = cells[..] else {
        return Err(format!("{line:?} has not four cells"));
    };
    Ok(Row {
        number: number.to_owned(),
        what: what.to_owned(),
        state: match state {
            "yes" => State::Yes,
            "partly" => State::Partly,
            "not yet" => State::NotYet,
            other => return Err(format!("row {number}: {other:?} is no state")),
        },
        tests: references(shown)?,
    })
}

/// What stands between backticks and names a function; the rest of the cell is for people.
fn references(cell: &str) -> Result<Vec<Reference>, String> {
    let quoted = cell.split('`').skip(1).step_by(2);
    quoted
        .filter(|text| text.contains(".rs::"))
        .map(Reference::read)
        .collect()
}
