//! The most that a call can cost: the figures of `docs/measurements/gas.md`, each met by the dearest call that there is.

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256, Bytes, U256, hex};
use alloy_sol_types::SolCall;
use serde_json::json;

use super::chain::{
    Actor, Chain, IMAGE, IPcac, IPcac::IPcacCalls as Function, KEY, SHARED, digest, notes_digest,
    wasm,
};
use super::model::{GuardianSet, HOUR};

/// Gas that each function takes at most, the program not cached and before refunds, beyond 21,000 for the
/// transaction, its calldata, and [`COPYING`].
const WORST: [(&str, u64); 36] = [
    ("create_contract", 112_500),
    ("requesting_access", 48_000),
    ("approve_IRs", 66_000),
    ("deny_IRs", 38_500),
    ("remove_IRs", 42_000),
    ("trace_authorization", 31_000),
    ("reshare_IRs", 39_000),
    ("reseal_image", 32_000),
    ("set_approval_limit", 52_000),
    ("withdraw_image", 34_000),
    ("restore_image", 34_000),
    ("retract_image", 51_000),
    ("import_image", 57_000),
    ("set_guardians", 70_500),
    ("move_account", 53_500),
    ("set_emergency", 55_500),
    ("start_recovery", 139_000),
    ("cancel_change", 34_500),
    ("finish_change", 56_500),
    ("set_delegate", 51_500),
    ("break_glass", 33_000),
    ("accredit_radiologist", 47_000),
    ("transfer_consortium", 45_000),
    ("accept_consortium", 30_500),
    ("void_nonces", 41_000),
    ("is_authorized", 28_000),
    ("image_record", 26_000),
    ("grant", 25_500),
    ("account", 30_000),
    ("delegate", 25_500),
    ("emergency", 25_500),
    ("consortium", 25_500),
    ("predecessor", 23_500),
    ("is_accredited", 23_500),
    ("accreditation", 23_500),
    ("nonces", 23_500),
];

/// What a call takes that ends before it has read anything, or is none of those.
const NOTHING: u64 = 22_500;

/// What a relay takes beyond the call that is relayed.
const RELAY: u64 = 30_000;

/// What the first call of an account takes in a contract with a predecessor of version 2, beyond what it takes later.
const SETTLING: u64 = 57_000;

/// Gas for a byte of calldata, beyond what the transaction pays for it: it is read, hashed, and logged as text.
const COPYING: u64 = 1;

/// Gas of a transaction before the contract runs.
fn intrinsic(data: &[u8]) -> u64 {
    let zeros = data.iter().filter(|byte| **byte == 0).count() as u64;
    21_000 + 4 * zeros + 16 * (data.len() as u64 - zeros)
}

fn of(selector: [u8; 4]) -> u64 {
    let name = Function::name_by_selector(selector);
    let row = WORST.iter().find(|(row, _)| Some(*row) == name);
    row.map_or(NOTHING, |(_, gas)| *gas)
}

/// The gas with which a call never runs out of it, whatever is in its calldata. (A contract account's own work aside, and a
/// predecessor's.)
pub(super) fn worst(data: &[u8]) -> u64 {
    let selector = data.first_chunk().copied().unwrap_or_default();
    // A recovery carries signatures of its own: it is not relayed.
    let relayed = WORST.iter().filter(|(name, _)| *name != "start_recovery");
    let own = match selector {
        IPcac::relayCall::SELECTOR => {
            RELAY + relayed.map(|(_, gas)| *gas).max().unwrap_or_default()
        }
        // Elements may lie over each other: there are as many calls as the array says, if their offsets fit.
        IPcac::multicallCall::SELECTOR => {
            let dearest = WORST.iter().map(|(_, gas)| *gas).max().unwrap_or_default();
            NOTHING + elements(&data[4..]) * dearest
        }
        selector => of(selector),
    };
    intrinsic(data) + own + COPYING * data.len() as u64
}

