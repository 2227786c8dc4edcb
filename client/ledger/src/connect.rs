//! Connecting: is this the chain, is the contract there, alive, and ours.

use alloy_primitives::{Bytes, U64, keccak256};
use alloy_sol_types::SolCall;
use serde_json::json;

use super::abi::{ARB_WASM, IArbWasm, IPcac};
use super::rpc::{Outcome, Rpc};
use super::{Deployment, Error, Result};
use pcim_core::Address;

/// A connection to one `Pcac` deployment on one chain.
#[derive(Debug)]
pub struct Ledger {
    pub(super) rpc: Rpc,
    pub(super) deployment: Deployment,
}

/// How often a busy node (HTTP status 429 or 503) is asked again.
const PATIENCE: u32 = 5;

/// First bytes of a Stylus program's code.
const STYLUS: [u8; 2] = [0xef, 0xf0];

impl Ledger {
    /// Connects and checks: the RPC answers, the chain id is the one wanted, the contract has code, is
    /// activated, and knows its consortium.
    ///
    /// # Errors
    /// [`Error::BadUrl`], [`Error::Rpc`], [`Error::Timeout`], [`Error::Nonsense`], [`Error::WrongChain`],
    /// [`Error::NoContract`], [`Error::NotActivated`], [`Error::NotPcac`]
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
        Ok(Self { rpc, deployment })
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

async fn check_pcac(rpc: &Rpc, address: Address) -> Result<()> {
    let not_pcac = |found: &str| {
        Err(Error::NotPcac {
            address,
            found: found.into(),
        })
    };
    let data = IPcac::consortiumCall {}.abi_encode();
    match rpc.call(None, address, &data).await {
        Ok(Outcome::Reverted(_)) => not_pcac("reverts"),
        Ok(Outcome::Returned(data)) => {
            match IPcac::consortiumCall::abi_decode_returns_validate(&data) {
                Ok(Address::ZERO) => not_pcac("is zero"),
                Ok(_) => Ok(()),
                Err(_) => not_pcac("returns no address"),
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
        let fake = Fake::new(move |method, _| match (refusals.pop(), method) {
            (Some(status), _) => Reply::Http(status, "busy".into()),
            (None, "eth_chainId") => Reply::Result(json!("0x1")),
            (None, "eth_getCode") => Reply::Result(json!("0x60")),
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

    /// Connects to a chain that answers as given to `eth_getCode`, `codehashVersion` and `consortium`.
    async fn connect(
        chain: u64,
        code: &'static str,
        version: Reply,
        consortium: Reply,
    ) -> Result<Ledger> {
        let fake = Fake::new(move |method, params| match method {
            "eth_chainId" => Reply::Result(json!(format!("{chain:#x}"))),
            "eth_getCode" => Reply::Result(json!(code)),
            "eth_call" if params[0]["to"] == json!(ARB_WASM) => version.clone(),
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
