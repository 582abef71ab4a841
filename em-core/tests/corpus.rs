//! The seeds of the fuzz targets, replayed on every test run: what was found once stays found.

#[path = "../../fuzz/checks.rs"]
mod checks;

#[path = "../../fuzz/replay.rs"]
mod replay;

use replay::replay;

#[test]
fn files_are_plans_or_say_why_not() {
    replay("file", checks::file);
}

#[test]
fn expressions_survive_their_canonical_spelling() {
    replay("expression", checks::expression);
}

#[test]
fn templates_render_or_say_why_not() {
    replay("template", checks::template);
}

#[test]
fn metric_pages_are_read_or_refused() {
    replay("exposition", checks::exposition);
}

#[test]
fn quantities_survive_their_canonical_spelling() {
    replay("quantity", checks::quantity);
}