/// How many elements the array has that the first argument is, if it has them.
fn elements(args: &[u8]) -> u64 {
    let size = |at: usize| {
        let word = args.get(at..)?.first_chunk::<32>()?;
        let (high, low) = word.split_at(24);
        let size = u64::from_be_bytes(low.try_into().ok()?);
        (high == [0; 24]).then_some(size)
    };
    let count = size(0).and_then(|at| size(usize::try_from(at).ok()?));
    count.unwrap_or_default().min(args.len() as u64 / 32)
}

/// An account that takes everything for its signature (ERC-1271), as cheaply as can be.
async fn credulous(chain: &Chain) -> Address {
    let init = "6f631626ba7e60e01b60005260206000f360005260106010f3";
    let init = hex::decode(init).unwrap();
    let receipt = chain.create(&chain.stranger, init).await;
    Address::from(receipt.contract_address.unwrap().0)
}

/// A signature that ecrecover tries in vain, and the longest, which it does not try.
fn signatures() -> [Bytes; 2] {
    let recoverable = [&[1; 64][..], &[27]].concat();
    [recoverable.into(), vec![0; 8_192].into()]
}

/// A chain, and the dearest call of each function so far.
struct Scene {
    chain: Chain,
    dearest: BTreeMap<&'static str, u64>,
    /// What the next call may take beside its worst case.
    beside: u64,
}

impl Scene {
    /// Finds by trying how much gas a call needs, and mines it: the gas beyond the transaction's own, calldata and copying.
    async fn spend(&mut self, who: &Actor, call: impl SolCall) -> u64 {
        let data = call.abi_encode();
        let most = worst(&data) + self.beside;
        let selector = data.first_chunk().copied().unwrap();
        let name = Function::name_by_selector(selector).unwrap();
        let enough = async |gas: u64| {
            let tx = json!({
                "from": who.address.to_string(),
                "to": self.chain.contract.to_string(),
                "data": hex::encode_prefixed(&data),
                "gas": format!("{gas:#x}"),
            });
            let call = (tx, "latest");
            let answer: Result<String, _> = self.chain.provider.request("eth_call", call).await;
            answer.is_ok()
        };
        assert!(enough(most).await, "{name} needs more than {most}");
        let (mut less, mut needed) = (0, most);
        while less + 1 < needed {
            let gas = (less + needed) / 2;
            if enough(gas).await {
                needed = gas;
            } else {
                less = gas;
            }
        }
        let own = needed.saturating_sub(intrinsic(&data) + COPYING * data.len() as u64);
        println!("{name:<24} {needed:>8} of {most:>8}, its own {own:>6}");
        let receipt = self.chain.send_raw(who, data).await;
        assert_eq!(receipt.status.unwrap().as_u64(), 1, "{name}");
        let dearest = self.dearest.entry(name).or_insert(own);
        *dearest = own.max(*dearest);
        own
    }

    async fn round(&self) -> u32 {
        let patient = self.chain.patient.address;
        let view = IPcac::accountCall { patient };
        let account = self.chain.call(&self.chain.stranger, &view).await;
        account.unwrap().round
    }

    /// Lets time pass until any change is ripe.
    async fn ripen(&self) {
        self.chain.later(72 * HOUR).await;
    }

