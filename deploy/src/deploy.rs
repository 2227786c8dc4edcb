//! Checks, deploys, activates and constructs in one transaction through StylusDeployer, and records it.

mod abi;
mod chain;
mod error;
mod lifecycle;
mod program;
mod record;
#[cfg(test)]
mod tests;

use alloy_primitives::{Address, B256, U256, address, keccak256};
use alloy_sol_types::SolCall;
use ethers::core::k256::ecdsa::SigningKey;
use ethers::signers::{LocalWallet, Signer};
use sha2::{Digest, Sha256};

pub use self::error::Error;
pub use self::lifecycle::{Activation, Deployed, Status, Upkeep, cache_bid, keepalive, status};
pub use self::record::{Record, write_record};

use crate::artifact;

use self::abi::{ARB_WASM, IArbWasm, IStylusDeployer, Pcac};
use self::chain::{Chain, Mined};
use self::program::Program;

/// The factory that deploys, activates and constructs; at this address on every Arbitrum chain.
pub const STYLUS_DEPLOYER: Address = address!("cEcba2F1DC234f70Dd89F2041029807F8D03A990");

/// A real deployment of a program of this size took 9.9 million gas, the L1 part included. Only for saying
/// how much ether is missing when there is too little to have the chain estimate it.
const TYPICAL_GAS: u64 = 12_000_000;

/// What to deploy and where.
pub struct Request<'a> {
    /// `http://` or `https://`
    pub rpc_url: &'a str,
    /// refuse any other chain
    pub chain_id: u64,
    /// secp256k1 private key of the account that pays
    pub deployer_key: &'a [u8; 32],
    /// who will accredit radiologists; never zero
    pub consortium: Address,
    /// the module, uncompressed
    pub wasm: &'a [u8],
}

/// Deploys and reads `consortium()` back.
///
/// Nothing is sent before every check has passed, and one transaction at most: it deploys the code,
/// activates it unless the same code is active already, and runs the constructor, or does none of it.
///
/// # Errors
/// One variant of [`Error`] for each check. [`Error::NotMined`] names the transaction that may still come.
pub async fn deploy(request: &Request<'_>) -> Result<Record, Error> {
    if request.consortium == Address::ZERO {
        return Err(Error::NoConsortium);
    }
    let key = SigningKey::from_slice(request.deployer_key).map_err(|_| Error::Key)?;
    let wallet = LocalWallet::from(key).with_chain_id(request.chain_id);
    let program = Program::new(request.wasm)?;
    let chain = Chain::connect(request.rpc_url, request.chain_id).await?;

    let activation = check(&chain, &program).await?;
    let mined = send(&chain, &wallet, &program, request.consortium, activation).await?;
    let contract = read_back(&chain, &program, request.consortium, &mined).await?;
    let wasm_sha256 = hex::encode(Sha256::digest(request.wasm));
    Ok(Record {
        chain_id: request.chain_id,
        contract,
        consortium: request.consortium,
        code_hash: program.code_hash(),
        compiler: compiler(&wasm_sha256),
        wasm_sha256,
        block: mined.block,
        tx: mined.tx,
        gas_used: mined.gas_used,
        data_fee: mined.data_fee().to_string(),
    })
}

/// Checks that the chain runs Stylus, has the factory, and would activate the program; tells the fee in wei,
/// zero if the same code is active already.
async fn check(chain: &Chain, program: &Program) -> Result<U256, Error> {
    match chain.call(ARB_WASM, IArbWasm::stylusVersionCall {}).await? {
        Some(1..) => {}
        _ => return Err(Error::NoStylus),
    }
    if chain.code(STYLUS_DEPLOYER).await?.is_empty() {
        return Err(Error::NoDeployer {
            address: STYLUS_DEPLOYER,
        });
    }
    let codehash = program.code_hash();
    if let Some(1..) = chain
        .call(ARB_WASM, IArbWasm::codehashVersionCall { codehash })
        .await?
    {
        return Ok(U256::ZERO);
    }
    chain.activation_fee(program.code()).await
}

/// Sends the one transaction and waits for it.
async fn send(
    chain: &Chain,
    wallet: &LocalWallet,
    program: &Program,
    consortium: Address,
    data_fee: U256,
) -> Result<Mined, Error> {
    let from = Address::from(wallet.address().0);
    // The fee may rise before the transaction is mined; what is left over comes back.
    let value = data_fee + data_fee / U256::from(5);
    let data = IStylusDeployer::deployCall {
        bytecode: program.init_code().into(),
        initData: abi::constructor(consortium).into(),
        initValue: U256::ZERO,
        // No salt: an address that depends on the factory's nonce, not on the code.
        salt: B256::ZERO,
    }
    .abi_encode();
    let price = chain.price().await?;
    let have = chain.balance(from).await?;
    let funds = |gas: u64| {
        let need = value.saturating_add(U256::from(gas).saturating_mul(price.most));
        (have < need).then_some(Error::Funds {
            address: from,
            have,
            need,
            data_fee: value,
        })
    };
    // A node does not estimate what the account cannot pay.
    if have <= value
        && let Some(error) = funds(TYPICAL_GAS)
    {
        return Err(error);
    }
    let estimate = chain.estimate(from, STYLUS_DEPLOYER, value, &data).await?;
    // The L1 part moves with the price of Ethereum.
    let gas = estimate + estimate / 5;
    if let Some(error) = funds(gas) {
        return Err(error);
    }
    chain
        .send(wallet, STYLUS_DEPLOYER, value, data, gas, price)
        .await
}

/// Checks what the transaction made: our code, active, with our consortium.
async fn read_back(
    chain: &Chain,
    program: &Program,
    consortium: Address,
    mined: &Mined,
) -> Result<Address, Error> {
    let tx = mined.tx;
    let contract = mined
        .deployed(STYLUS_DEPLOYER)
        .ok_or(Error::NotDeployed { tx })?;
    let code = chain.code(contract).await?;
    if *code != *program.code() {
        return Err(Error::WrongCode {
            contract,
            wanted: program.code_hash(),
            found: keccak256(&code),
        });
    }
    let codehash = program.code_hash();
    let version = chain
        .call(ARB_WASM, IArbWasm::codehashVersionCall { codehash })
        .await?;
    if !matches!(version, Some(1..)) {
        return Err(Error::NotActive { contract });
    }
    let found = chain.call(contract, Pcac::consortiumCall {}).await?;
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
