//! Titled blocks of aligned rows: how everything that is told before a run is laid out.

use std::fmt::Write as _;

/// Columns before the text of a row begins, where its names are short.
const NAMES: usize = 12;
/// Columns of a line of prose.
const WIDTH: usize = 110;

/// A titled block of rows, each a name and a text.
#[derive(Debug, Clone, Default)]
pub struct Section {
    title: String,
    rows: Vec<(String, Vec<String>)>,
}

impl Section {
    /// A block under this title.
    pub fn new(title: impl Into<String>) -> Self {
        let title = title.into();
        Self {
            title,
            rows: Vec::new(),
        }
    }

    /// Prose, broken between words where it is long. A name that stands above already is left out.
    pub fn prose(&mut self, name: &str, text: &str) {
        self.row(name, broken(text, WIDTH));
    }

    /// Lines as they are: commands and texts of files are not broken, so that they can be copied.
    pub fn row(&mut self, name: &str, lines: impl IntoIterator<Item = String>) {
        self.rows
            .push((name.to_owned(), lines.into_iter().collect()));
    }

    /// Rows of cells, each column as wide as its widest cell.
    pub fn table(&mut self, rows: &[Vec<String>]) {
        let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            let cells = rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (1..columns).map(width).collect();
        for row in rows {
            let Some((name, cells)) = row.split_first() else {
                continue;
            };
            let cells = cells.iter().zip(&widths);
            let line: Vec<String> = cells
                .map(|(cell, width)| format!("{cell:<width$}"))
                .collect();
            self.row(name, [line.join("  ").trim_end().to_owned()]);
        }
    }

    /// The block as text; nothing where it has no rows.
    pub fn text(&self) -> String {
        if self.rows.is_empty() {
            return String::new();
        }
        let names = self.rows.iter().map(|(name, _)| name.chars().count());
        let width = names.max().unwrap_or(0).max(NAMES);
        let mut text = format!("\n{}\n", self.title);
        let mut above = "";
        for (name, lines) in &self.rows {
            let mut shown = if name == above { "" } else { name.as_str() };
            above = name;
            for line in lines {
                let row = format!("  {shown:<width$}  {line}");
                writeln!(text, "{}", row.trim_end()).expect("writing to a string cannot fail");
                shown = "";
            }
        }
        text
    }
}

/// The text in lines of at most `width` characters, broken between words.
fn broken(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut().expect("there is always a line");
        if line.is_empty() {
            line.push_str(word);
        } else if line.chars().count() + 1 + word.chars().count() <= width {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_aligned_and_a_name_is_said_once() {
        let mut section = Section::new("Plan");
        section.prose("order", "1. first");
        section.prose("order", "2. second");
        section.table(&[
            vec!["a".to_owned(), "integer".to_owned(), "1 to 16".to_owned()],
            vec!["b".to_owned(), "real".to_owned(), String::new()],
        ]);
        assert_eq!(
            section.text(),
            "\nPlan\n  order         1. first\n                2. second\n  a             integer  1 to 16\n  b             real\n"
        );
        assert_eq!(Section::new("Empty").text(), "");
    }

    #[test]
    fn prose_is_broken_between_words_and_a_long_word_is_left_whole() {
        assert_eq!(broken("aa bb cccccccc d", 5), ["aa bb", "cccccccc", "d"]);
    }
}
