//! Questions of deploying and upkeep to a chain, and how they pay.

use std::time::Duration;

use alloy_primitives::{Address, LogData, U256};
use alloy_sol_types::{SolCall, SolError, SolEvent};
use pcim_ledger::{Account, Chain, Mined, SignedCall};

use super::Error;
use super::abi::{self, ARB_WASM, IArbWasm};

/// How long a transaction is waited for.
const MINING_LIMIT: Duration = Duration::from_secs(180);
/// Wei sent along when the chain is asked what an activation would cost: far more than any does.
const PLENTY: U256 = U256::from_limbs([1_000_000_000_000_000_000, 0, 0, 0]);

/// A transaction that is to be paid for.
pub(super) struct Payment {
    pub(super) to: Address,
    /// Wei.
    pub(super) value: U256,
    pub(super) data: Vec<u8>,
    /// Gas that such a transaction takes, only for saying how much ether is missing when there is too little to have
    /// the chain estimate it.
    pub(super) typical_gas: u64,
}

/// Calls a function of a contract for free; `None` if it reverts or returns something else.
pub(super) async fn view<C: SolCall>(
    chain: &Chain,
    to: Address,
    call: C,
) -> Result<Option<C::Return>, Error> {
    let returned = chain.call(None, to, &call.abi_encode()).await?.ok();
    Ok(returned.and_then(|data| C::abi_decode_returns_validate(&data).ok()))
}

/// Has the chain activate code that is nowhere yet, in a call that changes nothing; the fee in wei.
pub(super) async fn activation_fee(chain: &Chain, code: &[u8]) -> Result<U256, Error> {
    let program = Account::generate().address();
    let data = IArbWasm::activateProgramCall { program }.abi_encode();
    let call = chain.call_with_code((program, code), PLENTY, ARB_WASM, &data);
    match call.await {
        Ok(Ok(data)) => match IArbWasm::activateProgramCall::abi_decode_returns_validate(&data) {
            Ok(returned) => Ok(returned.dataFee),
            Err(e) => Err(chain
                .nonsense("eth_call", format!("activateProgram: {e}"))
                .into()),
        },
        Ok(Err(data)) if data == IArbWasm::ProgramUpToDate::SELECTOR => Ok(U256::ZERO),
        Ok(Err(data)) => Err(Error::Activation {
            reason: abi::reason(&data),
        }),
        Err(pcim_ledger::Error::Node { message, .. }) if message.contains("activation failed") => {
            Err(Error::Activation { reason: message })
        }
        Err(error) => Err(error.into()),
    }
}

/// Signs a transaction if the account can pay for it, and its fee is at most `max_fee` wei.
pub(super) async fn sign(
    chain: &Chain,
    payer: &Account,
    payment: Payment,
    max_fee: U256,
) -> Result<SignedCall, Error> {
    let Payment {
        to,
        value,
        data,
        typical_gas,
    } = payment;
    let from = payer.address();
    let (have, price) = (chain.balance(from).await?, chain.gas_price().await?);
    let funds = |gas: u64| {
        let need = value.saturating_add(U256::from(gas).saturating_mul(price));
        (have < need).then_some(Error::Funds {
            address: from,
            have,
            need,
            data_fee: value,
        })
    };
    // A node does not estimate what the account cannot pay.
    if have <= value
        && let Some(error) = funds(typical_gas.max(1))
    {
        return Err(error);
    }
    let estimate = chain.estimate(from, to, value, &data).await?;
    let estimate = estimate.map_err(|data| Error::Refused {
        reason: abi::reason(&data),
    })?;
    // The L1 part moves with the price of Ethereum.
    let gas = estimate + estimate / 5;
    if let Some(error) = funds(gas) {
        return Err(error);
    }
    Ok(chain.sign(payer, to, value, data, gas, max_fee).await?)
}

/// Sends a signed transaction and waits until it is mined.
pub(super) async fn submit(chain: &Chain, call: &SignedCall) -> Result<Mined, Error> {
    Ok(chain.submit(call, MINING_LIMIT).await?)
}

/// Reads what was paid for an activation or for a longer life, in wei; zero if there was neither.
pub(super) async fn data_fee(chain: &Chain, mined: &Mined) -> Result<U256, Error> {
    let logs = chain.logs(&mined.tx, ARB_WASM).await?;
    let activated = event::<IArbWasm::ProgramActivated>(&logs);
    let extended = event::<IArbWasm::ProgramLifetimeExtended>(&logs);
    let fees = [
        activated.map(|it| it.dataFee),
        extended.map(|it| it.dataFee),
    ];
    Ok(fees.into_iter().flatten().sum())
}

/// The first event of a kind.
pub(super) fn event<E: SolEvent>(logs: &[LogData]) -> Option<E> {
    logs.iter()
        .find_map(|log| E::decode_raw_log_validate(log.topics().iter().copied(), &log.data).ok())
}
