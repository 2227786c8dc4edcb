//! Checks, deploys, activates and constructs in one transaction through StylusDeployer, and records it.

mod abi;
mod chain;
mod error;
mod hint;
mod lifecycle;
mod program;
mod record;
#[cfg(test)]
mod tests;

use std::path::Path;

use alloy_primitives::{Address, B256, U256, address, keccak256};
use alloy_sol_types::SolCall;
use pcim_ledger::{Account, Chain, Error as L, Mined, SignedCall};
use sha2::{Digest, Sha256};

pub use self::error::Error;
pub use self::lifecycle::{Activation, Deployed, Status, Upkeep, cache_bid, keepalive, status};
pub use self::record::{Record, record_path};

use crate::artifact;

use self::abi::{ARB_WASM, IArbWasm, IStylusDeployer, Pcac};
use self::chain::{Payment, activation_fee, event, view};
use self::program::Program;
use self::record::{Pending, Records};

/// The factory that deploys, activates and constructs; at this address on every Arbitrum chain.
pub const STYLUS_DEPLOYER: Address = address!("cEcba2F1DC234f70Dd89F2041029807F8D03A990");

/// A real deployment of a program of this size took 9.9 million gas, the L1 part included. Only for saying
/// how much ether is missing when there is too little to have the chain estimate it.
const TYPICAL_GAS: u64 = 12_000_000;

/// The most wei that a transaction may cost beside its value, unless another limit is given: 0.005 ether.
pub const MAX_FEE: U256 = U256::from_limbs([5_000_000_000_000_000, 0, 0, 0]);

/// A contract to deploy, and the chain for it.
pub struct Request<'a> {
    /// `http://` or `https://`
    pub rpc_url: &'a str,
    /// refuse any other chain
    pub chain_id: u64,
    /// secp256k1 private key of the account that pays
    pub deployer_key: &'a [u8; 32],
    /// who will accredit radiologists; never zero
    pub consortium: Address,
    /// the contract that images are imported from, if there is one; version 1 takes none
    pub predecessor: Option<Address>,
    /// the module, uncompressed
    pub wasm: &'a [u8],
    /// the most wei that the transaction may cost beside the activation; see [`MAX_FEE`]
    pub max_fee: U256,
    /// where the deployment is recorded, before it is sent and when it is done; nowhere if there is none
    pub records: Option<&'a Path>,
}

/// Deploys and reads `consortium()` back.
///
/// Nothing is sent before every check has passed, and one transaction at most: it deploys the code,
/// activates it unless the same code is active already, and runs the constructor, or does none of it.
/// It is recorded before it is sent: the same request again, after whatever ended the first, goes on with it.
///
/// # Errors
/// One variant of [`Error`] for each check. [`Error::Recorded`] and [`Error::Unfinished`] if the records name another
/// deployment on this chain. [`pcim_ledger::Error::NotMined`] names the transaction that may still come.
pub async fn deploy(request: &Request<'_>) -> Result<Record, Error> {
    if request.consortium == Address::ZERO {
        return Err(Error::NoConsortium);
    }
    let payer = Account::from_private_key(request.deployer_key)?;
    let program = Program::new(request.wasm)?;
    let records = match request.records {
        Some(dir) => Some(Records::of(dir, request.chain_id)?),
        None => None,
    };
    let chain = Chain::connect(request.rpc_url, request.chain_id).await?;
    if let Some(contract) = request.predecessor
        && view(&chain, contract, Pcac::versionCall {})
            .await?
            .is_none()
    {
        return Err(Error::NoPredecessor { contract });
    }
    let call = begun(&chain, request, &payer, &program, records.as_ref()).await?;
    let mined = match chain::submit(&chain, &call).await {
        Err(error) => {
            if let (Some(records), true) = (&records, is_final(&error)) {
                records.forget()?;
            }
            return Err(error);
        }
        Ok(mined) => mined,
    };
    let contract = read_back(&chain, &program, request.consortium, &mined).await?;
    let wasm_sha256 = hex::encode(Sha256::digest(request.wasm));
    let record = Record {
        chain_id: request.chain_id,
        contract,
        consortium: request.consortium,
        predecessor: request.predecessor,
        code_hash: program.code_hash(),
        compiler: compiler(&wasm_sha256),
        wasm_sha256,
        block: mined.block,
        tx: mined.tx,
        gas_used: mined.gas_used,
        data_fee: chain::data_fee(&chain, &mined).await?.to_string(),
    };
    if let Some(records) = &records {
        records.finish(&record)?;
    }
    Ok(record)
}

