//! Sending: simulate, sign, and then send exactly those bytes until they are mined or never can be.

#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use alloy_primitives::{Bytes, U64, keccak256};
use ethers::types::transaction::eip2718::TypedTransaction;
use ethers::types::{Eip1559TransactionRequest, H160, TransactionRequest, U256 as EthersU256};
use ethers::utils::rlp::Rlp;
use serde::Deserialize;
use serde_json::json;

use super::events::RawLog;
use super::rpc::{Fault, Outcome};
use super::text::printable;
use super::{Account, Call, Error, Ledger, Mined, Result, Revert, SignedCall};
use pcim_core::{Address, B256, U256};

const TRANSFER_WAIT: Duration = Duration::from_secs(60);
/// The longest that a later second is waited for.
const LONGEST_WAIT: Duration = Duration::from_secs(3);
/// The gas of a call in a later second: a chain without blocks stands still for an estimate.
const LATER_GAS: u64 = 1_000_000;
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// The most wei that a transaction may cost beside its value. The node names both gas and price, and is not trusted with
/// everything the account has: no call of the contract comes near one ether.
const MOST_FEE: U256 = U256::from_limbs([1_000_000_000_000_000_000, 0, 0, 0]);
/// How often the nonce must be seen used, and no receipt be there, before the transaction is given up.
const NONCE_SEEN_USED: u32 = 3;

impl Ledger {
    /// Simulates the call (typed error if the contract refuses), then signs it with the next nonce; sends nothing. A call that
    /// would take more gas than `most_gas` is not signed.
    ///
    /// # Errors
    /// [`Error::Refused`] with the contract's reason, [`Error::Lacks`], [`Error::Gas`], [`Error::Funds`], and those of the
    /// RPC.
    pub async fn prepare(
        &self,
        from: &Account,
        call: &Call,
        most_gas: Option<u64>,
    ) -> Result<SignedCall> {
        let returns = self.simulate(from.address(), call).await?;
        let (to, data) = (self.deployment.contract, call.calldata(self.version)?);
        let signed = self.sign(from, (to, U256::ZERO), data, most_gas).await?;
        Ok(SignedCall { returns, ..signed })
    }

    /// Simulates what the call would return now, as in [`SignedCall::returns`]; signs and sends nothing, and costs nothing. A
    /// later second that the contract wants is waited for: what the call returns then is not known.
    ///
    /// # Errors
    /// [`Error::Refused`] with the contract's reason, [`Error::Lacks`], and those of the RPC.
    pub async fn simulate(&self, from: Address, call: &Call) -> Result<Option<bool>> {
        let data = call.calldata(self.version)?;
        let outcome = self
            .rpc
            .call(Some(from), self.deployment.contract, &data)
            .await
            .map_err(|fault| self.rpc.explain("eth_call", fault))?;
        match outcome {
            Outcome::Returned(returned) => call.answer(&returned).map_err(|e| {
                let detail = format!("{} returns no answer of its type: {e}", call.name());
                self.rpc.nonsense("eth_call", detail)
            }),
            Outcome::Reverted(data) => match Revert::decode(&data) {
                Revert::TooSoon { retry_at } => {
                    let now = self.now().await?;
                    let wait = Duration::from_secs(retry_at.saturating_sub(now));
                    tokio::time::sleep(wait.min(LONGEST_WAIT)).await;
                    Ok(None)
                }
                refused => Err(Error::Refused(refused)),
            },
        }
    }

