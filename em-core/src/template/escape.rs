//! Escaping by language and by place: inside which quotes a placeholder stands decides how its value is written.

use crate::value::Value;

/// The language that a rendered template belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Escape {
    /// Nothing is escaped: one argument, one environment variable, a configuration file.
    None,
    /// A POSIX shell script: bare, in single, in double quotes and in `$(...)` (where `case` needs its optional opening
    /// parentheses); here-documents and backticks are refused.
    Shell,
    /// A JSON document: escaped text inside strings, a whole scalar outside.
    Json,
    /// A PromQL query: escaped inside quotes; outside only words and numbers are let in.
    ///
    /// Regular expressions inside the quotes are not escaped, so that `a|b` can be given for `=~`.
    PromQl,
    /// An InfluxQL statement: escaped inside quotes; outside only words and numbers are let in.
    InfluxQl,
    /// A language whose texts cannot be escaped: only words, numbers and `/` are let in.
    Word,
    /// A URL: escaped with `%`, but for what an authority is made of.
    Url,
    /// A regular expression that shall match the value literally.
    Regex,
}

/// Where in the text the next placeholder stands.
#[derive(Debug)]
pub(super) struct Place {
    escape: Escape,
    /// The innermost last; never empty.
    nesting: Vec<Quotes>,
    is_escaped: bool,
    in_comment: bool,
    /// Whether quotes from here on may not be what they look like.
    is_doubtful: bool,
    /// The character before, for what two characters make.
    before: char,
    refused: Option<&'static str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quotes {
    Bare,
    Single,
    Double,
    Backtick,
}

impl Place {
    pub(super) fn start(escape: Escape) -> Self {
        Self {
            escape,
            nesting: vec![Quotes::Bare],
            is_escaped: false,
            in_comment: false,
            is_doubtful: false,
            before: '\n',
            refused: None,
        }
    }

    /// Moves over text of the template.
    pub(super) fn advance(&mut self, text: &str) {
        let has_quotes = match self.escape {
            Escape::None | Escape::Regex | Escape::Word | Escape::Url => false,
            Escape::Shell | Escape::Json | Escape::PromQl | Escape::InfluxQl => true,
        };
        if !has_quotes {
            return;
        }
        for c in text.chars() {
            self.step(c);
            self.before = c;
        }
    }

    fn step(&mut self, c: char) {
        if self.in_comment {
            self.in_comment = c != '\n';
            return;
        }
        if self.is_escaped {
            self.is_escaped = false;
            return;
        }
        match (self.escape, self.quotes()) {
            (Escape::Json, quotes) => self.step_json(c, quotes),
            (Escape::PromQl, quotes) => self.step_promql(c, quotes),
            (Escape::InfluxQl, quotes) => self.step_influxql(c, quotes),
            (_, quotes) => self.step_shell(c, quotes),
        }
    }

    fn step_json(&mut self, c: char, quotes: Quotes) {
        match (quotes, c) {
            (Quotes::Bare, '"') => self.enter(Quotes::Double),
            (Quotes::Double, '"') => self.leave(),
            (Quotes::Double, '\\') => self.is_escaped = true,
            _ => {}
        }
    }

    fn step_promql(&mut self, c: char, quotes: Quotes) {
        match (quotes, c) {
            (Quotes::Bare, '"') => self.enter(Quotes::Double),
            (Quotes::Bare, '\'') => self.enter(Quotes::Single),
            (Quotes::Bare, '`') => self.enter(Quotes::Backtick),
            (Quotes::Bare, '#') => self.in_comment = true,
            (Quotes::Double, '"') | (Quotes::Single, '\'') | (Quotes::Backtick, '`') => {
                self.leave();
            }
            (Quotes::Double | Quotes::Single, '\\') => self.is_escaped = true,
            _ => {}
        }
    }

    fn step_influxql(&mut self, c: char, quotes: Quotes) {
        match (quotes, c) {
            (Quotes::Bare, '"') => self.enter(Quotes::Double),
            (Quotes::Bare, '\'') => self.enter(Quotes::Single),
            (Quotes::Double, '"') | (Quotes::Single, '\'') => self.leave(),
            (Quotes::Double | Quotes::Single, '\\') => self.is_escaped = true,
            // A comment, a regular expression or a division: quotes after it may be none.
            (Quotes::Bare, '/') => self.is_doubtful = true,
            (Quotes::Bare, '-') if self.before == '-' => self.is_doubtful = true,
            _ => {}
        }
    }

