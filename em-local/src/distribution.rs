//! Single values as one HDR histogram.

use em_core::observe::HistogramBlob;
use em_core::value::Unit;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Serializer, V2Serializer};

/// What one step counts, by the unit of the metric. One per unit, so that histograms can be merged.
fn step(unit: &Unit) -> f64 {
    match unit {
        Unit::Seconds => 1e-9,
        Unit::Bytes => 1.0,
        Unit::Dimensionless
        | Unit::Ratio
        | Unit::Count
        | Unit::Cores
        | Unit::PerSecond
        | Unit::Custom(_)
        | Unit::Compound(_) => 1e-6,
    }
}

/// The distribution of `values` in base units, to three digits; none where there is no value, or one
/// that is negative, not finite or beyond what 64 bits of steps hold.
pub(crate) fn of(values: &[f64], unit: &Unit) -> Option<HistogramBlob> {
    let step = step(unit);
    let mut histogram = Histogram::<u64>::new(3).ok()?;
    for value in values {
        histogram.record(steps(*value / step)?).ok()?;
    }
    let mut encoded = Vec::new();
    V2Serializer::new()
        .serialize(&histogram, &mut encoded)
        .ok()?;
    (!values.is_empty()).then(|| HistogramBlob {
        unit: step,
        count: histogram.len(),
        min: values.iter().copied().reduce(f64::min),
        max: values.iter().copied().reduce(f64::max),
        sum: values.iter().sum(),
        sum_of_squares: values.iter().map(|value| value * value).sum(),
        encoded,
    })
}

/// A count of steps, rounded; HDR histograms hold values from 1 on, so 0 becomes the least.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "checked to be in range"
)]
fn steps(count: f64) -> Option<u64> {
    (0.0..4e18)
        .contains(&count)
        .then(|| (count.round() as u64).max(1))
}

#[cfg(test)]
mod tests {
    use hdrhistogram::serialization::Deserializer;

    use super::*;

    #[test]
    fn a_distribution_keeps_its_values_to_three_digits_and_its_moments_exactly() {
        let blob = of(&[0.001, 0.002, 0.1], &Unit::Seconds).unwrap();
        assert_eq!(
            (blob.count, blob.min, blob.max),
            (3, Some(0.001), Some(0.1))
        );
        assert!((blob.sum - 0.103).abs() < 1e-12);
        let read: Histogram<u64> = Deserializer::new()
            .deserialize(&mut blob.encoded.as_slice())
            .unwrap();
        let median = read.value_at_quantile(0.5);
        assert!((1_998_000..=2_002_000).contains(&median), "{median}");
    }

    #[test]
    fn what_is_no_distribution_is_none() {
        assert_eq!(of(&[], &Unit::Seconds), None);
        assert_eq!(of(&[-1.0], &Unit::Seconds), None);
        assert_eq!(of(&[f64::NAN], &Unit::Bytes), None);
    }
}
