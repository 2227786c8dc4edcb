//! Links for guests, their questions and what hosts answer: what is read says the same when it is written and read again, and keys open
//! only as they were sealed; no panic, no hang.
//!
//! `cargo fuzz run guest -s none --fuzz-dir client/fuzz`

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use pcim_client::papers::guest::{GivenToGuest, GuestAnswer, GuestQuestion, HALF, Link};
use pcim_client::papers::network::NetworkFile;
use pcim_core::{Address, B256, ImageDigest};
use pcim_fuzz::{account, edited, write};

/// Ways to change: the bytes themselves, a good link, a good question, a good answer, its sealed keys.
const WAYS: u8 = 5;

struct Good {
    link: Link,
    given: GivenToGuest,
}

static GOOD: LazyLock<Good> = LazyLock::new(|| {
    let link = Link::random(&["/ip4/192.0.2.1/tcp/4001/p2p/12D3KooWtest".to_owned()]);
    let contract = (Address::repeat_byte(0xc0), B256::repeat_byte(1));
    let network = NetworkFile::new("clinic".to_owned(), 412_346, contract, account(1).address());
    let half = [7; HALF];
    let keys = link.seal(&half, &[1; 200]).expect("a cipher seals");
    let image = ImageDigest([1; 32]);
    let given = GivenToGuest {
        half,
        keys,
        image,
        network,
    };
    Good { link, given }
});

fn look(bytes: &[u8]) {
    if let Some(link) = std::str::from_utf8(bytes)
        .ok()
        .and_then(|text| Link::read(text).ok())
    {
        assert_eq!(
            Link::read(&link.text()).expect("what was read is written"),
            link
        );
    }
    if let Some(question) = GuestQuestion::read(bytes) {
        assert!(GuestQuestion::read(&question.to_bytes()) == Some(question));
    }
    if let Some(answer) = GuestAnswer::read(bytes) {
        let again = GuestAnswer::read(&answer.to_bytes()).expect("what was read is written");
        assert_eq!(again.to_bytes(), answer.to_bytes());
        if let GuestAnswer::Given(given) = answer {
            // Two hundred ones are no keys, and nothing else was sealed.
            assert!(GOOD.link.open(&given).is_err());
        }
    }
}

fuzz_target!(
    init: write(WAYS, &[(0, GOOD.link.text().as_bytes()), (1, b""), (2, b""), (3, b""), (4, b"")]),
    |input: &[u8]| {
        let Some((choice, input)) = input.split_first() else {
            return;
        };
        match choice % WAYS {
            0 => look(input),
            1 => look(&edited(GOOD.link.text().as_bytes(), input)),
            2 => {
                let question = GOOD.link.question("123456").expect("a PIN");
                look(&edited(&question.to_bytes(), input));
            }
            3 => look(&edited(&GuestAnswer::Given(GOOD.given.clone().into()).to_bytes(), input)),
            _ => {
                let mut given = GOOD.given.clone();
                given.keys = edited(&given.keys, input);
                assert!(GOOD.link.open(&given).is_err());
            }
        }
    }
);
