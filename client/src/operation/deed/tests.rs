#![allow(clippy::unwrap_used)]

use super::*;

/// Every deed, with its text as journals have it.
fn deeds() -> Vec<(Deed, String)> {
    let (image, root) = (ImageDigest([7; 32]), ImageDigest([9; 32]));
    let public_key = BlockDigest([8; 32]);
    let hash = B256::repeat_byte(0xab);
    // A mixed-case address shows that the checksum's case is kept.
    let requestor: Address = "0x9965507D1a55bcC2695C58ba16FB37d819B0A4dc"
        .parse()
        .unwrap();
    let who = "0x9965507D1a55bcC2695C58ba16FB37d819B0A4dc";
    let hex = format!("0x{}", "ab".repeat(32));
    let (radiologist, to, signer) = (requestor, requestor, requestor);
    let once = Once(0x1f);
    let number = "000000000000001f";
    vec![
        (Deed::Register { image }, format!("register:{image}")),
        (
            Deed::Request { image, public_key },
            format!("request:{image}:{public_key}"),
        ),
        (
            Deed::Approve {
                image,
                requestor,
                public_key,
            },
            format!("approve:{image}:{who}:{public_key}"),
        ),
        (
            Deed::ApproveAll { requests: hash },
            format!("approve-all:{hex}"),
        ),
        (
            Deed::Deny { image, requestor },
            format!("deny:{image}:{who}"),
        ),
        (Deed::DenyAll { pairs: hash }, format!("deny-all:{hex}")),
        (
            Deed::Revoke { image, requestor },
            format!("revoke:{image}:{who}"),
        ),
        (Deed::RevokeAll { pairs: hash }, format!("revoke-all:{hex}")),
        (
            Deed::Removal {
                image,
                requestor,
                deadline: u64::MAX,
            },
            format!("removal:{image}:{who}:18446744073709551615"),
        ),
        (
            Deed::Limit {
                image,
                approvals: 3,
                window_seconds: 86400,
            },
            format!("limit:{image}:3:86400"),
        ),
        (Deed::Reseal { image }, format!("reseal:{image}")),
        (
            Deed::Announce { image, root },
            format!("announce:{image}:{root}"),
        ),
        (
            Deed::Reshare {
                image,
                requestor,
                root,
            },
            format!("reshare:{image}:{who}:{root}"),
        ),
        (
            Deed::Trace { image, requestor },
            format!("trace:{image}:{who}"),
        ),
        (
            Deed::Receipt { image, requestor },
            format!("receipt:{image}:{who}"),
        ),
        (
            Deed::Accredit {
                radiologist,
                accredited: false,
            },
            format!("accredit:{who}:false"),
        ),
        (
            Deed::TransferConsortium { to },
            format!("transfer-consortium:{who}"),
        ),
        (
            Deed::Relay {
                signer,
                nonce: Nonce::Ordered(5),
                call: hash,
            },
            format!("relay:{who}:5:{hex}"),
        ),
        (Deed::Withdraw { image }, format!("withdraw:{image}")),
        (Deed::Restore { image }, format!("restore:{image}")),
        (Deed::Retract { image }, format!("retract:{image}")),
        (Deed::Import { image }, format!("import:{image}")),
        (
            Deed::Guardians {
                patient: requestor,
                commitment: FixedBytes([0xcd; 24]),
                hours: 72,
            },
            format!("guardians:{who}:0xcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd:72"),
        ),
        (
            Deed::Move {
                patient: requestor,
                successor: requestor,
            },
            format!("move:{who}:{who}"),
        ),
        (
            Deed::Desk {
                patient: requestor,
                desk: requestor,
                hours: 24,
            },
            format!("desk:{who}:{who}:24"),
        ),
        (
            Deed::Delegate {
                patient: requestor,
                delegate: requestor,
                until: 9,
            },
            format!("delegate:{who}:{who}:9"),
        ),
        (
            Deed::Recover {
                patient: requestor,
                successor: requestor,
                lock: true,
            },
            format!("recover:{who}:{who}:true"),
        ),
        (Deed::Cancel { patient: requestor }, format!("cancel:{who}")),
        (Deed::Finish { patient: requestor }, format!("finish:{who}")),
        (
            Deed::BreakGlass { image, requestor },
            format!("break-glass:{image}:{who}"),
        ),
        (Deed::GiveUp { image }, format!("give-up:{image}")),
        (
            Deed::Void {
                word: hash,
                mask: hash,
            },
            format!("void:{hex}:{hex}"),
        ),
        (
            Deed::Retire {
                radiologist: requestor,
                until: 9,
            },
            format!("retire:{who}:9"),
        ),
        (
            Deed::AcceptConsortium { from: requestor },
            format!("accept-consortium:{who}"),
        ),
        (
            Deed::Relay {
                signer,
                nonce: Nonce::Free(pcim_core::U256::from(0x1f)),
                call: hash,
            },
            format!("relay:{who}:0x1f:{hex}"),
        ),
        (Deed::Seal(once), format!("seal:{number}")),
        (Deed::Keep(once), format!("keep:{number}")),
        (Deed::Open(once), format!("open:{number}")),
    ]
}

#[test]
fn every_deed_has_its_text_and_reads_back() {
    for (deed, text) in deeds() {
        assert_eq!(deed.to_string(), text);
        assert_eq!(text.parse(), Ok(deed), "{text}");
        let key = DeedKey {
            chain_id: 412_346,
            contract: Address::repeat_byte(0xcd),
            deed,
        };
        let text = key.to_string();
        assert_eq!(
            text,
            format!("412346:{}:{deed}", Address::repeat_byte(0xcd))
        );
        assert_eq!(text.parse(), Ok(key), "{text}");
    }
}

#[test]
fn another_text_is_no_deed() {
    for (_, text) in deeds() {
        let (name, _) = text.split_once(':').unwrap();
        for bad in [
            format!("{text}:"),
            format!(" {text}"),
            format!("{name}:"),
            name.to_owned(),
            text.to_uppercase(),
            format!("x{text}"),
        ] {
            assert!(bad.parse::<Deed>().is_err(), "{bad}");
            assert!(
                format!("1:0x{}:{bad}", "cd".repeat(20))
                    .parse::<DeedKey>()
                    .is_err()
            );
        }
    }
    // A number that has another text is not the one that was written.
    for bad in [
        "seal:1f",
        "seal:000000000000001F",
        "seal:00000000000000001f",
    ] {
        assert!(bad.parse::<Deed>().is_err(), "{bad}");
    }
}

/// Keys of a journal that the program wrote before deeds were a type.
#[test]
fn keys_of_older_journals_are_read() {
    for key in include_str!("older-keys.txt").lines() {
        let read: DeedKey = key.parse().unwrap();
        assert_eq!(read.to_string(), key);
    }
}
