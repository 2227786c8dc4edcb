//! A fresh devnet with the contract on it, and its ABI called with nothing of the client in between.

#[path = "chain/v2.rs"]
pub(crate) mod v2;

use alloy_primitives::{Address, B256, Bytes, LogData, address, keccak256};
use alloy_sol_types::{SolCall, SolEventInterface, SolInterface, SolStruct, eip712_domain, sol};
use ethers::providers::{Http, Middleware, Provider, RpcError};
use ethers::signers::{LocalWallet, Signer};
use ethers::types::transaction::eip2718::TypedTransaction;
use ethers::types::{H160, H256, TransactionReceipt, TransactionRequest};
use stylus_devnet::{Config, Handle};

sol!(
    #![sol(all_derives)]
    "../contract/artifacts/v1/IPcac.sol"
);

pub(crate) use IPcac::{IPcacErrors as Refusal, IPcacEvents as Event};

sol! {
    struct ImageAttestation { bytes32 image; address patient; bytes32 seal; }
}

/// An account with a key, funded.
#[derive(Clone)]
pub(crate) struct Actor {
    pub(crate) address: Address,
    pub(crate) wallet: LocalWallet,
}

impl Actor {
    /// The actor's signature of a digest, 65 bytes.
    pub(crate) fn sign(&self, digest: B256) -> Bytes {
        let signature = self.wallet.sign_hash(H256(digest.0)).unwrap();
        signature.to_vec().into()
    }
}

/// A devnet, the contract on it, and the five who meet there.
pub(crate) struct Chain {
    pub(crate) devnet: Handle,
    pub(crate) provider: Provider<Http>,
    pub(crate) contract: Address,
    pub(crate) consortium: Actor,
    pub(crate) radiologist: Actor,
    pub(crate) patient: Actor,
    pub(crate) doctor: Actor,
    pub(crate) stranger: Actor,
}

/// A call that was mined: what it returned and what it logged.
#[derive(Debug)]
pub(crate) struct Done<R> {
    pub(crate) returned: R,
    pub(crate) events: Vec<Event>,
}

/// What a reverted call carried.
#[derive(Debug)]
pub(crate) enum Revert {
    /// One of the contract's own errors.
    Typed(Refusal),
    /// Nothing, or bytes that are no error of the contract.
    Raw(Bytes),
}

pub(crate) const IMAGE: B256 = B256::repeat_byte(0x11);
pub(crate) const SEAL: B256 = B256::repeat_byte(0x22);
pub(crate) const KEY: B256 = B256::repeat_byte(0x33);
pub(crate) const SHARED: B256 = B256::repeat_byte(0x44);

/// The WASM under test: version 1.
pub(crate) fn wasm() -> Vec<u8> {
    pcim_deploy::artifact::V1_WASM.to_vec()
}

impl Chain {
    /// Starts a devnet and deploys version 1 of the contract; the radiologist is accredited.
    pub(crate) async fn start() -> Self {
        let chain = Self::deployed(&wasm()).await;
        let accredit = IPcac::accredit_radiologistCall {
            radiologist: chain.radiologist.address,
            accredited: true,
        };
        chain.send(&chain.consortium, &accredit).await.unwrap();
        chain
    }

    async fn deployed(wasm: &[u8]) -> Self {
        let devnet = stylus_devnet::spawn(Config::default()).await.unwrap();
        let actor = |n| account(&devnet, n);
        let (deployer, consortium) = (actor(0), actor(1));
        let record = pcim_deploy::deploy::deploy(&pcim_deploy::deploy::Request {
            rpc_url: &devnet.url(),
            chain_id: devnet.chain_id(),
            deployer_key: &deployer.wallet.signer().to_bytes().into(),
            consortium: consortium.address,
            predecessor: None,
            wasm,
            max_fee: pcim_deploy::deploy::MAX_FEE,
            records: None,
        })
        .await
        .unwrap();
        Self {
            provider: Provider::<Http>::try_from(devnet.url())
                .unwrap()
                .interval(std::time::Duration::from_millis(5)),
            contract: record.contract,
            radiologist: actor(2),
            patient: actor(3),
            doctor: actor(4),
            stranger: actor(5),
            consortium,
            devnet,
        }
    }

    /// `start`, and the patient's [`IMAGE`] registered.
    pub(crate) async fn with_image() -> Self {
        let chain = Self::start().await;
        let done = chain
            .send(&chain.patient, &chain.registration(IMAGE))
            .await
            .unwrap();
        assert!(done.returned);
        chain
    }

    /// `with_image`, and an open request of the doctor with [`KEY`].
    pub(crate) async fn with_request() -> Self {
        let chain = Self::with_image().await;
        let done = chain.send(&chain.doctor, &chain.request()).await.unwrap();
        assert!(!done.returned);
        chain
    }

