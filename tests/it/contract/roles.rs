//! Every state-changing function by every role, as a table.

use std::fmt::Write as _;

use alloy_primitives::keccak256;
use alloy_sol_types::SolCall;

use crate::chain::{Actor, Chain, IMAGE, IPcac, KEY, Refusal, Revert, digest};

/// What a role may expect of a function.
#[derive(Debug, PartialEq, Eq)]
enum Cell {
    Allowed,
    NotPatient,
    NotRequesterOrPatient,
    NotConsortium,
    OwnImage,
    Other(String),
}
use Cell::{Allowed, NotConsortium, NotPatient, NotRequesterOrPatient, OwnImage};

/// Calls a function on a chain where the doctor's request is open (or approved) and reports the outcome.
async fn cell(chain: &Chain, who: &Actor, data: Vec<u8>) -> Cell {
    match chain.call_raw(who, data).await {
        Ok(_) => Allowed,
        Err(Revert::Typed(Refusal::PcacNotPatient(e))) if e.caller == who.address => NotPatient,
        Err(Revert::Typed(Refusal::PcacNotRequesterOrPatient(e))) if e.caller == who.address => {
            NotRequesterOrPatient
        }
        Err(Revert::Typed(Refusal::PcacNotConsortium(e))) if e.caller == who.address => {
            NotConsortium
        }
        Err(Revert::Typed(Refusal::PcacOwnImage(_))) => OwnImage,
        Err(other) => Cell::Other(format!("{other:?}")),
    }
}

#[tokio::test]
async fn role_by_function() {
    let requested = Chain::with_request().await;
    let approved = Chain::with_approval().await;
    // The same keys and the same first transactions: one table serves both chains.
    assert_eq!(requested.contract, approved.contract);
    let c = &requested;
    let doctor = c.doctor.address;
    let functions: Vec<(&str, &Chain, Vec<u8>, [Cell; 5])> = vec![
        //                                              consortium, radiologist, patient, requestor, stranger
        (
            "create_contract",
            c,
            c.registration(digest(1)).abi_encode(),
            [NotPatient, NotPatient, Allowed, NotPatient, NotPatient],
        ),
        (
            "requesting_access",
            c,
            IPcac::requesting_accessCall {
                publicKey: KEY,
                ..c.request()
            }
            .abi_encode(),
            [Allowed, Allowed, OwnImage, Allowed, Allowed],
        ),
        (
            "approve_IRs",
            c,
            c.approval(0).abi_encode(),
            [NotPatient, NotPatient, Allowed, NotPatient, NotPatient],
        ),
        (
            "deny_IRs",
            c,
            c.denial().abi_encode(),
            [NotPatient, NotPatient, Allowed, NotPatient, NotPatient],
        ),
        (
            "trace_authorization",
            c,
            c.trace().abi_encode(),
            [
                NotRequesterOrPatient,
                NotRequesterOrPatient,
                Allowed,
                Allowed,
                NotRequesterOrPatient,
            ],
        ),
        (
            "remove_IRs",
            c,
            c.removal().abi_encode(),
            [NotPatient, NotPatient, Allowed, NotPatient, NotPatient],
        ),
        (
            "reshare_IRs",
            &approved,
            IPcac::reshare_IRsCall {
                requester: doctor,
                image: IMAGE,
                sharedImage: digest(2),
                expiresAt: 0,
            }
            .abi_encode(),
            [NotPatient, NotPatient, Allowed, NotPatient, NotPatient],
        ),
        (
            "reseal_image",
            c,
            IPcac::reseal_imageCall {
                image: IMAGE,
                root: digest(3),
            }
            .abi_encode(),
            [NotPatient, NotPatient, Allowed, NotPatient, NotPatient],
        ),
        (
            "set_approval_limit",
            c,
            IPcac::set_approval_limitCall {
                image: IMAGE,
                approvals: 5,
                windowSeconds: 60,
            }
            .abi_encode(),
            [NotPatient, NotPatient, Allowed, NotPatient, NotPatient],
        ),
        (
            "accredit_radiologist",
            c,
            IPcac::accredit_radiologistCall {
                radiologist: doctor,
                accredited: true,
            }
            .abi_encode(),
            [
                Allowed,
                NotConsortium,
                NotConsortium,
                NotConsortium,
                NotConsortium,
            ],
        ),
        (
            "transfer_consortium",
            c,
            IPcac::transfer_consortiumCall { to: doctor }.abi_encode(),
            [
                Allowed,
                NotConsortium,
                NotConsortium,
                NotConsortium,
                NotConsortium,
            ],
        ),
    ];
    let mut table = format!(
        "{:22}{:24}{:24}{:24}{:24}{:24}\n",
        "", "consortium", "radiologist", "patient", "requestor", "stranger"
    );
    let mut wrong = Vec::new();
    for (function, chain, data, wanted) in &functions {
        let roles = [
            &chain.consortium,
            &chain.radiologist,
            &chain.patient,
            &chain.doctor,
            &chain.stranger,
        ];
        let mut row = format!("{function:22}");
        for (who, wanted) in roles.into_iter().zip(wanted) {
            let found = cell(chain, who, data.clone()).await;
            write!(row, "{:24}", format!("{found:?}")).unwrap();
            if found != *wanted {
                wrong.push(format!("{function}: wanted {wanted:?}, found {found:?}"));
            }
        }
        table.push_str(row.trim_end());
        table.push('\n');
    }
    println!("{table}");
    assert!(wrong.is_empty(), "{}\n{table}", wrong.join("\n"));
}

/// A selector that is none of the contract's, no calldata at all, and ether sent along: refused.
#[tokio::test]
async fn what_is_not_in_the_interface_is_refused() {
    let chain = Chain::with_image().await;
    for data in [vec![], vec![0x12], keccak256("destroy()")[..4].to_vec()] {
        let result = chain.call_raw(&chain.patient, data.clone()).await;
        assert!(
            matches!(&result, Err(Revert::Raw(bytes)) if bytes.is_empty()),
            "{data:?}: {result:?}"
        );
    }
    for data in [
        chain.request().abi_encode(),
        IPcac::consortiumCall {}.abi_encode(),
    ] {
        assert!(
            chain
                .call_with_value(&chain.doctor, data.clone(), 1)
                .await
                .is_err()
        );
        assert!(chain.call_with_value(&chain.doctor, data, 0).await.is_ok());
    }
}
