//! CAR import: a file that is taken in is one sealed image, whole and pinned; one that is refused pins nothing. No panic, no
//! hang.
//!
//! `cargo fuzz run car -s none --fuzz-dir client/fuzz`

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use pcim_fuzz::{edited, write};
use pcim_node::fuzzing::{exported, import, regrown, renamed};

/// Most bytes of a file.
const MOST: u64 = 1 << 16;
/// Ways to change a file.
const WAYS: u8 = 4;

/// Images as files: the body of one is a block, the other's a tree of three levels.
static FILES: LazyLock<[Vec<u8>; 2]> = LazyLock::new(|| {
    let files = [500, 4500].map(exported);
    for file in &files {
        import(file, MOST).expect("an exported file is taken in");
    }
    files
});

fuzz_target!(
    init: {
        let [small, large] = &*FILES;
        write(2 * WAYS, &[(0, small), (0, large)]);
    },
    |input: &[u8]| {
        let Some((choice, input)) = input.split_first() else {
            return;
        };
        let good = &FILES[usize::from(choice & 1)];
        let file = match ((choice >> 1) % WAYS, input) {
            (0, _) => input.to_vec(),
            (1, _) => edited(good, input),
            (2, _) => renamed(&edited(good, input)),
            (_, [which, edits @ ..]) => regrown(good, usize::from(*which), |it| edited(it, edits)),
            _ => return,
        };
        let _ = import(&file, MOST);
    }
);
