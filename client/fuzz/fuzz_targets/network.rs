//! Network files: a file that its consortium's key signed says what was signed; no panic, no hang.
//!
//! `cargo fuzz run network -s none --fuzz-dir client/fuzz`

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use pcim_client::papers::network::{NetworkFile, NetworkRpc};
use pcim_core::{Address, B256};
use pcim_fuzz::{account, edited, write};

/// Ways to change a file: the bytes themselves, a good file, a good file's signature.
const WAYS: u8 = 3;

static GOOD: LazyLock<NetworkFile> = LazyLock::new(|| {
    let (account, contract) = (
        account(1),
        (Address::repeat_byte(0xc0), B256::repeat_byte(1)),
    );
    let mut file = NetworkFile::new("clinic".to_owned(), 412_346, contract, account.address());
    let rpc = |url: &str, insecure| NetworkRpc {
        url: url.to_owned(),
        insecure,
    };
    file.rpcs = vec![
        rpc("https://rpc.example", false),
        rpc("ws://192.0.2.1", true),
    ];
    file.followers = vec!["/ip4/192.0.2.1/tcp/4001/p2p/12D3KooWtest".to_owned()];
    file.relay = Some("https://relay.example".to_owned());
    file.sign(&account, 1_790_000_000, 86_400)
        .expect("a key signs");
    file
});

fuzz_target!(
    init: {
        let json = GOOD.to_json().expect("it is JSON");
        write(WAYS, &[(0, &json), (1, b""), (2, b"")]);
    },
    |input: &[u8]| {
        let Some((choice, input)) = input.split_first() else {
            return;
        };
        let json = GOOD.to_json().expect("it is JSON");
        let json = match choice % WAYS {
            0 => input.to_vec(),
            1 => edited(&json, input),
            _ => {
                let mut file = GOOD.clone();
                file.signature = Some(edited(file.signature_bytes(), input).into());
                file.to_json().expect("it is JSON")
            }
        };
        let Ok(file) = NetworkFile::read(&json) else {
            return;
        };
        let again = NetworkFile::read(&file.to_json().expect("it is JSON"));
        assert_eq!(again.expect("what was read is read again"), file);
        if file.is_signed_by_key() && file.consortium == GOOD.consortium {
            assert_eq!(file.digest(), GOOD.digest());
        }
    }
);
