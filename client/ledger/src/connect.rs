//! Connecting: is this the chain, is the contract there, alive, and ours.

use alloy_primitives::{Bytes, U64, keccak256};
use alloy_sol_types::{SolCall, SolType, sol_data};
use serde_json::json;

use super::abi::v2::IPcac;
use super::abi::{ARB_WASM, IArbWasm};
use super::rpc::{Outcome, Rpc};
use super::text::printable;
use super::{Deployment, Error, Result, Version};
use pcim_core::{Address, B256};

/// A connection to one `Pcac` deployment on one chain.
#[derive(Debug)]
pub struct Ledger {
    pub(super) rpc: Rpc,
    pub(super) deployment: Deployment,
    pub(super) version: Version,
    pub(super) code_hash: B256,
}

/// How often a busy node (HTTP status 429 or 503) is asked again.
const PATIENCE: u32 = 5;

/// First bytes of a Stylus program's code.
const STYLUS: [u8; 2] = [0xef, 0xf0];

impl Ledger {
    /// Connects and checks: the RPC answers, the chain id is the one wanted, the contract has code, is
    /// activated, knows its consortium, and is of a version that is known here.
    ///
    /// # Errors
    /// [`Error::BadUrl`], [`Error::Rpc`], [`Error::Timeout`], [`Error::Nonsense`], [`Error::WrongChain`],
    /// [`Error::NoContract`], [`Error::NotActivated`], [`Error::NotPcac`], [`Error::UnknownVersion`]
    pub async fn connect(deployment: Deployment) -> Result<Self> {
        let rpc = Rpc::new(&deployment.rpc_url)?.patient(PATIENCE);
        Self::check(rpc, deployment).await
    }

    pub(super) async fn check(rpc: Rpc, deployment: Deployment) -> Result<Self> {
        check_chain(&rpc, deployment.chain_id).await?;
        let address = deployment.contract;
        let code: Bytes = rpc.ask("eth_getCode", json!([address, "latest"])).await?;
        if code.is_empty() {
            return Err(Error::NoContract { address });
        }
        if code.starts_with(&STYLUS) {
            check_active(&rpc, address, &code).await?;
        }
        check_pcac(&rpc, address).await?;
        let version = read_version(&rpc, address).await?;
        Ok(Self {
            rpc,
            deployment,
            version,
            code_hash: keccak256(&code),
        })
    }

    /// Returns the keccak-256 of the contract's code.
    pub fn code_hash(&self) -> B256 {
        self.code_hash
    }

    /// Returns the version of the contract.
    pub fn version(&self) -> Version {
        self.version
    }

    /// Returns the place where this ledger reads and writes.
    pub fn deployment(&self) -> &Deployment {
        &self.deployment
    }
}

/// Refuses any chain but the one wanted.
pub(super) async fn check_chain(rpc: &Rpc, wanted: u64) -> Result<()> {
    let found: U64 = rpc.ask("eth_chainId", json!([])).await?;
    match found.to::<u64>() {
        found if found == wanted => Ok(()),
        found => Err(Error::WrongChain { wanted, found }),
    }
}

/// Asks `ArbWasm`, which reverts for a program that is not activated, outdated or expired.
async fn check_active(rpc: &Rpc, address: Address, code: &[u8]) -> Result<()> {
    let data = IArbWasm::codehashVersionCall {
        codehash: keccak256(code),
    }
    .abi_encode();
    match rpc.call(None, ARB_WASM, &data).await {
        Ok(Outcome::Returned(version))
            if IArbWasm::codehashVersionCall::abi_decode_returns_validate(&version)
                .is_ok_and(|v| v > 0) =>
        {
            Ok(())
        }
        Ok(_) => Err(Error::NotActivated { address }),
        Err(fault) => Err(rpc.explain("eth_call", fault)),
    }
}

/// Both versions answer with the consortium's address first.
async fn check_pcac(rpc: &Rpc, address: Address) -> Result<()> {
    let not_pcac = |found: &str| {
        Err(Error::NotPcac {
            address,
            found: found.into(),
        })
    };
    let data = IPcac::consortiumCall {}.abi_encode();
    let answer = match rpc.call(None, address, &data).await {
        Ok(Outcome::Reverted(_)) => return not_pcac("reverts"),
        Ok(Outcome::Returned(data)) => data,
        Err(fault) => return Err(rpc.explain("eth_call", fault)),
    };
    let holder = answer
        .get(..32)
        .map(<sol_data::Address as SolType>::abi_decode_validate);
    match holder {
        Some(Ok(Address::ZERO)) => not_pcac("is zero"),
        Some(Ok(_)) => Ok(()),
        Some(Err(_)) | None => not_pcac("returns no address"),
    }
}

