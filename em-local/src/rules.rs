//! Output rules at work: from what a tool printed and logged to numbers, by metric.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use em_core::id::MetricName;
use em_core::plan::{OutputRules, RequestLog};
use em_core::read::printed::{PrintedError, PrintedRule, printed_rules, short};
use em_core::value::Unit;

use crate::artifacts;

/// Rules that are ready to read.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    printed: Vec<PrintedRule>,
    logs: BTreeMap<MetricName, RequestLog>,
}

/// A rule cannot be used, or what was to be read cannot be read by it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum RuleError {
    /// What was printed.
    #[error(transparent)]
    Printed(#[from] PrintedError),
    /// A log.
    #[error("failed to read {metric} from {}", path.display())]
    Log {
        /// The metric.
        metric: MetricName,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl Rules {
    /// Compiles the rules of a plan.
    pub(crate) fn compile(output: &OutputRules) -> Result<Self, RuleError> {
        Ok(Self {
            printed: printed_rules(output)?,
            logs: output.samples.clone(),
        })
    }

    /// The rules for what is printed.
    pub(crate) fn printed(&self) -> &[PrintedRule] {
        &self.printed
    }

    /// Values of the per-request logs below `folder`, in the order of their lines, with their units.
    pub(crate) fn logged(
        &self,
        folder: &Path,
    ) -> Result<BTreeMap<MetricName, (Vec<f64>, Unit)>, RuleError> {
        let mut found = BTreeMap::new();
        for (metric, log) in &self.logs {
            let mut values = Vec::new();
            for path in artifacts::find(folder, &log.files) {
                let failed = |source| RuleError::Log {
                    metric: metric.clone(),
                    path: path.clone(),
                    source,
                };
                let text = fs::read_to_string(&path).map_err(failed)?;
                values.extend(column(&text, log));
            }
            found.insert(short(metric), (values, log.unit.clone()));
        }
        Ok(found)
    }
}

/// The numbers of one column. Lines in which it is no number (a head, a last line cut off) are not
/// requests.
fn column<'t>(text: &'t str, log: &'t RequestLog) -> impl Iterator<Item = f64> + 't {
    let index = usize::try_from(log.column)
        .unwrap_or(usize::MAX)
        .saturating_sub(1);
    let cells = text.lines().filter_map(move |line| {
        let mut cells = line.split(|char: char| char.is_ascii_whitespace() || char == ',');
        cells.by_ref().filter(|cell| !cell.is_empty()).nth(index)
    });
    let numbers = cells.filter_map(|cell| cell.parse::<f64>().ok());
    numbers
        .map(|value| value * log.scale)
        .filter(|value| value.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn a_log(column: u32, scale: f64) -> RequestLog {
        RequestLog {
            files: "*.log".to_owned(),
            column,
            unit: Unit::Seconds,
            scale,
        }
    }

    #[test]
    fn a_column_is_read_between_blanks_or_commas_and_other_lines_are_left_out() {
        let text = "client time\n0 1 2500\n1 2   3500 x\n2,3,4500\n0 1 25oo\n";
        let read: Vec<f64> = column(text, &a_log(3, 1e-6)).collect();
        assert_eq!(read, [2500.0 * 1e-6, 3500.0 * 1e-6, 4500.0 * 1e-6]);
    }
}
