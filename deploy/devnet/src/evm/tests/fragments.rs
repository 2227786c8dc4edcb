//! Programs in fragments (ArbOS 60): roots, their activation, and what is none.

use super::{versions::intrinsic, *};
use crate::arbos::{params::Params, version::params_of};

/// Gas of an activation before its fragments are read: arguments, state, stored gas, the fixed part, parameters, record.
const BEFORE_FRAGMENTS: u64 = 3 + 800 + 800 + 1_659_168 + 100 + 800;
const WORST_FRAGMENT: u64 = 2_600 + 3 * 768;

/// The packed WASM of a program cut into pieces, as fragments; and the length of the WASM.
fn fragments(wat: &str, pieces: usize) -> (Vec<Vec<u8>>, u32) {
    let wasm = wat::parse_str(wat).unwrap();
    let packed = program_code(wat)[4..].to_vec();
    let piece = packed.len().div_ceil(pieces);
    let cut = |part: &[u8]| [&[0xef, 0xf0, 1], part].concat();
    (packed.chunks(piece).map(cut).collect(), wasm.len() as u32)
}

fn root(dictionary: u8, size: u32, fragments: &[Address]) -> Vec<u8> {
    let mut code = vec![0xef, 0xf0, 2, dictionary];
    code.extend(size.to_be_bytes());
    for fragment in fragments {
        code.extend(fragment.as_slice());
    }
    code
}

#[test]
fn a_root_is_activated_from_its_fragments_and_runs() {
    let mut chain = Chain::at(60);
    let classic = chain.deploy(&program_code(&keeper()));
    let (pieces, size) = fragments(&keeper(), 3);
    assert_eq!(pieces.len(), 3);
    let parts: Vec<_> = pieces.iter().map(|piece| chain.deploy(piece)).collect();
    let code = root(0, size, &parts);
    let program = chain.deploy(&code);

    let gas = |chain: &mut Chain, program| {
        let outcome = chain.activate(program);
        assert_eq!(outcome.status, Status::Success, "{outcome:?}");
        outcome.gas_used - intrinsic(&activateProgramCall { program }.abi_encode())
    };
    let whole = gas(&mut chain, classic);
    let before = chain.now;
    let reading: u64 = pieces
        .iter()
        .map(|piece| 2_600 + 3 * piece.len().div_ceil(32) as u64)
        .sum();
    assert_eq!(gas(&mut chain, program), whole + reading);
    assert_eq!(chain.now, before);

    let codehash = keccak256(&code);
    let view = codehashVersionCall { codehash }.abi_encode();
    assert_eq!(chain.view(ARB_WASM, view).output[31], 3);
    let outcome = chain.send(program, A, 0);
    assert_eq!(outcome.status, Status::Success, "{outcome:?}");
    assert_eq!(outcome.logs[0].address, program);
    let again = chain.activate(program);
    assert_eq!(again.output[..], ProgramUpToDate::SELECTOR);
    // The same list of fragments is the same program, whatever the account.
    let twin = chain.deploy(&code);
    assert_eq!(chain.activate(twin).output[..], ProgramUpToDate::SELECTOR);
    assert_eq!(chain.send(twin, A, 0).status, Status::Success);
    // A fragment has no record of its own.
    let codehash = keccak256(&pieces[0]);
    let view = codehashVersionCall { codehash }.abi_encode();
    assert_eq!(
        chain.view(ARB_WASM, view).output[..],
        ProgramNotActivated::SELECTOR
    );
}

#[test]
fn running_a_root_costs_what_the_program_in_one_piece_does() {
    let mut chain = Chain::at(60);
    let classic = chain.program(&keeper());
    let (pieces, size) = fragments(&keeper(), 2);
    let parts: Vec<_> = pieces.iter().map(|piece| chain.deploy(piece)).collect();
    let program = chain.deploy(&root(0, size, &parts));
    assert_eq!(chain.activate(program).status, Status::Success);
    chain.next_block();
    let mut gas = |to| {
        let outcome = chain.send(to, A, 0);
        assert_eq!(outcome.status, Status::Success);
        outcome.gas_used
    };
    assert_eq!(gas(program), gas(classic));
}

