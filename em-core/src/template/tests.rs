use proptest::prelude::*;

use super::*;

fn lookup(name: &str) -> Option<Value> {
    Some(match name {
        "port" => Value::Integer(8080),
        "memory" => Value::Quantity("1536Mi".parse().unwrap()),
        "ports.admin-1" => Value::Integer(9090),
        "name" => Value::from("it's \"$x\" `y` \\z\n"),
        "word" => Value::from("plain.word-1"),
        "timeout" => Value::from("1m30s"),
        "share" => Value::real(0.25).unwrap(),
        "on" => Value::Bool(true),
        _ => return None,
    })
}

fn render(text: &str, escape: Escape) -> String {
    Template::parse(text)
        .unwrap()
        .render(&lookup, escape)
        .unwrap()
}

fn refusal(text: &str, escape: Escape) -> String {
    Template::parse(text)
        .unwrap()
        .render(&lookup, escape)
        .unwrap_err()
        .to_string()
}

#[test]
fn a_value_changes_no_influxql_statement() {
    let escape = Escape::InfluxQl;
    let quoted = render("SELECT v FROM m WHERE host = '{{name}}'", escape);
    assert!(quoted.ends_with(r#"'it\'s "$x" `y` \\z\n'"#), "{quoted}");
    assert_eq!(render("FROM \"{{word}}\"", escape), "FROM \"plain.word-1\"");
    // A quote in a regular expression or in a comment is none, and hides where a value stands.
    for text in [
        "=~ /it's/ AND a = '{{name}}'",
        "-- it's\n'{{name}}'",
        "{{name}}",
    ] {
        let said = refusal(text, escape);
        assert!(said.contains("words and numbers"), "{said}");
    }
    assert_eq!(
        render("=~ /'/ AND a = '{{word}}'", escape),
        "=~ /'/ AND a = 'plain.word-1'"
    );
    let dashes = Template::parse("WHERE a > {{x}}").unwrap();
    let dashes = dashes.render(&|_| Some(Value::from("1--2")), escape);
    assert!(dashes.is_err());
}

#[test]
fn where_nothing_can_be_escaped_only_words_are_let_in() {
    assert_eq!(
        render("avg:x{p:{{word}}}", Escape::Word),
        "avg:x{p:plain.word-1}"
    );
    assert!(refusal("avg:x{p:{{name}}}", Escape::Word).contains("would change the query"));
}

#[test]
fn a_value_is_one_part_of_a_url() {
    let seen = render("http://h:{{port}}/x?n={{name}}", Escape::Url);
    let name = "it%27s%20%22%24x%22%20%60y%60%20%5Cz%0A";
    assert_eq!(seen, format!("http://h:8080/x?n={name}"));
}

#[test]
fn placeholders_are_replaced_and_the_rest_stays_as_it_is() {
    for (text, rendered) in [
        ("", ""),
        ("plain } text }}", "plain } text }}"),
        ("--port={{port}}", "--port=8080"),
        ("{{ port }}{{ports.admin-1}}", "80809090"),
        ("-Xmx{{ memory | Mi }}m", "-Xmx1536m"),
        ("{{memory}}", "1536Mi"),
        ("{{timeout|s}} {{timeout|ms}}", "90 90000"),
        ("{{share}} {{share|ms}} {{on|int}}", "0.25 250 1"),
    ] {
        assert_eq!(render(text, Escape::None), rendered);
    }
}

#[test]
fn a_broken_template_says_where_and_why() {
    for (text, message) in [
        (
            "a\n  {{port",
            r#"line 2, column 3: "{{" is not closed by "}}" on its line (a file that uses "{{" itself needs other delimiters)"#,
        ),
        (
            "{{port\n}}",
            r#"line 1, column 1: "{{" is not closed by "}}" on its line (a file that uses "{{" itself needs other delimiters)"#,
        ),
        (
            "é {{#if x}}",
            r##"line 1, column 3: "#if x" is not a name (placeholders have no logic; a file that uses these brackets itself needs other delimiters)"##,
        ),
        (
            "{{}}",
            r#"line 1, column 1: "" is not a name (placeholders have no logic; a file that uses these brackets itself needs other delimiters)"#,
        ),
        (
            "{{memory|mi}}",
            r#"line 1, column 1: there is no filter "mi" (did you mean "Mi"?)"#,
        ),
        (
            "{{memory|Mi|int}}",
            r#"line 1, column 1: there is no filter "Mi|int" (one of Ki Mi Gi bytes ms s int)"#,
        ),
    ] {
        assert_eq!(Template::parse(text).unwrap_err().to_string(), message);
    }
}

#[test]
fn unknown_and_unused_names_are_found_before_anything_runs() {
    let template = Template::parse("{{port}}\n{{memry}} {{zzz}}").unwrap();
    let messages: Vec<String> = template
        .unknown(["port", "memory"])
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        messages,
        [
            r#"line 2, column 1: nothing is called "memry" (did you mean "memory"?)"#,
            r#"line 2, column 11: nothing is called "zzz""#
        ]
    );
    assert_eq!(unused(["port", "memory"], [&template]), ["memory"]);
    assert_eq!(
        refusal("x {{zzz}}", Escape::None),
        r#"line 1, column 3: cannot fill in "zzz": "zzz" has no value"#
    );
}

#[test]
fn other_delimiters_leave_the_usual_ones_alone() {
    let delimiters = Delimiters::new("<%", "%>").unwrap();
    let template = Template::parse_with("{{ .Values.x }} <%port%>", &delimiters).unwrap();
    assert_eq!(
        template.render(&lookup, Escape::None).unwrap(),
        "{{ .Values.x }} 8080"
    );
    assert!(Delimiters::new("a", "b").is_err());
    assert!(Delimiters::new("", "}}").is_err());
    let json = serde_json::to_string(&template).unwrap();
    assert_eq!(serde_json::from_str::<Template>(&json).unwrap(), template);
    let usual = Template::parse("{{port}}").unwrap();
    assert_eq!(
        serde_json::to_string(&usual).unwrap(),
        r#"{"text":"{{port}}"}"#
    );
}

#[test]
fn a_value_cannot_change_a_shell_command() {
    assert_eq!(render("echo {{word}}", Escape::Shell), "echo plain.word-1");
    assert_eq!(
        render("echo {{name}}", Escape::Shell),
        "echo 'it'\\''s \"$x\" `y` \\z\n'"
    );
    assert_eq!(
        render("echo '{{name}}'", Escape::Shell),
        "echo 'it'\\''s \"$x\" `y` \\z\n'"
    );
    assert_eq!(
        render("echo \"{{name}}\"", Escape::Shell),
        "echo \"it's \\\"\\$x\\\" \\`y\\` \\\\z\n\""
    );
    assert_eq!(
        render("echo \"$(cat {{name}}) {{word}}\"", Escape::Shell),
        "echo \"$(cat 'it'\\''s \"$x\" `y` \\z\n') plain.word-1\""
    );
    assert_eq!(
        render("# don't\necho {{word}}", Escape::Shell),
        "# don't\necho plain.word-1"
    );
    assert_eq!(
        refusal("echo `cat {{word}}`", Escape::Shell),
        r#"line 1, column 11: cannot fill in "word": nothing can be escaped inside backticks (use $(...))"#
    );
    assert!(refusal("cat <<EOF\n{{word}}\nEOF", Escape::Shell).contains("here-document"));
}

#[test]
fn json_gets_text_inside_strings_and_scalars_outside() {
    assert_eq!(
        render(
            r#"{"a":"<{{name}}>","b":{{port}},"c":{{word}},"d":{{on}},"e":"{{port}}"}"#,
            Escape::Json
        ),
        r#"{"a":"<it's \"$x\" `y` \\z\n>","b":8080,"c":"plain.word-1","d":true,"e":"8080"}"#
    );
}

#[test]
fn a_label_value_cannot_change_a_query() {
    assert_eq!(
        render(
            r#"up{a="{{name}}", b='{{name}}'}[{{timeout}}]"#,
            Escape::PromQl
        ),
        r#"up{a="it's \"$x\" `y` \\z\n", b='it\'s "$x" `y` \\z\n'}[1m30s]"#
    );
    assert!(refusal("up{{name}}", Escape::PromQl).contains("outside quotes"));
    assert!(refusal("up{a=`{{name}}`}", Escape::PromQl).contains("backtick"));
    assert_eq!(render("^{{word}}$", Escape::Regex), r"^plain\.word\-1$");
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,60}", near in "[{}|a-z \n\"'`$(]{0,60}") {
        for text in [text, near] {
            if let Ok(template) = Template::parse(&text) {
                for escape in [Escape::None, Escape::Shell, Escape::Json, Escape::PromQl, Escape::Regex] {
                    let _ = template.render(&|_| Some(Value::from("x'y")), escape);
                }
            }
        }
    }

    #[test]
    fn any_text_survives_json(value in "\\PC{0,40}[\"\\\\\n\t\u{1}]{0,5}") {
        let template = Template::parse(r#"["{{x}}",{{x}}]"#).unwrap();
        let rendered = template.render(&|_| Some(Value::from(value.as_str())), Escape::Json).unwrap();
        let read: Vec<String> = serde_json::from_str(&rendered).unwrap();
        prop_assert_eq!(read, vec![value.clone(), value]);
    }
}