    fn step_shell(&mut self, c: char, quotes: Quotes) {
        match (quotes, c) {
            (Quotes::Single, '\'') | (Quotes::Double, '"') | (Quotes::Backtick, '`') => {
                self.leave();
            }
            (Quotes::Single | Quotes::Backtick, _) => {}
            (_, '\\') => self.is_escaped = true,
            (_, '`') => self.enter(Quotes::Backtick),
            (Quotes::Double, '(') if self.before == '$' => self.enter(Quotes::Bare),
            (Quotes::Bare, '\'') if self.before == '$' => {
                self.refused = Some("nothing can be escaped after $'...'");
                self.enter(Quotes::Single);
            }
            (Quotes::Bare, '\'') => self.enter(Quotes::Single),
            (Quotes::Bare, '"') => self.enter(Quotes::Double),
            (Quotes::Bare, '(') => self.enter(Quotes::Bare),
            (Quotes::Bare, ')') => self.leave(),
            (Quotes::Bare, '#') if self.before.is_whitespace() || self.before == ';' => {
                self.in_comment = true;
            }
            (Quotes::Bare, '<') if self.before == '<' => {
                self.refused =
                    Some("nothing can be escaped after a here-document (use printf or a file)");
            }
            (Quotes::Double | Quotes::Bare, _) => {}
        }
    }

    /// The value as it must be written here, or why it cannot be.
    pub(super) fn escape(&mut self, value: &Value) -> Result<String, String> {
        let text = value.to_string();
        // What follows the value does not continue what stood before it.
        self.before = 'x';
        match (self.escape, self.quotes()) {
            (Escape::None, _) => Ok(text),
            (Escape::Regex, _) => Ok(regex::escape(&text)),
            (Escape::Shell, quotes) => self.shell(&text, quotes),
            (Escape::Json, Quotes::Bare) => json(value),
            (Escape::Json, _) => {
                json(&Value::Text(text)).map(|quoted| quoted[1..quoted.len() - 1].to_owned())
            }
            (Escape::PromQl, quotes) => promql(&text, quotes),
            (Escape::InfluxQl, quotes) => self.influxql(&text, quotes),
            (Escape::Word, _) if is_word(&text, "/") => Ok(text),
            (Escape::Word, _) => Err(changes(&text)),
            (Escape::Url, _) => Ok(in_url(&text)),
        }
    }

    fn shell(&self, text: &str, quotes: Quotes) -> Result<String, String> {
        if text.contains('\0') {
            return Err("no shell word can hold a NUL character".into());
        }
        match (self.refused, quotes) {
            _ if self.in_comment => Err("it stands in a comment".into()),
            (Some(reason), _) => Err(reason.into()),
            (None, Quotes::Backtick) => {
                Err("nothing can be escaped inside backticks (use $(...))".into())
            }
            (None, Quotes::Single) => Ok(text.replace('\'', r"'\''")),
            (None, Quotes::Double) => Ok(backslashed(text, &['\\', '"', '$', '`'])),
            (None, Quotes::Bare) => {
                let is_safe = |c: char| c.is_ascii_alphanumeric() || "_@%+=:,./-".contains(c);
                let is_word = !text.is_empty() && text.chars().all(is_safe);
                if is_word {
                    Ok(text.into())
                } else {
                    Ok(format!("'{}'", text.replace('\'', r"'\''")))
                }
            }
        }
    }

    fn influxql(&self, text: &str, quotes: Quotes) -> Result<String, String> {
        // Two dashes begin a comment there.
        let is_harmless = is_word(text, "") && !text.contains("--");
        if is_harmless {
            return Ok(text.into());
        }
        if self.is_doubtful {
            return Err(format!(
                "{text:?} stands after a / or a comment, where only words and numbers are let in"
            ));
        }
        if quotes == Quotes::Bare {
            return Err(changes(text));
        }
        promql(text, quotes)
    }

    fn quotes(&self) -> Quotes {
        self.nesting.last().copied().unwrap_or(Quotes::Bare)
    }

    fn enter(&mut self, quotes: Quotes) {
        self.nesting.push(quotes);
    }

    fn leave(&mut self) {
        // A closing parenthesis too many, as in `case`, leaves the outermost level alone.
        if self.nesting.len() > 1 {
            self.nesting.pop();
        }
    }
}

fn json(value: &Value) -> Result<String, String> {
    serde_json::to_string(value).map_err(|error| error.to_string())
}

fn promql(text: &str, quotes: Quotes) -> Result<String, String> {
    match quotes {
        Quotes::Double => Ok(backslashed(text, &['\\', '"']).replace('\n', r"\n")),
        Quotes::Single => Ok(backslashed(text, &['\\', '\'']).replace('\n', r"\n")),
        Quotes::Backtick if text.contains('`') => {
            Err("a text with a backtick cannot stand between backticks (use double quotes)".into())
        }
        Quotes::Backtick => Ok(text.into()),
        Quotes::Bare if is_word(text, "") => Ok(text.into()),
        Quotes::Bare => Err(changes(text)),
    }
}

fn is_word(text: &str, also: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "_:.+-".contains(c) || also.contains(c);
    !text.is_empty() && text.chars().all(is_part)
}

fn changes(text: &str) -> String {
    format!("{text:?} would change the query outside quotes (only words and numbers are let in)")
}

fn in_url(text: &str) -> String {
    let escaped = |byte: u8| {
        if byte.is_ascii_alphanumeric() || b"-._~:[]".contains(&byte) {
            char::from(byte).to_string()
        } else {
            format!("%{byte:02X}")
        }
    };
    text.bytes().map(escaped).collect()
}

fn backslashed(text: &str, special: &[char]) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if special.contains(&c) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}
