//! A chain by its RPC, whatever is deployed there: what a deployer reads, signs and sends.

use std::time::Duration;

use alloy_primitives::{Bytes, LogData};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::connect::check_chain;
use super::rpc::{Fault, Outcome, Rpc};
use super::send::Payment;
use super::{Account, Deployment, Error, Ledger, Mined, Result, SignedCall, Version};
use pcim_core::{Address, B256, U256};

/// Compiling a program for an activation takes a node a while.
const TIME_LIMIT: Duration = Duration::from_secs(60);
/// How often a busy node is asked again: 15 seconds in all, unless the node asks for other pauses.
const PATIENCE: u32 = 5;

/// A connection to one chain.
#[derive(Debug)]
pub struct Chain {
    /// Of no contract.
    ledger: Ledger,
}

impl Chain {
    /// Connects, and refuses any other chain. A busy node is asked again here and later.
    ///
    /// # Errors
    /// [`Error::BadUrl`], [`Error::WrongChain`], and those of the RPC.
    pub async fn connect(rpc_url: &str, chain_id: u64) -> Result<Self> {
        let rpc = Rpc::with_limit(rpc_url, TIME_LIMIT)?.patient(PATIENCE);
        check_chain(&rpc, chain_id).await?;
        let deployment = Deployment {
            rpc_url: rpc_url.to_owned(),
            chain_id,
            contract: Address::ZERO,
        };
        Ok(Self {
            ledger: Ledger {
                rpc,
                deployment,
                version: Version::V2,
                code_hash: B256::ZERO,
            },
        })
    }

    /// Calls a contract for free and without value: the data that it returns, or that it reverts with.
    ///
    /// # Errors
    /// Those of the RPC.
    pub async fn call(
        &self,
        from: Option<Address>,
        to: Address,
        data: &[u8],
    ) -> Result<std::result::Result<Vec<u8>, Vec<u8>>> {
        match self.ledger.rpc.call(from, to, data).await {
            Ok(Outcome::Returned(data)) => Ok(Ok(data.into())),
            Ok(Outcome::Reverted(data)) => Ok(Err(data)),
            Err(fault) => Err(self.ledger.rpc.explain("eth_call", fault)),
        }
    }

    /// Calls a contract as if `code` stood at an address and the sender could pay `value` wei: the data that it returns,
    /// or that it reverts with.
    ///
    /// # Errors
    /// Those of the RPC.
    pub async fn call_with_code(
        &self,
        code: (Address, &[u8]),
        value: U256,
        to: Address,
        data: &[u8],
    ) -> Result<std::result::Result<Vec<u8>, Vec<u8>>> {
        const METHOD: &str = "eth_call";
        let from = Account::generate().address();
        let mut overrides = json!({});
        overrides[from.to_string()] = json!({ "balance": U256::MAX });
        overrides[code.0.to_string()] = json!({ "code": Bytes::copy_from_slice(code.1) });
        let data = Bytes::copy_from_slice(data);
        let tx = json!({ "from": from, "to": to, "value": value, "data": data });
        let params = json!([tx, "latest", overrides]);
        match self.ledger.rpc.request::<Bytes>(METHOD, params).await {
            Ok(data) => Ok(Ok(data.into())),
            Err(fault) => match fault.into_revert() {
                Ok(data) => Ok(Err(data)),
                Err(fault) => Err(self.ledger.rpc.explain(METHOD, fault)),
            },
        }
    }

    /// Reads the code at an address; it is empty where there is none.
    ///
    /// # Errors
    /// Those of the RPC.
    pub async fn code(&self, at: Address) -> Result<Vec<u8>> {
        let params = json!([at, "latest"]);
        let code: Bytes = self.ledger.rpc.ask("eth_getCode", params).await?;
        Ok(code.into())
    }

    /// Reads a balance, in wei.
    ///
    /// # Errors
    /// Those of the RPC.
    pub async fn balance(&self, of: Address) -> Result<U256> {
        self.ledger.balance(of).await
    }

    /// Reads the time of the latest block, in unix seconds.
    ///
    /// # Errors
    /// Those of the RPC.
    pub async fn now(&self) -> Result<u64> {
        self.ledger.now().await
    }

    /// Reads the most wei that a unit of gas would be paid with now.
    ///
    /// # Errors
    /// Those of the RPC.
    pub async fn gas_price(&self) -> Result<U256> {
        Ok(self.ledger.price().await?.most())
    }

    /// Estimates the gas of a transaction with `value` wei: the gas, or the data that it reverts with.
    ///
    /// # Errors
    /// Those of the RPC.
    pub async fn estimate(
        &self,
        from: Address,
        to: Address,
        value: U256,
        data: &[u8],
    ) -> Result<std::result::Result<u64, Vec<u8>>> {
        self.ledger.estimate(from, to, value, data).await
    }

    /// Signs a transaction with `value` wei and at most `gas`, by an account's next nonce; sends nothing.
    ///
    /// # Errors
    /// [`Error::Fee`] if its fee can be more than `max_fee` wei, [`Error::Funds`], and those of the RPC.
    pub async fn sign(
        &self,
        from: &Account,
        to: Address,
        value: U256,
        data: Vec<u8>,
        gas: u64,
        max_fee: U256,
    ) -> Result<SignedCall> {
        let have = self.balance(from.address()).await?;
        let payment = Payment {
            to,
            value,
            data,
            gas,
        };
        let signed = self.ledger.sign_payment(from, have, payment, max_fee);
        signed.await
    }

    /// Sends a signed transaction and waits, as [`Ledger::submit`] does.
    ///
    /// # Errors
    /// As [`Ledger::submit`].
    pub async fn submit(&self, call: &SignedCall, timeout: Duration) -> Result<Mined> {
        self.ledger.submit(call, timeout).await
    }

    /// Reads the logs of a mined transaction that a contract wrote, in order; none if it is not mined.
    ///
    /// # Errors
    /// Those of the RPC.
    pub async fn logs(&self, tx: &B256, of: Address) -> Result<Vec<LogData>> {
        let receipt = self.ledger.receipt(tx).await?;
        let logs = receipt.map(|receipt| receipt.logs).unwrap_or_default();
        let own = logs.into_iter().filter(|log| log.address == of);
        Ok(own
            .map(|log| LogData::new_unchecked(log.topics, log.data))
            .collect())
    }

    /// Asks by a method that not every chain has: the traces and snapshots of a development chain.
    ///
    /// # Errors
    /// Those of the RPC.
    pub async fn request<R: DeserializeOwned>(
        &self,
        method: &'static str,
        params: Value,
    ) -> Result<R> {
        self.ledger.rpc.ask(method, params).await
    }

    /// Makes the error for an answer of the RPC that has not the form it must have.
    pub fn nonsense(&self, method: &'static str, detail: String) -> Error {
        let fault = Fault::Nonsense(super::text::printable(&detail));
        self.ledger.rpc.explain(method, fault)
    }
}
