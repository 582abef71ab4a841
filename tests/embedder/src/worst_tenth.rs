//! A summarizer: how it was in the worst tenth of the time.

use em_core::observe::{Estimate, MetricSummary, Observations, Observed, Statistic};
use em_core::port::Summarizer;
use em_core::value::Unit;

/// The statistic's name in files.
const NAME: &str = "worst_tenth";

/// The mean of the greatest tenth of a metric's values.
#[derive(Debug, Clone, Copy, Default)]
pub struct WorstTenth;

impl Summarizer for WorstTenth {
    fn statistics(&self) -> Vec<String> {
        vec![NAME.to_owned()]
    }

    fn summarize(&self, seen: &Observations, wanted: &[Statistic]) -> MetricSummary {
        // The engine fills in the metric's own unit.
        let mut summary = MetricSummary::missing(Unit::Dimensionless, "there are no values");
        if let Some(estimate) = worst_tenth(seen) {
            summary.problems.clear();
            let own = Statistic::Custom(NAME.to_owned());
            for statistic in wanted {
                if *statistic == own {
                    let estimate = estimate.clone();
                    summary.estimates.insert(statistic.to_string(), estimate);
                } else {
                    let problem = format!("{statistic} is not known here");
                    summary.problems.push(problem);
                }
            }
        }
        summary
    }
}

fn worst_tenth(seen: &Observations) -> Option<Estimate> {
    let stretches = seen.kept.iter().filter_map(|kept| match &kept.observed {
        Observed::Values { points } => Some(points),
        Observed::Counter { .. } | Observed::Histogram(_) | Observed::Buckets { .. } => None,
    });
    let mut values: Vec<f64> = stretches.flatten().map(|point| point.value).collect();
    values.sort_by(|one, other| other.total_cmp(one));
    values.truncate(values.len().div_ceil(10));
    let n = u32::try_from(values.len()).ok().filter(|n| *n > 0)?;
    let mean = values.iter().sum::<f64>() / f64::from(n);
    Some(Estimate::plain(mean, "mean of the worst tenth", n.into()))
}