async fn read_version(rpc: &Rpc, address: Address) -> Result<Version> {
    let unknown = |found: &str| {
        Err(Error::UnknownVersion {
            address,
            found: printable(found),
        })
    };
    let data = IPcac::versionCall {}.abi_encode();
    match rpc.call(None, address, &data).await {
        Ok(Outcome::Reverted(_)) => unknown("none"),
        Ok(Outcome::Returned(data)) => {
            match IPcac::versionCall::abi_decode_returns_validate(&data).as_deref() {
                Ok("1") => Ok(Version::V1),
                Ok("2") => Ok(Version::V2),
                Ok(other) => unknown(other),
                Err(_) => unknown("none"),
            }
        }
        Err(fault) => Err(rpc.explain("eth_call", fault)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::Value;

    use super::super::fake::{Fake, Reply};
    use super::*;

    const AT: Address = Address::repeat_byte(0xc0);

    fn word(last: u8) -> Value {
        json!(format!("0x{last:064x}"))
    }

    #[tokio::test]
    async fn a_busy_node_is_asked_again() {
        let mut refusals = vec![429, 503, 429];
        let fake = Fake::new(move |method, params| match (refusals.pop(), method) {
            (Some(status), _) => Reply::Http(status, "busy".into()),
            (None, "eth_chainId") => Reply::Result(json!("0x1")),
            (None, "eth_getCode") => Reply::Result(json!("0x60")),
            (None, "eth_call") if params[0]["data"] == json!("0x54fd4d50") => text("2"),
            (None, _) => Reply::Result(word(1)),
        });
        let fake = fake.await;
        let deployment = Deployment {
            rpc_url: fake.url.clone(),
            chain_id: 1,
            contract: AT,
        };
        Ledger::connect(deployment).await.unwrap();
        assert_eq!(fake.count("eth_chainId"), 4);
    }

    /// A text as a contract returns it.
    fn text(text: &str) -> Reply {
        let returned = IPcac::versionCall::abi_encode_returns(&text.to_owned());
        Reply::Result(json!(Bytes::from(returned)))
    }

    /// Connects to a chain that answers as given to `eth_getCode`, `codehashVersion` and `consortium`; of version 2.
    async fn connect(
        chain: u64,
        code: &'static str,
        version: Reply,
        consortium: Reply,
    ) -> Result<Ledger> {
        connect_to("2", chain, code, version, consortium).await
    }

    /// Connects to a contract that says this of its version.
    async fn connect_to(
        said: &'static str,
        chain: u64,
        code: &'static str,
        version: Reply,
        consortium: Reply,
    ) -> Result<Ledger> {
        let fake = Fake::new(move |method, params| match method {
            "eth_chainId" => Reply::Result(json!(format!("{chain:#x}"))),
            "eth_getCode" => Reply::Result(json!(code)),
            "eth_call" if params[0]["to"] == json!(ARB_WASM) => version.clone(),
            "eth_call" if params[0]["data"] == json!("0x54fd4d50") => text(said),
            "eth_call" => consortium.clone(),
            other => Reply::Error(-32601, other.into(), None),
        })
        .await;
        Ledger::connect(Deployment {
            rpc_url: fake.url.clone(),
            chain_id: 412_346,
            contract: AT,
        })
        .await
    }

    #[tokio::test]
    async fn the_version_is_read_and_one_that_is_not_known_is_refused() {
        // Version 2 answers with two words.
        let two = json!(format!("0x{}{}", "00".repeat(31) + "02", "00".repeat(32)));
        let to = async |said| {
            let consortium = Reply::Result(two.clone());
            connect_to(said, 412_346, "0x6000", Reply::Close, consortium).await
        };
        assert_eq!(to("1").await.unwrap().version(), Version::V1);
        assert_eq!(to("2").await.unwrap().version(), Version::V2);
        for said in ["3", "", "2\u{1b}", " 2"] {
            assert!(matches!(
                to(said).await,
                Err(Error::UnknownVersion { address: AT, found }) if !found.contains('\u{1b}')
            ));
        }
    }

    #[tokio::test]
    async fn every_check_has_its_own_error() {
        let ok = || Reply::Result(word(2));
        let stylus = "0xeff00000aa";
        let revert = |data: Vec<u8>| Reply::Error(3, "execution reverted".into(), Some(data));

        let ledger = connect(412_346, stylus, ok(), ok()).await.unwrap();
        assert_eq!(ledger.deployment().contract, AT);
        // The same contract as EVM code, on a chain that knows no Stylus.
        assert!(connect(412_346, "0x6000", Reply::Close, ok()).await.is_ok());

        assert!(matches!(
            connect(1, stylus, ok(), ok()).await,
            Err(Error::WrongChain {
                wanted: 412_346,
                found: 1
            })
        ));
        assert!(matches!(
            connect(412_346, "0x", ok(), ok()).await,
            Err(Error::NoContract { address: AT })
        ));
        // ProgramNotActivated(), an old version, and a chain without ArbWasm.
        for version in [
            revert(vec![1, 2, 3, 4]),
            Reply::Result(word(0)),
            Reply::Result(json!("0x")),
        ] {
            assert!(matches!(
                connect(412_346, stylus, version, ok()).await,
                Err(Error::NotActivated { address: AT })
            ));
        }
        for consortium in [
            revert(vec![]),
            Reply::Result(json!("0x")),
            Reply::Result(word(0)),
            Reply::Result(json!(format!("0x{}", "ff".repeat(32)))),
        ] {
            assert!(matches!(
                connect(412_346, stylus, ok(), consortium).await,
                Err(Error::NotPcac { address: AT, .. })
            ));
        }
        assert!(matches!(
            connect(412_346, stylus, ok(), Reply::Close).await,
            Err(Error::Rpc { .. })
        ));
        assert!(matches!(
            connect(412_346, "no hex", ok(), ok()).await,
            Err(Error::Nonsense {
                method: "eth_getCode",
                ..
            })
        ));
    }
}