#[test]
fn a_fragment_twice_is_warm_the_second_time() {
    let gas = |twice: bool| {
        let mut chain = Chain::at(60);
        let (pieces, size) = fragments(&keeper(), 1);
        let whole = chain.deploy(&pieces[0]);
        // Twice the stream is no stream of that size: it is refused after all fragments are read.
        let parts = if twice {
            vec![whole, whole]
        } else {
            vec![whole]
        };
        let program = chain.deploy(&root(0, size + 1, &parts));
        let outcome = chain.activate(program);
        assert_eq!(outcome.status, Status::Revert);
        let input = activateProgramCall { program }.abi_encode();
        (outcome.gas_used - intrinsic(&input), pieces[0].len() as u64)
    };
    let ((once, length), (twice, _)) = (gas(false), gas(true));
    assert_eq!(once, BEFORE_FRAGMENTS + 2_600 + 3 * length.div_ceil(32));
    assert_eq!(twice, once + 100 + 3 * length.div_ceil(32));
}

#[test]
fn bad_roots_are_refused_without_a_word() {
    let mut chain = Chain::at(60);
    let (pieces, size) = fragments(&keeper(), 2);
    let parts: Vec<_> = pieces.iter().map(|piece| chain.deploy(piece)).collect();
    let (one, two) = (parts[0], parts[1]);
    let missing = Address::repeat_byte(0x99);
    let plain = chain.deploy(&[0x60, 0]);
    let other = chain.deploy(&program_code(&wat("(i32.const 0)")));
    let good = root(0, size, &[one, two]);
    let inner = chain.deploy(&good);
    // The address that the next creation gets: a root in a circle.
    let itself = ALICE.create(chain.nonce(ALICE));
    let mut cut = good.clone();
    cut.pop();
    for (name, code) in [
        ("itself", root(0, size, &[itself, two])),
        ("no fragments", root(0, size, &[])),
        ("rubbish", vec![0xef, 0xf0, 2, 0, 1, 2, 3]),
        ("a short address", cut),
        ("five", root(0, size, &[one, two, one, two, one])),
        ("missing", root(0, size, &[one, missing])),
        ("the EVM's", root(0, size, &[one, plain])),
        ("a program", root(0, size, &[one, other])),
        ("a root", root(0, size, &[inner])),
        ("wrong order", root(0, size, &[two, one])),
        ("half", root(0, size, &[one])),
        ("too small", root(0, size - 1, &[one, two])),
        ("too large", root(0, size + 1, &[one, two])),
        ("beyond the limit", root(0, 262_145, &[one, two])),
        ("dictionary", root(1, size, &[one, two])),
    ] {
        let program = chain.deploy(&code);
        let outcome = chain.activate(program);
        assert_eq!(outcome.status, Status::Revert, "{name}");
        assert!(outcome.output.is_empty(), "{name}");
        assert!(outcome.gas_used < 2_000_000, "{name}");
        let outcome = chain.send(program, A, 0);
        assert_eq!(
            outcome.status,
            Status::Halt("program not activated".into()),
            "{name}"
        );
    }
    let outcome = chain.activate(one);
    assert_eq!(outcome.status, Status::Revert);
    assert!(outcome.output.is_empty() && outcome.gas_used < 2_000_000);
    // Owners may allow fewer.
    chain.set_params(Params {
        max_fragments: 1,
        ..params_of(60)
    });
    assert_eq!(chain.activate(inner).status, Status::Revert);
    chain.set_params(params_of(60));
    assert_eq!(chain.activate(inner).status, Status::Success);
}

#[test]
fn calling_a_fragment_is_an_invalid_opcode() {
    let mut chain = Chain::at(60);
    let (pieces, _) = fragments(&keeper(), 2);
    let part = chain.deploy(&pieces[0]);
    let outcome = chain.send(part, A, 0);
    assert_eq!(outcome.status, Status::Halt("invalid opcode".into()));
    assert_eq!(outcome.gas_used, 20_000_000);
}

#[test]
fn fragments_and_roots_cannot_be_deployed_before_60() {
    let (pieces, size) = fragments(&keeper(), 1);
    for code in [pieces[0].clone(), root(0, size, &[ALICE])] {
        for (arbos, passes) in [(59, false), (60, true)] {
            let mut chain = Chain::at(arbos);
            let tx = chain.tx(TxKind::Create, init_code(&code), U256::ZERO);
            let outcome = chain.try_run(tx, Mode::Transaction).unwrap();
            let status = match passes {
                true => Status::Success,
                false => Status::Halt("invalid code: must not begin with 0xef".into()),
            };
            assert_eq!(outcome.status, status, "{arbos}");
        }
    }
    // A prefix with nothing behind it is none.
    let mut chain = Chain::at(60);
    let tx = chain.tx(TxKind::Create, init_code(&[0xef, 0xf0, 1]), U256::ZERO);
    let outcome = chain.try_run(tx, Mode::Transaction).unwrap();
    assert!(matches!(outcome.status, Status::Halt(_)), "{outcome:?}");
}

