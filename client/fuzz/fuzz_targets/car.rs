//! CAR import: what is taken in is one sealed image, whole and pinned; what is refused pins nothing. No panic, no hang.
//!
//! `cargo fuzz run car -s none --fuzz-dir client/fuzz`

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;

#[allow(dead_code, missing_docs, unused_imports)]
#[path = "../../src/domain/mod.rs"]
mod domain;
#[path = "common/edits.rs"]
mod edits;
#[allow(dead_code)]
#[path = "common/node.rs"]
mod node;
#[path = "common/seeds.rs"]
mod seeds;

use edits::edited;

/// Most bytes of a file.
const MOST: u64 = 1 << 16;
/// What may be done to a file.
const WAYS: u8 = 4;

/// Images as files: the body of one is a block, the other's a tree of three levels.
static FILES: LazyLock<[Vec<u8>; 2]> = LazyLock::new(|| {
    let files = [500, 4500].map(node::exported);
    for file in &files {
        node::import(file, MOST).expect("what was exported is taken in");
    }
    files
});

fuzz_target!(
    init: {
        let [small, large] = &*FILES;
        seeds::write(2 * WAYS, &[(0, small), (0, large)]);
    },
    |input: &[u8]| {
        let Some((choice, input)) = input.split_first() else {
            return;
        };
        let good = &FILES[usize::from(choice & 1)];
        let file = match (choice >> 1) % WAYS {
            0 => input.to_vec(),
            1 => edited(good, input),
            2 => node::renamed(&edited(good, input)),
            _ => node::regrown(good, input),
        };
        let _ = node::import(&file, MOST);
    }
);
