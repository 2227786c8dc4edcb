//! Questions of the measurement to a development chain, over JSON-RPC.

use std::time::{Duration, Instant};

use alloy_primitives::{Address, B256, Bytes, LogData, U64, U256, keccak256};
use alloy_sol_types::SolCall;
use pcim_ledger::{Account, Error as LedgerError, Version};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{ACCOUNTS, Error, Ground};

/// The most gas that a transaction may use.
const GAS_LIMIT: u64 = 3_000_000;
/// The most that its gas may cost, in wei.
const MAX_FEE: u64 = GAS_LIMIT * 200_000_000;
/// A development chain mines at once; one that does not within this is none.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(1);

/// The chain, and the accounts that act on it.
pub(super) struct Chain {
    node: pcim_ledger::Chain,
    chain_id: u64,
    version: Version,
    accounts: Vec<Account>,
}

/// A transaction in its block.
#[derive(Clone, Debug)]
pub(super) struct Mined {
    pub(super) tx: B256,
    /// As signed (EIP-2718).
    pub(super) raw: Bytes,
    pub(super) data: Vec<u8>,
    pub(super) gas_limit: u64,
    pub(super) gas_used: u64,
    pub(super) block: u64,
    pub(super) logs: Vec<LogData>,
    /// From handing it over until its receipt was there.
    pub(super) time: Duration,
    success: bool,
}

impl Mined {
    /// An error if it was reverted.
    pub(super) fn succeeded(&self, operation: &'static str) -> Result<(), Error> {
        match self.success {
            true => Ok(()),
            false => Err(Error::Refused {
                operation,
                tx: self.tx,
            }),
        }
    }

    /// Bytes that are posted to the parent chain, as it counts them: Brotli level 1, window 22, no dictionary.
    pub(super) fn l1_bytes(&self) -> usize {
        let mut posted = Vec::new();
        let params = brotli::enc::BrotliEncoderParams {
            quality: 1,
            lgwin: 22,
            ..Default::default()
        };
        brotli::BrotliCompress(&mut self.raw.as_ref(), &mut posted, &params)
            .expect("memory takes every write");
        posted.len()
    }
}

/// A call or creation, by `callTracer`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Frame {
    pub(super) r#type: String,
    pub(super) to: Option<Address>,
    gas: U64,
    gas_used: U64,
    #[serde(default)]
    pub(super) calls: Vec<Frame>,
}

impl Frame {
    /// Gas at its entry; of the outermost frame the transaction's whole.
    pub(super) fn gas(&self) -> u64 {
        self.gas.to()
    }

    pub(super) fn gas_used(&self) -> u64 {
        self.gas_used.to()
    }
}

/// A host call, by `stylusTracer`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Step {
    pub(super) name: String,
    pub(super) args: Bytes,
    pub(super) start_ink: u64,
    pub(super) end_ink: u64,
    /// The callee of a call.
    pub(super) address: Option<Address>,
    /// What the callee did, if it is a program too.
    #[serde(default)]
    pub(super) steps: Vec<Step>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Receipt {
    block_number: U64,
    gas_used: U64,
    status: U64,
    logs: Vec<WireLog>,
}

#[derive(Deserialize)]
struct WireLog {
    topics: Vec<B256>,
    data: Bytes,
}

impl Chain {
    /// Connects, and refuses any other chain than the ground's.
    pub(super) async fn connect(ground: &Ground<'_>) -> Result<Self, Error> {
        let keys = ground.keys.iter().take(ACCOUNTS);
        let accounts: Vec<_> = keys
            .map_while(|key| Account::from_private_key(key).ok())
            .collect();
        if accounts.len() < ACCOUNTS {
            return Err(Error::Keys {
                found: accounts.len(),
            });
        }
        Ok(Self {
            node: pcim_ledger::Chain::connect(ground.rpc_url, ground.chain_id).await?,
            chain_id: ground.chain_id,
            version: ground.version,
            accounts,
        })
    }

    pub(super) fn chain_id(&self) -> u64 {
        self.chain_id
    }

    /// The version of the contract that is measured.
    pub(super) fn version(&self) -> Version {
        self.version
    }

    pub(super) fn account(&self, account: usize) -> &Account {
        &self.accounts[account]
    }

    pub(super) fn address(&self, account: usize) -> Address {
        self.account(account).address()
    }

    /// Sends a call and waits for its receipt.
    pub(super) async fn send(
        &self,
        from: usize,
        to: Address,
        call: &impl SolCall,
    ) -> Result<Mined, Error> {
        let data = call.abi_encode();
        self.send_data(from, to, data).await
    }

    /// Sends calldata and waits for the receipt.
    pub(super) async fn send_data(
        &self,
        from: usize,
        to: Address,
        data: Vec<u8>,
    ) -> Result<Mined, Error> {
        let (from, max_fee) = (self.account(from), U256::from(MAX_FEE));
        let signed = self
            .node
            .sign(from, to, U256::ZERO, data.clone(), GAS_LIMIT, max_fee)
            .await?;
        self.hand_over(signed.raw.into(), data, GAS_LIMIT).await
    }

