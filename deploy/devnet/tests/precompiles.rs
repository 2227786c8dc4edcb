//! Arbitrum's precompiles and the cache manager, as tools and contracts call them.
#![allow(clippy::unwrap_used)]

mod common;

use common::{client, devnet, raw, rpc, send};
use ethers::{
    abi::{Token, encode},
    types::{Address, Bytes, TransactionReceipt, TransactionRequest, U256},
    utils::{id, keccak256},
};
use serde_json::{Value, json};
use stylus_devnet::{ArbOs, Config, Handle};

const CACHE_MANAGER: &str = "0x2f8bd4eab69764c105add7de7cb0402557a44e6f";
const ARB_OWNER: u64 = 0x70;
const ARB_WASM: u64 = 0x71;
const ARB_WASM_CACHE: u64 = 0x72;

fn at(byte: u64) -> Address {
    Address::from_low_u64_be(byte)
}
fn manager() -> Address {
    CACHE_MANAGER.parse().unwrap()
}
fn input(signature: &str, arguments: &[Token]) -> Bytes {
    [id(signature).to_vec(), encode(arguments)].concat().into()
}
fn request(to: Address, signature: &str, arguments: &[Token]) -> Value {
    json!([{"to": to, "input": input(signature, arguments)}, "latest"])
}
/// The words that a call returns.
async fn words(devnet: &Handle, to: Address, signature: &str, arguments: &[Token]) -> Vec<U256> {
    let answer = rpc(devnet, "eth_call", request(to, signature, arguments)).await;
    let bytes: Bytes = answer.as_str().unwrap().parse().unwrap();
    bytes.chunks(32).map(U256::from_big_endian).collect()
}
/// The error that a call ends in.
async fn error(devnet: &Handle, to: Address, signature: &str, arguments: &[Token]) -> Value {
    let answer = raw(devnet, "eth_call", request(to, signature, arguments)).await;
    answer["error"].clone()
}
async fn transact(
    devnet: &Handle,
    account: usize,
    to: Address,
    value: u64,
    signature: &str,
    arguments: &[Token],
) -> TransactionReceipt {
    let sent = TransactionRequest::new()
        .to(to)
        .data(input(signature, arguments))
        .value(value)
        .gas(10_000_000);
    send(&client(devnet, account), sent).await
}
fn account(devnet: &Handle, n: usize) -> Address {
    Address::from_slice(devnet.accounts()[n].address.as_slice())
}
/// Deploys and activates a program that does nothing; its address and its code's hash.
async fn program(devnet: &Handle) -> (Address, [u8; 32]) {
    let wat = r#"(module (memory (export "memory") 1 1)
        (func (export "user_entrypoint") (param i32) (result i32) (i32.const 0)))"#;
    let code = common::program(wat);
    let sent = TransactionRequest::new().data(common::creation(&code));
    let receipt = send(&client(devnet, 0), sent).await;
    let program = receipt.contract_address.unwrap();
    common::activate(&client(devnet, 0), program).await;
    (program, keccak256(code))
}
async fn call_gas(devnet: &Handle, program: Address) -> U256 {
    let sent = TransactionRequest::new().to(program).gas(100_000);
    send(&client(devnet, 0), sent).await.gas_used.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cached_program_is_cheaper_by_its_initialisation() {
    let devnet = devnet().await;
    let (program, hash) = program(&devnet).await;
    let named = [Token::Address(program)];
    let hashed = [Token::FixedBytes(hash.into())];
    let gas = words(&devnet, at(ARB_WASM), "programInitGas(address)", &named).await;
    let (init, cached) = (gas[0], gas[1]);
    let cold = call_gas(&devnet, program).await;

    // Strangers cannot.
    let refused = transact(
        &devnet,
        1,
        at(ARB_WASM_CACHE),
        0,
        "cacheProgram(address)",
        &named,
    )
    .await;
    assert_eq!(refused.status, Some(0.into()));
    assert_eq!(refused.gas_used, Some(10_000_000.into()));
    // The chain's owner can, and does it once.
    for logs in [1, 0] {
        let done = transact(
            &devnet,
            0,
            at(ARB_WASM_CACHE),
            0,
            "cacheProgram(address)",
            &named,
        )
        .await;
        assert_eq!((done.status, done.logs.len()), (Some(1.into()), logs));
        if let Some(log) = done.logs.first() {
            assert_eq!(
                log.topics[0].0,
                keccak256("UpdateProgramCache(address,bytes32,bool)")
            );
            assert_eq!(Address::from(log.topics[1]), account(&devnet, 0));
            assert_eq!((log.topics[2].0, log.data[31]), (hash, 1));
        }
    }
    let is_cached = "codehashIsCached(bytes32)";
    assert_eq!(
        words(&devnet, at(ARB_WASM_CACHE), is_cached, &hashed).await,
        [U256::one()]
    );
    assert_eq!(cold - call_gas(&devnet, program).await, init - cached);

    let done = transact(
        &devnet,
        0,
        at(ARB_WASM_CACHE),
        0,
        "evictCodehash(bytes32)",
        &hashed,
    )
    .await;
    assert_eq!((done.status, done.logs[0].data[31]), (Some(1.into()), 0));
    assert_eq!(
        words(&devnet, at(ARB_WASM_CACHE), is_cached, &hashed).await,
        [U256::zero()]
    );
    assert_eq!(call_gas(&devnet, program).await, cold);
}

#[tokio::test(flavor = "multi_thread")]
async fn anybody_can_bid_for_the_cache() {
    let devnet = devnet().await;
    let managers = words(&devnet, at(ARB_WASM_CACHE), "allCacheManagers()", &[]).await;
    assert_eq!(
        managers[1..],
        [U256::one(), U256::from_big_endian(manager().as_bytes())]
    );
    let (program, hash) = program(&devnet).await;
    let named = [Token::Address(program)];
    assert_eq!(
        words(&devnet, manager(), "isPaused()", &[]).await,
        [U256::zero()]
    );
    assert_eq!(
        words(&devnet, manager(), "queueSize()", &[]).await,
        [U256::zero()]
    );
    assert_eq!(
        words(&devnet, manager(), "getMinBid(address)", &named).await,
        [U256::zero()]
    );
    let small = [Token::Uint(8_192.into())];
    assert_eq!(
        words(&devnet, manager(), "getMinBid(uint64)", &small).await,
        [U256::zero()]
    );

    let bid = transact(&devnet, 1, manager(), 5, "placeBid(address)", &named).await;
    assert_eq!((bid.status, bid.logs.len()), (Some(1.into()), 2));
    assert_eq!(Address::from(bid.logs[0].topics[1]), manager());
    assert_eq!(bid.logs[1].topics[1].0, hash);
    let hashed = [Token::FixedBytes(hash.into())];
    let cached = words(
        &devnet,
        at(ARB_WASM_CACHE),
        "codehashIsCached(bytes32)",
        &hashed,
    )
    .await;
    assert_eq!(cached, [U256::one()]);
    let size = words(&devnet, at(ARB_WASM), "codehashAsmSize(bytes32)", &hashed).await;
    assert_eq!(words(&devnet, manager(), "queueSize()", &[]).await, size);

    let again = error(&devnet, manager(), "placeBid(address)", &named).await;
    assert_eq!(
        again["data"],
        json!(input("AlreadyCached(bytes32)", &hashed))
    );
    let none = [Token::Address(account(&devnet, 3))];
    let none = error(&devnet, manager(), "placeBid(address)", &none).await;
    assert_eq!(none["data"], json!(input("ProgramNotActivated()", &[])));
}

#[tokio::test(flavor = "multi_thread")]
async fn owners_change_parameters_for_nothing_and_others_do_not() {
    let devnet = devnet().await;
    let ink = [Token::Uint(20_000.into())];
    let price = "setInkPrice(uint32)";
    let stranger = transact(&devnet, 1, at(ARB_OWNER), 0, price, &ink).await;
    assert_eq!(stranger.status, Some(0.into()));
    assert_eq!(stranger.gas_used, Some(10_000_000.into()));

    let owner = transact(&devnet, 0, at(ARB_OWNER), 0, price, &ink).await;
    let calldata: u64 = input(price, &ink)
        .iter()
        .map(|b| if *b == 0 { 4 } else { 16 })
        .sum();
    assert_eq!(owner.gas_used, Some((21_000 + calldata).into()));
    assert_eq!(
        owner.logs[0].topics[0].0,
        keccak256("OwnerActs(bytes4,address,bytes)")
    );
    assert_eq!(
        words(&devnet, at(ARB_WASM), "inkPrice()", &[]).await,
        [20_000.into()]
    );

    let other = [Token::Address(account(&devnet, 1))];
    let is_owner = "isChainOwner(address)";
    assert_eq!(
        words(&devnet, at(0x6b), is_owner, &other).await,
        [U256::zero()]
    );
    transact(
        &devnet,
        0,
        at(ARB_OWNER),
        0,
        "addChainOwner(address)",
        &other,
    )
    .await;
    assert_eq!(
        words(&devnet, at(0x6b), is_owner, &other).await,
        [U256::one()]
    );
    assert_eq!(
        words(&devnet, at(0x6b), "getAllChainOwners()", &[])
            .await
            .len(),
        5
    );
    // The second owner removes the first; the set closes up.
    let first = [Token::Address(account(&devnet, 0))];
    transact(
        &devnet,
        1,
        at(ARB_OWNER),
        0,
        "removeChainOwner(address)",
        &first,
    )
    .await;
    let left = words(&devnet, at(0x6b), "getAllChainOwners()", &[]).await;
    // Beside it is nobody, as on the nodes of Arbitrum's own set-up scripts.
    let second = U256::from_big_endian(account(&devnet, 1).as_bytes());
    assert_eq!(left[1..], [2.into(), U256::zero(), second]);
    assert_eq!(
        words(&devnet, at(0x6b), is_owner, &first).await,
        [U256::zero()]
    );
    // Anybody can become one on this chain.
    transact(&devnet, 2, at(0xff), 0, "becomeChainOwner()", &[]).await;
    let third = [Token::Address(account(&devnet, 2))];
    assert_eq!(
        words(&devnet, at(0x6b), is_owner, &third).await,
        [U256::one()]
    );

    let managers = [Token::Address(manager())];
    transact(
        &devnet,
        2,
        at(ARB_OWNER),
        0,
        "removeWasmCacheManager(address)",
        &managers,
    )
    .await;
    let is_manager = "isCacheManager(address)";
    assert_eq!(
        words(&devnet, at(ARB_WASM_CACHE), is_manager, &managers).await,
        [U256::zero()]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn upgrades_come_step_by_step_and_never_backwards() {
    let devnet = stylus_devnet::spawn(Config {
        arbos: ArbOs::V51,
        ..Config::default()
    })
    .await
    .unwrap();
    let upgrade = |version: u64| [Token::Uint(version.into()), Token::Uint(0.into())];
    let schedule = "scheduleArbOSUpgrade(uint64,uint64)";
    let scheduled = "getScheduledUpgrade()";
    let none = [U256::zero(), U256::zero()];
    let (version, stylus) = ("arbOSVersion()", "stylusVersion()");
    let fragments = "getMaxStylusContractFragments()";
    // One that is not known is refused, not ignored.
    let refused = transact(&devnet, 0, at(ARB_OWNER), 0, schedule, &upgrade(62)).await;
    assert_eq!(refused.status, Some(0.into()));
    let stranger = transact(&devnet, 1, at(ARB_OWNER), 0, schedule, &upgrade(61)).await;
    assert_eq!(stranger.status, Some(0.into()));
    for (to, rules) in [(59, 3), (60, 3), (61, 3)] {
        let before = words(&devnet, at(0x64), version, &[]).await;
        transact(&devnet, 0, at(ARB_OWNER), 0, schedule, &upgrade(to)).await;
        // It comes with the next block.
        assert_eq!(
            words(&devnet, at(0x6b), scheduled, &[]).await,
            [to.into(), U256::zero()]
        );
        assert_eq!(words(&devnet, at(0x64), version, &[]).await, before);
        rpc(&devnet, "evm_mine", json!([])).await;
        let now = words(&devnet, at(0x64), version, &[]).await;
        assert_eq!(now, [(55 + to).into()]);
        assert_eq!(
            words(&devnet, at(ARB_WASM), stylus, &[]).await,
            [rules.into()]
        );
        assert_eq!(words(&devnet, at(0x6b), scheduled, &[]).await, none);
        let block = rpc(&devnet, "eth_getBlockByNumber", json!(["latest", false])).await;
        let mix = block["mixHash"].as_str().unwrap()[34..50].to_owned();
        assert_eq!(mix, format!("{to:016x}"));
        // Fragments, and the precompile of filtered transactions, come with 60.
        let code = rpc(&devnet, "eth_getCode", json!([at(0x74), "latest"])).await;
        assert_eq!(code, if to < 60 { "0x" } else { "0xfe" });
        if to >= 60 {
            assert_eq!(words(&devnet, at(0x6b), fragments, &[]).await, [4.into()]);
        }
    }
    // An older one is taken and never becomes due.
    transact(&devnet, 0, at(ARB_OWNER), 0, schedule, &upgrade(51)).await;
    rpc(&devnet, "evm_mine", json!([])).await;
    assert_eq!(words(&devnet, at(0x64), version, &[]).await, [116.into()]);
    assert_eq!(words(&devnet, at(0x6b), scheduled, &[]).await, none);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_set_up_of_other_development_nodes_runs_to_its_end() {
    let devnet = devnet().await;
    let owners = "getAllChainOwners()";
    let zero = words(&devnet, at(0x6b), owners, &[]).await;
    assert!(zero[2..].contains(&U256::zero()), "{zero:?}");
    let who = account(&devnet, 3);
    let is_owner = [Token::Address(who)];
    let steps: [(u64, &str, Vec<Token>); 4] = [
        (0xff, "becomeChainOwner()", vec![]),
        (
            ARB_OWNER,
            "setL1PricePerUnit(uint256)",
            vec![Token::Uint(0.into())],
        ),
        (
            ARB_OWNER,
            "scheduleArbOSUpgrade(uint64,uint64)",
            vec![Token::Uint(60.into()), Token::Uint(0.into())],
        ),
        (
            ARB_OWNER,
            "addWasmCacheManager(address)",
            vec![Token::Address(manager())],
        ),
    ];
    for (to, signature, arguments) in steps {
        let receipt = transact(&devnet, 3, at(to), 0, signature, &arguments).await;
        assert_eq!(receipt.status, Some(1.into()), "{signature}");
    }
    assert_eq!(
        words(&devnet, at(0x6b), "isChainOwner(address)", &is_owner).await,
        [U256::one()]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_get_short_names() {
    let devnet = devnet().await;
    let table = at(0x66);
    let (who, other) = (account(&devnet, 4), account(&devnet, 5));
    for (address, gas) in [
        (who, 3 + 800 + 800 + 800 + 3 * 20_000 + 3),
        (who, 3 + 800 + 800 + 3),
    ] {
        let arguments = [Token::Address(address)];
        let signature = "register(address)";
        let receipt = transact(&devnet, 0, table, 0, signature, &arguments).await;
        let data = input(signature, &arguments);
        let calldata: u64 = data.iter().map(|b| if *b == 0 { 4 } else { 16 }).sum();
        assert_eq!(receipt.gas_used, Some((21_000 + calldata + gas).into()));
    }
    transact(
        &devnet,
        0,
        table,
        0,
        "register(address)",
        &[Token::Address(other)],
    )
    .await;
    assert_eq!(words(&devnet, table, "size()", &[]).await, [2.into()]);
    assert_eq!(
        words(&devnet, table, "lookup(address)", &[Token::Address(other)]).await,
        [U256::one()]
    );
    let found = words(
        &devnet,
        table,
        "lookupIndex(uint256)",
        &[Token::Uint(1.into())],
    )
    .await;
    assert_eq!(found, [U256::from_big_endian(other.as_bytes())]);
    let short = words(
        &devnet,
        table,
        "compress(address)",
        &[Token::Address(other)],
    )
    .await;
    assert_eq!(short[1..], [U256::one(), U256::one() << 248]);
    let long = words(
        &devnet,
        table,
        "compress(address)",
        &[Token::Address(manager())],
    )
    .await;
    assert_eq!(long[1], 21.into());
    let mut bytes = vec![0xff, 0x94];
    bytes.extend_from_slice(manager().as_bytes());
    for (bytes, offset, address, read) in [(vec![1], 0, other, 1), (bytes, 1, manager(), 21)] {
        let arguments = [Token::Bytes(bytes), Token::Uint(offset.into())];
        let found = words(&devnet, table, "decompress(bytes,uint256)", &arguments).await;
        assert_eq!(
            found,
            [U256::from_big_endian(address.as_bytes()), read.into()]
        );
    }
    let unknown = error(
        &devnet,
        table,
        "lookup(address)",
        &[Token::Address(manager())],
    )
    .await;
    assert_eq!(
        (&unknown["code"], &unknown["data"]),
        (&json!(3), &json!("0x"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_chain_tells_about_itself() {
    let devnet = devnet().await;
    let wei = words(&devnet, at(0x6c), "getPricesInWei()", &[]).await;
    let zero = U256::zero();
    let base = U256::from(100_000_000);
    assert_eq!(wei, [zero, zero, base * 20_000, base, zero, base]);
    assert_eq!(
        words(&devnet, at(0x6c), "getL1BaseFeeEstimate()", &[]).await,
        [zero]
    );
    let limits = words(&devnet, at(0x6c), "getGasAccountingParams()", &[]).await;
    assert_eq!(limits[..2], [7_000_000.into(), 32_000_000.into()]);
    assert_eq!(words(&devnet, at(0x6f), "getStats()", &[]).await.len(), 6);
    let rich = [Token::Address(account(&devnet, 1))];
    let balance = words(&devnet, at(0x65), "getBalance(address)", &rich).await;
    assert_eq!(balance, [U256::exp10(21)]);
    let code = words(
        &devnet,
        at(0x65),
        "getCode(address)",
        &[Token::Address(at(0x65))],
    )
    .await;
    assert_eq!(code[1..], [U256::one(), U256::from(0xfe) << 248]);
    assert_eq!(
        words(&devnet, at(0x64), "isTopLevelCall()", &[]).await,
        [U256::one()]
    );
    let max = [
        Token::Address(Address::repeat_byte(0xff)),
        Token::Address(Address::zero()),
    ];
    let alias = "mapL1SenderContractAddressToL2Alias(address,address)";
    let aliased: U256 = "0x1111000000000000000000000000000000001110"
        .parse()
        .unwrap();
    assert_eq!(words(&devnet, at(0x64), alias, &max).await, [aliased]);
    let unknown = error(&devnet, at(0x6c), "nothing()", &[]).await;
    assert_eq!(unknown["code"], 3);
}