    /// `with_request`, and it is approved for good.
    pub(crate) async fn with_approval() -> Self {
        let chain = Self::with_request().await;
        let done = chain
            .send(&chain.patient, &chain.approval(0))
            .await
            .unwrap();
        assert!(done.returned);
        chain
    }

    /// The patient's registration of `image`, attested by the radiologist.
    pub(crate) fn registration(&self, image: B256) -> IPcac::create_contractCall {
        self.registration_by(image, self.patient.address, &self.radiologist)
    }

    /// A registration of `image` for `patient`, attested by `radiologist`.
    pub(crate) fn registration_by(
        &self,
        image: B256,
        patient: Address,
        radiologist: &Actor,
    ) -> IPcac::create_contractCall {
        IPcac::create_contractCall {
            image,
            patient,
            seal: SEAL,
            radiologist: radiologist.address,
            attestation: self.attest(radiologist, image, patient, SEAL),
            description: "CT CHEST".into(),
        }
    }

    /// The doctor's request with [`KEY`].
    pub(crate) fn request(&self) -> IPcac::requesting_accessCall {
        IPcac::requesting_accessCall {
            patient: self.patient.address,
            image: IMAGE,
            publicKey: KEY,
            notes: "TREAT".into(),
        }
    }

    /// The patient's approval of the doctor's request.
    pub(crate) fn approval(&self, expires_at: u64) -> IPcac::approve_IRsCall {
        IPcac::approve_IRsCall {
            requester: self.doctor.address,
            image: IMAGE,
            publicKey: KEY,
            sharedImage: SHARED,
            expiresAt: expires_at,
            notes: String::new(),
        }
    }

    /// The patient's denial of the doctor's request.
    pub(crate) fn denial(&self) -> IPcac::deny_IRsCall {
        IPcac::deny_IRsCall {
            requester: self.doctor.address,
            image: IMAGE,
            reason: "not my doctor".into(),
        }
    }

    /// A trace of the doctor's authorization.
    pub(crate) fn trace(&self) -> IPcac::trace_authorizationCall {
        IPcac::trace_authorizationCall {
            patient: self.patient.address,
            requester: self.doctor.address,
            image: IMAGE,
        }
    }

    /// The removal of the doctor.
    pub(crate) fn removal(&self) -> IPcac::remove_IRsCall {
        IPcac::remove_IRsCall {
            requester: self.doctor.address,
            image: IMAGE,
        }
    }

    /// The EIP-712 attestation of (image, patient, seal), 65 bytes.
    pub(crate) fn attest(
        &self,
        radiologist: &Actor,
        image: B256,
        patient: Address,
        seal: B256,
    ) -> Bytes {
        let domain = eip712_domain! {
            name: "Pcac", version: "1", chain_id: self.devnet.chain_id(), verifying_contract: self.contract,
        };
        let digest = ImageAttestation {
            image,
            patient,
            seal,
        }
        .eip712_signing_hash(&domain);
        radiologist.sign(digest)
    }

    /// Account number `n` of the devnet.
    pub(crate) fn actor(&self, n: usize) -> Actor {
        account(&self.devnet, n)
    }

    /// Has the contract kept ready to run, as a contract in use is: calls are cheaper then.
    pub(crate) async fn cache(&self) {
        sol! {
            function allCacheManagers() external view returns (address[]);
            function placeBid(address program) external payable;
        }
        const ARB_WASM_CACHE: Address = address!("0000000000000000000000000000000000000072");
        let from = self.actor(0);
        let answer = self
            .ask(
                &from,
                ARB_WASM_CACHE,
                allCacheManagersCall {}.abi_encode(),
                "latest",
            )
            .await
            .unwrap();
        let managers = allCacheManagersCall::abi_decode_returns_validate(&answer).unwrap();
        let bid = placeBidCall {
            program: self.contract,
        };
        let receipt = self.mine(&from, managers[0], bid.abi_encode()).await;
        assert_eq!(receipt.status.unwrap().as_u64(), 1, "the bid failed");
    }

    /// `eth_call` of a contract: what it returned, or what it reverted with.
    pub(crate) async fn ask(
        &self,
        from: &Actor,
        to: Address,
        data: Vec<u8>,
        block: &str,
    ) -> Result<Bytes, Bytes> {
        self.eth_call(from, to, &data, serde_json::json!([block]))
            .await
    }

