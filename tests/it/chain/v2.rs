//! Version 2 of the contract, on which the actors meet.

use alloy_primitives::{Address, B256};
use alloy_sol_types::{SolCall, SolStruct, eip712_domain};

use super::{Actor, Chain, SEAL};

alloy_sol_types::sol!(
    #![sol(all_derives)]
    "../contract/abi/IPcac.sol"
);

alloy_sol_types::sol! {
    struct ImageAttestation { bytes32 image; address patient; bytes32 seal; uint64 replaces; }
}

impl Chain {
    /// `start`, with version 2.
    pub(crate) async fn start_2() -> Self {
        let chain = Self::deployed(pcim_deploy::artifact::PCAC_WASM).await;
        let accredit = chain.accreditation_2(chain.radiologist.address);
        chain.done_2(&chain.consortium, &accredit).await;
        chain
    }

    /// An accreditation at version 2.
    pub(crate) fn accreditation_2(&self, radiologist: Address) -> IPcac::accredit_radiologistCall {
        IPcac::accredit_radiologistCall {
            radiologist,
            status: 1,
            since: 0,
        }
    }

    /// A registration of `image` for the patient at version 2.
    pub(crate) fn registration_2(&self, image: B256) -> super::IPcac::create_contractCall {
        let domain = eip712_domain! {
            name: "Pcac", version: "2", chain_id: self.devnet.chain_id(), verifying_contract: self.contract,
        };
        let attestation = ImageAttestation {
            image,
            patient: self.patient.address,
            seal: SEAL,
            replaces: 0,
        };
        let digest = attestation.eip712_signing_hash(&domain);
        super::IPcac::create_contractCall {
            attestation: self.radiologist.sign(digest),
            ..self.registration(image)
        }
    }

    /// Sends a call of version 2, which must succeed.
    pub(crate) async fn done_2<C: SolCall>(&self, from: &Actor, call: &C) {
        let receipt = self.send_raw(from, call.abi_encode()).await;
        assert_eq!(receipt.status.unwrap().as_u64(), 1, "{}", C::SIGNATURE);
    }
}
