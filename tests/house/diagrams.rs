//! The diagrams of ARCHITECTURE.md are those that the machines' tests draw.

use std::fs;

use em_tests::house::root;

#[test]
fn the_state_diagrams_are_the_generated_ones() {
    let page = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("the page is there");
    for machine in ["hold", "iteration", "delivery"] {
        let name = format!("em_core__machine__laws__{machine}__{machine}.snap");
        let file = root().join("em-core/src/machine/snapshots").join(name);
        let text = fs::read_to_string(file).expect("the laws have drawn it");
        let drawn = text
            .splitn(3, "---\n")
            .nth(2)
            .expect("a head and a drawing");
        let block = format!("**{machine}**\n\n```mermaid\n{}\n```\n", drawn.trim());
        assert!(
            page.contains(&block),
            "copy this into ARCHITECTURE.md:\n{block}"
        );
    }
}
