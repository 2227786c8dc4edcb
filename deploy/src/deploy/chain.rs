//! What deploying asks of a chain, over JSON-RPC, every request with a time limit.

use std::str::FromStr;
use std::time::{Duration, Instant};

use alloy_primitives::{Address, B256, Bytes, U64, U256, keccak256};
use alloy_sol_types::{SolCall, SolError, SolEvent};
use ethers::core::rand;
use ethers::providers::{Http, HttpClientError, JsonRpcClient, JsonRpcError};
use ethers::signers::LocalWallet;
use ethers::types::transaction::eip2718::TypedTransaction;
use ethers::types::{Eip1559TransactionRequest, H160, U256 as EthersU256};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::Error;
use super::abi::{self, ARB_WASM, IArbWasm, IStylusDeployer};

/// Compiling a program for an activation takes a node a while.
const TIME_LIMIT: Duration = Duration::from_secs(60);
const MINING_LIMIT: Duration = Duration::from_secs(180);
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// One chain, by its RPC.
pub(super) struct Chain {
    http: Http,
    /// The URL without credentials.
    shown: String,
    chain_id: u64,
    mining_limit: Duration,
}

/// What gas costs, in wei.
#[derive(Clone, Copy)]
pub(super) struct Price {
    /// At most, the tip included.
    pub(super) most: U256,
    tip: U256,
}

/// A mined transaction that succeeded.
pub(super) struct Mined {
    pub(super) tx: B256,
    pub(super) block: u64,
    pub(super) gas_used: u64,
    logs: Vec<Log>,
}

#[derive(Deserialize)]
struct Log {
    address: Address,
    topics: Vec<B256>,
    data: Bytes,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Receipt {
    transaction_hash: B256,
    block_number: Option<U64>,
    gas_used: U256,
    status: Option<U64>,
    logs: Vec<Log>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    base_fee_per_gas: U256,
    timestamp: U64,
}

/// A JSON-RPC error, or why there is not even that.
enum Fault {
    Node(JsonRpcError),
    Other(Error),
}

impl Chain {
    /// Connects, and refuses any other chain.
    pub(super) async fn connect(url: &str, chain_id: u64) -> Result<Self, Error> {
        let bad = |url: &str, reason: &str| Error::BadUrl {
            url: url.into(),
            reason: reason.into(),
        };
        let http = Http::from_str(url).map_err(|e| bad("(unreadable URL)", &e.to_string()))?;
        let shown = shown(&http);
        if !matches!(http.url().scheme(), "http" | "https") {
            return Err(bad(&shown, "wanted http:// or https://"));
        }
        let chain = Self {
            http,
            shown,
            chain_id,
            mining_limit: MINING_LIMIT,
        };
        let found: U64 = chain.ask("eth_chainId", json!([])).await?;
        if found != U64::from(chain_id) {
            return Err(Error::WrongChain {
                wanted: chain_id,
                found: found.to(),
            });
        }
        Ok(chain)
    }

    /// Calls a function of a contract, for free; `None` if it reverts or returns something else.
    pub(super) async fn call<C: SolCall>(
        &self,
        to: Address,
        call: C,
    ) -> Result<Option<C::Return>, Error> {
        let data = Bytes::from(call.abi_encode());
        let params = json!([{"to": to, "data": data}, "latest"]);
        match self.request::<Bytes>("eth_call", params).await {
            Ok(data) => Ok(C::abi_decode_returns_validate(&data).ok()),
            Err(Fault::Node(error)) if is_revert(&error) => Ok(None),
            Err(fault) => Err(self.explain("eth_call", fault)),
        }
    }

    /// Calls a contract, for free and without value: what it returned, or what it reverted with.
    pub(super) async fn try_call(
        &self,
        from: Option<Address>,
        to: Address,
        data: &[u8],
    ) -> Result<Result<Bytes, Vec<u8>>, Error> {
        let mut tx = json!({"to": to, "data": Bytes::copy_from_slice(data)});
        if let Some(from) = from {
            tx["from"] = json!(from);
        }
        match self.request("eth_call", json!([tx, "latest"])).await {
            Ok(returned) => Ok(Ok(returned)),
            Err(Fault::Node(error)) if is_revert(&error) => {
                Ok(Err(data_of(&error).unwrap_or_default()))
            }
            Err(fault) => Err(self.explain("eth_call", fault)),
        }
    }

