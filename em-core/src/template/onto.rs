//! What is put into a text or a list that is there already: pieces of a variable, arguments of a command.

use regex::{NoExpand, Regex};

/// Pieces of one environment variable, in file order.
#[derive(Debug, Default)]
pub struct Pieces {
    pieces: Vec<String>,
    replaced: Vec<Regex>,
}

impl Pieces {
    /// One piece more, and what it replaces.
    pub fn add(&mut self, piece: String, replaced: Option<Regex>) {
        self.pieces.push(piece);
        self.replaced.extend(replaced);
    }

    /// Today's value less what the pieces replace, then the pieces, one space between.
    pub fn onto(&self, today: &str) -> String {
        let kept = self
            .replaced
            .iter()
            .fold(today.to_owned(), |text, replaced| {
                replaced.replace_all(&text, NoExpand("")).into_owned()
            });
        let pieces = self.pieces.iter().map(String::as_str);
        kept.split_whitespace()
            .chain(pieces)
            .collect::<Vec<_>>()
            .join(" ")
    }
}

/// Puts `text` in place of what `replaced` matches in any of the arguments; whether there was one.
pub fn replace_argument<'a>(
    arguments: impl IntoIterator<Item = &'a mut String>,
    text: &str,
    replaced: &Regex,
) -> bool {
    let mut found = false;
    for argument in arguments {
        if replaced.is_match(argument) {
            *argument = replaced.replace_all(argument, NoExpand(text)).into_owned();
            found = true;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_take_the_place_of_what_they_replace_and_keep_the_rest() {
        let mut pieces = Pieces::default();
        pieces.add("-Xmx512m".to_owned(), Some(Regex::new(r"-Xmx\S+").unwrap()));
        pieces.add(
            "-XX:+UseG1GC".to_owned(),
            Some(Regex::new(r"-XX:[+-]Use\w+GC").unwrap()),
        );
        let today = "-Xmx1g  -Dx=$1 -XX:+UseParallelGC";
        assert_eq!(pieces.onto(today), "-Dx=$1 -Xmx512m -XX:+UseG1GC");
        assert_eq!(pieces.onto(""), "-Xmx512m -XX:+UseG1GC");
    }

    #[test]
    fn an_argument_replaces_all_that_matches() {
        let replaces = Regex::new(r"^--threads=.*$").unwrap();
        let mut command = ["--threads=4", "x"].map(str::to_owned);
        assert!(replace_argument(&mut command, "--threads=$8", &replaces));
        assert_eq!(command, ["--threads=$8", "x"]);
        let other = Regex::new("^--cache").unwrap();
        assert!(!replace_argument(&mut command, "--cache=lru", &other));
    }
}
