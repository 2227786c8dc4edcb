//! How much gas a call needs, found by trying.

use alloy_primitives::U256;
use revm::DatabaseRef;

use super::{call::Call, limits::CALL_GAS_CAP, tx::TxError};
use crate::evm::{InvalidTx, Outcome, Status};

/// A plain transfer's gas: no transaction costs less.
pub(super) const MIN_GAS: u64 = 21_000;
/// The gas that a callee gets on top of a call with value.
const STIPEND: u64 = 2_300;

/// The most gas an estimate may try: the call's own, what its sender can pay for, the node's cap.
pub(super) fn gas_cap<D: DatabaseRef>(db: &D, call: &Call) -> Result<u64, TxError> {
    let cap = match call.gas {
        Some(gas) if gas >= MIN_GAS => gas.min(CALL_GAS_CAP),
        _ => CALL_GAS_CAP,
    };
    let sender = db.basic_ref(call.from).ok().flatten();
    let have = sender.map_or(U256::ZERO, |info| info.balance);
    if call.gas_price == 0 {
        return Ok(cap);
    }
    let Some(left) = have.checked_sub(call.value) else {
        return Err(TxError::Funds {
            address: call.from,
            have,
            want: call.value,
        });
    };
    let affordable = left / U256::from(call.gas_price);
    Ok(cap.min(u64::try_from(affordable).unwrap_or(u64::MAX)))
}

/// The least gas up to `cap` with which `run` succeeds, to within 1.5 % above. When it does not
/// succeed with `cap`, that outcome and `cap`.
pub(super) fn bisect(
    cap: u64,
    mut run: impl FnMut(u64) -> Result<Outcome, InvalidTx>,
) -> Result<Result<u64, (u64, Outcome)>, InvalidTx> {
    let first = run(cap)?;
    if first.status != Status::Success {
        return Ok(Err((cap, first)));
    }
    // Below `low` it fails; with `high` it works.
    let mut low = first.gas_used.saturating_sub(1);
    let mut high = cap;
    // Less gas than a transaction costs before it runs is one more way to fail.
    let mut works = |gas| run(gas).is_ok_and(|outcome| outcome.status == Status::Success);
    // Nearly always enough: every nested call leaves a 64th of the gas with its caller.
    let likely = (first.max_gas_used + STIPEND).saturating_mul(64) / 63;
    if likely < high {
        match works(likely) {
            true => high = likely,
            false => low = low.max(likely),
        }
    }
    while low + 1 < high && (high - low) * 1000 >= high * 15 {
        // Most calls need little: look nearer to the low end first.
        let middle = (low + (high - low) / 2).min(low.saturating_mul(2).max(low + 1));
        match works(middle) {
            true => high = middle,
            false => low = middle,
        }
    }
    Ok(Ok(high))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// A call that needs `needs` gas at its deepest and reports `used` afterwards.
    fn call(needs: u64, used: u64) -> impl FnMut(u64) -> Result<Outcome, InvalidTx> {
        move |gas| match gas {
            0..MIN_GAS => Err(InvalidTx("intrinsic gas too low".into())),
            _ => Ok(Outcome {
                status: match gas >= needs {
                    true => Status::Success,
                    false => Status::Halt("out of gas".into()),
                },
                gas_used: used,
                max_gas_used: used,
                output: Default::default(),
                logs: vec![],
                state: Default::default(),
            }),
        }
    }

    #[test]
    fn the_estimate_suffices_and_is_near() {
        for (needs, used) in [(21_000, 21_000), (90_000, 60_000), (9_000_000, 400_000)] {
            let gas = bisect(CALL_GAS_CAP, call(needs, used)).unwrap().unwrap();
            assert!(gas >= needs, "{gas} for {needs}");
            let slack = (needs / 50).max(needs.min(4_000));
            assert!(gas <= needs + slack, "{gas} for {needs}");
        }
    }

    #[test]
    fn a_call_that_fails_with_all_gas_fails() {
        let (cap, outcome) = bisect(50_000, call(60_000, 50_000)).unwrap().unwrap_err();
        assert_eq!(cap, 50_000);
        assert_eq!(outcome.status, Status::Halt("out of gas".into()));
        assert!(bisect(20_000, call(60_000, 50_000)).is_err());
    }
}
