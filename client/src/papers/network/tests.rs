#![allow(clippy::unwrap_used)]

use alloy_primitives::keccak256;
use pcim_core::chance::{Numbers, mutations};

use super::*;

const NOW: u64 = 1_790_000_000;

fn signed() -> (Account, NetworkFile) {
    let account = Account::generate();
    let contract = (Address::repeat_byte(0xc0), B256::repeat_byte(0xcd));
    let mut file = NetworkFile::new("clinic".to_owned(), 412_346, contract, account.address());
    let rpc = |url: &str, insecure| NetworkRpc {
        url: url.to_owned(),
        insecure,
    };
    file.rpcs = vec![
        rpc("https://rpc.example/v1", false),
        rpc("wss://rpc.example", false),
        rpc("http://192.0.2.7:8547", true),
    ];
    file.relay = Some("https://relay.example".to_owned());
    file.followers = vec!["/ip4/192.0.2.1/tcp/4001/p2p/12D3KooWtest".to_owned()];
    file.gateways = vec!["https://ipfs.example".to_owned()];
    file.sign(&account, NOW, 90 * DAY).unwrap();
    (account, file)
}

#[test]
fn a_file_reads_back_and_is_signed() {
    let (_, file) = signed();
    let read = NetworkFile::read(&file.to_json().unwrap()).unwrap();
    assert_eq!(read, file);
    assert!(read.is_signed_by_key());
    assert_eq!(
        read.http_rpcs(),
        ["https://rpc.example/v1", "http://192.0.2.7:8547"]
    );
    assert_eq!(read.ws_rpc(), Some("wss://rpc.example"));
}

