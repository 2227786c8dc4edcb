//! The rules that came with ArbOS 59, 60 and 61, each against the version before it.

use super::*;
use crate::arbos::{
    ARBOS, filtering, l1,
    params::{self, Params},
    programs::activation_gas_slot,
    tips_slot,
    version::{self, params_of},
};

sol! {
    function activationGas() external view returns (uint64);
    function becomeChainOwner() external;
    function setWasmActivationGas(uint64 gas) external;
    function setMaxStylusContractFragments(uint8 count) external;
    function getMaxStylusContractFragments() external view returns (uint8);
    function setCollectTips(bool collect) external;
    function getCollectTips() external view returns (bool);
    function setTransactionFilteringFrom(uint64 timestamp) external;
    function getTransactionFilteringFrom() external view returns (uint64);
    function addTransactionFilterer(address filterer) external;
    function isTransactionFilterer(address filterer) external view returns (bool);
    function getAllTransactionFilterers() external view returns (address[]);
    function addFilteredTransaction(bytes32 hash) external;
    function deleteFilteredTransaction(bytes32 hash) external;
    function isTransactionFiltered(bytes32 hash) external view returns (bool);
    function getMultiGasBaseFee() external view returns (uint256[]);
    function setMultiGasPricingConstraints(MultiGasConstraint[] constraints) external;
    function getMultiGasPricingConstraints() external view returns (MultiGasConstraint[]);
    struct Weighted { uint8 resource; uint64 weight; }
    struct MultiGasConstraint { Weighted[] resources; uint32 window; uint64 target; uint64 backlog; }
    error ProgramNeedsUpgrade(uint16 have, uint16 want);
}

const OWNER: Address = Address::with_last_byte(0x70);
const OWNER_PUBLIC: Address = Address::with_last_byte(0x6b);
const GAS_INFO: Address = Address::with_last_byte(0x6c);
const DEBUG: Address = Address::with_last_byte(0xff);
const FILTERED: Address = Address::with_last_byte(0x74);
impl Chain {
    pub(super) fn put(&mut self, slot: U256, value: U256) {
        self.db.insert_account_storage(ARBOS, slot, value).unwrap();
    }

    pub(super) fn set_params(&mut self, params: Params) {
        self.put(params::slot(), params.pack());
    }

    /// Takes the steps to a newer version, as the start of a block does.
    pub(super) fn upgrade(&mut self, to: u64) {
        self.put(version::schedule_slots()[0], U256::from(to));
        let read = |slot| revm::DatabaseRef::storage_ref(&self.db, ARBOS, slot).unwrap();
        let upgrade = version::due(read, self.now).unwrap();
        for (slot, value) in upgrade.slots {
            self.put(slot, value);
        }
        for address in upgrade.precompiles {
            let code = Bytecode::new_raw(Bytes::from_static(&[0xfe]));
            self.db
                .insert_account_info(address, AccountInfo::from_bytecode(code));
        }
    }

    /// A block after this one.
    pub(super) fn next_block(&mut self) {
        self.recent = RecentPrograms::default();
    }

    pub(super) fn owned(arbos: u64) -> Self {
        let mut chain = Self::at(arbos);
        let outcome = chain.send(DEBUG, becomeChainOwnerCall {}.abi_encode(), 0);
        assert_eq!(outcome.status, Status::Success);
        chain
    }

    /// The gas of a call beside what every transaction pays.
    fn own_gas(&mut self, to: Address, input: Vec<u8>) -> u64 {
        let outcome = self.view(to, input.clone());
        assert_eq!(outcome.status, Status::Success, "{outcome:?}");
        outcome.gas_used - intrinsic(&input)
    }
}

pub(super) fn intrinsic(input: &[u8]) -> u64 {
    let data: u64 = input.iter().map(|b| if *b == 0 { 4 } else { 16 }).sum();
    21_000 + data
}

/// A program of `pages` pages that does nothing.
fn of_pages(pages: u32) -> String {
    format!(
        r#"(module (memory (export "memory") {pages} {pages})
            (func (export "user_entrypoint") (param i32) (result i32) (i32.const 0)))"#
    )
}

