//! Deploying to a network by its name, with a devnet in its place, and the record that is left.

use std::path::Path;

use alloy_primitives::{U256, keccak256};
use ethers::providers::{Http, Middleware, Provider};
use ethers::types::{H160, H256, U256 as EthersU256};
use pcim_deploy::deploy::{
    Activation, Deployed, Error, MAX_FEE, Record, Request, deploy, keepalive, record_path, status,
};
use pcim_deploy::{artifact, networks};
use pcim_ledger::{Deployment, Ledger};
use sha2::{Digest, Sha256};
use stylus_devnet::{ArbOs, Config, Handle};

use crate::chain::wasm;

fn provider(devnet: &Handle) -> Provider<Http> {
    Provider::<Http>::try_from(devnet.url()).unwrap()
}

async fn deployed(devnet: &Handle, chain_id: u64, records: Option<&Path>) -> Result<Record, Error> {
    deploy(&Request {
        rpc_url: &devnet.url(),
        chain_id,
        deployer_key: &devnet.accounts()[0].private_key.0,
        consortium: devnet.accounts()[1].address,
        predecessor: None,
        wasm: &wasm(),
        max_fee: MAX_FEE,
        records,
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn arbitrum_sepolia_by_name_with_another_rpc() {
    let network = networks::by_name("arbitrum-sepolia").unwrap();
    assert_eq!(network.chain_id, 421_614);
    let devnet = stylus_devnet::spawn(Config {
        chain_id: network.chain_id,
        ..Config::default()
    })
    .await
    .unwrap();
    let provider = provider(&devnet);
    let wasm = wasm();

    let folder = tempfile::tempdir().unwrap();
    let records = Some(folder.path());
    let record = deployed(&devnet, network.chain_id, records).await.unwrap();
    let code = provider
        .get_code(H160(record.contract.into()), None)
        .await
        .unwrap();
    assert!(code.starts_with(&artifact::CODE_PREFIX) && code.len() <= artifact::MAX_CODE_BYTES);
    assert_eq!(record.code_hash, keccak256(&code));
    assert_eq!(record.wasm_sha256, hex::encode(Sha256::digest(&wasm)));
    assert_eq!(record.chain_id, 421_614);
    assert_eq!(record.consortium, devnet.accounts()[1].address);
    let manifest = artifact::manifest().unwrap();
    let compiler = match record.wasm_sha256 == manifest.sha256 {
        true => manifest.compiler.as_str(),
        false => "unknown",
    };
    assert_eq!(record.compiler, compiler);
    assert!(record.data_fee.parse::<U256>().unwrap() > U256::ZERO);
    let receipt = provider
        .get_transaction_receipt(H256(record.tx.0))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(receipt.block_number.unwrap().as_u64(), record.block);
    assert_eq!(receipt.gas_used.unwrap(), EthersU256::from(record.gas_used));
    let to = receipt.to.unwrap();
    assert_eq!(
        to.0, network.stylus_deployer.0.0,
        "one transaction, through the factory"
    );
    let payer = devnet.accounts()[0].address;
    let nonce = provider
        .get_transaction_count(H160(payer.into()), None)
        .await
        .unwrap();
    assert_eq!(nonce.as_u64(), 1);

    // The record, as a file, is all that a client needs.
    let path = record_path(folder.path(), 421_614);
    assert_eq!(path, folder.path().join("421614.json"));
    let json: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let mut fields: Vec<_> = json
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    fields.sort_unstable();
    let wanted = [
        "block",
        "chain_id",
        "code_hash",
        "compiler",
        "consortium",
        "contract",
        "data_fee",
        "gas_used",
        "tx",
        "wasm_sha256",
    ];
    assert_eq!(fields, wanted);
    let deployment = Deployment {
        rpc_url: devnet.url(),
        chain_id: json["chain_id"].as_u64().unwrap(),
        contract: json["contract"].as_str().unwrap().parse().unwrap(),
    };
    let ledger = Ledger::connect(deployment).await.unwrap();
    assert_eq!(ledger.consortium().await.unwrap(), record.consortium);

    // Again: nothing, unless the record has another place; then another contract, and no activation.
    let refused = deployed(&devnet, network.chain_id, records).await;
    assert!(
        matches!(&refused, Err(Error::Recorded { path: found }) if *found == path),
        "{refused:?}"
    );
    let again = deployed(&devnet, network.chain_id, None).await.unwrap();
    assert_ne!(again.contract, record.contract);
    assert_eq!(
        (again.code_hash, again.data_fee.as_str()),
        (record.code_hash, "0")
    );
    assert!(
        again.gas_used < record.gas_used,
        "{} < {}",
        again.gas_used,
        record.gas_used
    );
    assert!(again.block > record.block);
    let kept: Record = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    assert_eq!(kept, record);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    devnet.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_chain_than_the_named_one_is_refused_before_anything_is_sent() {
    let network = networks::by_name("arbitrum-sepolia").unwrap();
    let devnet = stylus_devnet::spawn(Config::default()).await.unwrap();
    let provider = provider(&devnet);
    let payer = H160(devnet.accounts()[0].address.into());
    let balance = provider.get_balance(payer, None).await.unwrap();

    let refused = deployed(&devnet, network.chain_id, None).await;
    let found = devnet.chain_id();
    assert!(
        matches!(refused, Err(Error::Chain(pcim_ledger::Error::WrongChain { wanted: 421_614, found: f })) if f == found),
        "{refused:?}"
    );
    assert_eq!(provider.get_balance(payer, None).await.unwrap(), balance);
    let nonce = provider.get_transaction_count(payer, None).await.unwrap();
    assert!(nonce.is_zero());

    // A module that the chain would not activate is refused as well.
    let module = b"\0asm\x01\0\0\0";
    let refused = deploy(&Request {
        rpc_url: &devnet.url(),
        chain_id: found,
        deployer_key: &devnet.accounts()[0].private_key.0,
        consortium: devnet.accounts()[1].address,
        predecessor: None,
        wasm: module,
        max_fee: MAX_FEE,
        records: None,
    })
    .await;
    assert!(
        matches!(refused, Err(Error::Activation { .. })),
        "{refused:?}"
    );
    assert_eq!(provider.get_balance(payer, None).await.unwrap(), balance);
    devnet.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contract_is_activated_again_after_the_step_to_stylus_3() {
    let devnet = stylus_devnet::spawn(Config {
        arbos: ArbOs::V51,
        ..Config::default()
    })
    .await
    .unwrap();
    let record = deployed(&devnet, devnet.chain_id(), None).await.unwrap();
    let (url, wasm) = (devnet.url(), wasm());
    let contract = Deployed {
        rpc_url: &url,
        chain_id: devnet.chain_id(),
        contract: record.contract,
        wasm: &wasm,
    };
    let before = status(&contract).await.unwrap();
    assert_eq!(
        (before.activation, before.stylus_version),
        (Activation::Active, (2, 2))
    );

    // The chain's owner takes it to ArbOS 61.
    let upgrade = [
        &ethers::utils::id("scheduleArbOSUpgrade(uint64,uint64)")[..],
        &ethers::abi::encode(&[
            ethers::abi::Token::Uint(61.into()),
            ethers::abi::Token::Uint(0.into()),
        ]),
    ];
    let owner = H160(devnet.accounts()[0].address.into());
    let sent = ethers::types::TransactionRequest::new()
        .from(owner)
        .to(H160::from_low_u64_be(0x70))
        .data(upgrade.concat());
    let provider = provider(&devnet);
    let _: H256 = provider
        .request("eth_sendTransaction", [sent])
        .await
        .unwrap();
    let _: serde_json::Value = provider.request("evm_mine", ()).await.unwrap();

    let stopped = status(&contract).await.unwrap();
    assert_eq!(
        (stopped.activation, stopped.stylus_version),
        (Activation::Inactive, (2, 3))
    );
    assert_eq!((stopped.consortium, stopped.time_left), (None, 0));
    let key = devnet.accounts()[0].private_key.0;
    let done = keepalive(&contract, &key, MAX_FEE).await.unwrap();
    assert_eq!((done.contract, done.done), (record.contract, "activated"));
    assert!(done.paid.parse::<U256>().unwrap() > U256::ZERO);
    let after = status(&contract).await.unwrap();
    assert_eq!(
        (after.activation, after.stylus_version),
        (Activation::Active, (3, 3))
    );
    assert_eq!(after.consortium, Some(record.consortium));
    assert!(after.is_local_build);
    devnet.shutdown().await;
}
