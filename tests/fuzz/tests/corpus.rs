//! Every kept input, run once, without the fuzzer.

use std::fs;
use std::path::{Path, PathBuf};

use wirespan_fuzz::{TARGETS, memory};

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

/// One test, not two: what a second one allocates meanwhile would count.
#[test]
fn every_kept_input_keeps_the_promises() {
    for target in TARGETS {
        let directory = corpus().join(target.name);
        let inputs = inputs(&directory);
        assert!(!inputs.is_empty(), "{} is empty", directory.display());
        for path in inputs {
            // The last line of the output, should it panic or abort.
            println!("{}", path.display());
            let input = fs::read(&path).unwrap();
            assert!(input.len() <= target.max_len, "never met by the fuzzer");
            memory::bounded(target, &input);
        }
    }
    for directory in inputs(&corpus()) {
        let name = directory.file_name().and_then(|name| name.to_str());
        let known = name.and_then(wirespan_fuzz::target);
        assert!(known.is_some(), "{} has no target", directory.display());
    }
}

fn inputs(directory: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> = fs::read_dir(directory)
        .expect("the corpus is in the repository")
        .map(|entry| entry.expect("the corpus is in the repository").path())
        .collect();
    paths.sort();
    paths
}
