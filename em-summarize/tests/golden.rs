//! The statistics against values that other programs computed, or that NIST certified.
//!
//! `tests/golden/*.py` made the JSON files and say how to make them again.

#![expect(
    clippy::float_cmp,
    reason = "cases are looked up by the numbers they were made with"
)]

use em_summarize::block::detectable;
use em_summarize::equivalence::tost;
use em_summarize::holm::holm;
use em_summarize::interval::{order_ranks, student_t};
use em_summarize::sign_flip::sign_flip;
use em_summarize::warmup::{BATCH, Truncation, mser5};
use em_summarize::{Moments, Pair, PairedBlocks, QuantileType, Sample};
use serde_json::Value;

fn load(text: &str) -> Value {
    serde_json::from_str(text).expect("golden files are JSON")
}

fn scipy(part: &str) -> Vec<Value> {
    let file = load(include_str!("golden/scipy.json"));
    file[part].as_array().expect("a list of cases").clone()
}

fn number(value: &Value) -> f64 {
    value
        .as_f64()
        .unwrap_or_else(|| panic!("{value} is a number"))
}

fn numbers(value: &Value) -> Vec<f64> {
    value
        .as_array()
        .expect("a list of numbers")
        .iter()
        .map(number)
        .collect()
}

fn sample(value: &Value) -> Sample {
    Sample::try_from(numbers(value)).expect("golden samples are finite")
}

/// Correct decimal digits, as NIST counts them: -log10 of the relative error, at most 15.
fn digits(got: f64, certified: f64) -> f64 {
    let error = ((got - certified) / certified).abs();
    if error == 0.0 {
        15.0
    } else {
        (-error.log10()).min(15.0)
    }
}

fn assert_close(got: f64, want: f64, relative: f64, what: &str) {
    let error = (got - want).abs() / want.abs().max(1e-300);
    assert!(
        got == want || error <= relative,
        "{what}: got {got:e}, want {want:e}, off {error:e}"
    );
}

#[test]
fn moments_reach_the_certified_digits_of_nist() {
    let file = load(include_str!("golden/nist.json"));
    let sets = file["sets"].as_array().unwrap();
    assert_eq!(sets.len(), 8);
    for set in sets {
        let name = set["name"].as_str().unwrap();
        let moments = Moments::of(&sample(&set["data"]));
        let sd_digits = match name {
            "NumAcc3" => 9.0,
            "NumAcc4" => 7.0,
            _ => 12.0,
        };
        let mean = digits(moments.mean, number(&set["mean"]));
        let sd = digits(moments.sd.unwrap(), number(&set["sd"]));
        let lag1 = digits(moments.lag1.unwrap(), number(&set["lag1"]));
        assert!(mean >= 14.0, "{name}: mean has {mean:.1} digits");
        assert!(sd >= sd_digits, "{name}: sd has {sd:.1} digits");
        assert!(lag1 >= 9.0, "{name}: autocorrelation has {lag1:.1} digits");
    }
}

#[test]
fn nine_quantile_types_agree_with_numpy() {
    for case in scipy("quantiles") {
        let sorted = sample(&case["values"]).sorted();
        for (kind, row) in QuantileType::ALL
            .into_iter()
            .zip(case["types"].as_array().unwrap())
        {
            for (p, want) in numbers(&case["levels"]).into_iter().zip(numbers(row)) {
                let got = kind.quantile(&sorted, p);
                assert_close(got, want, 1e-12, &format!("type {} at {p}", kind.number()));
            }
        }
    }
}

#[test]
fn student_intervals_agree_with_scipy() {
    for case in scipy("intervals") {
        let interval = student_t(&sample(&case["values"]), number(&case["confidence"])).unwrap();
        assert_close(interval.low.unwrap(), number(&case["low"]), 1e-9, "low");
        assert_close(interval.high.unwrap(), number(&case["high"]), 1e-9, "high");
    }
}

