//! Text to tokens.

use std::ops::Range;

use super::error::Flaw;
use super::name::Name;
use super::node::{Binary, Ending, Literal};
use super::suggest::closest;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    Literal(Literal),
    Name(Name),
    /// A word directly before an opening parenthesis.
    Function(String),
    Binary(Binary),
    Not,
    Open,
    Close,
    Comma,
    Question,
    Colon,
    End,
}

#[derive(Debug, Clone)]
pub(super) struct Spanned {
    pub(super) token: Token,
    pub(super) span: Range<usize>,
}

/// All tokens of a text, the last of them `End`.
pub(super) fn tokens(text: &str) -> Result<Vec<Spanned>, Flaw> {
    let mut lexer = Lexer { text, at: 0 };
    let mut tokens = Vec::new();
    loop {
        lexer.take_while(char::is_whitespace);
        let start = lexer.at;
        let token = lexer.next()?;
        let is_end = token == Token::End;
        tokens.push(Spanned {
            token,
            span: start..lexer.at,
        });
        if is_end {
            return Ok(tokens);
        }
    }
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Lexer<'a> {
    fn next(&mut self) -> Result<Token, Flaw> {
        let Some(first) = self.peek() else {
            return Ok(Token::End);
        };
        match first {
            c if c.is_ascii_digit() => self.number(),
            '.' if self.rest()[1..].starts_with(|c: char| c.is_ascii_digit()) => self.number(),
            c if c.is_ascii_alphabetic() || c == '_' || c == '"' => self.path(),
            _ => self.symbol(),
        }
    }

    fn symbol(&mut self) -> Result<Token, Flaw> {
        const SYMBOLS: [(&str, Token); 19] = [
            ("<=", Token::Binary(Binary::LESS_OR_EQUAL)),
            (">=", Token::Binary(Binary::GREATER_OR_EQUAL)),
            ("==", Token::Binary(Binary::EQUAL)),
            ("!=", Token::Binary(Binary::NOT_EQUAL)),
            ("&&", Token::Binary(Binary::And)),
            ("||", Token::Binary(Binary::Or)),
            ("<", Token::Binary(Binary::LESS)),
            (">", Token::Binary(Binary::GREATER)),
            ("+", Token::Binary(Binary::Add)),
            ("-", Token::Binary(Binary::Subtract)),
            ("*", Token::Binary(Binary::Multiply)),
            ("/", Token::Binary(Binary::Divide)),
            ("%", Token::Binary(Binary::Remainder)),
            ("^", Token::Binary(Binary::Power)),
            ("!", Token::Not),
            ("(", Token::Open),
            (")", Token::Close),
            (",", Token::Comma),
            ("?", Token::Question),
        ];
        if let Some((meant, length)) = self.foreign_symbol() {
            let span = self.at..self.at + length;
            let problem = format!("{:?} is not an operator", &self.text[span.clone()]);
            return Err(Flaw::new(span, problem).did_you_mean(Some(meant)));
        }
        if self.eat(":") {
            return Ok(Token::Colon);
        }
        for (symbol, token) in SYMBOLS {
            if self.eat(symbol) {
                return Ok(token);
            }
        }
        let odd = self.peek().unwrap_or(' ');
        let flaw = Flaw::new(
            self.at..self.at + odd.len_utf8(),
            format!("{odd:?} has no meaning here"),
        );
        Err(if odd == '\'' {
            flaw.hint("names are quoted with \"double\" quotes")
        } else {
            flaw
        })
    }

    /// What other languages write: the operator that is meant, and the length of the foreign one.
    fn foreign_symbol(&self) -> Option<(&'static str, usize)> {
        let rest = self.rest();
        let starts = |text| rest.starts_with(text);
        Some(match rest.chars().next()? {
            '*' if starts("**") => ("^", 2),
            '<' if starts("<>") => ("!=", 2),
            '=' if starts("=<") => ("<=", 2),
            '=' if starts("=>") => (">=", 2),
            '=' if !starts("==") => ("==", 1),
            '&' if !starts("&&") => ("&&", 1),
            '|' if !starts("||") => ("||", 1),
            '≤' => ("<=", '≤'.len_utf8()),
            '≥' => (">=", '≥'.len_utf8()),
            _ => return None,
        })
    }

    fn number(&mut self) -> Result<Token, Flaw> {
        let start = self.at;
        self.take_while(|c| c.is_ascii_digit());
        if self.eat(".") {
            self.take_while(|c| c.is_ascii_digit());
        }
        self.exponent();
        let digits = &self.text[start..self.at];
        let ending_start = self.at;
        let word = self.take_while(|c| c.is_alphanumeric() || c == '_');
        let word = if word.is_empty() && self.eat("%") {
            "%"
        } else {
            word
        };
        let span = ending_start..self.at;
        if self.rest().starts_with('.') {
            let flaw = Flaw::new(start..self.at + 1, "this is not a number");
            return Err(flaw.hint("a name that starts with a digit is quoted"));
        }
        let ending = Ending::parse(word).ok_or_else(|| unknown_ending(span, digits, word))?;
        let value = digits.parse::<f64>().unwrap_or(f64::INFINITY);
        let literal = Literal {
            digits: digits.into(),
            ending,
            value: ending.to_base(value),
        };
        if literal.value.is_finite() {
            return Ok(Token::Literal(literal));
        }
        Err(Flaw::new(start..self.at, "the number is too large"))
    }

    fn exponent(&mut self) {
        let after = self.rest().strip_prefix(['e', 'E']);
        let unsigned = after.map(|rest| rest.strip_prefix(['+', '-']).unwrap_or(rest));
        if let Some(digits) = unsigned.filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
        {
            self.at = self.text.len() - digits.len();
            self.take_while(|c| c.is_ascii_digit());
        }
    }

    fn path(&mut self) -> Result<Token, Flaw> {
        let start = self.at;
        let is_quoted = self.peek() == Some('"');
        let mut parts = vec![self.part()?];
        while self.eat(".") {
            parts.push(self.statistic_or_part()?);
        }
        let is_call = self.rest().trim_start().starts_with('(');
        match <[String; 1]>::try_from(parts) {
            Ok([word]) if is_call && !is_quoted => Ok(Token::Function(word)),
            Ok([word]) => self.name(start, vec![word]),
            Err(parts) => self.name(start, parts),
        }
    }

    fn name(&self, start: usize, parts: Vec<String>) -> Result<Token, Flaw> {
        Name::of_path(parts)
            .map(Token::Name)
            .map_err(|problem| Flaw::new(start..self.at, problem))
    }

    fn statistic_or_part(&mut self) -> Result<String, Flaw> {
        let start = self.at;
        let part = self.part()?;
        let is_percentile = part
            .strip_prefix('p')
            .is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()));
        let has_fraction = self
            .rest()
            .strip_prefix('.')
            .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
        if !(is_percentile && has_fraction) || self.text[start..].starts_with('"') {
            return Ok(part);
        }
        self.at += 1;
        let fraction = self.take_while(|c| c.is_ascii_digit());
        Ok(format!("{part}.{fraction}"))
    }

    fn part(&mut self) -> Result<String, Flaw> {
        let start = self.at;
        if self.eat("\"") {
            let name = self.take_while(|c| c != '"' && !c.is_control());
            if !self.eat("\"") {
                return Err(Flaw::new(start..self.at, "the quoted name does not end"));
            }
            if name.is_empty() {
                return Err(Flaw::new(start..self.at, "the quoted name is empty"));
            }
            return Ok(name.into());
        }
        let word = self.take_while(|c| c.is_ascii_alphanumeric() || c == '_');
        if !word.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
            let flaw = Flaw::new(start..self.at, "a name is missing after the dot");
            return Err(flaw.hint("quote a name that starts with a digit"));
        }
        Ok(word.into())
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn eat(&mut self, symbol: &str) -> bool {
        let is_there = self.rest().starts_with(symbol);
        if is_there {
            self.at += symbol.len();
        }
        is_there
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|c| !wanted(c)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }
}

fn unknown_ending(span: Range<usize>, digits: &str, word: &str) -> Flaw {
    let flaw = Flaw::new(span, format!("{word:?} cannot follow a number"));
    let meant = match word {
        "m" => return flaw.hint("minutes are \"min\", milliseconds \"ms\", mega is not an ending"),
        "sec" | "secs" | "S" | "seconds" => "s",
        "msec" | "MS" | "Ms" => "ms",
        "µs" | "μs" | "usec" => "us",
        "mins" | "minutes" => "min",
        "hr" | "hours" | "H" => "h",
        "K" | "k" | "kB" | "KB" | "KiB" | "ki" => "Ki",
        "M" | "MB" | "MiB" | "mi" => "Mi",
        "G" | "GB" | "GiB" | "gi" => "Gi",
        other => match closest(other, Ending::NAMES) {
            Some(near) => near,
            None => return flaw.hint("endings are ns us ms s min h Ki Mi Gi %"),
        },
    };
    flaw.did_you_mean(Some(&format!("{digits}{meant}")))
}
