//! What differs between two renderings of the same plan, in as few words as can be.

use super::part::{Form, Part, shell_word};

/// A line per difference; one that says so where there is none.
pub(super) fn between(before: &[Part], after: &[Part]) -> Vec<String> {
    let mut lines = Vec::new();
    for part in after {
        let known = before.iter().find(|known| known.name == part.name);
        match (known.map(|known| &known.form), &part.form) {
            (Some(known), form) if known == form => {}
            (Some(Form::Words(known)), Form::Words(now)) => {
                lines.extend(words(known, now).map(|change| format!("{}: {change}", part.name)));
            }
            (Some(Form::Lines(known)), Form::Lines(now)) => {
                let changed = changed_lines(known, now);
                lines.extend(changed.map(|change| format!("{}, {change}", part.name)));
            }
            _ => lines.extend(part.whole().map(|line| format!("{}: {line}", part.name))),
        }
    }
    let gone = before
        .iter()
        .filter(|known| after.iter().all(|part| part.name != known.name));
    lines.extend(gone.map(|part| format!("no {}", part.name)));
    if lines.is_empty() {
        lines.push("nothing".to_owned());
    }
    lines
}

/// The words that are there instead of others.
fn words(before: &[String], after: &[String]) -> impl Iterator<Item = String> {
    let (start, end) = common_ends(before, after);
    let (gone, come) = (inner(before, start, end), inner(after, start, end));
    let joined = |words: &[String]| {
        let words: Vec<String> = words.iter().map(|word| shell_word(word)).collect();
        words.join(" ")
    };
    if gone.len() == come.len() {
        let pairs = gone.iter().zip(come).filter(|(gone, come)| gone != come);
        let changed: Vec<String> = pairs.map(|(_, come)| shell_word(come)).collect();
        return Some(changed.join(" ")).into_iter();
    }
    let text = match (gone, come) {
        (gone, []) => format!("without {}", joined(gone)),
        ([], come) => format!("with {}", joined(come)),
        (gone, come) => format!("{} instead of {}", joined(come), joined(gone)),
    };
    Some(text).into_iter()
}

/// Each line that changed, with its number.
fn changed_lines(before: &[String], after: &[String]) -> impl Iterator<Item = String> {
    let (start, end) = common_ends(before, after);
    let (gone, come) = (inner(before, start, end), inner(after, start, end));
    let is_in_place = gone.len() == come.len();
    let mut changes: Vec<String> = (start + 1..)
        .zip(come)
        .enumerate()
        .filter(|(index, (_, line))| !is_in_place || gone.get(*index) != Some(line))
        .map(|(_, (number, line))| format!("line {number}: {}", line.trim()))
        .collect();
    if come.is_empty() {
        changes.push(match gone.len() {
            1 => format!("without line {}", start + 1),
            many => format!("without lines {} to {}", start + 1, start + many),
        });
    }
    changes.into_iter()
}

/// How many items both begin with, and how many they end with beyond those.
fn common_ends(a: &[String], b: &[String]) -> (usize, usize) {
    let start = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    let rest = a.len().min(b.len()) - start;
    let ends = a.iter().rev().zip(b.iter().rev()).take(rest);
    (start, ends.take_while(|(a, b)| a == b).count())
}

fn inner(all: &[String], start: usize, end: usize) -> &[String] {
    all.get(start..all.len() - end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(words: &str) -> Vec<String> {
        words.split(' ').map(str::to_owned).collect()
    }

    fn changed(before: &str, after: &str) -> Vec<String> {
        let part = |text| Part::words("command", texts(text));
        between(&[part(before)], &[part(after)])
    }

    #[test]
    fn only_words_that_changed_are_told() {
        assert_eq!(changed("a b=1 c=2 d", "a b=9 c=2 d"), ["command: b=9"]);
        assert_eq!(changed("a b=1 c=2 d", "a b=9 c=8 d"), ["command: b=9 c=8"]);
        assert_eq!(changed("a b", "a x y b"), ["command: with x y"]);
        assert_eq!(changed("a x y b", "a b"), ["command: without x y"]);
        assert_eq!(changed("a x y b", "a z b"), ["command: z instead of x y"]);
        assert_eq!(changed("a b", "a b"), ["nothing"]);
    }

    #[test]
    fn lines_of_a_file_are_told_by_their_numbers() {
        let file = |lines: &str| {
            let lines = lines.split(' ').map(str::to_owned).collect();
            Part::lines("file conf", lines)
        };
        let told = between(&[file("a b c d")], &[file("a x c y")]);
        assert_eq!(told, ["file conf, line 2: x", "file conf, line 4: y"]);
        let told = between(&[file("a b c")], &[file("a c")]);
        assert_eq!(told, ["file conf, without line 2"]);
        let told = between(&[file("a b c d")], &[file("a d")]);
        assert_eq!(told, ["file conf, without lines 2 to 3"]);
    }

    #[test]
    fn parts_that_come_and_go_are_told() {
        let env = Part::words("environment", texts("N=1"));
        assert_eq!(
            between(&[], std::slice::from_ref(&env)),
            ["environment: N=1"]
        );
        assert_eq!(between(&[env], &[]), ["no environment"]);
    }
}