#[test]
fn reading_a_fragment_needs_gas_for_the_longest() {
    let mut chain = Chain::at(60);
    let missing = Address::repeat_byte(0x99);
    let program = chain.deploy(&root(0, 1, &[missing]));
    let input = activateProgramCall { program }.abi_encode();
    let before = intrinsic(&input) + BEFORE_FRAGMENTS;
    let run = |chain: &mut Chain, gas_limit| {
        let tx = TxParams {
            gas_limit,
            ..chain.tx(TxKind::Call(ARB_WASM), input.clone(), U256::ZERO)
        };
        chain.try_run(tx, Mode::Transaction).unwrap()
    };
    let short = run(&mut chain, before + WORST_FRAGMENT - 1);
    assert_eq!(short.status, Status::Halt("out of gas".into()));
    let enough = run(&mut chain, before + WORST_FRAGMENT);
    assert_eq!(enough.status, Status::Revert);
    assert_eq!(enough.gas_used, before + 2_600);
}

#[test]
fn an_access_list_warms_a_fragment() {
    let gas = |listed: bool| {
        let mut chain = Chain::at(60);
        let (pieces, size) = fragments(&keeper(), 1);
        let piece = chain.deploy(&pieces[0]);
        let program = chain.deploy(&root(0, size, &[piece]));
        let input = activateProgramCall { program }.abi_encode();
        let mut tx = chain.tx(TxKind::Call(ARB_WASM), input, U256::from(ETHER));
        if listed {
            tx.access_list = vec![(piece, Vec::new())];
        }
        let outcome = chain.try_run(tx, Mode::Transaction).unwrap();
        assert_eq!(outcome.status, Status::Success);
        outcome.gas_used
    };
    // 2,400 for the list's address, 2,500 less for reading it.
    assert_eq!(gas(true), gas(false) + 2_400 - 2_500);
}

/// A program of two fragments, activated.
fn rooted(chain: &mut Chain, wat: &str) -> (Address, Address) {
    let (pieces, size) = fragments(wat, 2);
    let parts: Vec<_> = pieces.iter().map(|piece| chain.deploy(piece)).collect();
    let program = chain.deploy(&root(0, size, &parts));
    assert_eq!(chain.activate(program).status, Status::Success);
    (program, parts[0])
}

#[test]
fn a_root_that_is_delegated_to_acts_for_its_caller() {
    let mut chain = Chain::at(61);
    let (keeper, fragment) = rooted(&mut chain, &keeper());
    let proxy = chain.program(&caller("delegate"));
    let outcome = chain.send(proxy, calling(keeper, A.as_slice()), 0);
    assert_eq!(outcome.status, Status::Success);
    assert_eq!(outcome.logs[0].address, proxy);
    assert_eq!(chain.send(keeper, B, 0).output[..], B256::ZERO[..]);
    // A fragment is an invalid opcode there too: that frame's gas is gone, its caller goes on.
    let payer = chain.deploy(&evm_caller());
    let outcome = chain.send(payer, calling(fragment, &[]), 0);
    assert_eq!(outcome.status, Status::Revert);
    assert!(outcome.gas_used > 19_000_000, "{}", outcome.gas_used);
}

#[test]
fn a_root_cannot_be_destroyed() {
    let mut chain = Chain::at(60);
    let (proxy, _) = rooted(&mut chain, &caller("delegate"));
    // selfdestruct(caller)
    let bomb = chain.deploy(&[0x33, 0xff]);
    let outcome = chain.send(proxy, calling(bomb, &[]), 0);
    assert_eq!(outcome.status, Status::Revert);
}

#[test]
fn contracts_see_the_bytes_of_roots_and_fragments() {
    let mut chain = Chain::at(61);
    let (pieces, size) = fragments(&keeper(), 1);
    let piece = chain.deploy(&pieces[0]);
    let code = root(0, size, &[piece]);
    let program = chain.deploy(&code);
    // mstore(0, extcodehash(calldataload(0))), mstore(32, extcodesize(calldataload(0))), return(0, 64)
    let look = chain.deploy(&[
        0x5f, 0x35, 0x3f, 0x5f, 0x52, 0x5f, 0x35, 0x3b, 0x60, 0x20, 0x52, 0x60, 0x40, 0x5f, 0xf3,
    ]);
    for (address, bytes) in [(program, &code), (piece, &pieces[0])] {
        let seen = chain.view(look, address.into_word().to_vec()).output;
        assert_eq!(seen[..32], keccak256(bytes)[..]);
        assert_eq!(seen[32..], U256::from(bytes.len()).to_be_bytes::<32>());
    }
}