    /// `ask` at the latest block, with other values in its place: `time` and such.
    pub(crate) async fn ask_with(
        &self,
        from: &Actor,
        to: Address,
        data: &[u8],
        block: serde_json::Value,
    ) -> Result<Bytes, Bytes> {
        self.eth_call(from, to, data, serde_json::json!(["latest", {}, block]))
            .await
    }

    async fn eth_call(
        &self,
        from: &Actor,
        to: Address,
        data: &[u8],
        more: serde_json::Value,
    ) -> Result<Bytes, Bytes> {
        let [from, to] = [from.address, to].map(|address| address.to_string());
        let data = Bytes::copy_from_slice(data).to_string();
        let mut params = vec![serde_json::json!({ "from": from, "to": to, "data": data })];
        params.extend(more.as_array().cloned().unwrap_or_default());
        let answer: Result<String, _> = self.provider.request("eth_call", params).await;
        answer.map(|data| data.parse().unwrap()).map_err(|error| {
            let response = error
                .as_error_response()
                .unwrap_or_else(|| panic!("no JSON-RPC answer: {error}"));
            assert_eq!(response.code, 3, "{response}");
            let data = response.data.as_ref().and_then(|data| data.as_str());
            data.unwrap_or("0x").parse().unwrap()
        })
    }

    /// Sends a transaction to a contract and waits for its receipt.
    pub(crate) async fn mine(
        &self,
        from: &Actor,
        to: Address,
        data: Vec<u8>,
    ) -> TransactionReceipt {
        self.transact(
            from,
            TransactionRequest::new().to(H160(to.into())).data(data),
        )
        .await
    }

    /// `mine`, by who knows how many transactions the sender has sent; all but the receipt without the wire.
    pub(crate) async fn mine_as(
        &self,
        from: &Actor,
        nonce: u64,
        to: Address,
        data: Vec<u8>,
    ) -> TransactionReceipt {
        let request = TransactionRequest::new().to(H160(to.into())).data(data);
        self.transact_as(from, nonce, request).await
    }

    /// How many transactions an account has sent.
    pub(crate) async fn sent(&self, who: &Actor) -> u64 {
        let sent = self
            .provider
            .get_transaction_count(H160(who.address.into()), None);
        sent.await.unwrap().as_u64()
    }

    /// Whether the doctor may see [`IMAGE`] now, by the free view.
    pub(crate) async fn authorized(&self) -> bool {
        let view = IPcac::is_authorizedCall {
            patient: self.patient.address,
            requester: self.doctor.address,
            image: IMAGE,
        };
        self.call(&self.stranger, &view).await.unwrap()
    }

    /// The doctor's grant on [`IMAGE`].
    pub(crate) async fn grant(&self) -> IPcac::grantReturn {
        self.call(
            &self.stranger,
            &IPcac::grantCall {
                image: IMAGE,
                requester: self.doctor.address,
            },
        )
        .await
        .unwrap()
    }

    /// Unix seconds of the latest block.
    pub(crate) async fn now(&self) -> u64 {
        self.provider
            .get_block(ethers::types::BlockNumber::Latest)
            .await
            .unwrap()
            .unwrap()
            .timestamp
            .as_u64()
    }

    /// Lets time pass and mines a block, so that calls at the latest block see it too.
    pub(crate) async fn later(&self, seconds: u64) {
        self.devnet.increase_time(seconds).await;
        let _: serde_json::Value = self.provider.request("evm_mine", ()).await.unwrap();
    }

    /// `eth_call`.
    pub(crate) async fn call<C: SolCall>(
        &self,
        from: &Actor,
        call: &C,
    ) -> Result<C::Return, Revert> {
        let output = self.call_raw(from, call.abi_encode()).await?;
        Ok(C::abi_decode_returns_validate(&output).unwrap())
    }

    /// `eth_call` of arbitrary calldata.
    pub(crate) async fn call_raw(&self, from: &Actor, data: Vec<u8>) -> Result<Bytes, Revert> {
        self.call_with_value(from, data, 0).await
    }

    /// `eth_call` of arbitrary calldata, with ether.
    pub(crate) async fn call_with_value(
        &self,
        from: &Actor,
        data: Vec<u8>,
        wei: u64,
    ) -> Result<Bytes, Revert> {
        let tx: TypedTransaction = TransactionRequest::new()
            .from(H160(from.address.into()))
            .to(H160(self.contract.into()))
            .data(data)
            .value(wei)
            .into();
        match self.provider.call(&tx, None).await {
            Ok(output) => Ok(output.0.into()),
            Err(error) => {
                let response = error
                    .as_error_response()
                    .unwrap_or_else(|| panic!("no JSON-RPC answer: {error}"));
                assert_eq!(response.code, 3, "{response}");
                let data = response
                    .data
                    .as_ref()
                    .and_then(|data| data.as_str())
                    .unwrap_or("0x");
                let data: Bytes = data.parse().unwrap();
                Err(match Refusal::abi_decode_validate(&data) {
                    Ok(refusal) => Revert::Typed(refusal),
                    Err(_) => Revert::Raw(data),
                })
            }
        }
    }

