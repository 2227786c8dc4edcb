//! Any bytes as the body of a request.
#![no_main]

use std::cell::RefCell;

use libfuzzer_sys::fuzz_target;
use stylus_devnet::fuzzing::OfflineNode;

/// Requests that one chain answers; then a fresh one takes over.
const REQUESTS: u32 = 1_000;

thread_local! {
    static NODE: RefCell<Option<(OfflineNode, u32)>> = const { RefCell::new(None) };
}

fuzz_target!(|body: &[u8]| {
    NODE.with_borrow_mut(|slot| {
        let (node, left) = slot.get_or_insert_with(|| (OfflineNode::new().expect("a chain"), REQUESTS));
        node.answer(body);
        *left -= 1;
        if *left == 0 {
            *slot = None;
        }
    });
});