#[test]
fn ranks_of_order_statistics_agree_with_scipy() {
    for case in scipy("order_ranks") {
        let (n, p) = (case["n"].as_u64().unwrap(), number(&case["p"]));
        let got = order_ranks(n, p, 0.95);
        match case["low"].as_u64() {
            Some(low) => {
                assert_eq!(
                    (got.low, got.high),
                    (Some(low), case["high"].as_u64()),
                    "n {n}, p {p}"
                );
            }
            None => assert!(
                got.low.is_none() || got.high.is_none(),
                "n {n}, p {p}: {got:?}"
            ),
        }
    }
}

#[test]
fn sign_flip_p_values_agree_with_scipy() {
    for case in scipy("sign_flips") {
        let differences = sample(&case["differences"]);
        assert_close(sign_flip(&differences).p, number(&case["p"]), 1e-12, "p");
    }
}

#[test]
fn equivalence_p_values_agree_with_scipy() {
    for case in scipy("tost") {
        let p = tost(&sample(&case["differences"]), number(&case["margin"])).unwrap();
        assert_close(p, number(&case["p"]), 1e-8, "p");
    }
}

#[test]
fn paired_ratios_and_detectable_effects_agree_with_scipy() {
    for case in scipy("paired") {
        let (baseline, trial) = (numbers(&case["baseline"]), numbers(&case["trial"]));
        let pairs: Vec<Pair> = baseline
            .iter()
            .zip(&trial)
            .map(|(&baseline, &trial)| Pair { baseline, trial })
            .collect();
        let blocks = PairedBlocks::new(&pairs).unwrap();
        let effect = blocks.effect(0.95);
        assert_close(effect.estimate, number(&case["ratio"]), 1e-12, "ratio");
        assert_close(effect.low.unwrap(), number(&case["low"]), 1e-9, "low");
        assert_close(effect.high.unwrap(), number(&case["high"]), 1e-9, "high");
        let want = number(&case["detectable"]);
        assert_close(
            blocks.detectable(0.05, 0.8).unwrap(),
            want,
            1e-9,
            "detectable",
        );
    }
}

#[test]
fn holm_agrees_with_its_definition_in_numpy() {
    for case in scipy("holm") {
        for (got, want) in holm(&numbers(&case["p"]))
            .into_iter()
            .zip(numbers(&case["adjusted"]))
        {
            assert_close(got, want, 1e-14, "adjusted p");
        }
    }
}

#[test]
fn the_cut_of_mser_agrees_with_its_definition_in_numpy() {
    for case in scipy("mser5") {
        let batches = usize::try_from(case["batches"].as_u64().unwrap()).unwrap();
        let want = if Some(batches as u64) == case["half"].as_u64() {
            Truncation::Extend
        } else {
            Truncation::From {
                index: batches * BATCH,
            }
        };
        assert_eq!(mser5(&sample(&case["values"])), want);
    }
}

#[test]
fn a_thin_tail_and_many_degrees_of_freedom_keep_their_digits() {
    // The detectable effect is a sum of two t quantiles: with sd = sqrt(B) it is exactly that sum.
    let quantiles = scipy("student");
    let t = |df: f64, p: f64| {
        let case = quantiles
            .iter()
            .find(|c| number(&c["df"]) == df && number(&c["p"]) == p);
        number(&case.unwrap()["t"])
    };
    for df in [1_u32, 2, 5, 11, 29, 1000] {
        let blocks = df as usize + 1;
        let sd = f64::from(df + 1).sqrt();
        for (level, upper) in [(0.05, 0.975), (0.01, 0.995), (0.0001, 0.99995)] {
            for power in [0.8, 0.95] {
                let want = t(f64::from(df), upper) + t(f64::from(df), power);
                let got = detectable(sd, blocks, level, power).unwrap();
                assert_close(
                    got,
                    want,
                    1e-9,
                    &format!("df {df}, level {level}, power {power}"),
                );
            }
        }
    }
}
