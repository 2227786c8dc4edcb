//! Questions of the measurement to a development chain, over JSON-RPC.

use std::str::FromStr;
use std::time::{Duration, Instant};

use alloy_primitives::{Address, B256, Bytes, LogData, U64, U256, keccak256};
use alloy_sol_types::SolCall;
use ethers::core::k256::ecdsa::SigningKey;
use ethers::providers::{Http, JsonRpcClient};
use ethers::signers::{LocalWallet, Signer};
use ethers::types::transaction::eip2718::TypedTransaction;
use ethers::types::{Eip1559TransactionRequest, H160, H256, Transaction};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{ACCOUNTS, Error, Ground};

/// What each transaction may use and offers for it, in gas and wei.
const GAS_LIMIT: u64 = 3_000_000;
const MAX_FEE: u64 = 200_000_000;
/// A development chain mines at once; one that does not within this is none.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(1);

/// The chain, and the accounts that act on it.
pub(super) struct Chain {
    http: Http,
    chain_id: u64,
    wallets: Vec<LocalWallet>,
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
    /// Nothing is asked of the chain yet.
    pub(super) fn new(ground: &Ground<'_>) -> Result<Self, Error> {
        let http = Http::from_str(ground.rpc_url).map_err(|error| Error::Rpc {
            method: "connecting",
            reason: error.to_string(),
        })?;
        let keys = ground.keys.iter().take(ACCOUNTS);
        let wallets: Vec<_> = keys
            .map_while(|key| wallet(key).ok())
            .map(|wallet| wallet.with_chain_id(ground.chain_id))
            .collect();
        if wallets.len() < ACCOUNTS {
            return Err(Error::Keys {
                found: wallets.len(),
            });
        }
        Ok(Self {
            http,
            chain_id: ground.chain_id,
            wallets,
        })
    }

    pub(super) fn chain_id(&self) -> u64 {
        self.chain_id
    }

    pub(super) fn address(&self, account: usize) -> Address {
        Address::from(self.wallets[account].address().0)
    }

    /// An account's signature over a digest: r, s, v with v 27 or 28.
    pub(super) fn sign(&self, account: usize, digest: B256) -> Result<Vec<u8>, Error> {
        let signed = self.wallets[account].sign_hash(H256(digest.0));
        Ok(signed.map_err(|_| Error::Signature { account })?.to_vec())
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
        let wallet = &self.wallets[from];
        let counted = json!([self.address(from), "latest"]);
        let nonce: U64 = self.ask("eth_getTransactionCount", counted).await?;
        let tx: TypedTransaction = Eip1559TransactionRequest::new()
            .from(wallet.address())
            .to(H160(to.into_array()))
            .data(data.clone())
            .nonce(nonce.to::<u64>())
            .gas(GAS_LIMIT)
            .max_fee_per_gas(MAX_FEE)
            .max_priority_fee_per_gas(0)
            .chain_id(self.chain_id)
            .into();
        let signature = wallet
            .sign_transaction_sync(&tx)
            .map_err(|_| Error::Signature { account: from })?;
        let raw = Bytes::from(tx.rlp_signed(&signature).0);
        self.hand_over(raw, data, GAS_LIMIT).await
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
                return Err(Error::Rpc {
                    method: "eth_getTransactionReceipt",
                    reason: format!("{tx} is not mined"),
                });
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// A transaction that was sent by somebody else, whose logs are not asked for here.
    pub(super) async fn mined(&self, tx: B256) -> Result<Mined, Error> {
        let method = "eth_getTransactionByHash";
        let sent: Transaction = self.ask(method, json!([tx])).await?;
        let raw = Bytes::from(sent.rlp().0);
        if keccak256(&raw) != tx {
            return Err(Error::Rpc {
                method,
                reason: format!("what it tells of {tx} has another hash"),
            });
        }
        let receipt = self.receipt(tx).await?;
        Ok(Mined {
            tx,
            raw,
            data: sent.input.to_vec(),
            gas_limit: sent.gas.as_u64(),
            gas_used: receipt.gas_used.to(),
            block: receipt.block_number.to(),
            logs: Vec::new(),
            time: Duration::ZERO,
            success: receipt.status == U64::from(1),
        })
    }

    /// Calls a function, for free.
    pub(super) async fn call<C: SolCall>(&self, to: Address, call: &C) -> Result<C::Return, Error> {
        let method = "eth_call";
        let data = Bytes::from(call.abi_encode());
        let params = json!([{"to": to, "data": data}, "latest"]);
        let output: Bytes = self.ask(method, params).await?;
        C::abi_decode_returns_validate(&output).map_err(|error| Error::Rpc {
            method,
            reason: error.to_string(),
        })
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

    /// Remembers the state; what is given back undoes all that follows.
    pub(super) async fn snapshot(&self) -> Result<U64, Error> {
        self.ask("evm_snapshot", json!([])).await
    }

    /// Undoes all since a snapshot, and forgets that.
    pub(super) async fn revert(&self, snapshot: U64) -> Result<(), Error> {
        let method = "evm_revert";
        match self.ask(method, json!([snapshot])).await? {
            true => Ok(()),
            false => Err(Error::Rpc {
                method,
                reason: "the snapshot is gone".into(),
            }),
        }
    }

    async fn ask<T: DeserializeOwned + Send>(
        &self,
        method: &'static str,
        params: Value,
    ) -> Result<T, Error> {
        let answer: Result<T, _> = self.http.request(method, params).await;
        answer.map_err(|error| Error::Rpc {
            method,
            reason: error.to_string(),
        })
    }
}

/// The address of a private key.
pub(super) fn address_of(key: &[u8; 32]) -> Result<Address, Error> {
    Ok(Address::from(wallet(key)?.address().0))
}

fn wallet(key: &[u8; 32]) -> Result<LocalWallet, Error> {
    let key = SigningKey::from_slice(key).map_err(|_| Error::Keys { found: 0 })?;
    Ok(LocalWallet::from(key))
}