    /// Has the chain activate code that is nowhere yet, in a call that changes nothing; tells the fee in wei.
    pub(super) async fn activation_fee(&self, code: &[u8]) -> Result<U256, Error> {
        let someone = Address::from(rand::random::<[u8; 20]>());
        let program = Address::from(rand::random::<[u8; 20]>());
        let data = Bytes::from(IArbWasm::activateProgramCall { program }.abi_encode());
        let one_ether = U256::from(1_000_000_000_000_000_000u64);
        let mut overrides = json!({});
        overrides[someone.to_string()] = json!({"balance": U256::MAX});
        overrides[program.to_string()] = json!({"code": Bytes::copy_from_slice(code)});
        let params = json!([
            {"from": someone, "to": ARB_WASM, "value": one_ether, "data": data},
            "latest",
            overrides,
        ]);
        let refused = |reason: String| Err(Error::Activation { reason });
        match self.request::<Bytes>("eth_call", params).await {
            Ok(data) => match IArbWasm::activateProgramCall::abi_decode_returns_validate(&data) {
                Ok(returned) => Ok(returned.dataFee),
                Err(e) => Err(self.nonsense("eth_call", format!("activateProgram: {e}"))),
            },
            Err(Fault::Node(error)) => match data_of(&error) {
                Some(data) if data == IArbWasm::ProgramUpToDate::SELECTOR => Ok(U256::ZERO),
                Some(data) => refused(abi::reason(&data)),
                None if is_revert(&error) || error.message.contains("activation failed") => {
                    refused(printable(&error.message))
                }
                None => Err(self.explain("eth_call", Fault::Node(error))),
            },
            Err(fault) => Err(self.explain("eth_call", fault)),
        }
    }

    pub(super) async fn code(&self, address: Address) -> Result<Bytes, Error> {
        self.ask("eth_getCode", json!([address, "latest"])).await
    }

    pub(super) async fn balance(&self, address: Address) -> Result<U256, Error> {
        self.ask("eth_getBalance", json!([address, "latest"])).await
    }

    async fn head(&self) -> Result<Head, Error> {
        self.ask("eth_getBlockByNumber", json!(["latest", false]))
            .await
    }

    /// Unix seconds of the latest block.
    pub(super) async fn now(&self) -> Result<u64, Error> {
        Ok(self.head().await?.timestamp.to())
    }

    /// Twice the base fee, and no tip: Arbitrum chains ignore it.
    pub(super) async fn price(&self) -> Result<Price, Error> {
        let head = self.head().await?;
        Ok(Price {
            most: head.base_fee_per_gas.saturating_mul(U256::from(2)),
            tip: U256::ZERO,
        })
    }

    /// Gas that a transaction would take; [`Error::Refused`] if it would fail.
    pub(super) async fn estimate(
        &self,
        from: Address,
        to: Address,
        value: U256,
        data: &[u8],
    ) -> Result<u64, Error> {
        const METHOD: &str = "eth_estimateGas";
        let data = Bytes::copy_from_slice(data);
        let params = json!([{"from": from, "to": to, "value": value, "data": data}]);
        let gas: U256 = match self.request(METHOD, params).await {
            Ok(gas) => gas,
            Err(Fault::Node(error)) => {
                return Err(match data_of(&error) {
                    Some(data) => Error::Refused {
                        reason: abi::reason(&data),
                    },
                    None => Error::Refused {
                        reason: printable(&error.message),
                    },
                });
            }
            Err(fault) => return Err(self.explain(METHOD, fault)),
        };
        // 2^50 is the block gas limit of Arbitrum chains.
        if gas.is_zero() || gas > U256::from(1u64 << 50) {
            return Err(self.nonsense(METHOD, format!("{gas} gas")));
        }
        Ok(gas.to())
    }

    /// Signs and sends one transaction, and waits until it is mined.
    pub(super) async fn send(
        &self,
        wallet: &LocalWallet,
        to: Address,
        value: U256,
        data: Vec<u8>,
        gas: u64,
        price: Price,
    ) -> Result<Mined, Error> {
        let from = Address::from(ethers::signers::Signer::address(wallet).0);
        let nonce: U64 = self
            .ask("eth_getTransactionCount", json!([from, "pending"]))
            .await?;
        let tx: TypedTransaction = Eip1559TransactionRequest::new()
            .to(H160(to.into_array()))
            .value(number(value))
            .data(data)
            .gas(gas)
            .nonce(nonce.to::<u64>())
            .chain_id(self.chain_id)
            .max_fee_per_gas(number(price.most))
            .max_priority_fee_per_gas(number(price.tip))
            .into();
        let signature = wallet
            .sign_transaction_sync(&tx)
            .map_err(|e| Error::Signing {
                reason: e.to_string(),
            })?;
        let raw = tx.rlp_signed(&signature).0;
        let tx = keccak256(&raw);
        let sent = self
            .request::<B256>("eth_sendRawTransaction", json!([Bytes::from(raw)]))
            .await;
        // Whatever was answered, only a node's plain refusal means that nothing was taken.
        if let Err(Fault::Node(error)) = sent {
            let known = error.message.to_ascii_lowercase().contains("already known");
            if !known && self.receipt(tx).await?.is_none() {
                return Err(Error::Rejected {
                    tx,
                    message: printable(&error.message),
                });
            }
        }
        self.wait(tx).await
    }