    /// Sends a transaction that is signed already, as it is, and waits for its receipt.
    pub(super) async fn send_again(&self, mined: &Mined) -> Result<Mined, Error> {
        let (raw, data) = (mined.raw.clone(), mined.data.clone());
        self.hand_over(raw, data, mined.gas_limit).await
    }

    async fn hand_over(&self, raw: Bytes, data: Vec<u8>, gas_limit: u64) -> Result<Mined, Error> {
        let started = Instant::now();
        let tx: B256 = self.ask("eth_sendRawTransaction", json!([raw])).await?;
        let receipt = self.receipt(tx).await?;
        let time = started.elapsed();
        let logs = receipt.logs.into_iter();
        Ok(Mined {
            tx,
            raw,
            data,
            gas_limit,
            gas_used: receipt.gas_used.to(),
            block: receipt.block_number.to(),
            logs: logs
                .map(|log| LogData::new_unchecked(log.topics, log.data))
                .collect(),
            time,
            success: receipt.status == U64::from(1),
        })
    }

    async fn receipt(&self, tx: B256) -> Result<Receipt, Error> {
        let started = Instant::now();
        loop {
            let receipt = self.ask("eth_getTransactionReceipt", json!([tx])).await?;
            if let Some(receipt) = receipt {
                return Ok(receipt);
            }
            if started.elapsed() > PATIENCE {
                let waited = PATIENCE;
                return Err(LedgerError::NotMined { tx, waited }.into());
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Reads a transaction that another program sent; its logs are left out.
    pub(super) async fn mined(&self, tx: B256) -> Result<Mined, Error> {
        #[derive(Deserialize)]
        struct Sent {
            input: Bytes,
            gas: U64,
        }
        const RAW: &str = "debug_getRawTransaction";
        let sent: Sent = self.ask("eth_getTransactionByHash", json!([tx])).await?;
        let raw: Bytes = self.ask(RAW, json!([tx])).await?;
        let hash = keccak256(&raw);
        if hash != tx {
            let detail = format!("a transaction with the hash {hash}, wanted {tx}");
            return Err(self.node.nonsense(RAW, detail).into());
        }
        let receipt = self.receipt(tx).await?;
        Ok(Mined {
            tx,
            raw,
            data: sent.input.into(),
            gas_limit: sent.gas.to(),
            gas_used: receipt.gas_used.to(),
            block: receipt.block_number.to(),
            logs: Vec::new(),
            time: Duration::ZERO,
            success: receipt.status == U64::from(1),
        })
    }

    /// Calls a function, for free.
    pub(super) async fn call<C: SolCall>(&self, to: Address, call: &C) -> Result<C::Return, Error> {
        let nonsense = |detail| self.node.nonsense("eth_call", detail).into();
        match self.node.call(None, to, &call.abi_encode()).await? {
            Ok(output) => {
                C::abi_decode_returns_validate(&output).map_err(|error| nonsense(error.to_string()))
            }
            Err(data) => Err(nonsense(format!("a revert with {}", Bytes::from(data)))),
        }
    }

    /// The frames of a transaction, the outermost one.
    pub(super) async fn frames(&self, tx: B256) -> Result<Frame, Error> {
        let params = json!([tx, {"tracer": "callTracer"}]);
        self.ask("debug_traceTransaction", params).await
    }

    /// The host calls of a transaction.
    pub(super) async fn steps(&self, tx: B256) -> Result<Vec<Step>, Error> {
        let params = json!([tx, {"tracer": "stylusTracer"}]);
        self.ask("debug_traceTransaction", params).await
    }

    /// What a slot held after a block.
    pub(super) async fn slot(&self, of: Address, key: B256, block: u64) -> Result<B256, Error> {
        let params = json!([of, U256::from_be_bytes(key.0), U64::from(block)]);
        self.ask("eth_getStorageAt", params).await
    }

    /// Bytes of a block.
    pub(super) async fn block_bytes(&self, block: u64) -> Result<u64, Error> {
        #[derive(Deserialize)]
        struct Block {
            size: U64,
        }
        let params = json!([U64::from(block), false]);
        let block: Block = self.ask("eth_getBlockByNumber", params).await?;
        Ok(block.size.to())
    }

    /// Sets the second of the next block.
    pub(super) async fn set_clock(&self, second: u64) -> Result<(), Error> {
        let _: Value = self
            .ask("evm_setNextBlockTimestamp", json!([U64::from(second)]))
            .await?;
        Ok(())
    }

    /// Remembers the state; what is given back undoes all that follows.
    pub(super) async fn snapshot(&self) -> Result<U64, Error> {
        self.ask("evm_snapshot", json!([])).await
    }

    /// Undoes all since a snapshot, and forgets that.
    pub(super) async fn revert(&self, snapshot: U64) -> Result<(), Error> {
        let method = "evm_revert";
        match self.ask(method, json!([snapshot])).await? {
            true => Ok(()),
            false => Err(self
                .node
                .nonsense(method, "the snapshot is gone".into())
                .into()),
        }
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        method: &'static str,
        params: Value,
    ) -> Result<T, Error> {
        Ok(self.node.request(method, params).await?)
    }
}
