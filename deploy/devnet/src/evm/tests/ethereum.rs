//! Plain transactions and contracts, and where they differ from Ethereum's.

use super::*;

#[test]
fn a_transfer_costs_the_base_fee_and_pays_it_to_the_sequencer() {
    let mut chain = Chain::new();
    let bob = Address::repeat_byte(0xb0);
    let outcome = chain.send(bob, Bytes::new(), 5);
    assert_eq!(outcome.status, Status::Success);
    assert_eq!(outcome.gas_used, 21_000);
    assert_eq!(chain.balance(bob), U256::from(5));
    let fee = U256::from(21_000 * BASE_FEE);
    assert_eq!(chain.balance(COINBASE), fee);
    assert_eq!(
        chain.balance(ALICE),
        U256::from(1000 * ETHER) - fee - U256::from(5)
    );
    assert_eq!(chain.nonce(ALICE), 1);
}

#[test]
fn transactions_that_cannot_be_included_say_why() {
    let mut chain = Chain::new();
    let bob = TxKind::Call(Address::repeat_byte(0xb0));
    let mut refuse = |change: fn(&mut TxParams)| {
        let mut tx = chain.tx(bob, Bytes::new(), U256::ZERO);
        change(&mut tx);
        chain.try_run(tx, Mode::Transaction).unwrap_err().0
    };
    assert!(refuse(|tx| tx.nonce = 3).starts_with("nonce too high"));
    assert!(refuse(|tx| tx.gas_limit = 20_999).starts_with("intrinsic gas too low"));
    assert!(refuse(|tx| tx.gas_price = 1).starts_with("max fee per gas less than block base fee"));
    assert!(refuse(|tx| tx.value = U256::MAX).contains("overflow"));
    assert!(refuse(|tx| tx.value = U256::from(1001 * ETHER)).starts_with("insufficient funds"));
}

#[test]
fn calls_need_no_gas_money_but_no_value_they_do_not_have() {
    let mut chain = Chain::new();
    let mut tx = chain.tx(
        TxKind::Call(ARB_SYS),
        arbBlockNumberCall {}.abi_encode(),
        U256::ZERO,
    );
    tx.from = Address::repeat_byte(0x99);
    tx.nonce = 77;
    tx.gas_price = 0;
    let outcome = chain.try_run(tx.clone(), Mode::Call).unwrap();
    assert_eq!(outcome.output, Bytes::from(U256::from(7).abi_encode()));
    tx.value = U256::ONE;
    let refused = chain.try_run(tx, Mode::Call).unwrap_err();
    assert!(refused.0.starts_with("insufficient funds"), "{refused}");
}

#[test]
fn opcodes_see_arbitrums_block() {
    let mut chain = Chain::new();
    // Returns NUMBER, PREVRANDAO, GASPRICE, BASEFEE.
    let code = [
        0x43, 0x5f, 0x52, 0x44, 0x60, 32, 0x52, 0x3a, 0x60, 64, 0x52, 0x48, 0x60, 96, 0x52, 0x60,
        128, 0x5f, 0xf3,
    ];
    let contract = chain.deploy(&code);
    let outcome = chain.send(contract, Bytes::new(), 0);
    let words = <(u64, u64, u64, u64)>::abi_decode_params(&outcome.output).unwrap();
    assert_eq!(words, (1234, 1, BASE_FEE, BASE_FEE));
}

#[test]
fn only_program_code_may_begin_with_ef() {
    let mut chain = Chain::new();
    let tx = chain.tx(
        TxKind::Create,
        init_code(&[0xef, 0x00, 0x00, 0x01]),
        U256::ZERO,
    );
    let outcome = chain.try_run(tx, Mode::Transaction).unwrap();
    assert!(matches!(outcome.status, Status::Halt(text) if text.contains("0xef")));
    chain.deploy(&[0xef, 0xf0, 0x00, 0x00, 0x01]);
}

#[test]
fn code_is_bounded_as_on_ethereum() {
    let mut chain = Chain::new();
    let tx = chain.tx(TxKind::Create, init_code(&[0; 24_577]), U256::ZERO);
    let outcome = chain.try_run(tx, Mode::Transaction).unwrap();
    assert_eq!(
        outcome.status,
        Status::Halt("max code size exceeded".into())
    );
}

#[test]
fn the_p256_precompile_is_there() {
    let mut chain = Chain::new();
    let p256 = address!("0000000000000000000000000000000000000100");
    let outcome = chain.send(p256, vec![0; 160], 0);
    assert_eq!(outcome.status, Status::Success);
    // 6900 for the check (EIP-7951), 160 zero bytes of calldata.
    assert_eq!(outcome.gas_used, 21_000 + 160 * 4 + 6900);
}