    /// Sends a prepared call and waits; sending again one that is already known or mined is not an error.
    ///
    /// # Errors
    /// [`Error::Reverted`] if it was mined and failed; [`Error::Replaced`] or [`Error::Rejected`] if it never
    /// will be mined (prepare it again); [`Error::NotMined`] or those of the RPC if that is not known yet (submit again).
    pub async fn submit(&self, call: &SignedCall, timeout: Duration) -> Result<Mined> {
        let origin = Origin::read(call)?;
        if origin.chain_id != self.deployment.chain_id {
            return Err(Error::WrongChain {
                wanted: self.deployment.chain_id,
                found: origin.chain_id,
            });
        }
        let start = Instant::now();
        let mut pause = FIRST_PAUSE;
        let mut sent = false;
        let mut used = 0;
        loop {
            let doubt = match self.look(call, &origin, &mut sent, &mut used).await {
                Ok(Some(mined)) => return Ok(mined),
                Ok(None) => None,
                // The transaction may have arrived all the same: go on with the same bytes.
                Err(e @ (Error::Rpc { .. } | Error::Timeout { .. })) => Some(e),
                Err(e) => return Err(e),
            };
            let waited = start.elapsed();
            if waited >= timeout {
                return Err(doubt.unwrap_or(Error::NotMined {
                    tx: call.tx,
                    waited,
                }));
            }
            tokio::time::sleep(pause.min(timeout - waited)).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Looks up what a transaction came to, if it is mined; its simulated return value is not known here.
    ///
    /// # Errors
    /// [`Error::Reverted`] if it failed (without the reason), and those of the RPC.
    pub async fn mined(&self, tx: &B256) -> Result<Option<Mined>> {
        match self.receipt(tx).await? {
            Some(receipt) => self.outcome(tx, receipt).await.map(Some),
            None => Ok(None),
        }
    }

    /// Sends ether and waits (funding the demo's actors).
    ///
    /// # Errors
    /// As [`Ledger::prepare`] and [`Ledger::submit`].
    pub async fn transfer(&self, from: &Account, to: Address, wei: U256) -> Result<Mined> {
        let signed = self.sign(from, (to, wei), Vec::new(), None).await?;
        self.submit(&signed, TRANSFER_WAIT).await
    }

    /// One round of [`Ledger::submit`]: is it mined, else is it sent, else can it still be.
    async fn look(
        &self,
        call: &SignedCall,
        origin: &Origin,
        sent: &mut bool,
        used: &mut u32,
    ) -> Result<Option<Mined>> {
        if let Some(receipt) = self.receipt(&call.tx).await? {
            let returns = call.returns;
            return match self.outcome(&call.tx, receipt).await {
                Ok(mined) => Ok(Some(Mined { returns, ..mined })),
                Err(Error::Reverted { tx, block, .. }) => Err(Error::Reverted {
                    tx,
                    block,
                    reason: self.reason(origin).await,
                }),
                Err(e) => Err(e),
            };
        }
        if !*sent {
            self.broadcast(call, origin).await?;
            *sent = true;
            // Most chains that speak this protocol mine at once.
            return Ok(None);
        }
        let next: U64 = self
            .rpc
            .ask("eth_getTransactionCount", json!([origin.from, "latest"]))
            .await?;
        if next.to::<u64>() > call.nonce {
            *used += 1;
            if *used >= NONCE_SEEN_USED {
                return Err(Error::Replaced {
                    tx: call.tx,
                    nonce: call.nonce,
                });
            }
        }
        Ok(None)
    }

    /// Hands the bytes to the node. That they, or their nonce, are known already is for the receipt to tell.
    async fn broadcast(&self, call: &SignedCall, origin: &Origin) -> Result<()> {
        const METHOD: &str = "eth_sendRawTransaction";
        let raw = Bytes::copy_from_slice(&call.raw);
        let fault = match self.rpc.request::<B256>(METHOD, json!([raw])).await {
            Ok(tx) if tx == call.tx => return Ok(()),
            Ok(tx) => {
                let detail = format!("transaction {tx}, wanted {}", call.tx);
                return Err(self.rpc.nonsense(METHOD, detail));
            }
            Err(fault) => fault,
        };
        if fault.says(&[
            "already known",
            "already imported",
            "already exists",
            "already in",
            "nonce too low",
            "nonce is too low",
            "replacement transaction underpriced",
        ]) {
            return Ok(());
        }
        if fault.says(&["insufficient funds"]) {
            return Err(Error::Funds {
                address: origin.from,
                have: self.balance(origin.from).await?,
                need: origin.cost,
            });
        }
        match fault {
            // Some nodes mine what fails, and answer with the failure.
            Fault::Node { .. } if self.receipt(&call.tx).await?.is_some() => Ok(()),
            Fault::Node { message, .. } => Err(Error::Rejected {
                tx: call.tx,
                message: printable(&message),
            }),
            other => Err(self.rpc.explain(METHOD, other)),
        }
    }

    pub(super) async fn receipt(&self, tx: &B256) -> Result<Option<Receipt>> {
        const METHOD: &str = "eth_getTransactionReceipt";
        let receipt: Option<Receipt> = self.rpc.ask(METHOD, json!([tx])).await?;
        match receipt {
            Some(receipt) if receipt.transaction_hash != *tx => {
                let detail = format!("receipt of {}, wanted {tx}", receipt.transaction_hash);
                Err(self.rpc.nonsense(METHOD, detail))
            }
            other => Ok(other.filter(|receipt| receipt.block_number.is_some())),
        }
    }

    async fn outcome(&self, tx: &B256, receipt: Receipt) -> Result<Mined> {
        let block = receipt.block_number.unwrap_or_default().to();
        if receipt.status.is_some_and(|status| status.is_zero()) {
            return Err(Error::Reverted {
                tx: *tx,
                block,
                reason: None,
            });
        }
        let events = self.read_logs("eth_getTransactionReceipt", receipt.logs)?;
        Ok(Mined {
            tx: *tx,
            block,
            gas_used: receipt.gas_used.saturating_to(),
            gas_price: receipt
                .effective_gas_price
                .unwrap_or_default()
                .saturating_to(),
            returns: None,
            events: self.with_timestamps(events).await?,
        })
    }

    /// Why a call that was mined failed: what it says when it is simulated again.
    async fn reason(&self, origin: &Origin) -> Option<Revert> {
        match self
            .rpc
            .call(Some(origin.from), origin.to?, &origin.data)
            .await
        {
            Ok(Outcome::Reverted(data)) => Some(Revert::decode(&data)),
            _ => None,
        }
    }

    /// Signs a transaction: gas as estimated and a tenth more, fees from the chain, the pending nonce.
    async fn sign(
        &self,
        from: &Account,
        (to, value): (Address, U256),
        data: Vec<u8>,
        most_gas: Option<u64>,
    ) -> Result<SignedCall> {
        let address = from.address();
        let have = self.balance(address).await?;
        if have < value {
            let need = value;
            return Err(Error::Funds {
                address,
                have,
                need,
            });
        }
        let gas = match self.estimate(address, to, value, &data).await? {
            Ok(found) if most_gas.is_some_and(|max| found > max) => {
                let max = most_gas.unwrap_or_default();
                return Err(Error::Gas { found, max });
            }
            // The limit binds what is spent, whatever was estimated.
            Ok(gas) => most_gas.unwrap_or(u64::MAX).min(gas + gas / 10),
            Err(revert) => match Revert::decode(&revert) {
                Revert::TooSoon { .. } => most_gas.unwrap_or(u64::MAX).min(LATER_GAS),
                refused => return Err(Error::Refused(refused)),
            },
        };
        let payment = Payment {
            to,
            value,
            data,
            gas,
        };
        self.sign_payment(from, have, payment, MOST_FEE).await
    }

    /// Signs a transaction whose fee is at most `max` wei, by an account that has `have` wei.
    pub(super) async fn sign_payment(
        &self,
        from: &Account,
        have: U256,
        payment: Payment,
        max: U256,
    ) -> Result<SignedCall> {
        let address = from.address();
        let Payment {
            to,
            value,
            data,
            gas,
        } = payment;
        let price = self.price().await?;
        let fee = U256::from(gas).saturating_mul(price.most());
        if fee > max {
            return Err(Error::Fee {
                url: self.rpc.shown().to_owned(),
                found: fee,
                max,
            });
        }
        let need = value.saturating_add(fee);
        if have < need {
            return Err(Error::Funds {
                address,
                have,
                need,
            });
        }
        let nonce: U64 = self
            .rpc
            .ask("eth_getTransactionCount", json!([address, "pending"]))
            .await?;
        let nonce = nonce.to::<u64>();
        let tx = self.transaction(to, value, data, gas, price, nonce);
        let raw = from.sign_transaction(&tx)?;
        Ok(SignedCall {
            tx: keccak256(&raw),
            nonce,
            raw,
            returns: None,
        })
    }

    /// The gas that a transaction would take now, or the data that it reverts with.
    pub(super) async fn estimate(
        &self,
        from: Address,
        to: Address,
        value: U256,
        data: &[u8],
    ) -> Result<std::result::Result<u64, Vec<u8>>> {
        const METHOD: &str = "eth_estimateGas";
        let tx = json!({
            "from": from, "to": to, "value": value, "data": Bytes::copy_from_slice(data),
        });
        let gas: U256 = match self.rpc.request(METHOD, json!([tx])).await {
            Ok(gas) => gas,
            Err(fault) => {
                let revert = fault.into_revert();
                let revert = revert.map_err(|fault| self.rpc.explain(METHOD, fault))?;
                return Ok(Err(revert));
            }
        };
        // 2^50 is the block gas limit of Arbitrum chains.
        if gas.is_zero() || gas > U256::from(1u64 << 50) {
            return Err(self.rpc.nonsense(METHOD, format!("{gas} gas")));
        }
        Ok(Ok(gas.to()))
    }

    /// Twice the base fee, so that it may rise while the transaction waits; a tip never above the base fee.
    pub(super) async fn price(&self) -> Result<Price> {
        let Some(base) = self.head(None).await?.base_fee_per_gas else {
            return Ok(Price::Legacy(
                self.rpc.ask("eth_gasPrice", json!([])).await?,
            ));
        };
        // Not every node has the method, and Arbitrum ignores tips.
        let tip: U256 = self
            .rpc
            .request("eth_maxPriorityFeePerGas", json!([]))
            .await
            .unwrap_or_default();
        let tip = tip.min(base);
        Ok(Price::Dynamic {
            most: base.saturating_mul(U256::from(2)).saturating_add(tip),
            tip,
        })
    }

    fn transaction(
        &self,
        to: Address,
        value: U256,
        data: Vec<u8>,
        gas: u64,
        price: Price,
        nonce: u64,
    ) -> TypedTransaction {
        let to = H160(to.into_array());
        let chain_id = self.deployment.chain_id;
        match price {
            Price::Dynamic { most, tip } => Eip1559TransactionRequest::new()
                .to(to)
                .value(number(value))
                .data(data)
                .gas(gas)
                .nonce(nonce)
                .chain_id(chain_id)
                .max_fee_per_gas(number(most))
                .max_priority_fee_per_gas(number(tip))
                .into(),
            Price::Legacy(price) => TransactionRequest::new()
                .to(to)
                .value(number(value))
                .data(data)
                .gas(gas)
                .nonce(nonce)
                .chain_id(chain_id)
                .gas_price(number(price))
                .into(),
        }
    }
}

/// The price that the chain asks for gas, in wei.
#[derive(Clone, Copy)]
pub(super) enum Price {
    Dynamic { most: U256, tip: U256 },
    Legacy(U256),
}

impl Price {
    /// The most for a unit of gas.
    pub(super) fn most(self) -> U256 {
        match self {
            Self::Dynamic { most, .. } => most,
            Self::Legacy(price) => price,
        }
    }
}

/// A transaction that is to be signed.
pub(super) struct Payment {
    pub(super) to: Address,
    /// Wei.
    pub(super) value: U256,
    pub(super) data: Vec<u8>,
    /// The most gas that it may use.
    pub(super) gas: u64,
}

/// The part of a receipt that is read.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Receipt {
    transaction_hash: B256,
    block_number: Option<U64>,
    gas_used: U256,
    effective_gas_price: Option<U256>,
    status: Option<U64>,
    pub(super) logs: Vec<RawLog>,
}

/// The contents of a signed transaction.
struct Origin {
    from: Address,
    to: Option<Address>,
    data: Vec<u8>,
    chain_id: u64,
    /// Most that it can cost, in wei.
    cost: U256,
}

impl Origin {
    /// Reads a recorded call and checks that it is what the record says.
    fn read(call: &SignedCall) -> Result<Self> {
        let bad = |reason: String| Error::BadRecord {
            tx: call.tx,
            reason,
        };
        let found = keccak256(&call.raw);
        if found != call.tx {
            return Err(bad(format!("its bytes are those of {found}")));
        }
        let (tx, signature) = TypedTransaction::decode_signed(&Rlp::new(&call.raw))
            .map_err(|e| bad(e.to_string()))?;
        let from = signature
            .recover(tx.sighash())
            .map_err(|e| bad(e.to_string()))?;
        let nonce = tx.nonce().copied().unwrap_or_default();
        if nonce != EthersU256::from(call.nonce) {
            return Err(bad(format!("its nonce is {nonce}, not {}", call.nonce)));
        }
        let price = match &tx {
            TypedTransaction::Eip1559(tx) => tx.max_fee_per_gas,
            _ => tx.gas_price(),
        };
        let gas = back(tx.gas().copied().unwrap_or_default());
        Ok(Self {
            from: Address::from(from.0),
            to: tx.to_addr().map(|to| Address::from(to.0)),
            data: tx.data().map(|data| data.to_vec()).unwrap_or_default(),
            chain_id: tx.chain_id().map(|id| id.as_u64()).unwrap_or_default(),
            cost: back(tx.value().copied().unwrap_or_default())
                .saturating_add(gas.saturating_mul(back(price.unwrap_or_default()))),
        })
    }
}

fn number(value: U256) -> EthersU256 {
    EthersU256(value.into_limbs())
}

fn back(value: EthersU256) -> U256 {
    U256::from_limbs(value.0)
}
