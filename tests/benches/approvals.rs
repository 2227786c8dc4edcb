//! How many `approve_IRs` per second the development chain executes, without the wire.
//!
//! ```console
//! $ cargo bench --profile dev --bench approvals
//! ```
//!
//! The median of five rounds; each approval is of a request of its own, on an image of its own.
#![allow(clippy::unwrap_used, dead_code, unused_imports, unused_macros)]

#[path = "../it/chain.rs"]
mod chain;

use std::time::Instant;

use alloy_primitives::{Address, B256, Bytes, U256};
use alloy_sol_types::SolCall;
use chain::{Chain, IPcac};
use ethers::{
    signers::{LocalWallet, Signer},
    types::{H160, TransactionRequest, transaction::eip2718::TypedTransaction},
};
use stylus_devnet::Handle;

const ROUNDS: usize = 5;
/// Approvals of one round.
const COUNT: usize = 200;

/// An account that signs, and its next nonce.
struct Sender {
    wallet: LocalWallet,
    nonce: u64,
}
impl Sender {
    fn new(devnet: &Handle, address: Address, nonce: u64) -> Self {
        let mut accounts = devnet.accounts().iter();
        let account = accounts.find(|account| account.address == address).unwrap();
        let wallet = LocalWallet::from_bytes(account.private_key.as_slice()).unwrap();
        Self {
            wallet: wallet.with_chain_id(devnet.chain_id()),
            nonce,
        }
    }

    fn sign(&mut self, contract: Address, call: &impl SolCall) -> Bytes {
        let tx: TypedTransaction = TransactionRequest::new()
            .to(H160(contract.into()))
            .data(call.abi_encode())
            .gas(1_000_000)
            .gas_price(100_000_000)
            .nonce(self.nonce)
            .chain_id(self.wallet.chain_id())
            .into();
        self.nonce += 1;
        let signature = self.wallet.sign_transaction_sync(&tx).unwrap();
        tx.rlp_signed(&signature).0.into()
    }
}

fn image(number: usize) -> B256 {
    B256::from(U256::from(0x1000 + number))
}

fn main() {
    // `cargo test --benches` only wants to know that it builds.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let chain = runtime.block_on(Chain::start());
    let (patient, doctor) = (chain.patient.address, chain.doctor.address);
    let mut patients = Sender::new(&chain.devnet, patient, 0);
    let mut doctors = Sender::new(&chain.devnet, doctor, 0);
    let mut rates: Vec<_> = (0..ROUNDS)
        .map(|round| {
            let mut approvals = Vec::new();
            for number in round * COUNT..(round + 1) * COUNT {
                let registration = chain.registration(image(number));
                let request = IPcac::requesting_accessCall {
                    image: image(number),
                    ..chain.request()
                };
                let approval = IPcac::approve_IRsCall {
                    image: image(number),
                    ..chain.approval(0)
                };
                for raw in [
                    patients.sign(chain.contract, &registration),
                    doctors.sign(chain.contract, &request),
                ] {
                    chain.devnet.send_raw(raw).unwrap();
                }
                approvals.push(approval);
            }
            // Signed behind all registrations, as their nonces are.
            let approvals: Vec<_> = approvals
                .iter()
                .map(|approval| patients.sign(chain.contract, approval))
                .collect();
            let started = Instant::now();
            for raw in approvals {
                chain.devnet.send_raw(raw).unwrap();
            }
            COUNT as f64 / started.elapsed().as_secs_f64()
        })
        .collect();
    rates.sort_by(f64::total_cmp);
    println!(
        "approve_IRs in-process: {:.0} /s (median of {ROUNDS} rounds of {COUNT}: {:.0?})",
        rates[ROUNDS / 2],
        rates
    );

    // Every one of them counted.
    for number in 0..ROUNDS * COUNT {
        let view = IPcac::is_authorizedCall {
            patient,
            requester: doctor,
            image: image(number),
        };
        let output = chain
            .devnet
            .call(patient, chain.contract, view.abi_encode().into())
            .unwrap();
        assert!(IPcac::is_authorizedCall::abi_decode_returns_validate(&output).unwrap());
    }
    runtime.block_on(chain.devnet.shutdown());
}
