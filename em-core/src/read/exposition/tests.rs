use proptest::prelude::*;

use super::*;

fn prometheus(text: &str) -> Exposition {
    Exposition::parse(text, ExpositionFormat::Prometheus).unwrap()
}

fn refusal(text: &str, format: ExpositionFormat) -> String {
    Exposition::parse(text, format).unwrap_err().to_string()
}

#[test]
fn a_prometheus_page_is_read_whole() {
    let page = prometheus(
        "# HELP http_requests_total The total\\nnumber \\\\ of requests.\n\
             # TYPE http_requests_total counter\n\
             http_requests_total{method=\"post\",code=\"200\"} 1027 1395066363000\r\n\
             # just a remark\n\
             \n\
             odd{path=\"C:\\\\DIR\\\\F.TXT\",error=\"no \\\"x\\\"\\n, } = \",} +Inf\n\
             \tbare   NaN   -5\n\
             # TYPE rpc histogram\n\
             rpc_bucket { le = \"+Inf\" , } 1.7560473e+07\n\
             {\"my.metric\", \"a b\"=\"c\"} -0\n",
    );
    let odd = &page.samples[1];
    assert_eq!(page.samples.len(), 5);
    assert_eq!(page.samples[0].labels["code"], "200");
    assert_eq!(page.samples[0].at, Some(1_395_066_363.0));
    assert_eq!(odd.labels["path"], r"C:\DIR\F.TXT");
    assert_eq!(odd.labels["error"], "no \"x\"\n, } = ");
    assert!(odd.value.is_infinite() && odd.at.is_none());
    assert!(page.samples[2].value.is_nan());
    assert_eq!(page.samples[2].at, Some(-0.005));
    assert_eq!(page.samples[4].name, "my.metric");
    assert_eq!(page.samples[4].labels["a b"], "c");
    assert_eq!(
        page.families["http_requests_total"].help,
        "The total\nnumber \\ of requests."
    );
    assert_eq!(page.kind_of("rpc_bucket"), MetricKind::Histogram);
    assert_eq!(page.kind_of("odd"), MetricKind::Unknown);
}

#[test]
fn an_openmetrics_page_has_seconds_exemplars_and_an_end() {
    let text = "# TYPE foo counter\n# UNIT foo seconds\n\
                    foo_total{a=\"b\"} 17.0 1520879607.789 # {trace_id=\"x\"} 0.67 1520879606.1\n\
                    foo_created 1520872607.123\n# EOF\n";
    let page = Exposition::parse(text, ExpositionFormat::OpenMetrics).unwrap();
    assert_eq!(page.samples[0].at, Some(1_520_879_607.789));
    assert_eq!(page.samples.len(), 2);
    assert_eq!(page.families["foo"].unit, "seconds");
    assert_eq!(page.kind_of("foo_total"), MetricKind::Counter);
    let cut = &text[..text.len() - 6];
    assert_eq!(
        refusal(cut, ExpositionFormat::OpenMetrics),
        r##"line 4: the page breaks off ("# EOF" is missing)"##
    );
    assert_eq!(
        refusal("# EOF\nx 1\n", ExpositionFormat::OpenMetrics),
        r##"line 2: the page goes on after "# EOF""##
    );
    assert_eq!(prometheus("# EOF\nx 1\n").samples.len(), 1);
}

#[test]
fn the_answers_own_content_type_decides() {
    let format = ExpositionFormat::of_content_type;
    assert_eq!(
        format("application/openmetrics-text; version=1.0.0; charset=utf-8"),
        ExpositionFormat::OpenMetrics
    );
    assert_eq!(
        format("text/plain; version=0.0.4"),
        ExpositionFormat::Prometheus
    );
    assert_eq!(format(""), ExpositionFormat::Prometheus);
}

#[test]
fn a_line_nobody_can_read_is_an_error_with_its_place() {
    for (text, message) in [
        ("a 1\nb x\n", r#"line 2, column 3: "x" is not a number"#),
        ("a", "line 1, column 2: a value is missing"),
        ("a{b=\"c\" 1", r#"line 1, column 9: "," or "}" is missing"#),
        (
            "a{b=\"c} 1",
            "line 1, column 5: the quoted text does not end on its line",
        ),
        (
            "a{b=c} 1",
            "line 1, column 5: a text in double quotes is missing",
        ),
        (
            "a{b} 1",
            r#"line 1, column 4: "=" is missing after label "b""#,
        ),
        (
            "a{b=\"1\",b=\"2\"} 1",
            r#"line 1, column 14: label "b" comes twice"#,
        ),
        (
            "a 1 1.5",
            r#"line 1, column 5: "1.5" is not a time in whole milliseconds"#,
        ),
        (
            "a 1 2 3",
            r#"line 1, column 7: "3" is not expected after the sample"#,
        ),
        (
            "é 1",
            r#"line 1, column 1: a metric name is missing before "é 1""#,
        ),
        (
            "1a 1",
            "line 1, column 1: a metric name cannot start with a digit",
        ),
        (
            "# TYPE a meter",
            r#"line 1, column 10: "meter" is not a type of metric"#,
        ),
        (
            "<html>",
            r#"line 1, column 1: a metric name is missing before "<html>""#,
        ),
    ] {
        assert_eq!(refusal(text, ExpositionFormat::Prometheus), message);
    }
}

proptest! {
    #[test]
    fn any_label_value_comes_back(value in "\\PC{0,30}[\"\\\\\n]{0,4}\\PC{0,5}") {
        let escaped = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        let page = prometheus(&format!("x{{a=\"{escaped}\"}} 1\n"));
        prop_assert_eq!(&page.samples[0].labels["a"], &value);
    }

    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,80}", near in "[a-z{}=\",\\\\ #0-9.\nETYPHLé]{0,80}") {
        for format in [ExpositionFormat::Prometheus, ExpositionFormat::OpenMetrics] {
            let _ = Exposition::parse(&text, format);
            let _ = Exposition::parse(&near, format);
        }
    }
}