    async fn wait(&self, tx: B256) -> Result<Mined, Error> {
        let start = Instant::now();
        let mut pause = FIRST_PAUSE;
        loop {
            match self.receipt(tx).await {
                Ok(Some(receipt)) => return mined(tx, receipt),
                // The transaction is on its way: a node that stumbles meanwhile is asked again.
                Ok(None) | Err(Error::Rpc { .. } | Error::Timeout { .. }) => {}
                Err(e) => return Err(e),
            }
            let waited = start.elapsed();
            if waited >= self.mining_limit {
                return Err(Error::NotMined { tx, waited });
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn receipt(&self, tx: B256) -> Result<Option<Receipt>, Error> {
        const METHOD: &str = "eth_getTransactionReceipt";
        let receipt: Option<Receipt> = self.ask(METHOD, json!([tx])).await?;
        match receipt {
            Some(receipt) if receipt.transaction_hash != tx => {
                let detail = format!("receipt of {}, wanted {tx}", receipt.transaction_hash);
                Err(self.nonsense(METHOD, detail))
            }
            other => Ok(other.filter(|receipt| receipt.block_number.is_some())),
        }
    }

    async fn ask<R: DeserializeOwned + Send>(
        &self,
        method: &'static str,
        params: Value,
    ) -> Result<R, Error> {
        self.request(method, params)
            .await
            .map_err(|fault| self.explain(method, fault))
    }

    async fn request<R: DeserializeOwned + Send>(
        &self,
        method: &'static str,
        params: Value,
    ) -> Result<R, Fault> {
        let answer = tokio::time::timeout(TIME_LIMIT, self.http.request(method, params)).await;
        let Ok(answer) = answer else {
            return Err(Fault::Other(Error::Timeout {
                url: self.shown.clone(),
                method,
                limit: TIME_LIMIT,
            }));
        };
        answer.map_err(|e| match e {
            HttpClientError::JsonRpcError(error) => Fault::Node(error),
            HttpClientError::SerdeJson { err, .. } => {
                Fault::Other(self.nonsense(method, err.to_string()))
            }
            HttpClientError::ReqwestError(source) => Fault::Other(Error::Rpc {
                url: self.shown.clone(),
                source: Box::new(source.without_url()),
            }),
        })
    }

    fn explain(&self, method: &'static str, fault: Fault) -> Error {
        match fault {
            Fault::Node(error) => Error::Node {
                url: self.shown.clone(),
                method,
                code: error.code,
                message: printable(&error.message),
            },
            Fault::Other(error) => error,
        }
    }

    pub(super) fn nonsense(&self, method: &'static str, detail: String) -> Error {
        Error::Nonsense {
            url: self.shown.clone(),
            method,
            detail: printable(&detail),
        }
    }
}

impl Mined {
    /// The contract that the factory tells of.
    pub(super) fn deployed(&self, factory: Address) -> Option<Address> {
        self.event::<IStylusDeployer::ContractDeployed>(factory)
            .map(|event| event.deployedContract)
    }

    /// What was paid for an activation or for a longer life, in wei; zero if there was neither.
    pub(super) fn data_fee(&self) -> U256 {
        let activated = self.event::<IArbWasm::ProgramActivated>(ARB_WASM);
        let extended = self.event::<IArbWasm::ProgramLifetimeExtended>(ARB_WASM);
        let fees = [
            activated.map(|it| it.dataFee),
            extended.map(|it| it.dataFee),
        ];
        fees.into_iter().flatten().sum()
    }

    fn event<E: SolEvent>(&self, from: Address) -> Option<E> {
        self.logs
            .iter()
            .filter(|log| log.address == from)
            .find_map(|log| E::decode_raw_log_validate(log.topics.iter().copied(), &log.data).ok())
    }
}

fn mined(tx: B256, receipt: Receipt) -> Result<Mined, Error> {
    if receipt.status.is_some_and(|status| status.is_zero()) {
        return Err(Error::Reverted { tx });
    }
    Ok(Mined {
        tx,
        block: receipt.block_number.unwrap_or_default().to(),
        gas_used: receipt.gas_used.saturating_to(),
        logs: receipt.logs,
    })
}

fn is_revert(error: &JsonRpcError) -> bool {
    error.code == 3 || error.message.contains("revert") || data_of(error).is_some()
}

/// Revert data, if the error carries any.
fn data_of(error: &JsonRpcError) -> Option<Vec<u8>> {
    let text = error.data.as_ref()?.as_str()?;
    let data = hex::decode(text.strip_prefix("0x")?).ok()?;
    (!data.is_empty()).then_some(data)
}

fn number(value: U256) -> EthersU256 {
    EthersU256(value.into_limbs())
}

/// Scheme, host and port; user, password, path and query may be credentials.
fn shown(http: &Http) -> String {
    let url = http.url();
    let port = url.port().map(|p| format!(":{p}")).unwrap_or_default();
    let more = if url.path() == "/" && url.query().is_none() {
        ""
    } else {
        "/…"
    };
    format!(
        "{}://{}{port}{more}",
        url.scheme(),
        url.host_str().unwrap_or_default()
    )
}

/// A node's words, made fit for a terminal: at most 200 characters, controls escaped.
fn printable(text: &str) -> String {
    text.chars()
        .take(200)
        .flat_map(|c| {
            let escaped = c.is_control().then(|| c.escape_unicode());
            let plain = (!c.is_control()).then_some(c);
            escaped.into_iter().flatten().chain(plain)
        })
        .collect()
}
