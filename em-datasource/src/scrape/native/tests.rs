use em_core::id::{Epoch, IterationNo, TrialId};
use tokio_util::sync::CancellationToken;

use super::*;

/// 2 near zero, 3 in (0.5, 1], 5 in (1, 2].
fn wire() -> Histogram {
    Histogram {
        count: 10,
        zero_threshold: 0.001,
        zero_count: 2,
        positive_spans: vec![Span {
            offset: 0,
            length: 2,
        }],
        positive_deltas: vec![3, 2],
        ..Histogram::default()
    }
}

fn native(pod: &str, histogram: &Histogram) -> Result<Native, Unreadable> {
    let labels = Labels::from([("pod".to_owned(), pod.to_owned())]);
    Native::read("x".to_owned(), labels, None, histogram)
}

fn buckets(histogram: &Histogram) -> Vec<(f64, f64)> {
    let counted = native("a", histogram).unwrap().counted;
    let ended = counted.buckets.iter().filter(|one| one.upper.is_finite());
    ended.map(|one| (one.upper, one.count)).collect()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn seen(second: i64, natives: Vec<Native>) -> Seen {
    Seen {
        at: at(second),
        natives,
    }
}

/// Values by boundary.
fn told(series: &[Series]) -> Vec<(String, Vec<f64>)> {
    let told = series.iter().map(|one| {
        let values = one.points.iter().map(|point| point.value);
        let name = format!("{}{}", one.labels["pod"], one.labels["le"]);
        (name, values.collect())
    });
    told.collect()
}

fn selector(query: &str) -> Selector {
    Selector::parse(query).unwrap()
}

#[test]
fn boundaries_grow_by_one_factor_and_zero_has_a_bucket_of_its_own() {
    assert_eq!(buckets(&wire()), [(0.001, 2.0), (1.0, 3.0), (2.0, 5.0)]);
    let finer = Histogram {
        schema: 1,
        positive_spans: vec![
            Span {
                offset: -2,
                length: 1,
            },
            Span {
                offset: 3,
                length: 1,
            },
        ],
        ..wire()
    };
    assert_eq!(buckets(&finer), [(0.001, 2.0), (0.5, 3.0), (2.0, 5.0)]);
    let coarser = Histogram {
        schema: -2,
        ..wire()
    };
    assert_eq!(buckets(&coarser), [(0.001, 2.0), (1.0, 3.0), (16.0, 5.0)]);
}

#[test]
fn what_is_negative_lies_below_zero_in_order() {
    let histogram = Histogram {
        negative_spans: vec![Span {
            offset: 1,
            length: 2,
        }],
        negative_counts: vec![1.5, 0.5],
        ..wire()
    };
    let wanted = [
        (-2.0, 0.5),
        (-1.0, 1.5),
        (0.001, 2.0),
        (1.0, 3.0),
        (2.0, 5.0),
    ];
    assert_eq!(buckets(&histogram), wanted);
}

#[test]
fn what_cannot_be_relied_on_is_refused() {
    let refused = |histogram: Histogram| native("a", &histogram).unwrap_err();
    let schema = |schema| Histogram { schema, ..wire() };
    assert_eq!(refused(schema(9)), Unreadable::Schema(9));
    assert_eq!(refused(schema(-53)), Unreadable::Schema(-53));
    let deltas = |deltas: Vec<i64>| Histogram {
        positive_deltas: deltas,
        ..wire()
    };
    assert_eq!(refused(deltas(vec![3])), Unreadable::Counts);
    assert_eq!(refused(deltas(vec![3, 1, 1])), Unreadable::Counts);
    assert_eq!(refused(deltas(vec![3, -4])), Unreadable::Count);
    assert_eq!(refused(deltas(vec![i64::MAX, 1])), Unreadable::Count);
    let endless = Histogram {
        positive_spans: vec![Span {
            offset: i32::MAX,
            length: u32::MAX,
        }],
        ..wire()
    };
    assert_eq!(refused(endless), Unreadable::Counts);
    let nan = Histogram {
        positive_counts: vec![1.0, f64::NAN],
        ..wire()
    };
    assert_eq!(refused(nan), Unreadable::Count);
}

#[test]
fn a_boundary_beyond_all_numbers_is_part_of_the_last_bucket() {
    let histogram = Histogram {
        positive_spans: vec![Span {
            offset: 1023,
            length: 2,
        }],
        ..wire()
    };
    assert_eq!(buckets(&histogram).len(), 2);
}

#[test]
fn a_late_boundary_has_a_value_at_every_look() {
    let before = native("a", &wire()).unwrap();
    let later = Histogram {
        count: 14,
        positive_spans: vec![
            Span {
                offset: 0,
                length: 2,
            },
            Span {
                offset: 1,
                length: 1,
            },
        ],
        positive_deltas: vec![3, 2, -1],
        ..wire()
    };
    let after = native("a", &later).unwrap();
    let other = native("b", &wire()).unwrap();
    let looks = [seen(1, vec![before]), seen(2, vec![after, other])];
    let series = series(&looks, &selector("x")).unwrap();
    let wanted = [
        ("a0.001", vec![2.0, 2.0]),
        ("a1", vec![5.0, 5.0]),
        ("a2", vec![10.0, 10.0]),
        ("a8", vec![10.0, 14.0]),
        ("a+Inf", vec![10.0, 14.0]),
        // All histograms of a name have the same boundaries: they can be merged.
        ("b0.001", vec![2.0]),
        ("b1", vec![5.0]),
        ("b2", vec![10.0]),
        ("b8", vec![10.0]),
        ("b+Inf", vec![10.0]),
    ];
    let wanted = wanted.map(|(name, values)| (name.to_owned(), values));
    assert_eq!(told(&series), wanted);
    assert!(
        series
            .iter()
            .all(|one| one.labels["__name__"] == "x_bucket")
    );
}

#[test]
fn buckets_that_change_their_widths_are_not_compared() {
    let coarser = Histogram {
        schema: -1,
        ..wire()
    };
    let looks = [
        seen(1, vec![native("a", &wire()).unwrap()]),
        seen(2, vec![native("a", &coarser).unwrap()]),
    ];
    let said = series(&looks, &selector("x")).unwrap_err().to_string();
    assert!(
        said.contains("schema 0 with zero up to 0.001 and -1"),
        "{said}"
    );
}

#[test]
fn a_page_whose_own_time_stands_still_says_one_thing_once() {
    let mut one = native("a", &wire()).unwrap();
    one.at = Some(100.0);
    let looks = [seen(200, vec![one.clone()]), seen(201, vec![one])];
    let series = series(&looks, &selector("x_bucket{le=\"1\"}")).unwrap();
    assert_eq!(series.len(), 1);
    let times: Vec<Timestamp> = series[0].points.iter().map(|point| point.at).collect();
    assert_eq!(times, [at(100)]);
}

#[test]
fn an_iteration_remembers_its_own_looks_only() {
    let cx = |iteration: u32| {
        let key = OpKey::Iteration {
            experiment: "a".parse().unwrap(),
            trial: TrialId(1),
            iteration: IterationNo(iteration),
        };
        let epoch = Epoch {
            store: "test".to_owned(),
            counter: 1,
        };
        OpContext::new(key, epoch, at(9), CancellationToken::new())
    };
    let mut past = Past::default();
    let mut looks = |iteration: u32, place: &str, second: i64| {
        let one = seen(second, vec![native("a", &wire()).unwrap()]);
        let series = past.add(&cx(iteration), place, "x", &selector("x"), one);
        series.unwrap()[0].points.len()
    };
    assert_eq!([looks(1, "p", 1), looks(1, "p", 2)], [1, 2]);
    assert_eq!([looks(1, "q", 3), looks(2, "q", 4)], [1, 1]);
}
