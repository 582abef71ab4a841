//! Named patterns over a program's free output.

use regex::{Captures, Regex, RegexBuilder};

use super::{ReadError, ReadSample, TimeFormat, excerpt};
use crate::value::ScaledUnit;

/// A regular expression that finds numbers in a text; matching takes linear time, whatever the expression.
///
/// The number is the group named `value`, or the only group. A group `unit` scales it to the base unit (`12.5` `ms` is 0.0125), a
/// group `at` is its time, every other named group becomes a label. `^` and `$` are ends of lines. What matches often is a series.
#[derive(Debug, Clone)]
pub struct Pattern {
    name: String,
    regex: Regex,
    time: TimeFormat,
}

/// Why a text is not a pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("pattern {name:?} cannot be used: {problem}")]
pub struct PatternError {
    /// What the pattern finds.
    pub name: String,
    /// What is wrong and what to do.
    pub problem: String,
}

/// A compiled pattern of more than this many bytes is refused.
const LARGEST: usize = 1 << 20;
/// The group that holds the number.
const VALUE: &str = "value";

impl Pattern {
    /// Compiles a pattern that finds numbers called `name`, with times (if any) in seconds since 1970.
    ///
    /// ```
    /// use em_core::read::pattern::Pattern;
    /// let pattern = Pattern::new("throughput", r"Requests/sec:\s+([\d.]+)")?;
    /// let samples = pattern.read("Latency 3ms\nRequests/sec:  1250.5\n")?;
    /// assert_eq!((samples.len(), samples[0].value), (1, 1250.5));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn new(name: &str, pattern: &str) -> Result<Self, PatternError> {
        let refused = |problem: String| PatternError {
            name: name.into(),
            problem,
        };
        let regex = RegexBuilder::new(pattern)
            .multi_line(true)
            .crlf(true)
            .size_limit(LARGEST)
            .build()
            .map_err(|error| refused(one_line(&error)))?;
        let has_value = regex.capture_names().flatten().any(|group| group == VALUE);
        let groups = regex.captures_len() - 1;
        let named = regex.capture_names().flatten().count();
        match (has_value, groups - named) {
            (true, _) | (false, 1) => Ok(Self {
                name: name.into(),
                regex,
                time: TimeFormat::Seconds,
            }),
            (false, 0) => Err(refused(
                "it has no group for the number (write \"(?<value>...)\")".into(),
            )),
            (false, _) => Err(refused(
                "it has several groups (name the one with the number \"(?<value>...)\")".into(),
            )),
        }
    }

    /// The same with times in another format.
    #[must_use]
    pub fn with_time(self, time: TimeFormat) -> Self {
        Self { time, ..self }
    }

    /// What its numbers are called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// All numbers in the text, in order; none when nothing matches.
    pub fn read(&self, text: &str) -> Result<Vec<ReadSample>, ReadError> {
        self.regex
            .captures_iter(text)
            .map(|captures| self.sample(text, &captures))
            .collect()
    }

    fn sample(&self, text: &str, captures: &Captures<'_>) -> Result<ReadSample, ReadError> {
        let whole = captures.get_match();
        let refused = |problem| ReadError::at_line(line_of(text, whole.start()), problem);
        let Some(found) = captures.name(VALUE).or_else(|| self.unnamed(captures)) else {
            let problem = format!(
                "pattern {:?} matches {} without its number",
                self.name,
                excerpt(whole.as_str())
            );
            return Err(refused(problem));
        };
        let not_a_number = || {
            refused(format!(
                "{} is not a number ({})",
                excerpt(found.as_str()),
                self.name
            ))
        };
        let number: f64 = found.as_str().trim().parse().map_err(|_| not_a_number())?;
        let mut sample = ReadSample {
            name: self.name.clone(),
            labels: [].into(),
            at: None,
            value: number,
        };
        for group in self.regex.capture_names().flatten() {
            let Some(found) = captures.name(group).map(|found| found.as_str()) else {
                continue;
            };
            match group {
                VALUE => {}
                "unit" => {
                    let unit =
                        ScaledUnit::parse(found).map_err(|error| refused(error.to_string()))?;
                    sample.value = unit.to_base(number);
                }
                "at" => {
                    let problem =
                        || refused(format!("{} is not a time ({})", excerpt(found), self.name));
                    sample.at = Some(self.time.parse(found).ok_or_else(problem)?);
                }
                label => {
                    sample.labels.insert(label.into(), found.into());
                }
            }
        }
        Ok(sample)
    }

    fn unnamed<'t>(&self, captures: &Captures<'t>) -> Option<regex::Match<'t>> {
        let unnamed = self
            .regex
            .capture_names()
            .enumerate()
            .skip(1)
            .find(|(_, name)| name.is_none());
        unnamed.and_then(|(index, _)| captures.get(index))
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    text[..offset].matches('\n').count() + 1
}

