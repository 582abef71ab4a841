//! `docs/capabilities.md` claims nothing that no test shows.

use em_tests::capabilities::{Reference, State, read};

#[test]
fn the_page_has_every_row_of_the_field_and_of_ours() {
    let rows = read().unwrap();
    let numbers: Vec<_> = rows.iter().map(|row| row.number.clone()).collect();
    let field = (1..=107).map(|number| number.to_string());
    let ours = (1..=15).map(|number| format!("L{number}"));
    assert_eq!(numbers, field.chain(ours).collect::<Vec<_>>());
}

#[test]
fn every_yes_names_a_test_that_exists() {
    for row in read().unwrap() {
        if row.state == State::Yes {
            assert!(
                !row.tests.is_empty(),
                "row {} says yes and names no test",
                row.number
            );
        }
    }
}

#[test]
fn every_test_that_the_page_names_exists() {
    for row in read().unwrap() {
        for test in &row.tests {
            assert!(
                test.exists(),
                "row {} names {}::{}, which is no test",
                row.number,
                test.file,
                test.function
            );
        }
    }
}

#[test]
fn a_function_that_is_no_test_does_not_count() {
    let helper = Reference {
        file: "tests/src/capabilities.rs".to_owned(),
        function: "read".to_owned(),
    };
    assert!(!helper.exists());
    let itself = Reference {
        file: "tests/house/capabilities.rs".to_owned(),
        function: "a_function_that_is_no_test_does_not_count".to_owned(),
    };
    assert!(itself.exists());
}
