//! Precompiles: activating programs, and what entering one costs.

use super::*;

#[test]
fn a_program_is_activated_once_for_its_fee() {
    let mut chain = Chain::new();
    let code = program_code(&keeper());
    let program = chain.deploy(&code);
    let version = codehashVersionCall {
        codehash: keccak256(&code),
    };
    let outcome = chain.view(ARB_WASM, version.abi_encode());
    assert_eq!(outcome.status, Status::Revert);
    assert_eq!(outcome.output[..], ProgramNotActivated::SELECTOR);

    let poor = chain.send(ARB_WASM, activateProgramCall { program }.abi_encode(), 1);
    assert_eq!(poor.status, Status::Revert);
    let error = ProgramInsufficientValue::abi_decode(&poor.output).unwrap();
    assert_eq!(error.have, U256::ONE);

    let before = chain.balance(ALICE);
    let outcome = chain.activate(program);
    assert_eq!(outcome.status, Status::Success);
    let event = ProgramActivated::decode_log(&outcome.logs[0]).unwrap();
    assert_eq!(event.address, ARB_WASM);
    assert_eq!(
        (event.program, event.version, event.codehash),
        (program, 2, keccak256(&code))
    );
    assert_eq!(event.dataFee, error.want);
    let paid = event.dataFee + U256::from(outcome.gas_used * BASE_FEE);
    assert_eq!(before - chain.balance(ALICE), paid);
    assert_eq!(chain.balance(ARB_WASM), U256::ZERO);

    let outcome = chain.view(ARB_WASM, version.abi_encode());
    assert_eq!(outcome.output, Bytes::from(2u16.abi_encode()));
    let again = chain.activate(program);
    assert_eq!(again.output[..], ProgramUpToDate::SELECTOR);
}

#[test]
fn precompiles_cost_what_they_cost() {
    let mut chain = Chain::new();
    let program = chain.program(&keeper());
    let cost = |outcome: Outcome, input: &[u8]| {
        assert_eq!(outcome.status, Status::Success);
        let data: u64 = input.iter().map(|b| if *b == 0 { 4 } else { 16 }).sum();
        outcome.gas_used - 21_000 - data
    };
    let input = stylusVersionCall {}.abi_encode();
    assert_eq!(cost(chain.view(ARB_WASM, input.clone()), &input), 903);
    let input = programInitGasCall { program }.abi_encode();
    assert_eq!(cost(chain.view(ARB_WASM, input.clone()), &input), 4309);
    let outcome = chain.view(ARB_SYS, arbOSVersionCall {}.abi_encode());
    assert_eq!(outcome.output, Bytes::from(U256::from(106).abi_encode()));
}

#[test]
fn a_precompile_burns_all_for_what_it_does_not_understand() {
    let mut chain = Chain::new();
    for (input, value) in [
        (vec![1, 2, 3, 4], 0),
        (vec![], 0),
        (stylusVersionCall {}.abi_encode(), 1),
        (programInitGasCall::SELECTOR.to_vec(), 0),
    ] {
        let outcome = chain.send(ARB_WASM, input.clone(), value);
        assert_eq!(outcome.status, Status::Revert, "{input:?}");
        assert_eq!(outcome.gas_used, 20_000_000, "{input:?}");
    }
}

/// Only an account without code is said not to be WASM; since ArbOS 60 other code is too.
#[test]
fn code_that_is_no_program_is_refused_and_keeps_the_gas() {
    const SPARE: u64 = 15_000_000;
    for arbos in [51, 60] {
        let mut chain = Chain::at(arbos);
        let bare = chain.activate(Address::repeat_byte(0x77));
        assert_eq!(bare.output[..], ProgramNotWasm::SELECTOR, "{arbos}");
        let plain = chain.deploy(&[0x60, 0x00]);
        let plain = chain.activate(plain);
        let want: &[u8] = if arbos < 60 {
            &[]
        } else {
            &ProgramNotWasm::SELECTOR
        };
        assert_eq!(plain.output[..], *want, "{arbos}");

        let dictionary = chain.deploy(&[0xef, 0xf0, 0, 1, 9]);
        let no_brotli = chain.deploy(&[0xef, 0xf0, 0, 0, 0xff, 0xff]);
        let long = wat::parse_str("(module (memory 1) (data (i32.const 0) \"\"))").unwrap();
        let mut long = [long, vec![0; 300_000]].concat();
        long[0] = 0;
        let mut packed = vec![0xef, 0xf0, 0, 0];
        let quick = brotli::enc::BrotliEncoderParams::default();
        brotli::BrotliCompress(&mut long.as_slice(), &mut packed, &quick).unwrap();
        let too_long = chain.deploy(&packed);
        for program in [dictionary, no_brotli, too_long] {
            let outcome = chain.activate(program);
            assert_eq!(outcome.status, Status::Revert, "{arbos}");
            assert!(outcome.output.is_empty(), "{arbos}");
            assert!(outcome.gas_used < SPARE, "{arbos}: {}", outcome.gas_used);
        }
        for outcome in [bare, plain] {
            assert_eq!(outcome.status, Status::Revert, "{arbos}");
            assert!(outcome.gas_used < SPARE, "{arbos}: {}", outcome.gas_used);
        }
    }
    let mut chain = Chain::new();
    let no_entry = chain.deploy(&program_code("(module (memory (export \"memory\") 1 1))"));
    let outcome = chain.activate(no_entry);
    assert!(
        matches!(&outcome.status, Status::Halt(text) if text.starts_with("program activation failed: ")),
        "{outcome:?}"
    );
    assert_eq!(outcome.gas_used, 20_000_000);
}

