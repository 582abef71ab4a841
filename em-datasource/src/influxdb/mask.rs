//! A statement without what its quotes, regular expressions and comments hold.

use std::iter::Peekable;
use std::str::CharIndices;

/// Two views of a statement, each as long as the statement, with spaces for what is left out.
#[derive(Debug)]
pub(super) struct Mask {
    /// Without texts, quoted names, regular expressions and comments.
    pub(super) bare: String,
    /// The same without what stands in parentheses.
    pub(super) outer: String,
}

impl Mask {
    pub(super) fn of(text: &str) -> Self {
        let mut mask = Self {
            bare: String::with_capacity(text.len()),
            outer: String::with_capacity(text.len()),
        };
        let mut depth = 0_u32;
        let mut chars = text.char_indices().peekable();
        while let Some((start, c)) = chars.next() {
            let next = chars.peek().map(|(_, next)| *next);
            match (c, next) {
                ('\'' | '"', _) => {
                    let end = closed(&mut chars, c, text.len());
                    mask.leave_out(text.get(start..end).unwrap_or_default(), depth);
                }
                ('/', Some('*')) => {
                    let rest = text.get(start + 2..).unwrap_or_default();
                    let length = rest.find("*/").map_or(rest.len(), |at| at + 2);
                    mask.leave_out_until(&mut chars, start, start + 2 + length);
                }
                ('-', Some('-')) => {
                    let rest = text.get(start..).unwrap_or_default();
                    let length = rest.find('\n').unwrap_or(rest.len());
                    mask.leave_out_until(&mut chars, start, start + length);
                }
                ('/', _) if begins_regex(&mask.bare) => {
                    let end = closed(&mut chars, c, text.len());
                    // What stands there is a name or a pattern, nothing to divide.
                    mask.leave_out_length(end - start);
                }
                ('(', _) => {
                    mask.push(c, depth);
                    depth += 1;
                }
                (')', _) => {
                    depth = depth.saturating_sub(1);
                    mask.push(c, depth);
                }
                _ => mask.push(c, depth),
            }
        }
        mask
    }

    fn push(&mut self, c: char, depth: u32) {
        self.bare.push(c);
        if depth == 0 {
            self.outer.push(c);
        } else {
            self.outer.push_str(&" ".repeat(c.len_utf8()));
        }
    }

    /// Leaves a quoted text out. A name in quotes is a name: that of the time counts.
    fn leave_out(&mut self, quoted: &str, depth: u32) {
        if quoted == r#""time""# {
            for c in " time ".chars() {
                self.push(c, depth);
            }
        } else {
            self.leave_out_length(quoted.len());
        }
    }

    fn leave_out_until(&mut self, chars: &mut Peekable<CharIndices<'_>>, start: usize, end: usize) {
        while chars.next_if(|(at, _)| *at < end).is_some() {}
        self.leave_out_length(end - start);
    }

    fn leave_out_length(&mut self, length: usize) {
        let spaces = " ".repeat(length);
        self.bare.push_str(&spaces);
        self.outer.push_str(&spaces);
    }
}

/// Moves behind the quote that ends what has begun; a backslash takes the next character with it.
/// Answers where that is.
fn closed(chars: &mut Peekable<CharIndices<'_>>, quote: char, length: usize) -> usize {
    while let Some((at, c)) = chars.next() {
        if c == '\\' {
            chars.next();
        } else if c == quote {
            return at + c.len_utf8();
        }
    }
    length
}

/// Whether a slash begins a regular expression after this: where it does, nothing can be divided.
fn begins_regex(before: &str) -> bool {
    let before = before.trim_end();
    if let Some(name) = before.strip_suffix('.') {
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let word = name.rsplit(|c| !is_word(c)).next().unwrap_or_default();
        let is_number = !word.is_empty() && word.chars().all(|c| c.is_ascii_digit());
        return !is_number;
    }
    if before.ends_with(['~', ',', '(']) {
        return true;
    }
    let word = before.rsplit(char::is_whitespace).next();
    let word = word.unwrap_or_default();
    ["from", "by", "select"]
        .iter()
        .any(|keyword| word.eq_ignore_ascii_case(keyword))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_view_is_as_long_as_the_statement() {
        for text in [
            "SELECT v FROM m WHERE µ = 'ü\\'ö' -- ä\n AND (x > 1 OR \"time\" > 2)",
            "SELECT v FROM /a\\/b/ /* open",
            "SELECT 'open",
            "SELECT \"",
            "--",
            "(((",
            ")",
        ] {
            let Mask { bare, outer } = Mask::of(text);
            assert_eq!(bare.len(), text.len(), "{bare:?}");
            assert_eq!(outer.len(), text.len(), "{outer:?}");
        }
    }

    #[test]
    fn only_what_stands_outside_is_left() {
        let Mask { bare, outer } = Mask::of("a 'b' (c \"time\") /d -- e");
        assert_eq!(bare, "a     (c  time ) /d     ");
        assert_eq!(outer, "a     (        ) /d     ");
    }
}
