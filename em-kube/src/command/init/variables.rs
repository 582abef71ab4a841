//! Variables that look like a size or a number of something.

use super::Container;

/// Words of names that speak of amounts which a program can live with more or less of.
const AMOUNTS: [&str; 9] = [
    "WORKERS",
    "THREADS",
    "POOL",
    "CONCURRENCY",
    "CONNECTIONS",
    "CACHE",
    "BATCH",
    "BUFFER",
    "PARALLELISM",
];

/// A tunable for each, from half of today's value to four times.
pub(super) fn lines(container: &Container<'_>) -> Vec<String> {
    let amounts = container.variables().filter_map(|(name, value)| {
        let value = value?.parse::<i64>().ok()?;
        let is_amount = name
            .split('_')
            .any(|word| AMOUNTS.contains(&word.to_ascii_uppercase().as_str()));
        let is_plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            && name.starts_with(|c: char| c.is_ascii_alphabetic());
        (is_amount && is_plain && (1..=1 << 40).contains(&value)).then_some((name, value))
    });
    amounts
        .map(|(name, value)| {
            format!(
                "  - {{ name: {}, range: [{}, {}], apply: {{ env: {name} }} }} # today {value}",
                name.to_ascii_lowercase(),
                (value / 2).max(1),
                value * 4
            )
        })
        .collect()
}
