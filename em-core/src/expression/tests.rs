use proptest::prelude::*;

use super::*;
use crate::value::Unit;

fn value(text: &str) -> f64 {
    let numbers = |name: &Name| match name.to_string().as_str() {
        "a.mean" => Some(8.0),
        "b.mean" => Some(3.0),
        "zero.mean" => Some(0.0),
        "bad.mean" => Some(f64::NAN),
        "load.response_time.p99.9" => Some(0.2),
        "values.workers" => Some(4.0),
        "values.\"a-b\"" => Some(5.0),
        "baseline.a.mean" => Some(16.0),
        "\"x-y\".p99" => Some(6.0),
        _ => None,
    };
    Expression::parse(text)
        .unwrap()
        .evaluate(&numbers)
        .unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn meaning(name: &Name) -> Result<Meaning, String> {
    Ok(match name.to_string().as_str() {
        "load.response_time.p99" | "baseline.load.response_time.p99" => Unit::Seconds.into(),
        "load.error_share" => Unit::Ratio.into(),
        "load.errors" => Unit::Count.into(),
        "load.throughput" => Unit::PerSecond.into(),
        "values.memory" => Unit::Bytes.into(),
        "values.cpus" => Unit::Cores.into(),
        "values.workers" => Unit::Dimensionless.into(),
        "values.cache" => Meaning::Truth,
        other => return Err(format!("there is no number {other:?}")),
    })
}

fn refusal(text: &str) -> String {
    Expression::parse(text).unwrap_err().to_string()
}

fn misfit(text: &str) -> String {
    let error = Expression::parse(text)
        .unwrap()
        .check(&meaning)
        .unwrap_err();
    error.problem
        + &error
            .suggestion
            .map(|hint| format!(" ({hint})"))
            .unwrap_or_default()
}

#[test]
fn operators_have_the_usual_precedence() {
    for (text, expected) in [
        ("1 + 2 * 3", 7.0),
        ("(1 + 2) * 3", 9.0),
        ("10 - 4 - 3", 3.0),
        ("2 ^ 3 ^ 2", 512.0),
        ("-2 ^ 2", -4.0),
        ("2 ^ -1", 0.5),
        ("2 ^ -1 * 4", 2.0),
        ("7 % 4", 3.0),
        ("-7 % 4", -3.0),
        ("1 < 2 && 2 < 1 || 3 >= 3", 1.0),
        ("!(1 > 2)", 1.0),
        ("1 > 2 ? 10 : 2 > 1 ? 20 : 30", 20.0),
        ("1 == 1", 1.0),
        ("1 != 1", 0.0),
        ("min(3, 1, 2) + max(1) + abs(-4)", 6.0),
        ("clamp(9, 1, 5) + clamp(1, 5, 2)", 7.0),
        ("pow(2, 10) + sqrt(16) + log10(100)", 1030.0),
        ("ln(exp(2))", 2.0),
        ("floor(1.7) + ceil(1.2) + round(2.5)", 6.0),
    ] {
        assert!(
            (value(text) - expected).abs() < 1e-12,
            "{text} = {}",
            value(text)
        );
    }
}

#[test]
fn endings_bring_literals_to_base_units() {
    for (text, expected) in [
        ("200ms", 0.2),
        ("250us", 0.000_25),
        ("5ns", 5e-9),
        ("1.5s", 1.5),
        ("2min", 120.0),
        ("1h", 3600.0),
        ("1Ki", 1024.0),
        ("2Mi", 2_097_152.0),
        ("1Gi", 1_073_741_824.0),
        ("0.1%", 0.001),
        ("1e3", 1000.0),
        ("2e-3s", 0.002),
        (".5", 0.5),
        ("5% + 1", 1.05),
    ] {
        assert!(
            (value(text) - expected).abs() <= expected * f64::EPSILON,
            "{text}"
        );
    }
}

#[test]
fn names_are_single_tokens_even_with_a_dot_in_the_percentile() {
    for (text, expected) in [
        ("a.mean / b.mean", 8.0 / 3.0),
        ("a.mean-b.mean", 5.0),
        ("load.response_time.p99.9 * 10", 2.0),
        ("values.workers - 1", 3.0),
        ("values.\"a-b\"", 5.0),
        ("\"x-y\".p99 + 1", 7.0),
        ("a.mean <= 1.1 * baseline.a.mean", 1.0),
    ] {
        assert!((value(text) - expected).abs() < 1e-12, "{text}");
    }
    let expression =
        Expression::parse("load.response_time.p99.9 + a.mean + load.error_share + a.mean").unwrap();
    let names: Vec<String> = expression.names().map(Name::to_string).collect();
    assert_eq!(
        names,
        ["load.response_time.p99.9", "a.mean", "load.error_share"]
    );
    assert_eq!(
        expression.names().next(),
        Some(&Name::Metric {
            of_baseline: false,
            metric: "load.response_time".into(),
            statistic: Some("p99.9".into())
        })
    );
}

#[test]
fn a_broken_expression_says_what_where_and_what_to_do() {
    for (text, message) in [
        ("", r#"the expression is empty at byte 0 of expression """#),
        (
            "mn(1, 2)",
            r#"there is no function "mn" at byte 0 of expression "mn(1, 2)" (did you mean "min"?)"#,
        ),
        (
            "a.mean > 5m",
            r#""m" cannot follow a number at byte 10 of expression "a.mean > 5m" (minutes are "min", milliseconds "ms", mega is not an ending)"#,
        ),
        (
            "1 + 2GiB",
            r#""GiB" cannot follow a number at byte 5 of expression "1 + 2GiB" (did you mean "2Gi"?)"#,
        ),
        (
            "a.p99 < 200 ms",
            r#"an operator is missing before "ms" at byte 12 of expression "a.p99 < 200 ms" (did you mean "200ms"?)"#,
        ),
        (
            "10%3",
            r#"an operator is missing before "3" at byte 3 of expression "10%3" (did you mean "10 % 3"?)"#,
        ),
        (
            "a.p99 = 1",
            r#""=" is not an operator at byte 6 of expression "a.p99 = 1" (did you mean "=="?)"#,
        ),
        (
            "2 ** 3",
            r#""**" is not an operator at byte 2 of expression "2 ** 3" (did you mean "^"?)"#,
        ),
        (
            "a.b and c.d",
            r#""and" is not an operator at byte 4 of expression "a.b and c.d" (did you mean "&&"?)"#,
        ),
        (
            "1 < 2 < 3",
            r#"comparisons cannot be chained at byte 2 of expression "1 < 2 < 3" (write a < b && b < c)"#,
        ),
        (
            "(1 + 2",
            r#"this parenthesis is not closed at byte 0 of expression "(1 + 2""#,
        ),
        (
            "1 + 2)",
            r#"this parenthesis closes nothing at byte 5 of expression "1 + 2)""#,
        ),
        (
            "1 +",
            r#"the expression stops where a number or name is needed at byte 3 of expression "1 +""#,
        ),
        (
            "1 * / 2",
            r#"a number or name is missing here at byte 4 of expression "1 * / 2""#,
        ),
        (
            "sqrt(1, 2)",
            r#"sqrt takes 1 argument(s), not 2 at byte 0 of expression "sqrt(1, 2)""#,
        ),
        (
            "min()",
            r#"min takes at least 1 argument(s), not 0 at byte 0 of expression "min()""#,
        ),
        (
            "1 > 0 ? 2",
            r#""?" has no ":" at byte 6 of expression "1 > 0 ? 2" (write condition ? a : b)"#,
        ),
        (
            "values.a.b",
            r#"values has too many parts (quote the name: values."a.b") at byte 0 of expression "values.a.b""#,
        ),
        (
            "baseline",
            r#""baseline" alone is not a number (write baseline.NAME.STATISTIC) at byte 0 of expression "baseline""#,
        ),
        (
            "a.",
            r#"a name is missing after the dot at byte 2 of expression "a." (quote a name that starts with a digit)"#,
        ),
        (
            "\"a",
            r#"the quoted name does not end at byte 0 of expression "\"a""#,
        ),
        (
            "'a'.p99",
            r#"'\'' has no meaning here at byte 0 of expression "'a'.p99" (names are quoted with "double" quotes)"#,
        ),
        (
            "1e999",
            r#"the number is too large at byte 0 of expression "1e999""#,
        ),
        (
            "1.2.3",
            r#"this is not a number at byte 0 of expression "1.2.3" (a name that starts with a digit is quoted)"#,
        ),
    ] {
        assert_eq!(refusal(text), message);
    }
}

#[test]
fn the_caret_stands_below_the_trouble_even_after_wide_letters() {
    let error = Expression::parse("\"größe\".p99 > 5m").unwrap_err();
    assert_eq!(error.caret(), "\"größe\".p99 > 5m\n               ^");
}

#[test]
fn size_and_depth_are_bounded() {
    assert!(refusal(&"1+".repeat(3000)).starts_with("the expression is longer than 4096 bytes"));
    assert!(
        refusal(&"(".repeat(100)).starts_with("the expression is nested deeper than 64 levels")
    );
    assert!(
        refusal(&"-".repeat(100)).starts_with("the expression is nested deeper than 64 levels")
    );
    let long = format!("1{}", "+1".repeat(400));
    assert!(refusal(&long).starts_with("the expression has more than 512 numbers and operators"));
    let just_right = format!("1{}", "+1".repeat(255));
    assert!((value(&just_right) - 256.0).abs() < 1e-9);
}

#[test]
fn units_that_do_not_fit_are_refused_with_what_to_write() {
    for (text, message) in [
        (
            "load.response_time.p99 <= 200",
            "seconds and a plain number do not fit (write the unit: 200ms, 1.5s, 2min)",
        ),
        (
            "values.memory <= 512",
            "bytes and a plain number do not fit (write the unit: 64Ki, 512Mi, 2Gi)",
        ),
        (
            "load.response_time.p99 + values.memory",
            "seconds and bytes do not fit",
        ),
        ("load.errors <= 1%", "a count and a share do not fit"),
        (
            "load.response_time.p99 <= 1%",
            "seconds and a share do not fit",
        ),
        (
            "ln(values.memory)",
            "ln needs a plain number, not bytes (divide by a unit first, as in x / 1ms)",
        ),
        ("sqrt(values.memory)", "bytes has no square root"),
        (
            "values.memory ^ values.workers",
            "bytes can only be raised to a whole number between -8 and 8 that is written out",
        ),
        ("(1 < 2) + 1", "a number is needed here, not a truth value"),
        (
            "values.workers && values.cache",
            "a truth value is needed here, not a number (compare it with something, as in x > 0)",
        ),
        (
            "values.cache ? 1 : 1 < 2",
            "one side is a number, the other a truth value",
        ),
        (
            "clamp(values.memory, 1Gi, 2s)",
            "bytes and seconds do not fit",
        ),
        ("load.typo", "there is no number \"load.typo\""),
    ] {
        assert_eq!(misfit(text), message, "{text}");
    }
}

#[test]
fn units_of_results_follow_from_those_of_the_names() {
    let yields = |text: &str| Expression::parse(text).unwrap().check(&meaning).unwrap();
    for (text, unit) in [
        (
            "load.response_time.p99 / baseline.load.response_time.p99",
            Unit::Dimensionless,
        ),
        ("0.5 * load.response_time.p99 + 2ms", Unit::Seconds),
        ("floor(0.7 * values.memory)", Unit::Bytes),
        (
            "load.throughput * load.response_time.p99",
            Unit::Dimensionless,
        ),
        ("max(0, load.response_time.p99 - 100ms)", Unit::Seconds),
        ("sqrt(load.response_time.p99 ^ 2)", Unit::Seconds),
        (
            "0.03 * values.cpus + 0.004 * values.memory / 1Gi",
            Unit::Cores,
        ),
        ("values.cache ? 1s : 2s", Unit::Seconds),
        ("load.error_share", Unit::Ratio),
    ] {
        assert_eq!(yields(text), Meaning::Number(unit), "{text}");
    }
    for text in [
        "load.error_share <= 0.1%",
        "load.throughput >= 500",
        "values.workers <= 4 * values.cpus",
        "load.errors <= 10",
        "values.memory > 0",
        "load.response_time.p99 / baseline.load.response_time.p99 <= 110%",
    ] {
        assert_eq!(yields(text), Meaning::Truth, "{text}");
    }
}

#[test]
fn a_value_that_is_missing_or_not_finite_is_named() {
    let error = |text: &str| {
        let numbers = |name: &Name| match name.to_string().as_str() {
            "a.mean" => Some(8.0),
            "zero.mean" => Some(0.0),
            "bad.mean" => Some(f64::NAN),
            _ => None,
        };
        Expression::parse(text)
            .unwrap()
            .evaluate(&numbers)
            .unwrap_err()
            .to_string()
    };
    assert_eq!(error("1 + other.p99"), "other.p99 has no value");
    assert_eq!(error("bad.mean"), "bad.mean is NaN, not a finite number");
    assert_eq!(
        error("2 * (a.mean / zero.mean)"),
        "a.mean / zero.mean has no finite value (8 / 0 gives inf)"
    );
    assert_eq!(
        error("ln(-a.mean)"),
        "ln(-a.mean) has no finite value (ln(-8) gives NaN)"
    );
    assert!((value("zero.mean > 0 ? 1 / zero.mean : 1") - 1.0).abs() < 1e-12);
    assert!((value("zero.mean == 0 || unknown.p99 > 1") - 1.0).abs() < 1e-12);
}

#[test]
fn the_canonical_spelling_keeps_the_meaning() {
    for (text, canonical) in [
        ("1+2*3", "1 + 2 * 3"),
        ("((1+2))*3", "(1 + 2) * 3"),
        ("10-(4-3)", "10 - (4 - 3)"),
        ("(2^3)^2", "(2 ^ 3) ^ 2"),
        ("2^(3^2)", "2 ^ 3 ^ 2"),
        ("(-2)^2", "(-2) ^ 2"),
        ("2^-1", "2 ^ -1"),
        ("-(1+2)", "-(1 + 2)"),
        ("(1<2)==(2<3)", "(1 < 2) == (2 < 3)"),
        ("(a.b>1?1:2)>0?3:4", "(a.b > 1 ? 1 : 2) > 0 ? 3 : 4"),
        (
            "(a.b>1?c.d>1:2>1)?3:4",
            "(a.b > 1 ? c.d > 1 : 2 > 1) ? 3 : 4",
        ),
        ("min( 1,200ms )", "min(1, 200ms)"),
        (
            r#"values."a-b" + values."ab""#,
            r#"values."a-b" + values.ab"#,
        ),
    ] {
        assert_eq!(Expression::parse(text).unwrap().to_string(), canonical);
    }
    let json = serde_json::to_string(&Expression::parse(" 1+1 ").unwrap()).unwrap();
    assert_eq!(json, r#""1+1""#);
}

#[test]
fn a_constraint_has_a_margin_on_the_side_of_being_met() {
    let numbers = |name: &Name| match name.to_string().as_str() {
        "cpu.rate" => Some(1.2),
        "baseline.cpu.rate" => Some(1.0),
        "values.workers" => Some(4.0),
        _ => None,
    };
    let margin = |text: &str| Constraint::parse(text).unwrap().margin(&numbers).unwrap();
    let broken = margin("cpu.rate <= 1.1 * baseline.cpu.rate");
    assert!((broken.difference() + 0.1).abs() < 1e-12 && !broken.is_met());
    assert!((broken.ratio().unwrap() - 1.1 / 1.2).abs() < 1e-12);
    let met = margin("cpu.rate >= 1");
    assert!((met.difference() - 0.2).abs() < 1e-12 && met.is_met());
    assert!(margin("values.workers % 2 == 0").is_met());
    assert!(!margin("values.workers != 4").is_met());
    assert!(!margin("values.workers < 4").is_met());
    let constraint = Constraint::parse("(cpu.rate + 1) <= 2 * values.workers").unwrap();
    assert_eq!(constraint.left().text(), "(cpu.rate + 1)");
    assert_eq!(constraint.left().to_string(), "cpu.rate + 1");
    assert_eq!(constraint.right().to_string(), "2 * values.workers");
    assert_eq!(constraint.comparison(), Comparison::LessOrEqual);
}

#[test]
fn what_is_no_constraint_is_refused() {
    let refusal = |text: &str| Constraint::parse(text).unwrap_err().problem;
    assert_eq!(refusal("cpu.rate"), "a constraint is one comparison");
    assert_eq!(
        refusal("cpu.rate < 1 && cpu.rate > 0"),
        "a constraint is one comparison"
    );
    assert_eq!(
        refusal("1 < 2"),
        "the constraint names nothing that is measured or tuned"
    );
    assert_eq!(
        refusal("cpu.rate == 1"),
        "measured numbers are never exactly equal"
    );
}

fn any_expression() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("1".to_owned()),
        Just("0.25".to_owned()),
        Just("200ms".to_owned()),
        Just("5%".to_owned()),
        Just("a.mean".to_owned()),
        Just("values.\"a-b\"".to_owned()),
        Just("load.response_time.p99.9".to_owned()),
    ];
    leaf.prop_recursive(5, 40, 3, |inner| {
        let operator =
            prop::sample::select(vec!["+", "-", "*", "/", "%", "^", "<", "==", "&&", "||"]);
        prop_oneof![
            (inner.clone(), operator, inner.clone())
                .prop_map(|(a, op, b)| format!("({a}){op}({b})")),
            inner.clone().prop_map(|a| format!("-({a})")),
            inner.clone().prop_map(|a| format!("!({a})")),
            inner.clone().prop_map(|a| format!("floor({a})")),
            (inner.clone(), inner.clone(), inner)
                .prop_map(|(a, b, c)| format!("({a})?({b}):({c})")),
        ]
    })
}

proptest! {
    #[test]
    fn printing_and_reading_again_changes_neither_tree_nor_value(text in any_expression()) {
        let first = Expression::parse(&text).unwrap();
        let second = Expression::parse(&first.to_string()).unwrap();
        prop_assert_eq!(first.to_string(), second.to_string());
        let numbers = |name: &Name| matches!(name, Name::Metric { .. }).then_some(3.0).or(Some(7.0));
        prop_assert_eq!(first.evaluate(&numbers).ok(), second.evaluate(&numbers).ok());
    }

    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,60}", near in "[-+*/^%<>=&|!?:(),.\" 0-9a-zßp%KMGi]{0,60}") {
        for text in [text, near] {
            match Expression::parse(&text) {
                Ok(expression) => {
                    let _ = expression.evaluate(&|_| Some(1.0));
                    let _ = expression.check(&|_| Ok(Unit::Seconds.into()));
                    let _ = Constraint::of(expression);
                }
                Err(error) => prop_assert!(error.caret().contains('^')),
            }
        }
    }
}
