//! The rows about images and requests are what the entries come to, whatever is added and taken back.

#![allow(clippy::unwrap_used)]

use alloy_primitives::{B256, LogData};
use alloy_sol_types::SolEvent;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::audit::entry::Entry;
use crate::audit::index::Index;
use crate::audit::query::{ImageQuery, Query, Standing};
use crate::audit::state::State;
use crate::audit::store::{self, Known};
use pcim_core::Address;
use pcim_ledger::ChainLog;

use abi::IPcac as sol;

#[allow(missing_docs, unreachable_pub, clippy::too_many_arguments)]
mod abi {
    alloy_sol_types::sol!(
        #![sol(all_derives)]
        "../contract/abi/IPcac.sol"
    );
}

const ROUNDS: usize = 200;
const PATIENT: Address = Address::repeat_byte(0xa1);
const LAST_BLOCK: u64 = 200;

/// A transaction's logs: anything that the contract might say, in any order, about few images and requestors.
fn logs(dice: &mut StdRng) -> Vec<LogData> {
    let image = B256::repeat_byte(dice.random_range(1..=4));
    let requestor = Address::repeat_byte(dice.random_range(0xb1..=0xb3));
    let root = B256::from(dice.random::<[u8; 32]>());
    let expires_at = [0, 20, 40, u64::MAX][dice.random_range(0..4)];
    let info = || ["TREAT", "", "nul \0 and \u{202e}"][image[0] as usize % 3].to_owned();
    let patient = PATIENT;
    match dice.random_range(0..14) {
        0 => vec![
            sol::ContractCreated {
                patient,
                image,
                radiologist: Address::repeat_byte(0xd3),
                seal: root,
                attestation: vec![7; 65].into(),
                replaces: 0,
                info: info(),
            }
            .encode_log_data(),
        ],
        1 | 2 => vec![
            sol::RequestedForApproval {
                requester: requestor,
                patient,
                image,
                publicKey: root,
                info: info(),
            }
            .encode_log_data(),
        ],
        3 | 4 => vec![
            sol::Requestaccepted {
                patient,
                image,
                info: info(),
            }
            .encode_log_data(),
            sol::Approved {
                requester: requestor,
                image,
                publicKey: root,
                sharedImage: root,
                expiresAt: expires_at,
                info: info(),
            }
            .encode_log_data(),
        ],
        5 => vec![
            sol::Requestdenied {
                patient,
                image,
                info: info(),
            }
            .encode_log_data(),
            sol::Reason {
                requester: requestor,
                image,
                info: info(),
            }
            .encode_log_data(),
        ],
        6 => vec![
            sol::UserRemoved {
                requester: requestor,
                patient,
                image,
                info: info(),
            }
            .encode_log_data(),
        ],
        7 => vec![
            sol::Reshared {
                requester: requestor,
                image,
                sharedImage: root,
                expiresAt: expires_at,
            }
            .encode_log_data(),
        ],
        8 => vec![
            sol::AuthorizationSuccess {
                requester: requestor,
                image,
                info: info(),
                patient,
            }
            .encode_log_data(),
            sol::AuthorizationFailed {
                requester: requestor,
                image,
                info: info(),
                patient,
            }
            .encode_log_data(),
        ],
        9 => vec![
            sol::ImageResealed {
                image,
                root,
                emergency: B256::ZERO,
                round: 3,
            }
            .encode_log_data(),
            sol::ApprovalLimitSet {
                image,
                approvals: 2,
                windowSeconds: 3600,
                round: 4,
            }
            .encode_log_data(),
        ],
        10 => vec![
            sol::EmergencyOpened {
                requester: requestor,
                patient,
                image,
                publicKey: root,
                until: [20, 40, u64::MAX][dice.random_range(0..3)],
                reasonCode: root,
            }
            .encode_log_data(),
            sol::Acted {
                patient,
                by: requestor,
            }
            .encode_log_data(),
        ],
        11 => vec![
            sol::ImageFlagged {
                image,
                by: patient,
                flags: dice.random_range(0..4),
                reason: 0,
                round: dice.random_range(0..9),
            }
            .encode_log_data(),
        ],
        12 => vec![
            sol::ImageImported {
                patient,
                image,
                registeredAt: 5,
                flags: 1,
                tag: 0,
            }
            .encode_log_data(),
            sol::AccountMoved {
                patient,
                from: patient,
                to: requestor,
            }
            .encode_log_data(),
        ],
        _ => vec![LogData::new_unchecked(vec![root], vec![1, 2].into())],
    }
}

/// A range of blocks with logs; the time is the block's number.
fn add(index: &Index, dice: &mut StdRng, first: u64, blocks: u64) {
    let mut found = Vec::new();
    let mut known = Vec::new();
    for number in first..first + blocks {
        let hash = B256::from(dice.random::<[u8; 32]>());
        let mut log_index = 0;
        for _ in 0..dice.random_range(0..3) {
            let tx = B256::from(dice.random::<[u8; 32]>());
            for log in logs(dice) {
                found.push(ChainLog {
                    block: number,
                    block_hash: hash,
                    timestamp: Some(number),
                    tx,
                    log_index,
                    topics: log.topics().to_vec(),
                    data: log.data,
                });
                log_index += 1;
            }
        }
        let time = number;
        known.push((Known { number, hash, time }, log_index == 0));
    }
    index.write(|tx| store::add(tx, &found, &known)).unwrap();
}

#[test]
fn rows_are_what_the_entries_come_to() {
    let dir = tempfile::tempdir().unwrap();
    let contract = Address::repeat_byte(0xc0);
    let index = Index::open(&dir.path().join("audit.sqlite"), 1, contract).unwrap();
    let mut dice = StdRng::seed_from_u64(0xa0d1);
    let mut next = 0;
    let mut seen = [0; Standing::ALL.len()];
    for round in 0..ROUNDS {
        if next > LAST_BLOCK || dice.random_range(0..3) == 0 {
            let deepest = match next > LAST_BLOCK {
                true => next,
                false => next.min(12),
            };
            let above = next - dice.random_range(0..=deepest);
            index
                .write(|tx| store::retract(tx, above as i64 - 1))
                .unwrap();
            next = above;
        } else {
            let blocks = dice.random_range(1..=8);
            add(&index, &mut dice, next, blocks);
            next += blocks;
        }
        let entries = index.entries(&Query::default()).unwrap();
        let state = State::replay(&entries);
        let images = index.images(&ImageQuery::default()).unwrap();
        assert_eq!(images, state.images, "round {round}");

        let now = dice.random_range(0..=next + 1);
        for (standing, seen) in Standing::ALL.into_iter().zip(&mut seen) {
            let query = Query {
                standing: Some(standing),
                now: Some(now),
                ..Query::default()
            };
            let stands = |entry: &&Entry| {
                let about = entry.about;
                let pair = about.image.zip(about.requestor);
                let grant = pair.and_then(|(image, requestor)| {
                    state.images.get(&image)?.grants.get(&requestor)
                });
                grant.is_some_and(|grant| grant.standing(now) == standing)
            };
            let wanted: Vec<Entry> = entries.iter().filter(stands).cloned().collect();
            assert_eq!(index.entries(&query).unwrap(), wanted, "round {round}");
            let limit = Some(3);
            let latest = index.entries(&Query { limit, ..query }).unwrap();
            assert_eq!(latest, wanted[wanted.len().saturating_sub(3)..]);
            *seen += wanted.len();
        }
    }
    assert!(seen.iter().all(|seen| *seen > 100), "{seen:?}");
}