    /// The dearest calls of an account, which `keys[1]` acts for after them, with `keys[2]` for its delegate and `keys[3]` for
    /// its desk.
    async fn account(&mut self, keys: &[Actor; 4]) {
        let chain = self.chain.actor(3);
        let patient = chain.address;
        let [successor, acting, delegate, desk] = keys;
        let mut guardians = vec![];
        for _ in 0..15 {
            guardians.push(credulous(&self.chain).await);
        }
        guardians.sort();
        let set = GuardianSet {
            guardians,
            threshold: 15,
            salt: KEY,
        };
        let appoint = |round| IPcac::set_guardiansCall {
            patient,
            round,
            commitment: set.commitment(),
            delayHours: 72,
        };
        let open = |round| IPcac::set_emergencyCall {
            patient,
            round,
            desk: desk.address,
            maxHours: 72,
        };
        let moving = |round| IPcac::move_accountCall {
            patient,
            round,
            successor: successor.address,
        };
        let entrust = |round| IPcac::set_delegateCall {
            patient,
            round,
            delegate: delegate.address,
            until: (1 << 40) - 1,
        };
        let finish = IPcac::finish_changeCall { patient };
        let owner = &chain;
        self.spend(owner, appoint(0)).await;
        self.spend(owner, open(1)).await;
        self.ripen().await;
        self.spend(acting, finish.clone()).await;
        let round = self.round().await;
        self.spend(owner, entrust(round)).await;
        self.spend(owner, moving(round + 1)).await;
        self.spend(owner, IPcac::cancel_changeCall { patient })
            .await;
        self.spend(owner, appoint(round + 3)).await;
        self.ripen().await;
        self.spend(acting, finish.clone()).await;
        let round = self.round().await;
        self.spend(owner, moving(round)).await;
        self.ripen().await;
        self.spend(successor, finish.clone()).await;
        // A desk that ends while another one is pending: two slots are cleared.
        let round = self.round().await;
        let other = IPcac::set_emergencyCall {
            desk: owner.address,
            ..open(round)
        };
        self.spend(successor, other).await;
        let off = IPcac::set_emergencyCall {
            desk: Address::ZERO,
            maxHours: 0,
            ..open(0)
        };
        self.spend(successor, off).await;
        for signature in signatures() {
            let recovery = IPcac::start_recoveryCall {
                patient,
                successor: acting.address,
                lock: true,
                guardians: set.guardians.clone(),
                threshold: set.threshold,
                salt: set.salt,
                deadline: self.chain.now().await + HOUR,
                signatures: vec![signature; 15],
            };
            self.spend(acting, recovery).await;
        }
        self.ripen().await;
        self.spend(acting, finish.clone()).await;
        let round = self.round().await;
        self.spend(acting, open(round)).await;
        self.ripen().await;
        self.spend(acting, finish).await;
        let round = self.round().await;
        self.spend(acting, entrust(round)).await;
    }

    async fn requested_at(&self) -> IPcac::grantReturn {
        let requester = self.chain.doctor.address;
        let view = IPcac::grantCall {
            image: IMAGE,
            requester,
        };
        let grant = self.chain.call(&self.chain.stranger, &view).await;
        grant.unwrap()
    }

    /// The dearest calls of an image, of which another than the patient's own address decides, a delegate where he may.
    async fn image(&mut self, keys: &[Actor; 4], radiologist: Address) {
        let [_, acting, delegate, desk] = keys;
        let (doctor, image) = (self.chain.doctor.clone(), IMAGE);
        let text = "x".repeat(256);
        for (signature, image) in signatures().into_iter().zip([IMAGE, KEY]) {
            let register = IPcac::create_contractCall {
                radiologist,
                attestation: signature,
                description: text.clone(),
                ..self.chain.registration(image)
            };
            self.spend(acting, register).await;
        }
        let limit = |round, approvals| IPcac::set_approval_limitCall {
            image,
            approvals,
            windowSeconds: u32::MAX,
            round,
        };
        self.spend(acting, limit(0, (1 << 24) - 1)).await;
        let request = IPcac::requesting_accessCall {
            notes: text.clone(),
            ..self.chain.request()
        };
        let trace = self.chain.trace();
        self.spend(&doctor, trace.clone()).await;
        let until = (1 << 40) - 1;
        let delegated = IPcac::set_delegateCall {
            patient: self.chain.patient.address,
            round: self.round().await,
            delegate: delegate.address,
            until,
        };
        self.spend(acting, delegated).await;
        for ends in [until, self.chain.now().await + 1_000] {
            self.chain.later(10).await;
            self.spend(&doctor, request.clone()).await;
            let asked = self.requested_at().await.requestedAt;
            let approval = IPcac::approve_IRsCall {
                notes: text.clone(),
                notesDigest: notes_digest(&text),
                ..self.chain.approval(asked, ends)
            };
            self.spend(delegate, approval).await;
            self.spend(&doctor, trace.clone()).await;
            self.chain.later(10).await;
            let reshare = IPcac::reshare_IRsCall {
                requester: doctor.address,
                image,
                decidedAt: self.requested_at().await.decidedAt,
                sharedImage: KEY,
                expiresAt: ends,
            };
            self.spend(delegate, reshare).await;
            let removal = self.chain.removal();
            self.spend(delegate, removal).await;
        }
        self.spend(&doctor, trace.clone()).await;
        self.spend(acting, trace).await;
        self.chain.later(10).await;
        self.spend(&doctor, request.clone()).await;
        let denial = IPcac::deny_IRsCall {
            reason: text.clone(),
            ..self.chain.denial()
        };
        self.spend(delegate, denial).await;
        self.chain.later(10).await;
        self.spend(&doctor, request).await;
        let asked = self.requested_at().await.requestedAt;
        let glass = IPcac::break_glassCall {
            requester: doctor.address,
            image,
            publicKey: KEY,
            requestedAt: asked,
            until: asked + HOUR,
            reasonCode: KEY,
        };
        self.spend(desk, glass).await;
        let reseal = IPcac::reseal_imageCall {
            image,
            root: SHARED,
            emergency: KEY,
            round: 1,
        };
        self.spend(acting, reseal).await;
        self.spend(acting, limit(2, 1)).await;
        self.spend(acting, IPcac::withdraw_imageCall { image })
            .await;
        self.spend(acting, IPcac::restore_imageCall { image, round: 4 })
            .await;
        let own = digest(1);
        let register = self.chain.registration(own);
        self.spend(acting, register).await;
        let retract = IPcac::retract_imageCall {
            image: own,
            reason: u8::MAX,
        };
        let radiologist = self.chain.radiologist.clone();
        self.spend(&radiologist, retract).await;
    }