/// Signs the transaction and records it; or takes the one that the same request has left.
async fn begun(
    chain: &Chain,
    request: &Request<'_>,
    payer: &Account,
    program: &Program,
    records: Option<&Records<'_>>,
) -> Result<SignedCall, Error> {
    let (consortium, code_hash) = (request.consortium, program.code_hash());
    let payer_address = payer.address();
    if let Some(records) = records
        && let Some(call) = records.pending(|it| {
            (it.payer, it.consortium, it.code_hash) == (payer_address, consortium, code_hash)
                && it.predecessor == request.predecessor
        })?
    {
        return Ok(call);
    }
    let activation = check(chain, program).await?;
    let call = sign(chain, payer, program, request, activation).await?;
    if let Some(records) = records {
        records.begin(&Pending {
            payer: payer_address,
            consortium,
            predecessor: request.predecessor,
            code_hash,
            call: call.clone(),
        })?;
    }
    Ok(call)
}

/// Whether the transaction is known to have done nothing, now and later.
fn is_final(error: &Error) -> bool {
    matches!(
        error,
        Error::Chain(L::Reverted { .. } | L::Replaced { .. } | L::Rejected { .. })
    )
}

/// Checks that the chain runs Stylus, has the factory, and would activate the program; tells the fee in wei,
/// zero if the same code is active already.
async fn check(chain: &Chain, program: &Program) -> Result<U256, Error> {
    match view(chain, ARB_WASM, IArbWasm::stylusVersionCall {}).await? {
        Some(1..) => {}
        _ => return Err(Error::NoStylus),
    }
    if chain.code(STYLUS_DEPLOYER).await?.is_empty() {
        return Err(Error::NoDeployer {
            address: STYLUS_DEPLOYER,
        });
    }
    let codehash = program.code_hash();
    let version = IArbWasm::codehashVersionCall { codehash };
    if let Some(1..) = view(chain, ARB_WASM, version).await? {
        return Ok(U256::ZERO);
    }
    activation_fee(chain, program.code()).await
}

/// Signs the one transaction.
async fn sign(
    chain: &Chain,
    payer: &Account,
    program: &Program,
    request: &Request<'_>,
    data_fee: U256,
) -> Result<SignedCall, Error> {
    let data = IStylusDeployer::deployCall {
        bytecode: program.init_code().into(),
        initData: constructor(request).into(),
        initValue: U256::ZERO,
        // No salt: an address that depends on the factory's nonce, not on the code.
        salt: B256::ZERO,
    }
    .abi_encode();
    let payment = Payment {
        to: STYLUS_DEPLOYER,
        // The fee may rise before the transaction is mined; what is left over comes back.
        value: data_fee + data_fee / U256::from(5),
        data,
        typical_gas: TYPICAL_GAS,
    };
    chain::sign(chain, payer, payment, request.max_fee).await
}

/// The constructor's calldata: version 1 knows no predecessor.
fn constructor(request: &Request<'_>) -> Vec<u8> {
    match request.wasm == artifact::V1_WASM {
        true => abi::constructor_v1(request.consortium),
        false => abi::constructor(
            request.consortium,
            request.predecessor.unwrap_or(Address::ZERO),
        ),
    }
}

/// Checks what the transaction made: our code, active, with our consortium.
async fn read_back(
    chain: &Chain,
    program: &Program,
    consortium: Address,
    mined: &Mined,
) -> Result<Address, Error> {
    let tx = mined.tx;
    let logs = chain.logs(&tx, STYLUS_DEPLOYER).await?;
    let deployed = event::<IStylusDeployer::ContractDeployed>(&logs);
    let contract = deployed.ok_or(Error::NotDeployed { tx })?.deployedContract;
    let code = chain.code(contract).await?;
    if *code != *program.code() {
        return Err(Error::WrongCode {
            contract,
            wanted: program.code_hash(),
            found: keccak256(&code),
        });
    }
    let codehash = program.code_hash();
    let version = IArbWasm::codehashVersionCall { codehash };
    let version = view(chain, ARB_WASM, version).await?;
    if !matches!(version, Some(1..)) {
        return Err(Error::NotActive { contract });
    }
    let found = abi::consortium(chain, contract).await?;
    if found != Some(consortium) {
        return Err(Error::WrongConsortium {
            contract,
            wanted: consortium,
            found,
        });
    }
    Ok(contract)
}

/// What compiled the module, if it is the released one: a module does not say so itself.
fn compiler(wasm_sha256: &str) -> String {
    artifact::manifest()
        .ok()
        .filter(|manifest| manifest.sha256 == wasm_sha256)
        .map_or_else(|| "unknown".into(), |manifest| manifest.compiler)
}
