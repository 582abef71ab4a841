//! The office asks, and gets an answer.

use em_core::observe::VerdictKind;
use ticket_office::{Office, QUESTION, ask};

#[tokio::test(flavor = "multi_thread")]
async fn three_clerks_are_better_than_one_and_the_office_is_as_before() {
    let office = Office::new(1);
    let report = ask(&office, QUESTION).await.unwrap();
    assert_eq!(report.winning.as_ref().unwrap().to_string(), "clerks=3");
    let verdict = &report.trial(report.winner.unwrap()).unwrap().verdicts[0];
    assert_eq!(verdict.kind, VerdictKind::Better);
    assert_eq!((office.clerks(), office.is_disturbed()), (1, false));
}

#[tokio::test]
async fn a_question_about_an_unknown_statistic_is_refused_with_those_that_are_known() {
    let question = QUESTION.replace("line.worst_tenth", "line.worst_fifth");
    let refused = ask(&Office::new(1), &question).await.unwrap_err();
    assert!(refused.to_string().contains("worst_tenth"), "{refused}");
}
