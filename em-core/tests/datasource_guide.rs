//! The pieces of files in the guide to datasources are pieces of working files.

use em_core::file::{self, FileContext};

const GUIDE: &str = include_str!("../../docs/datasources.md");
const REST: &str = "\
name: guide
target: { kind: process, command: [demo, --port, \"{{port}}\"] }
tunables: [{ name: workers, range: [1, 16], default: 2, apply: { env: WORKERS } }]
load: { kind: http, url: \"http://{{address}}/\" }
objective: { minimize: load.response_time.p99 }
budget: { trials: 20 }
";

#[test]
fn every_piece_of_the_guide_is_read_and_none_is_missing() {
    let blocks = GUIDE.split("```yaml\n").skip(1);
    let mut kinds = Vec::new();
    for block in blocks {
        let (piece, _) = block.split_once("```").unwrap();
        let read = file::parse(format!("{REST}{piece}").as_bytes(), &FileContext::bare());
        let read = read.unwrap_or_else(|violations| panic!("{violations}\n{piece}"));
        assert!(!read.plan.metrics.is_empty(), "{piece}");
        let sources = serde_json::to_value(&read.plan.datasources).unwrap();
        let sources = sources.as_object().unwrap().values();
        kinds.extend(sources.map(|source| source["kind"]["kind"].as_str().unwrap().to_owned()));
    }
    // A source that somebody registers is described in words.
    let known = file::schema();
    let known = known["$defs"]["datasource"]["oneOf"].as_array().unwrap();
    for one in known {
        let kind = one["properties"]["kind"]["const"].as_str().unwrap();
        assert!(
            kind == "custom" || kinds.iter().any(|seen| seen == kind),
            "{kind} is missing"
        );
    }
}