    async fn consortium(&mut self, radiologist: Address) {
        let (consortium, patient) = (self.chain.consortium.clone(), self.chain.patient.clone());
        for status in [1, 2, 3] {
            let accredit = IPcac::accredit_radiologistCall {
                radiologist,
                status,
                since: if status == 1 { 0 } else { (1 << 40) - 1 },
            };
            self.spend(&consortium, accredit).await;
        }
        let to = patient.address;
        self.spend(&consortium, IPcac::transfer_consortiumCall { to })
            .await;
        self.spend(&patient, IPcac::accept_consortiumCall {}).await;
    }

    /// Each view, of what has been written.
    async fn views(&mut self, keys: &[Actor; 4], radiologist: Address) {
        let (patient, requester) = (self.chain.patient.address, self.chain.doctor.address);
        let (who, image) = (&keys[0], IMAGE);
        let authorized = IPcac::is_authorizedCall {
            patient,
            requester,
            image,
        };
        self.spend(who, authorized).await;
        self.spend(who, IPcac::image_recordCall { image }).await;
        self.spend(who, IPcac::grantCall { image, requester }).await;
        self.spend(who, IPcac::accountCall { patient }).await;
        let delegate = keys[2].address;
        let of = IPcac::delegateCall {
            patient,
            who: delegate,
        };
        self.spend(who, of).await;
        self.spend(who, IPcac::emergencyCall { patient }).await;
        self.spend(who, IPcac::consortiumCall {}).await;
        self.spend(who, IPcac::predecessorCall {}).await;
        self.spend(who, IPcac::is_accreditedCall { radiologist })
            .await;
        self.spend(who, IPcac::accreditationCall { radiologist })
            .await;
        let nonces = IPcac::noncesCall {
            signer: patient,
            word: U256::ZERO,
        };
        self.spend(who, nonces).await;
    }
}

/// A successor, who acts then, a delegate and a desk.
fn keys(chain: &Chain) -> [Actor; 4] {
    [6, 7, 8, 9].map(|n| chain.actor(n))
}