#[test]
fn stylus_3_wants_every_program_activated_again() {
    let mut chain = Chain::new();
    let program = chain.program(&keeper());
    let codehash = keccak256(program_code(&keeper()));
    chain.upgrade(59);
    let outcome = chain.send(program, A, 0);
    let text = "program needs upgrade: has version 2, wants 3";
    assert_eq!(outcome.status, Status::Halt(text.into()));
    assert_eq!(outcome.gas_used, 20_000_000);
    let view = codehashVersionCall { codehash }.abi_encode();
    let outcome = chain.view(ARB_WASM, view.clone());
    let error = ProgramNeedsUpgrade::abi_decode(&outcome.output).unwrap();
    assert_eq!((error.have, error.want), (2, 3));
    assert_eq!(chain.activate(program).status, Status::Success);
    assert_eq!(chain.view(ARB_WASM, view).output[31], 3);
    assert_eq!(chain.send(program, A, 0).status, Status::Success);
    let version = chain.view(ARB_SYS, arbOSVersionCall {}.abi_encode()).output;
    assert_eq!(version, Bytes::from(U256::from(55 + 59).abi_encode()));
}

#[test]
fn pages_are_limited_when_a_program_runs() {
    for (arbos, limited) in [(51, false), (59, true)] {
        let mut chain = Chain::at(arbos);
        let program = chain.program(&of_pages(120));
        chain.set_params(Params {
            page_limit: 50,
            ..params_of(arbos)
        });
        let outcome = chain.send(program, Bytes::new(), 0);
        match limited {
            true => assert_eq!(outcome.status, Status::Halt("out of gas".into())),
            false => assert_eq!(outcome.status, Status::Success),
        }
    }
}

