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
            for seed in 0..MUTATIONS {
                let mutated = mutate(&input, seed);
                memory::bounded(target, &mutated[..mutated.len().min(target.max_len)]);
            }
        }
    }
    for directory in inputs(&corpus()) {
        let name = directory.file_name().and_then(|name| name.to_str());
        let known = name.and_then(wirespan_fuzz::target);
        assert!(known.is_some(), "{} has no target", directory.display());
    }
}

/// So many of each input: a bounded run, the same every time.
const MUTATIONS: u64 = 32;

/// Some bytes changed, taken out, or put in again.
fn mutate(input: &[u8], seed: u64) -> Vec<u8> {
    let mut random = seed;
    let mut mutated = input.to_vec();
    for _ in 0..=next(&mut random) % 4 {
        let from = next(&mut random) as usize % (mutated.len() + 1);
        let to = (from + next(&mut random) as usize % 16).min(mutated.len());
        match next(&mut random) % 3 {
            0 => mutated[from..to].fill(next(&mut random) as u8),
            1 => drop(mutated.drain(from..to)),
            _ => {
                let part = mutated[from..to].to_vec();
                let place = next(&mut random) as usize % (mutated.len() + 1);
                mutated.splice(place..place, part);
            }
        }
    }
    mutated
}

/// A splitmix generator.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ *state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed ^ mixed >> 27
}

fn inputs(directory: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> = fs::read_dir(directory)
        .expect("the corpus is in the repository")
        .map(|entry| entry.expect("the corpus is in the repository").path())
        .collect();
    paths.sort();
    paths
}