#[test]
fn a_program_that_is_not_activated_burns_all_gas() {
    let mut chain = Chain::new();
    let program = chain.deploy(&program_code(&keeper()));
    let outcome = chain.send(program, A, 0);
    assert_eq!(outcome.status, Status::Halt("program not activated".into()));
    assert_eq!(outcome.gas_used, 20_000_000);
    // For a caller it is a call that failed.
    let evm = chain.deploy(&evm_caller());
    let outcome = chain.send(evm, calling(program, A.as_slice()), 0);
    assert_eq!(outcome.status, Status::Revert);
    assert!(outcome.output.is_empty());
}

#[test]
fn entering_costs_memory_and_initialisation() {
    let mut chain = Chain::new();
    let program = chain.program(&wat("(i32.const 0)"));
    let outcome = chain.send(program, Bytes::new(), 0);
    let init = programInitGasCall { program }.abi_encode();
    let output = chain.view(ARB_WASM, init).output;
    let (init, _) = <(u64, u64)>::abi_decode_params(&output).unwrap();
    // One page is free. read_args 13 440, its call 3800 + 2450 + 70 + …: under 3 gas.
    let own = outcome.gas_used - 21_000 - init;
    assert!((1..=3).contains(&own), "{own}");
}

const DAY: u64 = 86_400;

#[test]
fn a_program_expires_and_comes_back() {
    let mut chain = Chain::new();
    let code = program_code(&keeper());
    let program = chain.program(&keeper());
    chain.now += 366 * DAY;
    let outcome = chain.send(program, A, 0);
    assert!(
        matches!(&outcome.status, Status::Halt(text) if text.starts_with("program expired")),
        "{outcome:?}"
    );
    let codehash = keccak256(&code);
    let outcome = chain.view(ARB_WASM, codehashVersionCall { codehash }.abi_encode());
    let error = ProgramExpired::abi_decode(&outcome.output).unwrap();
    assert!((366 * DAY..366 * DAY + 3600).contains(&error.age));
    assert_eq!(chain.activate(program).status, Status::Success);
    assert_eq!(chain.send(program, A, 0).status, Status::Success);
}

#[test]
fn a_program_is_kept_alive_but_not_too_often() {
    let mut chain = Chain::new();
    let codehash = keccak256(program_code(&keeper()));
    let program = chain.program(&keeper());
    let keepalive = codehashKeepaliveCall { codehash }.abi_encode();
    chain.now += 10 * DAY;
    let outcome = chain.send(ARB_WASM, keepalive.clone(), ETHER);
    let error = ProgramKeepaliveTooSoon::abi_decode(&outcome.output).unwrap();
    assert!((10 * DAY..10 * DAY + 3600).contains(&error.age));

    chain.now += 30 * DAY;
    let time_left = programTimeLeftCall { program }.abi_encode();
    let left = |outcome: Outcome| u64::abi_decode(&outcome.output).unwrap() / DAY;
    assert_eq!(left(chain.view(ARB_WASM, time_left.clone())), 324);
    let outcome = chain.send(ARB_WASM, keepalive, ETHER);
    assert_eq!(outcome.status, Status::Success, "{outcome:?}");
    let event = ProgramLifetimeExtended::decode_log(&outcome.logs[0]).unwrap();
    assert_eq!(event.codehash, codehash);
    assert!(event.dataFee > U256::ZERO);
    assert_eq!(left(chain.view(ARB_WASM, time_left)), 364);
}

#[test]
fn block_hashes_reach_back_a_little() {
    let mut chain = Chain::new();
    let mut ask = |number| {
        let number = U256::from(number);
        chain.view(ARB_SYS, arbBlockHashCall { number }.abi_encode())
    };
    let known = revm::DatabaseRef::block_hash_ref(&EmptyDB::default(), 6).unwrap();
    assert_eq!(ask(6).output[..], known[..]);
    let outcome = ask(7);
    assert_eq!(outcome.status, Status::Revert);
    let error = InvalidBlockNumber::abi_decode(&outcome.output).unwrap();
    assert_eq!(
        (error.requested, error.current),
        (U256::from(7), U256::from(7))
    );
}

#[test]
fn a_cached_program_stays_cached_when_it_is_activated_again() {
    sol! {
        function cacheProgram(address program) external;
        function codehashIsCached(bytes32 codehash) external view returns (bool);
    }
    const CACHE: Address = Address::with_last_byte(0x72);
    let codehash = keccak256(program_code(&keeper()));
    let run = |cache: bool| {
        let mut chain = Chain::owned(51);
        let program = chain.program(&keeper());
        if cache {
            let call = cacheProgramCall { program }.abi_encode();
            assert_eq!(chain.send(CACHE, call, 0).status, Status::Success);
        }
        chain.upgrade(61);
        let outcome = chain.activate(program);
        assert_eq!(outcome.status, Status::Success);
        let view = codehashIsCachedCall { codehash }.abi_encode();
        assert_eq!(chain.view(CACHE, view).output[31], u8::from(cache));
        outcome.gas_used
    };
    // The old module's hash is looked up.
    assert_eq!(run(true), run(false) + 800);
}