#[test]
fn the_limit_counts_the_pages_of_all_that_is_open() {
    for (arbos, limited) in [(51, false), (59, true)] {
        let mut chain = Chain::at(arbos);
        let inner = chain.program(&of_pages(120));
        let outer = caller("call").replace(r#""memory") 1 1"#, r#""memory") 14 14"#);
        let outer = chain.program(&outer);
        let mut tx = chain.tx(TxKind::Call(outer), calling(inner, &[]), U256::ZERO);
        tx.gas_limit = 32_000_000;
        let outcome = chain.try_run(tx, Mode::Transaction).unwrap();
        // At 51 134 pages cost more than any gas; the caller goes on in both.
        assert_eq!(outcome.status, Status::Revert, "{arbos} {limited}");
    }
    // 14 and 100 are within the limit, and 120 alone are.
    let mut chain = Chain::at(59);
    let inner = chain.program(&of_pages(100));
    let outer = caller("call").replace(r#""memory") 1 1"#, r#""memory") 14 14"#);
    let outer = chain.program(&outer);
    let mut tx = chain.tx(TxKind::Call(outer), calling(inner, &[]), U256::ZERO);
    tx.gas_limit = 32_000_000;
    let outcome = chain.try_run(tx.clone(), Mode::Transaction).unwrap();
    assert_eq!(outcome.status, Status::Success, "{outcome:?}");
    chain.set_params(Params {
        page_limit: 113,
        ..params_of(59)
    });
    tx.nonce += 1;
    let outcome = chain.try_run(tx, Mode::Transaction).unwrap();
    assert_eq!(outcome.status, Status::Revert, "{outcome:?}");
}

#[test]
fn growing_by_more_than_a_u16_of_pages_cannot_be_paid() {
    let status = |arbos, pages: u32| {
        let mut chain = Chain::at(arbos);
        let body = format!("(call $grow (i32.const {pages})) (i32.const 0)");
        let program = chain.program(&wat(&body));
        let mut tx = chain.tx(TxKind::Call(program), Bytes::new(), U256::ZERO);
        tx.gas_limit = 32_000_000;
        chain.try_run(tx, Mode::Transaction).unwrap().status
    };
    let dear = Status::Halt("out of gas".into());
    for pages in [65_536, 65_537] {
        assert_eq!(status(51, pages), Status::Success, "{pages}");
        assert_eq!(status(58, pages), Status::Success, "{pages}");
        assert_eq!(status(59, pages), dear, "{pages}");
    }
    for arbos in [51, 59] {
        assert_eq!(status(arbos, 126), Status::Success);
        assert_eq!(status(arbos, 65_535), dear);
    }
}

#[test]
fn activation_pays_the_gas_that_owners_set() {
    let gas = |arbos, stored: u64| {
        let mut chain = Chain::at(arbos);
        chain.put(activation_gas_slot(), U256::from(stored));
        let program = chain.deploy(&program_code(&keeper()));
        let outcome = chain.activate(program);
        assert_eq!(outcome.status, Status::Success);
        outcome.gas_used
    };
    assert_eq!(gas(59, 0), gas(51, 0) + 800);
    assert_eq!(gas(59, 12_345), gas(59, 0) + 12_345);
    assert_eq!(gas(51, 12_345), gas(51, 0));
    // With the rest of what an activation is made of: 1 748 626 and the variable part.
    let code = program_code(&keeper());
    let wasm = wat::parse_str(keeper()).unwrap();
    let rules = crate::arbos::programs::activation_params(&params_of(59), 59, 0, true);
    let variable = crate::wasm::activate(&wasm, rules).unwrap().variable_gas;
    let mut chain = Chain::at(59);
    let program = chain.deploy(&code);
    let input = activateProgramCall { program }.abi_encode();
    let outcome = chain.activate(program);
    assert_eq!(outcome.gas_used, intrinsic(&input) + 1_748_626 + variable);

    let mut chain = Chain::owned(59);
    let set = setWasmActivationGasCall { gas: 77 }.abi_encode();
    assert_eq!(chain.send(OWNER, set.clone(), 0).status, Status::Success);
    let view = activationGasCall {}.abi_encode();
    assert_eq!(chain.view(ARB_WASM, view.clone()).output[31], 77);
    assert_eq!(chain.own_gas(ARB_WASM, view.clone()), 1_603);
    let mut chain = Chain::owned(58);
    assert_eq!(chain.send(OWNER, set, 0).gas_used, 20_000_000);
    assert_eq!(chain.view(ARB_WASM, view).gas_used, 20_000_000);
}

#[test]
fn a_filled_byte_is_the_low_one_of_its_value() {
    for arbos in [51, 59] {
        let mut chain = Chain::at(arbos);
        let program = chain.program(&wat(r"
            (memory.fill (i32.const 64) (i32.const 0x1fe) (i32.const 2))
            (call $write_result (i32.const 63) (i32.const 4))
            (i32.const 0)"));
        let outcome = chain.send(program, Bytes::new(), 0);
        assert_eq!(outcome.output[..], [0, 0xfe, 0xfe, 0], "{arbos}");
    }
}

#[test]
fn stylus_3_knows_no_multiple_values() {
    let with = |fields: &str, code: &str| {
        format!(
            r#"(module {fields} (memory (export "memory") 1 1)
                (func (export "user_entrypoint") (param i32) (result i32) {code}))"#
        )
    };
    let unused = with("(type (func (result i32 i32)))", "i32.const 0");
    let indexed = with(
        "(type $t (func (param i32) (result i32)))",
        "local.get 0 (block (type $t))",
    );
    let single = with("", "(block (result i32) i32.const 0)");
    for (wat, at_51, at_59) in [
        (&unused, true, false),
        (&indexed, true, false),
        (&single, true, true),
    ] {
        for (arbos, passes) in [(51, at_51), (59, at_59)] {
            let mut chain = Chain::at(arbos);
            let program = chain.deploy(&program_code(wat));
            let outcome = chain.activate(program);
            match (&outcome.status, passes) {
                (Status::Success, true) => {}
                (Status::Halt(text), false) => {
                    let begins = "program activation failed: failed to parse wasm";
                    assert!(text.starts_with(begins), "{text}");
                    assert_eq!(outcome.gas_used, 20_000_000);
                }
                (status, _) => panic!("{arbos} {wat}: {status:?}"),
            }
        }
    }
}

#[test]
fn a_program_called_before_in_the_block_is_priced_as_cached() {
    for (arbos, cheaper) in [(59, false), (60, true)] {
        let mut chain = Chain::at(arbos);
        let program = chain.program(&keeper());
        let init = programInitGasCall { program }.abi_encode();
        let output = chain.view(ARB_WASM, init).output;
        let (init, cached) = <(u64, u64)>::abi_decode_params(&output).unwrap();
        let gas = |chain: &mut Chain| {
            let outcome = chain.send(program, A, 0);
            assert_eq!(outcome.status, Status::Success);
            outcome.gas_used
        };
        gas(&mut chain);
        chain.next_block();
        let first = gas(&mut chain);
        let second = gas(&mut chain);
        let saved = if cheaper { init - cached } else { 0 };
        assert_eq!(first - second, saved, "{arbos}");
        // Calls that nobody sends have a block of their own.
        let view = |chain: &mut Chain| chain.view(program, A).gas_used;
        assert_eq!(view(&mut chain), view(&mut chain));
        chain.next_block();
        assert_eq!(gas(&mut chain), first);
        // One that fails is remembered all the same.
        chain.next_block();
        let failing = Bytes::from(vec![0xff; 32]);
        assert_eq!(chain.send(program, failing, 0).status, Status::Revert);
        assert_eq!(gas(&mut chain), second, "{arbos}");
    }
}

/// Returns GASPRICE.
const GAS_PRICE: [u8; 8] = [0x3a, 0x5f, 0x52, 0x60, 0x20, 0x5f, 0xf3, 0x00];

#[test]
fn tips_are_paid_where_the_chain_collects_them() {
    for (arbos, flag, paid) in [(59, 1, false), (60, 0, false), (60, 1, true), (61, 1, true)] {
        let mut chain = Chain::at(arbos);
        chain.put(tips_slot(), U256::from(flag));
        let contract = chain.deploy(&GAS_PRICE);
        let tx = TxParams {
            tip: 7,
            ..chain.tx(TxKind::Call(contract), Bytes::new(), U256::ZERO)
        };
        let (before, fees) = (chain.balance(ALICE), chain.balance(COINBASE));
        let outcome = chain.try_run(tx, Mode::Transaction).unwrap();
        let price = BASE_FEE + if paid { 7 } else { 0 };
        assert_eq!(
            U256::from_be_slice(&outcome.output),
            U256::from(price),
            "{arbos} {flag}"
        );
        let fee = U256::from(price * outcome.gas_used);
        assert_eq!(before - chain.balance(ALICE), fee, "{arbos} {flag}");
        assert_eq!(chain.balance(COINBASE) - fees, fee, "{arbos} {flag}");
        // A tip is no more than what is offered above the base fee.
        let tx = TxParams {
            tip: u128::MAX,
            gas_price: u128::from(BASE_FEE) + 3,
            ..chain.tx(TxKind::Call(contract), Bytes::new(), U256::ZERO)
        };
        let outcome = chain.try_run(tx, Mode::Transaction).unwrap();
        let price = BASE_FEE + if paid { 3 } else { 0 };
        assert_eq!(
            U256::from_be_slice(&outcome.output),
            U256::from(price),
            "{arbos} {flag}"
        );
    }
    let mut chain = Chain::owned(61);
    let view = getCollectTipsCall {}.abi_encode();
    assert_eq!(chain.own_gas(OWNER_PUBLIC, view.clone()), 1_603);
    let set = setCollectTipsCall { collect: true }.abi_encode();
    assert_eq!(chain.send(OWNER, set, 0).status, Status::Success);
    assert_eq!(chain.view(OWNER_PUBLIC, view).output[31], 1);
}

#[test]
fn posting_is_paid_for_beside_tips() {
    let mut chain = Chain::at(61);
    chain.put(tips_slot(), U256::ONE);
    let tx = TxParams {
        tip: 7,
        poster_gas: 1_000,
        ..chain.tx(
            TxKind::Call(Address::repeat_byte(5)),
            Bytes::new(),
            U256::ONE,
        )
    };
    let outcome = chain.try_run(tx, Mode::Transaction).unwrap();
    assert_eq!(outcome.gas_used, 22_000);
    let price = U256::from(BASE_FEE + 7);
    assert_eq!(chain.balance(l1::FUNDS_POOL), price * U256::from(1_000));
    assert_eq!(chain.balance(COINBASE), price * U256::from(21_000));
}

#[test]
fn a_filtered_transaction_uses_its_gas_and_does_nothing() {
    for (arbos, filtered) in [(59, false), (60, true), (61, true)] {
        let mut chain = Chain::at(arbos);
        let hash = B256::repeat_byte(0xfa);
        chain
            .db
            .insert_account_storage(filtering::LIST, filtering::slot(hash), U256::ONE)
            .unwrap();
        let to = Address::repeat_byte(5);
        let tx = TxParams {
            hash,
            gas_limit: 500_000,
            ..chain.tx(TxKind::Call(to), Bytes::new(), U256::from(9))
        };
        let (before, nonce) = (chain.balance(ALICE), chain.nonce(ALICE));
        let outcome = chain.try_run(tx, Mode::Transaction).unwrap();
        assert_eq!(chain.nonce(ALICE), nonce + 1);
        if !filtered {
            assert_eq!(outcome.status, Status::Success);
            assert_eq!(chain.balance(to), U256::from(9));
            continue;
        }
        assert_eq!(outcome.status, Status::Halt("transaction filtered".into()));
        assert_eq!(outcome.gas_used, 500_000);
        assert_eq!(chain.balance(to), U256::ZERO);
        let fee = U256::from(500_000 * BASE_FEE);
        assert_eq!(before - chain.balance(ALICE), fee);
        let create = TxParams {
            hash,
            ..chain.tx(TxKind::Create, init_code(&[0]), U256::ZERO)
        };
        let created = ALICE.create(create.nonce);
        chain.try_run(create, Mode::Transaction).unwrap();
        assert_eq!(chain.nonce(ALICE), nonce + 2);
        assert_eq!(chain.nonce(created), 0);
    }
}

#[test]
fn filterers_name_transactions() {
    let week = 7 * 86_400;
    let mut chain = Chain::owned(60);
    let hash = B256::repeat_byte(3);
    let add = addFilteredTransactionCall { hash }.abi_encode();
    let named = isTransactionFilteredCall { hash }.abi_encode();
    let appoint = addTransactionFiltererCall { filterer: ALICE }.abi_encode();
    assert_eq!(chain.send(OWNER, appoint.clone(), 0).status, Status::Revert);
    let from = |timestamp| setTransactionFilteringFromCall { timestamp }.abi_encode();
    let soon = chain.send(OWNER, from(chain.now + week - 1), 0);
    assert_eq!(soon.status, Status::Revert);
    let later = chain.send(OWNER, from(chain.now + week), 0);
    assert_eq!(later.status, Status::Success);
    assert_eq!(chain.send(OWNER, appoint.clone(), 0).status, Status::Revert);
    let stranger = chain.send(FILTERED, add.clone(), 0);
    assert_eq!(stranger.status, Status::Revert);
    assert_eq!(stranger.gas_used, intrinsic(&add) + 1_600);
    chain.now += week;
    let outcome = chain.send(OWNER, appoint, 0);
    assert_eq!(outcome.status, Status::Success);
    assert_eq!(outcome.logs.len(), 2);
    let who = isTransactionFiltererCall { filterer: ALICE }.abi_encode();
    assert_eq!(chain.view(OWNER_PUBLIC, who).output[31], 1);
    let outcome = chain.send(FILTERED, add, 0);
    assert_eq!(outcome.status, Status::Success, "{outcome:?}");
    assert_eq!(outcome.logs[0].topics()[1], hash);
    assert_eq!(chain.view(FILTERED, named.clone()).output[31], 1);
    let tx = TxParams {
        hash,
        ..chain.tx(TxKind::Call(ALICE), Bytes::new(), U256::ONE)
    };
    let outcome = chain.try_run(tx.clone(), Mode::Transaction).unwrap();
    assert_eq!(outcome.gas_used, 20_000_000);
    let delete = deleteFilteredTransactionCall { hash }.abi_encode();
    assert_eq!(chain.send(FILTERED, delete, 0).status, Status::Success);
    assert_eq!(chain.view(FILTERED, named.clone()).output[31], 0);
    // Before 60 there is nobody at that address.
    let mut chain = Chain::at(59);
    let outcome = chain.view(FILTERED, named);
    assert_eq!(outcome.status, Status::Success);
    assert!(outcome.output.is_empty());
}

#[test]
fn only_60_gives_back_what_a_falling_base_fee_makes() {
    for (arbos, gives_back) in [(59, false), (60, true), (61, false)] {
        let mut chain = Chain::at(arbos);
        chain.base_fee = 2 * BASE_FEE;
        let tx = TxParams {
            gas_price: 4 * u128::from(BASE_FEE),
            ..chain.tx(
                TxKind::Call(Address::repeat_byte(5)),
                Bytes::new(),
                U256::ZERO,
            )
        };
        let before = chain.balance(ALICE);
        let outcome = chain.try_run(tx, Mode::Transaction).unwrap();
        assert_eq!(outcome.gas_used, 21_000);
        let price = if gives_back { BASE_FEE } else { 2 * BASE_FEE };
        let fee = U256::from(21_000 * price);
        assert_eq!(before - chain.balance(ALICE), fee, "{arbos}");
        assert_eq!(chain.balance(COINBASE), fee, "{arbos}");
        // A steady fee gives nothing back.
        chain.base_fee = BASE_FEE;
        let before = chain.balance(ALICE);
        let outcome = chain.send(Address::repeat_byte(5), Bytes::new(), 0);
        let fee = U256::from(outcome.gas_used * BASE_FEE);
        assert_eq!(before - chain.balance(ALICE), fee, "{arbos}");
    }
}

#[test]
fn owners_choose_how_many_fragments_there_may_be() {
    let mut chain = Chain::owned(60);
    let view = getMaxStylusContractFragmentsCall {}.abi_encode();
    assert_eq!(chain.own_gas(OWNER_PUBLIC, view.clone()), 903);
    assert_eq!(chain.view(OWNER_PUBLIC, view.clone()).output[31], 4);
    let set = setMaxStylusContractFragmentsCall { count: 9 }.abi_encode();
    assert_eq!(chain.send(OWNER, set, 0).status, Status::Success);
    assert_eq!(chain.view(OWNER_PUBLIC, view.clone()).output[31], 9);
    let too_many = [
        &setMaxStylusContractFragmentsCall::SELECTOR[..],
        &U256::from(256).to_be_bytes::<32>(),
    ]
    .concat();
    assert_eq!(chain.send(OWNER, too_many, 0).gas_used, 20_000_000);
    let mut chain = Chain::at(59);
    assert_eq!(chain.view(OWNER_PUBLIC, view).gas_used, 20_000_000);
}

#[test]
fn multi_gas_constraints_are_kept_and_bounded() {
    let mut chain = Chain::owned(60);
    let constraint = |backlog, target| MultiGasConstraint {
        resources: vec![
            Weighted {
                resource: 1,
                weight: 2,
            },
            Weighted {
                resource: 8,
                weight: 1,
            },
        ],
        window: 60,
        target,
        backlog,
    };
    let set = |constraints| setMultiGasPricingConstraintsCall { constraints }.abi_encode();
    let get = getMultiGasPricingConstraintsCall {}.abi_encode();
    let kept = |chain: &mut Chain| {
        let output = chain.view(GAS_INFO, get.clone()).output;
        getMultiGasPricingConstraintsCall::abi_decode_returns(&output).unwrap()
    };
    assert!(kept(&mut chain).is_empty());
    let two = vec![constraint(0, 7), constraint(8 * 60 * 7, 7)];
    assert_eq!(chain.send(OWNER, set(two), 0).status, Status::Success);
    let now = kept(&mut chain);
    assert_eq!(
        (now.len(), now[1].backlog, now[1].resources[0].weight),
        (2, 3_360, 2)
    );
    for bad in [constraint(0, 0), constraint(9 * 60 * 7, 7)] {
        assert_eq!(chain.send(OWNER, set(vec![bad]), 0).status, Status::Revert);
        assert_eq!(kept(&mut chain).len(), 2);
    }
    assert_eq!(chain.send(OWNER, set(vec![]), 0).status, Status::Success);
    assert!(kept(&mut chain).is_empty());
    let fees = chain
        .view(GAS_INFO, getMultiGasBaseFeeCall {}.abi_encode())
        .output;
    let fees = getMultiGasBaseFeeCall::abi_decode_returns(&fees).unwrap();
    assert_eq!(fees, vec![U256::from(BASE_FEE); 9]);
}

#[test]
fn the_owners_changes_are_announced_since_60() {
    sol! { function addChainOwner(address newOwner) external; }
    for (arbos, logs) in [(59, 1), (60, 2)] {
        let mut chain = Chain::owned(arbos);
        let new_owner = Address::repeat_byte(4);
        let outcome = chain.send(
            OWNER,
            addChainOwnerCall {
                newOwner: new_owner,
            }
            .abi_encode(),
            0,
        );
        assert_eq!(outcome.logs.len(), logs, "{arbos}");
        if logs == 2 {
            let event = keccak256("ChainOwnerAdded(address)");
            assert_eq!(outcome.logs[0].topics(), [event, new_owner.into_word()]);
        }
    }
}

#[test]
fn p256_verify_costs_half_before_osaka() {
    for (arbos, gas) in [(40, 3_450), (51, 6_900), (61, 6_900)] {
        let mut chain = Chain::at(arbos);
        let to = Address::left_padding_from(&[1, 0]);
        let input = vec![1; 160];
        let own = chain.own_gas(to, input);
        assert_eq!(own, gas, "{arbos}");
    }
}