#[tokio::test]
async fn each_functions_dearest_call_stays_below_its_worst_case() {
    let chain = Chain::start().await;
    let radiologist = credulous(&chain).await;
    let mut scene = Scene {
        dearest: BTreeMap::new(),
        beside: 0,
        chain,
    };
    let keys = keys(&scene.chain);
    let accredit = IPcac::accredit_radiologistCall {
        radiologist,
        status: 1,
        since: 0,
    };
    let consortium = scene.chain.consortium.clone();
    scene.spend(&consortium, accredit).await;
    scene.account(&keys).await;
    scene.image(&keys, radiologist).await;
    let word = U256::from(1) << 200;
    for mask in [U256::from(1), U256::MAX] {
        scene
            .spend(&keys[0], IPcac::void_noncesCall { word, mask })
            .await;
    }
    scene.views(&keys, radiologist).await;
    scene.consortium(radiologist).await;

    // After it comes a contract whose predecessor it is: the first call of an account settles it.
    scene.chain.contract = scene.chain.deploy(&wasm(), scene.chain.contract).await;
    scene.beside = SETTLING;
    let first = scene
        .spend(&keys[1], IPcac::import_imageCall { image: IMAGE })
        .await;
    scene.beside = 0;
    let next = scene
        .spend(&keys[1], IPcac::import_imageCall { image: KEY })
        .await;
    println!("settling takes {}", first - next);
    scene.dearest.insert("import_image", next);
    let dearest = scene.dearest.iter().map(|(name, own)| (*name, *own));
    for (name, own) in dearest.chain([("settling", first - next)]) {
        let row = WORST.iter().find(|(row, _)| *row == name);
        let most = row.map_or(SETTLING, |(_, gas)| *gas);
        assert!(
            own <= most && most - own < 3_000,
            "{name} takes {own}, not {most}"
        );
    }
    assert_eq!(scene.dearest.len(), WORST.len());
}

#[tokio::test]
async fn relays_and_batches_stay_below_their_worst_case() {
    let chain = Chain::start().await;
    let account = credulous(&chain).await;
    let mut scene = Scene {
        dearest: BTreeMap::new(),
        beside: 0,
        chain,
    };
    let accredit = IPcac::accredit_radiologistCall {
        radiologist: account,
        status: 1,
        since: 0,
    };
    let [consortium, patient, stranger] = [
        &scene.chain.consortium,
        &scene.chain.patient,
        &scene.chain.stranger,
    ]
    .map(Actor::clone);
    scene.spend(&consortium, accredit).await;
    let text = "x".repeat(256);
    let [recoverable, longest] = signatures();
    for (n, signature) in [recoverable, longest.clone()].into_iter().enumerate() {
        let register = IPcac::create_contractCall {
            patient: account,
            radiologist: account,
            attestation: longest.clone(),
            description: text.clone(),
            ..scene.chain.registration(digest(n as u64))
        };
        let relay = IPcac::relayCall {
            signer: account,
            nonce: U256::from(n) << 8,
            deadline: u64::MAX,
            call: register.abi_encode().into(),
            signature,
        };
        scene.spend(&stranger, relay).await;
    }
    // As many registrations as can be, in one.
    let registrations = (1..=20).map(|n| {
        let call = IPcac::create_contractCall {
            radiologist: account,
            attestation: vec![1; 2_048].into(),
            description: text.clone(),
            ..scene.chain.registration(digest(100 + n))
        };
        Bytes::from(call.abi_encode())
    });
    let batch = IPcac::multicallCall {
        calls: registrations.collect(),
    };
    scene.spend(&patient, batch).await;
    let made = IPcac::image_recordCall { image: digest(120) };
    let record = scene.chain.call(&stranger, &made).await.unwrap();
    assert_ne!(record.tag, 0);
    assert_ne!(B256::from(record.patient.into_word()), B256::ZERO);
}

/// The page's table is this file's.
#[test]
fn the_worst_cases_are_those_of_the_page() {
    let page = include_str!("../../docs/measurements/gas.md");
    let (_, page) = page.split_once("## At most, at version 2").unwrap();
    let (page, _) = page.split_once("\n## ").unwrap();
    let grouped = |gas: u64| format!("{},{:03}", gas / 1_000, gas % 1_000);
    for (name, gas) in WORST
        .into_iter()
        .chain([("relay", RELAY), ("settling", SETTLING)])
    {
        let row = format!("| `{name}` | {} |", grouped(gas));
        assert!(page.contains(&row), "no row {row}");
    }
}
