//! The examples, run.

use std::fs;
use std::path::Path;

#[path = "../custom_datasource.rs"]
#[expect(dead_code, reason = "main is for people")]
mod custom_datasource;
#[path = "../custom_load_driver.rs"]
#[expect(dead_code, reason = "main is for people")]
mod custom_load_driver;
#[path = "../embed.rs"]
#[expect(dead_code, reason = "main is for people")]
mod embed;
#[path = "../mocked_target.rs"]
#[expect(dead_code, reason = "main is for people")]
mod mocked_target;

#[tokio::test]
async fn the_embedded_engine_finds_the_best_of_a_formula() {
    let report = embed::example().await.unwrap();
    assert_eq!(report.winning.unwrap().to_string(), "workers=4");
}

#[tokio::test]
async fn a_datasource_of_ones_own_decides() {
    let report = custom_datasource::example().await.unwrap();
    assert_eq!(report.winning.unwrap().to_string(), "workers=8");
}

#[tokio::test]
async fn a_load_driver_of_ones_own_decides() {
    let report = custom_load_driver::example().await.unwrap();
    assert_eq!(report.winning.unwrap().to_string(), "size=100");
}

#[tokio::test]
async fn a_refused_slot_is_let_go_and_never_deployed_to() {
    let said = mocked_target::example().await.unwrap();
    assert!(said.contains("somebody else holds it"), "{said}");
}

/// Lines of code: neither empty, nor comments, nor imports, nor the text of the experiment.
#[test]
fn each_example_fits_a_screen() {
    for name in [
        "embed",
        "custom_datasource",
        "custom_load_driver",
        "mocked_target",
    ] {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("{name}.rs"));
        let text = fs::read_to_string(file).unwrap();
        let (before, rest) = text.split_once("&str = r").unwrap();
        let after = rest.split_once(";\n\n").unwrap().1;
        let lines = before.lines().chain(after.lines()).map(str::trim);
        let code = lines.filter(|line| !line.is_empty() && !line.starts_with("//"));
        let code = code.filter(|line| !line.starts_with("use ")).count();
        assert!((20..60).contains(&code), "{name} has {code} lines of code");
    }
}
