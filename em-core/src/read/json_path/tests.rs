use proptest::prelude::*;

use super::*;

const DOCUMENT: &str = r#"{"latency": {"p99": 12.5, "p 99": "3e2", "off": null, "flag": true},
        "runs": [{"t": 1000, "v": 1, "pod": "a"}, {"t": 2000, "v": "2.5", "pod": "b"}, {"t": 3000, "v": null, "pod": "c"}],
        "host-1": [5, 6, 7]}"#;

fn shape(path: &str) -> JsonShape {
    JsonShape {
        name: "x".into(),
        value: path.parse().unwrap(),
        at: None,
        labels: BTreeMap::new(),
    }
}

fn values(path: &str) -> Vec<f64> {
    shape(path)
        .read(DOCUMENT)
        .unwrap()
        .iter()
        .map(|sample| sample.value)
        .collect()
}

#[test]
fn paths_find_their_places() {
    for (path, found) in [
        ("$.latency.p99", vec![12.5]),
        ("{$.latency.p99}", vec![12.5]),
        ("$['latency'][\"p 99\"]", vec![300.0]),
        ("$['host-1'][0]", vec![5.0]),
        ("$['host-1'][-1]", vec![7.0]),
        ("$['host-1'][*]", vec![5.0, 6.0, 7.0]),
        ("$.runs[*].v", vec![1.0, 2.5]),
        ("$.runs.*.v", vec![1.0, 2.5]),
        ("$.latency.off", vec![]),
        ("$.nowhere[3].x", vec![]),
        ("$['host-1'][-9]", vec![]),
    ] {
        assert_eq!(values(path), found, "{path}");
    }
}

#[test]
fn times_and_labels_go_with_their_values_even_past_a_null() {
    let shape = JsonShape {
        at: Some(("$.runs[*].t".parse().unwrap(), TimeFormat::Milliseconds)),
        labels: [
            ("pod".into(), "$.runs[*].pod".parse().unwrap()),
            ("all".into(), "$.latency.p99".parse().unwrap()),
        ]
        .into(),
        ..shape("$.runs[*].v")
    };
    let samples = shape.read(DOCUMENT).unwrap();
    assert_eq!(samples.len(), 2);
    assert_eq!(samples[1].at, Some(2.0));
    assert_eq!(
        (
            samples[1].labels["pod"].as_str(),
            samples[1].labels["all"].as_str()
        ),
        ("b", "12.5")
    );
    let mismatch = JsonShape {
        at: Some(("$['host-1'][*]".parse().unwrap(), TimeFormat::Seconds)),
        ..self::shape("$.latency['p99']")
    };
    assert_eq!(
        mismatch.read(DOCUMENT).unwrap_err().to_string(),
        r#"$['host-1'][*]: 3 times do not match 1 values of "x""#
    );
}

#[test]
fn what_is_not_a_number_is_an_error_with_its_place() {
    let refusal = |path: &str| shape(path).read(DOCUMENT).unwrap_err().to_string();
    assert_eq!(
        refusal("$.runs[*].pod"),
        r#"$.runs[0].pod: "\"a\"" is not a number"#
    );
    assert_eq!(
        refusal("$.latency.flag"),
        r#"$.latency.flag: "true" is not a number"#
    );
    assert_eq!(
        shape("$").read("{\n  oops").unwrap_err().to_string(),
        r#"line 2, column 3: this is not JSON, which starts "{\n  oops""#
    );
}

#[test]
fn paths_beyond_the_supported_part_say_so() {
    for (path, message) in [
        (
            "a.b",
            r#"a path starts with "$" at character 1 of path "a.b""#,
        ),
        (
            "$..a",
            r#"".." is not supported (name the way) at character 2 of path "$..a""#,
        ),
        (
            "$.a[?@.b]",
            r#"filters are not supported at character 4 of path "$.a[?@.b]""#,
        ),
        (
            "$.a[1:2]",
            r#"unions and slices are not supported at character 6 of path "$.a[1:2]""#,
        ),
        (
            "$['a','b']",
            r#"unions and slices are not supported at character 6 of path "$['a','b']""#,
        ),
        (
            "$.a-b",
            r#""." or "[" is missing (characters like "-" need ['...']) at character 4 of path "$.a-b""#,
        ),
        (
            "$.",
            r#"a name is missing (other characters need ['...']) at character 3 of path "$.""#,
        ),
        (
            "$[x]",
            r#"a whole number, a quoted name or "*" belongs between "[" and "]" at character 2 of path "$[x]""#,
        ),
        (
            "$['a",
            r#"the quoted name does not end at character 3 of path "$['a""#,
        ),
    ] {
        assert_eq!(path.parse::<JsonPath>().unwrap_err().to_string(), message);
    }
}

proptest! {
    #[test]
    fn any_member_can_be_named(name in "\\PC{0,20}['\"\\\\\n\t]{0,3}") {
        let path = JsonPath { steps: vec![Step::Member(name.clone()), Step::Element(-1)] };
        if !name.contains(['\n', '\t']) {
            prop_assert_eq!(&path.to_string().parse::<JsonPath>().unwrap(), &path);
        }
        let text = serde_json::json!({ name: [1, 2] }).to_string();
        let shape = JsonShape { name: "x".into(), value: path, at: None, labels: BTreeMap::new() };
        let values: Vec<f64> = shape.read(&text).unwrap().iter().map(|sample| sample.value).collect();
        prop_assert_eq!(values, vec![2.0]);
    }

    #[test]
    fn no_text_makes_it_panic(path in "\\PC{0,40}", near in "[{]?[$][.\\[\\]*'\"a-zé0-9,:?\\\\-]{0,30}", text in "[{}\\[\\]\",:a0-9 ]{0,40}") {
        for path in [path, near] {
            if let Ok(path) = path.parse::<JsonPath>() {
                let _ = JsonShape { name: "x".into(), value: path, at: None, labels: BTreeMap::new() }.read(&text);
            }
        }
    }
}
