//! The life of a transaction around its frames: validation, buying gas, paying for it.

use revm::context::result::{HaltReason, InvalidTransaction};
use revm::context_interface::journaled_state::account::JournaledAccountTr;
use revm::context_interface::{Cfg, ContextTr, JournalTr, Transaction};
use revm::handler::validation::validate_initial_tx_gas_with_gas_params;
use revm::handler::{
    EvmTr, FrameResult, Handler, PreExecutionOutput, post_execution, pre_execution,
};
use revm::interpreter::{GasTracker, InitialAndFloorGas};
use revm::primitives::U256;

use super::context::{Ctx, RunError};
use super::machine::Machine;
use super::types::Mode;
use crate::arbos::l1;
use crate::arbos::l2::BASE_FEE;
use crate::arbos::version::{FRAGMENTS, REFUNDS_CORRECTED};

/// Gas that one transaction may use, intrinsic gas included; what it offers beyond is held and given back.
const GAS_CAP: u64 = 32_000_000;
/// The ArbOS version since which it may not use more.
const CAPPED_SINCE: u64 = 50;

/// [`Handler`] with Arbitrum's differences.
pub(crate) struct ArbHandler<'a> {
    pub(crate) mode: Mode,
    /// Gas spent before anything runs on posting the transaction to the parent chain.
    pub(crate) poster_gas: u64,
    /// The sender may have code.
    pub(crate) impersonated: bool,
    /// It is mined without being executed.
    pub(crate) filtered: bool,
    pub(crate) _state: std::marker::PhantomData<&'a ()>,
}

impl<'a> Handler for ArbHandler<'a> {
    type Evm = Machine<'a>;
    type Error = RunError;
    type HaltReason = HaltReason;

    /// No calldata floor (EIP-7623).
    fn validate_initial_tx_gas(
        &self,
        evm: &mut Machine<'a>,
    ) -> Result<InitialAndFloorGas, Self::Error> {
        let ctx = evm.ctx_ref();
        let gas = validate_initial_tx_gas_with_gas_params(
            ctx.tx(),
            *ctx.cfg().spec(),
            Cfg::gas_params(ctx.cfg()),
            true,
            false,
            u64::MAX,
            None,
        )?;
        let (initial_gas, gas_limit) = (
            gas.initial_total_gas().saturating_add(self.poster_gas),
            ctx.tx().gas_limit(),
        );
        if gas_limit < initial_gas {
            return Err(InvalidTransaction::CallGasCostMoreThanGasLimit {
                initial_gas,
                gas_limit,
            }
            .into());
        }
        Ok(gas)
    }

    fn tx_gas(&self, evm: &mut Machine<'a>, gas: &InitialAndFloorGas) -> GasTracker {
        let limit = evm.ctx_ref().tx().gas_limit();
        let intrinsic = gas.initial_total_gas();
        let left = limit.saturating_sub(intrinsic.saturating_add(self.poster_gas));
        let capped = evm.ctx_ref().chain.arbos >= CAPPED_SINCE;
        let compute = match self.mode {
            Mode::Transaction if capped => left.min(GAS_CAP.saturating_sub(intrinsic)),
            _ => left,
        };
        GasTracker::new(limit, compute, left - compute)
    }

    /// A filtered transaction ends here: it uses all its gas and changes nothing else.
    fn pre_execution(
        &self,
        evm: &mut Machine<'a>,
        gas: &mut GasTracker,
    ) -> Result<Option<PreExecutionOutput>, Self::Error> {
        self.load_accounts(evm)?;
        if self.filtered {
            let ctx = evm.ctx();
            if ctx.tx.kind().is_create() {
                let caller = ctx.tx.caller();
                ctx.journal_mut()
                    .load_account_mut(caller)?
                    .data
                    .bump_nonce();
            }
            ctx.chain.halt_text = Some("transaction filtered".into());
            return Ok(None);
        }
        let checkpoint = evm.ctx().journal_mut().checkpoint();
        let Some(eip7702_refund) = self.apply_eip7702_auth_list(evm, gas)? else {
            evm.ctx().journal_mut().checkpoint_revert(checkpoint);
            return Ok(None);
        };
        Ok(Some(PreExecutionOutput {
            eip7702_refund,
            checkpoint,
        }))
    }

