//! The seeds of the fuzz targets, replayed on every test run: what was found once stays found.

use std::fs;
use std::path::Path;

/// Runs a check on every seed of a target.
pub(crate) fn replay(target: &str, check: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../fuzz/corpus")
        .join(target);
    let seeds = fs::read_dir(&folder).expect("the seeds are part of the repository");
    let mut count = 0;
    for seed in seeds {
        let path = seed.expect("the folder can be listed").path();
        let bytes = fs::read(&path).expect("a seed can be read");
        check(&bytes);
        // Cut anywhere, it is another input that must not be trusted either.
        for end in (0..bytes.len()).step_by(bytes.len() / 200 + 1) {
            check(&bytes[..end]);
        }
        count += 1;
    }
    assert!(count >= 5, "{count} seeds in {}", folder.display());
}