/// The digest put together by hand from EIP-712's definition.
#[test]
fn the_digest_is_that_of_the_standard() {
    let (_, file) = signed();
    let text = |text: &str| keccak256(text).0;
    let word = |number: u64| U256::from(number).to_be_bytes::<32>();
    let list = |items: &[[u8; 32]]| keccak256(items.concat()).0;
    let rpc_type = "Rpc(string url,bool insecure)";
    let rpcs: Vec<_> = file
        .rpcs
        .iter()
        .map(|rpc| {
            let fields = [text(rpc_type), text(&rpc.url), word(rpc.insecure.into())];
            keccak256(fields.concat()).0
        })
        .collect();
    let terms_type = "NetworkFileTerms(string name,bytes32 codeHash,address consortium,Rpc[] rpcs,string relay,string[] followers,string[] gateways,uint64 issuedAt,uint64 expiresAt)";
    let terms = [
        text(&format!("{terms_type}{rpc_type}")),
        text(&file.name),
        file.code_hash.0,
        file.consortium.into_word().0,
        list(&rpcs),
        text(file.relay.as_deref().unwrap()),
        list(&[text(&file.followers[0])]),
        list(&[text(&file.gateways[0])]),
        word(file.issued_at),
        word(file.expires_at),
    ];
    let domain = [
        text("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
        text("PCIM network"),
        text("1"),
        word(file.chain_id),
        file.contract.into_word().0,
    ];
    let hashes = [keccak256(domain.concat()).0, keccak256(terms.concat()).0];
    let wanted = keccak256([&[0x19, 0x01][..], &hashes.concat()].concat());
    assert_eq!(file.digest(), wanted);
}

#[test]
fn nothing_in_a_file_can_be_changed() {
    let (_, good) = signed();
    let changes: [fn(&mut NetworkFile); 13] = [
        |it| it.name.push('s'),
        |it| it.chain_id += 1,
        |it| it.contract = Address::repeat_byte(1),
        |it| it.code_hash = B256::ZERO,
        |it| it.consortium = Address::repeat_byte(1),
        |it| it.rpcs[0].url.push('2'),
        |it| it.rpcs[2].insecure = false,
        |it| drop(it.rpcs.pop()),
        |it| it.relay = None,
        |it| it.followers.clear(),
        |it| it.gateways.push("https://other.example".to_owned()),
        |it| it.issued_at -= 1,
        |it| it.expires_at += 1,
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let mut bad = good.clone();
        change(&mut bad);
        assert!(!bad.is_signed_by_key(), "{number}");
    }
}

#[test]
fn fields_that_are_no_good_are_named() {
    let (_, good) = signed();
    let many = |text: &str, count| vec![text.to_owned(); count];
    let rpcs = |url: &str, insecure| {
        vec![NetworkRpc {
            url: url.to_owned(),
            insecure,
        }]
    };
    let bad = |change: &dyn Fn(&mut NetworkFile)| {
        let mut file = good.clone();
        change(&mut file);
        let json = file.to_json().unwrap();
        NetworkFile::read(&json).unwrap_err().to_string()
    };
    for name in ["", "../home", "Clinic", "-x", "a b", "a\n", &"a".repeat(41)] {
        assert!(
            bad(&|it| it.name = name.to_owned()).contains("`name`"),
            "{name}"
        );
    }
    for url in [
        "ftp://x",
        "https://",
        "https:// x",
        "x",
        "https://é.example",
    ] {
        assert!(
            bad(&|it| it.rpcs = rpcs(url, false)).contains("`rpcs`"),
            "{url}"
        );
    }
    let unmarked = bad(&|it| it.rpcs = rpcs("http://192.0.2.7", false));
    assert!(unmarked.contains("does not mark"), "{unmarked}");
    assert!(bad(&|it| it.rpcs = rpcs("https://x.example", true)).contains("that is not"));
    assert!(bad(&|it| it.relay = Some("http://192.0.2.7".to_owned())).contains("`relay`"));
    assert!(bad(&|it| it.gateways = many("https://x.example", 17)).contains("`gateways`"));
    assert!(bad(&|it| it.followers = many("/ip4/192.0.2.1/tcp/1", 1)).contains("`followers`"));
    assert!(bad(&|it| it.followers = many("/p2p/x", 33)).contains("`followers`"));
    assert!(bad(&|it| it.expires_at = it.issued_at - 1).contains("`expires_at`"));
    assert!(bad(&|it| it.expires_at += MAX_LIFETIME).contains("`expires_at`"));
    assert!(bad(&|it| it.signature = Some(vec![0; 2_049].into())).contains("`signature`"));
    assert!(bad(&|it| it.contract = Address::ZERO).contains("zero"));
    assert!(bad(&|it| it.version = 2).contains("version 2"));
    let large = vec![b' '; MAX_NETWORK_BYTES + 1];
    assert!(matches!(
        NetworkFile::read(&large),
        Err(Error::TooLarge { .. })
    ));
    assert!(matches!(NetworkFile::read(b"{}"), Err(Error::Format(_))));
}

#[test]
fn a_file_has_its_time() {
    let (_, file) = signed();
    file.check_time(NOW).unwrap();
    file.check_time(NOW - SKEW).unwrap();
    assert!(matches!(
        file.check_time(NOW - SKEW - 1),
        Err(Error::Early { .. })
    ));
    file.check_time(file.expires_at - 1).unwrap();
    assert!(matches!(
        file.check_time(file.expires_at),
        Err(Error::Expired { .. })
    ));
}

#[test]
fn a_renewal_is_newer_and_leads_to_the_same_place() {
    let (account, known) = signed();
    let renewed = |change: &dyn Fn(&mut NetworkFile), at| {
        let mut file = known.clone();
        change(&mut file);
        file.sign(&account, at, DAY).unwrap();
        file
    };
    let same = renewed(&|it| it.followers.clear(), NOW + 1);
    same.check_renewal(&known, false).unwrap();
    known.check_renewal(&known, false).unwrap();
    let older = renewed(&|_| {}, NOW - 1);
    assert!(matches!(
        older.check_renewal(&known, true),
        Err(Error::Older { .. })
    ));
    type Change = fn(&mut NetworkFile);
    let changes: [(&str, Change); 4] = [
        ("chain", |it| it.chain_id += 1),
        ("contract", |it| it.contract = Address::repeat_byte(1)),
        ("code hash", |it| it.code_hash = B256::ZERO),
        ("consortium", |it| it.consortium = Address::repeat_byte(1)),
    ];
    for (named, change) in changes {
        let other = renewed(&change, NOW + 1);
        let refused = other.check_renewal(&known, false);
        assert!(matches!(refused, Err(Error::Changed { what, .. }) if what == named));
        other.check_renewal(&known, true).unwrap();
    }
}

#[test]
fn mutated_files_are_refused_or_what_was_signed() {
    let (_, file) = signed();
    let good = file.to_json().unwrap();
    let (mut numbers, mut read) = (Numbers(0x5eed_2032), 0);
    for round in 0..mutations() {
        if let Ok(found) = NetworkFile::read(&numbers.mutated(&good))
            && found.is_signed_by_key()
        {
            assert_eq!(found, file, "{round}");
            read += 1;
        }
    }
    println!("{read} of {} mutated files were taken", mutations());
    assert!(read < mutations() / 4);
}