    /// A call may come from anybody and in the end pays nothing, but it cannot send value it does not have, and one that
    /// states a price has bought its gas while it runs.
    fn validate_against_state_and_deduct_caller(
        &self,
        evm: &mut Machine<'a>,
        _gas: &mut InitialAndFloorGas,
    ) -> Result<(), Self::Error> {
        let ctx = evm.ctx();
        if self.mode == Mode::Transaction {
            return match self.impersonated {
                true => deduct_impersonated(ctx),
                false => pre_execution::validate_against_state_and_deduct_caller(ctx),
            };
        }
        let base_fee = u128::from(ctx.block.basefee);
        let (tx, journal) = ctx.tx_journal_mut();
        let mut caller = journal.load_account_with_code_mut(tx.caller())?.data;
        let price = tx.gas_price().min(base_fee);
        let bought = U256::from(tx.gas_limit()) * U256::from(price);
        let want = bought.saturating_add(tx.value());
        let Some(left) = caller.balance().checked_sub(want) else {
            return Err(InvalidTransaction::LackOfFundForMaxFee {
                fee: Box::new(want),
                balance: Box::new(*caller.balance()),
            }
            .into());
        };
        if !bought.is_zero() {
            caller.set_balance(left + tx.value());
        }
        caller.touch();
        if tx.kind().is_call() {
            caller.bump_nonce();
        }
        Ok(())
    }

    /// Leaves the payment for posting out of the refund.
    fn refund(
        &self,
        evm: &mut Machine<'a>,
        result: &mut FrameResult,
        eip7702_refund: i64,
    ) -> Result<(), Self::Error> {
        let quotient = evm.ctx().cfg().gas_params().max_refund_quotient();
        let gas = result.gas_mut();
        gas.record_refund(eip7702_refund);
        let spent = gas.total_gas_spent().saturating_sub(gas.reservoir());
        let most = spent.saturating_sub(self.poster_gas) / quotient;
        gas.set_refund(
            gas.refunded()
                .clamp(0, i64::try_from(most).unwrap_or(i64::MAX)),
        );
        Ok(())
    }

    fn reimburse_caller(
        &self,
        evm: &mut Machine<'a>,
        result: &mut FrameResult,
    ) -> Result<(), Self::Error> {
        match self.mode {
            Mode::Call => Ok(()),
            Mode::Transaction => {
                post_execution::reimburse_caller(evm.ctx(), result.gas(), U256::ZERO)
                    .map_err(From::from)
            }
        }
    }

    /// The base fee is not burnt: it goes to the network fee account, and to the pool of funds for posting what was paid
    /// for that. There are no tips.
    fn reward_beneficiary(
        &self,
        evm: &mut Machine<'a>,
        result: &mut FrameResult,
    ) -> Result<(), Self::Error> {
        if self.mode == Mode::Call {
            return Ok(());
        }
        let ctx = evm.ctx();
        let used = result.gas().used().saturating_sub(result.gas().reservoir());
        let base_fee = ctx.block.basefee;
        let price = U256::from(ctx.tx.effective_gas_price(base_fee.into()));
        let posting = used.min(self.poster_gas);
        let account = ctx.chain.network_fee_account;
        let journal = ctx.journal_mut();
        journal
            .load_account_mut(account)?
            .data
            .incr_balance(price * U256::from(used - posting));
        if posting > 0 {
            journal
                .load_account_mut(l1::FUNDS_POOL)?
                .data
                .incr_balance(price * U256::from(posting));
        }
        let refunded = u64::try_from(result.gas().refunded()).unwrap_or_default();
        let back = match ctx.chain.arbos {
            FRAGMENTS..REFUNDS_CORRECTED => over_stored_fee(base_fee, used, refunded),
            _ => U256::ZERO,
        };
        let caller = ctx.tx.caller();
        if !back.is_zero() {
            ctx.journal_mut().transfer(account, caller, back)?;
        }
        Ok(())
    }
}

/// Computes the part of a fee that ArbOS 60 gives back when the base fee that its state holds, the next block's, is lower than the block's.
fn over_stored_fee(base_fee: u64, used: u64, refunded: u64) -> U256 {
    let paid = U256::from(base_fee) * U256::from(used);
    let stored = U256::from(BASE_FEE) * U256::from(used.saturating_add(refunded));
    paid.saturating_sub(stored)
}

/// Checks the sender's nonce and funds and takes the fee, whether or not the sender has code.
fn deduct_impersonated(ctx: &mut Ctx<'_>) -> Result<(), RunError> {
    let (block, tx, cfg, journal, _, _) = ctx.all_mut();
    let mut caller = journal.load_account_with_code_mut(tx.caller())?.data;
    let info = &caller.account().info;
    pre_execution::validate_account_nonce_and_code(info, tx.nonce(), true, false)?;
    let balance = pre_execution::calculate_caller_fee(*caller.balance(), tx, block, cfg)?;
    caller.set_balance(balance);
    if tx.kind().is_call() {
        caller.bump_nonce();
    }
    Ok(())
}