    /// Calls, then sends the same as a transaction. A refused call is sent as well: it must fail there too, without a log.
    pub(crate) async fn send<C: SolCall>(
        &self,
        from: &Actor,
        call: &C,
    ) -> Result<Done<C::Return>, Revert> {
        let returned = self.call(from, call).await;
        let receipt = self.send_raw(from, call.abi_encode()).await;
        match returned {
            Ok(returned) => {
                assert_eq!(
                    receipt.status.unwrap().as_u64(),
                    1,
                    "the call succeeded, the transaction did not"
                );
                Ok(Done {
                    returned,
                    events: self.events(&receipt),
                })
            }
            Err(revert) => {
                assert_eq!(
                    receipt.status.unwrap().as_u64(),
                    0,
                    "the call was refused, the transaction was not"
                );
                assert!(receipt.logs.is_empty());
                Err(revert)
            }
        }
    }

    /// Sends arbitrary calldata with plenty of gas and waits for the receipt.
    pub(crate) async fn send_raw(&self, from: &Actor, data: Vec<u8>) -> TransactionReceipt {
        self.transact(
            from,
            TransactionRequest::new()
                .to(H160(self.contract.into()))
                .data(data),
        )
        .await
    }

    /// Creates an EVM contract.
    pub(crate) async fn create(&self, from: &Actor, init: Vec<u8>) -> TransactionReceipt {
        self.transact(from, TransactionRequest::new().data(init))
            .await
    }

    async fn transact(&self, from: &Actor, request: TransactionRequest) -> TransactionReceipt {
        let nonce = self.sent(from).await;
        self.transact_as(from, nonce, request).await
    }

    async fn transact_as(
        &self,
        from: &Actor,
        nonce: u64,
        request: TransactionRequest,
    ) -> TransactionReceipt {
        let tx: TypedTransaction = request
            .from(H160(from.address.into()))
            .gas(10_000_000)
            .gas_price(1_000_000_000u64)
            .nonce(nonce)
            .chain_id(self.devnet.chain_id())
            .into();
        let signature = from.wallet.sign_transaction(&tx).await.unwrap();
        let raw = tx.rlp_signed(&signature).to_vec().into();
        // A transaction is mined before its hash is returned.
        let hash = self.devnet.send_raw(raw).unwrap();
        let receipt = self.provider.get_transaction_receipt(H256(hash.0)).await;
        receipt.unwrap().unwrap()
    }

    /// The contract's events in a receipt; a log that is none of them fails the test.
    pub(crate) fn events(&self, receipt: &TransactionReceipt) -> Vec<Event> {
        self.events_of(self.contract, receipt)
    }

    /// The events of a contract with the same interface in a receipt.
    pub(crate) fn events_of(&self, contract: Address, receipt: &TransactionReceipt) -> Vec<Event> {
        receipt
            .logs
            .iter()
            .map(|log| {
                assert_eq!(log.address.0, contract.0.0);
                let topics: Vec<B256> =
                    log.topics.iter().map(|topic| B256::from(topic.0)).collect();
                let data = LogData::new(topics, log.data.0.clone().into()).unwrap();
                Event::decode_raw_log(data.topics(), &data.data).unwrap()
            })
            .collect()
    }
}

fn account(devnet: &Handle, n: usize) -> Actor {
    let account = &devnet.accounts()[n];
    let wallet = LocalWallet::from_bytes(account.private_key.as_slice())
        .unwrap()
        .with_chain_id(devnet.chain_id());
    Actor {
        address: account.address,
        wallet,
    }
}

/// Asserts that a result is the given refusal of the contract, values included, and shows what it was otherwise.
macro_rules! assert_refused {
    ($result:expr, $pattern:pat $(if $guard:expr)? $(,)?) => {
        match $result {
            Err($crate::chain::Revert::Typed($pattern)) $(if $guard)? => {}
            Err(other) => panic!("wanted {}, got {other:?}", stringify!($pattern $(if $guard)?)),
            Ok(_) => panic!("wanted {}, but it passed", stringify!($pattern $(if $guard)?)),
        }
    };
}
pub(crate) use assert_refused;

/// An address that nobody holds.
pub(crate) const NOBODY: Address = address!("00000000000000000000000000000000deadbeef");

/// A digest of its own for test number `n`.
pub(crate) fn digest(n: u64) -> B256 {
    keccak256(n.to_be_bytes())
}
