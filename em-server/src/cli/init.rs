//! `em init`: a commented file to start from.

use std::fmt::Write as _;
use std::path::Path;

/// The file for a program of this machine.
pub(super) fn process(command: &[String]) -> String {
    let words: Vec<String> = command
        .iter()
        .map(|word| serde_json::Value::from(word.as_str()).to_string())
        .collect();
    let mut text = String::new();
    let name = name(command.first().map_or("", String::as_str));
    let words = words.join(", ");
    write!(
        text,
        "\
# An experiment: which configuration of this program is best, and is that proven?
# `em check FILE` says what would be done.
name: {name}

# A fresh process for every iteration. {{{{port}}}} is a free port of this machine.
target:
  kind: process
  command: [{words}]

# What may change. Replace this one by a setting of your program. Also: `choices: [a, b]`, and
# `apply: {{ arg: \"--threads={{{{value}}}}\" }}` for an argument instead of an environment variable.
tunables:
  - {{ name: threads, range: [1, 16], default: 4, apply: {{ env: THREADS }} }}
"
    )
    .expect("writing to a string cannot fail");
    text.push_str(if command.iter().any(|word| word.contains("{{port}}")) {
        HTTP
    } else {
        NO_LOAD
    });
    text.push_str(REST);
    text
}

const HTTP: &str = "
# Requests that arrive on their own schedule, whatever the program does. Without a rate: 60 % of
# what the baseline sustains, which is found once.
load: { kind: http, url: \"http://{{address}}/\" }

# What is best. Also: `maximize`, and other statistics such as `.mean` or `.p99.9`.
objective: { minimize: load.response_time.p99 }
";

const NO_LOAD: &str = "
# Nothing makes load: the program works on its own. A program that serves HTTP takes
# `{ kind: http, url: \"http://{{address}}/\" }` and {{port}} in its command.
load: { kind: none }

# What is measured: here the CPU that the program takes.
metrics:
  - { name: cpu, datasource: target, query: cpu_seconds, as: counter, unit: s }
objective: { minimize: cpu.rate }
";

const REST: &str = "
# How it is measured: windows of each deployment that count, and how long one is.
measurement: { cycles: 3, cycle_duration: 10s }

# When the search ends at the latest.
budget: { trials: 20 }
";

/// A name for the experiment: the program's, with what a name may not hold left out.
fn name(program: &str) -> String {
    let file = Path::new(program).file_stem().unwrap_or_default();
    let plain: String = file
        .to_string_lossy()
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
        .skip_while(|c| !c.is_ascii_alphanumeric())
        .take(50)
        .collect();
    if plain.is_empty() {
        "experiment".to_owned()
    } else {
        plain.to_lowercase()
    }
}
