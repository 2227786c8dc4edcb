//! Makes history: many events of all kinds, through the real contract, without the wire; and other histories in its place.

use alloy_primitives::{B256, Bytes, U256};
use alloy_sol_types::SolCall;
use ethers::signers::{LocalWallet, Signer};
use ethers::types::transaction::eip2718::TypedTransaction;
use ethers::types::{H160, TransactionRequest};
use pcim_core::{Address, ImageDigest};
use pcim_ledger::{Deployment, Ledger};

use super::chain::{Actor, Chain, IPcac};

/// A requestor's requests end in each of these ways.
const REQUESTORS: usize = 4;

/// An account that signs, and its next nonce.
#[derive(Clone)]
struct Pen {
    wallet: LocalWallet,
    address: Address,
    nonce: u64,
}

/// A chain whose history is written.
pub(crate) struct Historian {
    pub(crate) chain: Chain,
    pens: Vec<Pen>,
    /// What was written last; never the same twice.
    written: u64,
}

/// A moment to return to.
pub(crate) struct Moment {
    id: String,
    pens: Vec<Pen>,
}

const CONSORTIUM: usize = 0;
const PATIENT: usize = 1;
const DOCTOR: usize = 2;

impl Historian {
    pub(crate) async fn start() -> Self {
        let chain = Chain::start().await;
        let mut actors = vec![chain.consortium.clone(), chain.patient.clone()];
        actors.extend((0..REQUESTORS).map(|n| chain.actor(4 + n)));
        let pen = |actor: &Actor| Pen {
            wallet: actor.wallet.clone().with_chain_id(chain.devnet.chain_id()),
            address: actor.address,
            nonce: 0,
        };
        let mut pens: Vec<Pen> = actors.iter().map(pen).collect();
        // It accredited the radiologist.
        pens[CONSORTIUM].nonce = 1;
        Self {
            chain,
            pens,
            written: 0,
        }
    }

    pub(crate) fn deployment(&self) -> Deployment {
        Deployment {
            rpc_url: self.chain.devnet.url(),
            chain_id: self.chain.devnet.chain_id(),
            contract: self.chain.contract,
        }
    }

    pub(crate) async fn ledger(&self) -> Ledger {
        Ledger::connect(self.deployment()).await.unwrap()
    }

    pub(crate) fn patient(&self) -> Address {
        self.pens[PATIENT].address
    }

    pub(crate) fn requestor(&self, number: usize) -> Address {
        self.pens[DOCTOR + number % REQUESTORS].address
    }

    /// The image of this number.
    pub(crate) fn image(number: u64) -> ImageDigest {
        ImageDigest(B256::from(U256::from(0x1000 + number)).0)
    }

    /// One more event, in a block of its own.
    pub(crate) fn event(&mut self) {
        self.written += 1;
        self.event_of(self.written);
    }

    /// The event of this number: in the place that it had before, it is the same transaction.
    pub(crate) fn event_of(&mut self, number: u64) {
        let call = IPcac::accredit_radiologistCall {
            radiologist: Address::from_word(B256::from(U256::from(0xacc0_0000 + number))),
            accredited: true,
        };
        self.send(CONSORTIUM, &call);
    }

    /// The history of one more image: 7 events in 5 blocks. Requests end removed, denied, approved or open, by turns.
    pub(crate) fn image_history(&mut self) -> usize {
        self.written += 1;
        let number = self.written;
        let image = B256::from(Self::image(number).0);
        let registration = IPcac::create_contractCall {
            description: ["CT CHEST", "MR BRAIN", "US ABDOMEN", "DX HAND"][number as usize % 4]
                .into(),
            ..self.chain.registration(image)
        };
        let doctor = DOCTOR + number as usize % REQUESTORS;
        let requestor = self.pens[doctor].address;
        let notes = ["TREAT", "HRESCH", "HPAYMT"][number as usize % 3].into();
        let request = IPcac::requesting_accessCall {
            image,
            notes,
            ..self.chain.request()
        };
        let approval = IPcac::approve_IRsCall {
            requester: requestor,
            image,
            ..self.chain.approval(0)
        };
        let trace = IPcac::trace_authorizationCall {
            requester: requestor,
            image,
            ..self.chain.trace()
        };
        let removal = IPcac::remove_IRsCall {
            requester: requestor,
            image,
        };
        let denial = IPcac::deny_IRsCall {
            requester: requestor,
            image,
            ..self.chain.denial()
        };
        self.send(PATIENT, &registration);
        self.send(doctor, &request);
        match number % 4 {
            0 => {
                self.send(PATIENT, &denial);
                self.send(doctor, &trace);
                self.send(doctor, &request);
                6
            }
            1 => {
                self.send(PATIENT, &approval);
                self.send(doctor, &trace);
                self.send(doctor, &trace);
                6
            }
            _ => {
                self.send(PATIENT, &approval);
                self.send(doctor, &trace);
                self.send(PATIENT, &removal);
                7
            }
        }
    }

    /// Blocks without events.
    pub(crate) async fn mine(&self, blocks: u64) {
        let blocks = format!("{blocks:#x}");
        let _: serde_json::Value = self.ask("anvil_mine", [blocks]).await;
    }

    /// Remembers the present, to return to it.
    pub(crate) async fn moment(&self) -> Moment {
        Moment {
            id: self.ask("evm_snapshot", [(); 0]).await,
            pens: self.pens.clone(),
        }
    }

    /// Takes back what happened since.
    pub(crate) async fn back_to(&mut self, moment: Moment) {
        let done: bool = self.ask("evm_revert", [moment.id]).await;
        assert!(done, "no such moment");
        self.pens = moment.pens;
    }

    async fn ask<P, R>(&self, method: &str, params: P) -> R
    where
        P: std::fmt::Debug + serde::Serialize + Send + Sync,
        R: std::fmt::Debug + serde::Serialize + serde::de::DeserializeOwned + Send,
    {
        self.chain.provider.request(method, params).await.unwrap()
    }

    fn send(&mut self, pen: usize, call: &impl SolCall) {
        let pen = &mut self.pens[pen];
        let tx: TypedTransaction = TransactionRequest::new()
            .to(H160(self.chain.contract.into()))
            .data(call.abi_encode())
            .gas(1_000_000)
            .gas_price(100_000_000)
            .nonce(pen.nonce)
            .chain_id(pen.wallet.chain_id())
            .into();
        pen.nonce += 1;
        let signature = pen.wallet.sign_transaction_sync(&tx).unwrap();
        let raw: Bytes = tx.rlp_signed(&signature).0.into();
        self.chain.devnet.send_raw(raw).unwrap();
    }
}
