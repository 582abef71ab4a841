//! Native histograms, as a real server stores and tells them.

use em_core::fault::FaultKind;
use em_core::observe::Observed;
use em_core::plan::Fold;
use em_core::plan::MetricKind::{Counter, Gauge, Histogram, Value};

use crate::asking::{only, plain, query, source, window};
use crate::golden::{folded, metric};
use crate::prometheus::validate;
use crate::servers::{T0, prometheus};
use crate::writing::{Native, Span, TimeSeries, labels, write};

/// What was counted at a step: 2 near zero, the rest in buckets from that index on.
fn counted(step: i64, schema: i32, offset: i32, counts: &[i64]) -> Native {
    let deltas = counts.iter().scan(0, |last, count| {
        let delta = count - *last;
        *last = *count;
        Some(delta)
    });
    Native {
        count: 2 + counts.iter().sum::<i64>().unsigned_abs(),
        sum: 0.0,
        schema,
        zero_threshold: 0.001,
        zero_count: 2,
        spans: vec![Span {
            offset,
            length: u32::try_from(counts.len()).unwrap(),
        }],
        deltas: deltas.collect(),
        at: (T0 + step * 15) * 1000,
    }
}

fn pod(name: &str, histograms: Vec<Native>) -> TimeSeries {
    TimeSeries {
        labels: labels("native", &[("pod", name)]),
        samples: Vec::new(),
        histograms,
    }
}

#[tokio::test]
#[ignore = "needs prometheus: tests/run datasources"]
async fn a_native_histogram_is_a_histogram_with_fine_buckets() {
    let server = prometheus("", &[]);
    // Schema 0: boundaries are powers of two. 3 in (0.5, 1], 5 in (1, 2].
    let five = (0..5).map(|step| Native {
        sum: 12.0,
        ..counted(step, 0, 0, &[3, 5])
    });
    write(&server.url, vec![pod("a", five.collect())]).await;
    let source = source(&plain(&server.url));
    let answer = query(&source, Histogram, "native", window(0, 60))
        .await
        .unwrap();
    let last = |name: &str, le: Option<&str>| {
        let is_it = |labels: &em_core::port::Labels| {
            labels["__name__"] == name && labels.get("le").map(String::as_str) == le
        };
        let one = answer.series.iter().find(|one| is_it(&one.labels));
        let one = one.unwrap_or_else(|| panic!("no {name} of {le:?}: {answer:?}"));
        one.points.last().unwrap().value
    };
    for (le, value) in [("0.001", 2.0), ("1", 5.0), ("2", 10.0), ("+Inf", 10.0)] {
        let seen = last("native_bucket", Some(le));
        assert!((seen - value).abs() < 1e-9, "{le}: {seen}");
    }
    assert!((last("native_sum", None) - 12.0).abs() < 1e-9);
    assert_eq!(answer.series.len(), 5);

    for kind in [Gauge, Counter, Value] {
        let refused = query(&source, kind, "native", window(0, 60)).await;
        let refused = refused.unwrap_err();
        assert_eq!(refused.kind, FaultKind::Invalid);
        assert!(refused.chain().contains("as: histogram"), "{refused:?}");
    }
    let mean = query(&source, Value, "histogram_sum(native)", window(0, 60)).await;
    assert_eq!(only(&mean.unwrap()), [12.0]);
}

#[tokio::test]
#[ignore = "needs prometheus: tests/run datasources"]
async fn pods_of_different_ranges_are_merged_to_the_last_count() {
    let server = prometheus("", &[]);
    // One measures around a second; the other around a million, and finds more on the way.
    let low = (0..5).map(|step| Native {
        sum: f64::from(i32::try_from(step * 10).unwrap()),
        ..counted(step, 0, 0, &[3 + step, 5 + 2 * step])
    });
    let high = (0..5).map(|step| {
        let counts = [1 + step, 0, step];
        let known = if step < 2 { 1 } else { 3 };
        Native {
            sum: f64::from(i32::try_from(step * 2_000_000).unwrap()),
            ..counted(step, 0, 20, &counts[..known])
        }
    });
    let pods = vec![pod("a", low.collect()), pod("b", high.collect())];
    write(&server.url, pods).await;
    let source = source(&plain(&server.url));
    let merged = metric(Histogram, Fold::Merge);
    let Observed::Buckets {
        bounds,
        counts,
        sum,
        resets,
    } = folded(&source, "native", &merged, window(0, 60)).await
    else {
        panic!("it is no histogram");
    };
    // 4 more in (0.5, 1], 8 in (1, 2], 4 in (2^19, 2^20], 4 in (2^21, 2^22].
    let million = f64::from(1 << 20);
    let wanted = [
        (Some(0.001), 0.0),
        (Some(1.0), 4.0),
        (Some(2.0), 12.0),
        (Some(million), 16.0),
        (Some(4.0 * million), 20.0),
        (None, 20.0),
    ];
    let seen: Vec<(Option<f64>, f64)> = bounds.into_iter().zip(counts).collect();
    assert_eq!(seen, wanted);
    assert_eq!((sum, resets), (Some(8_000_040.0), 0));

    let counted = validate(&source, Histogram, "native @ 1700000060");
    assert!(counted.await.is_err(), "it is no selector");
    let none = validate(&source, Histogram, "native").await.unwrap();
    assert_eq!(none.series, Some(0), "they are long gone: {none:?}");
}

#[tokio::test]
#[ignore = "needs prometheus: tests/run datasources"]
async fn buckets_that_double_their_widths_on_the_way_stay_exact() {
    let server = prometheus("", &[]);
    // (1, 2] and (2, 4] become (1, 4]; (4, 8] and (8, 16] become (4, 16].
    let narrow = (0..3).map(|step| counted(step, 0, 1, &[1 + step, 2 + step, 3 + step, 4 + step]));
    let wide = (3..5).map(|step| counted(step, -1, 1, &[3 + 2 * step, 7 + 2 * step]));
    let histograms = narrow.chain(wide).collect();
    write(&server.url, vec![pod("a", histograms)]).await;
    let source = source(&plain(&server.url));
    let single = metric(Histogram, Fold::Single);
    let seen = folded(&source, "native", &single, window(0, 60)).await;
    let wanted = Observed::Buckets {
        bounds: vec![Some(0.001), Some(4.0), Some(16.0), None],
        counts: vec![0.0, 8.0, 16.0, 16.0],
        sum: Some(0.0),
        resets: 0,
    };
    assert_eq!(seen, wanted);
}