/// The last line of a `regex` error says what is wrong; those before draw the pattern.
fn one_line(error: &regex::Error) -> String {
    let text = error.to_string();
    let last = text
        .lines()
        .rev()
        .find(|line| !line.trim().is_empty())
        .unwrap_or_default();
    last.trim().trim_start_matches("error: ").to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_matches_often_is_a_series() {
        let pattern = Pattern::new(
            "tps",
            r"^progress: (?<at>[\d.]+) s, (?<value>[\d.]+) tps, (?<kind>\w+)$",
        )
        .unwrap();
        let samples = pattern
            .read("progress: 1.0 s, 100.5 tps, read\r\nnoise\nprogress: 2.0 s, 99 tps, write\n")
            .unwrap();
        let seen: Vec<_> = samples
            .iter()
            .map(|s| (s.at, s.value, s.labels["kind"].as_str()))
            .collect();
        assert_eq!(
            seen,
            [(Some(1.0), 100.5, "read"), (Some(2.0), 99.0, "write")]
        );
        assert!(pattern.read("nothing").unwrap().is_empty());
    }

    #[test]
    fn a_unit_in_the_output_scales_the_number() {
        let pattern = Pattern::new("p99", r"99%\s+(?<value>[\d.]+)(?<unit>us|ms|s|m)").unwrap();
        assert!((pattern.read("99%  12.50ms").unwrap()[0].value - 0.0125).abs() < 1e-15);
        assert!((pattern.read("99%  1.5s").unwrap()[0].value - 1.5).abs() < 1e-15);
        assert!((pattern.read("99%  800us").unwrap()[0].value - 0.0008).abs() < 1e-15);
    }

    #[test]
    fn a_pattern_that_cannot_find_a_number_is_refused_when_it_is_read() {
        let refusal = |pattern: &str| Pattern::new("x", pattern).unwrap_err().to_string();
        assert_eq!(
            refusal("tps"),
            r#"pattern "x" cannot be used: it has no group for the number (write "(?<value>...)")"#
        );
        assert_eq!(
            refusal("(a)(b)"),
            r#"pattern "x" cannot be used: it has several groups (name the one with the number "(?<value>...)")"#
        );
        assert_eq!(
            refusal("(a"),
            r#"pattern "x" cannot be used: unclosed group"#
        );
        assert_eq!(
            refusal(r"(?=a)(b)"),
            r#"pattern "x" cannot be used: look-around, including look-ahead and look-behind, is not supported"#
        );
        assert!(refusal(r"(\w{1000}){1000}").contains("size limit"));
        assert!(Pattern::new("x", "(?<kind>a) (b)").is_ok());
    }

    #[test]
    fn a_match_without_a_number_is_an_error_with_its_line() {
        let pattern = Pattern::new("x", r"x=(\S*)").unwrap();
        assert_eq!(
            pattern.read("x=1\nx=1,5").unwrap_err().to_string(),
            r#"line 2: "1,5" is not a number (x)"#
        );
        let optional = Pattern::new("x", r"x=(\d+)?").unwrap();
        assert_eq!(
            optional.read("\n\nx=").unwrap_err().to_string(),
            r#"line 3: pattern "x" matches "x=" without its number"#
        );
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(pattern in "\\PC{0,30}", near in "[()\\[\\]?*+a-z<>\\\\d.{}0-9|^$]{0,30}", text in "\\PC{0,60}") {
            for pattern in [pattern, near] {
                if let Ok(pattern) = Pattern::new("x", &pattern) {
                    let _ = pattern.read(&text);
                }
            }
        }
    }
}
