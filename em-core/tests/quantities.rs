//! Quantities against Kubernetes' own library; the table comes from `golden/quantity/main.go` (seed 1, apimachinery 0.34.1).

use em_core::value::{Quantity, QuantityError};

#[test]
fn two_thousand_quantities_are_read_and_printed_as_kubernetes_does() {
    let table = include_str!("golden/quantity/quantities.tsv");
    let (mut equal, mut finer) = (0, 0);
    for row in table.lines() {
        let [written, canonical, nanos] = row.split('\t').collect::<Vec<_>>()[..] else {
            panic!("{row:?} has not three columns")
        };
        match written.parse::<Quantity>() {
            // What Kubernetes would round is the one thing that is refused here.
            Err(QuantityError::TooFine { .. }) if canonical == "finer" => finer += 1,
            Err(error) => panic!("{error}"),
            Ok(quantity) => {
                assert_eq!(quantity.to_string(), canonical, "{written}");
                assert_eq!(quantity.nanos().to_string(), nanos, "{written}");
                equal += 1;
            }
        }
    }
    assert_eq!(equal + finer, 2000);
    assert!(equal > 1500, "only {equal} rows compare values");
}
