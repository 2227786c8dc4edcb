//! Documents that an account signs as EIP-712 typed data beside the contract's calls, and what a chain says of a contract.

use alloy_sol_types::{SolCall, SolType, sol_data};

use super::abi::IERC1271;
use super::abi::v2::IPcac;
use super::account::recover_digest;
use super::{Account, Chain, Result};
use pcim_core::{Address, B256};

impl Account {
    /// Signs the hash of typed data (EIP-712): 65 bytes r‖s‖v, low s, v 27 or 28.
    ///
    /// # Errors
    /// [`super::Error::Signing`]
    pub fn sign_typed(&self, hash: B256) -> Result<[u8; 65]> {
        self.sign_digest(hash)
    }
}

/// Tells who signed the hash of typed data, if it is a key's signature.
///
/// # Errors
/// [`super::Error::Signature`] if it is not a canonical signature of 65 bytes.
pub fn recover_typed(hash: B256, signature: &[u8]) -> Result<Address> {
    recover_digest(hash, signature)
}

impl Chain {
    /// Asks a contract account whether it takes a signature for the hash of typed data (ERC-1271). False where no contract is.
    ///
    /// # Errors
    /// Those of the RPC.
    pub async fn accepts_typed(
        &self,
        account: Address,
        hash: B256,
        signature: &[u8],
    ) -> Result<bool> {
        let data = IERC1271::isValidSignatureCall {
            hash,
            signature: signature.to_vec().into(),
        };
        let answer = self.call(None, account, &data.abi_encode()).await?;
        let mut magic = [0; 32];
        magic[..4].copy_from_slice(&IERC1271::isValidSignatureCall::SELECTOR);
        Ok(answer.is_ok_and(|answer| answer.get(..32) == Some(&magic[..])))
    }

    /// Reads which account is the consortium of a contract; `None` if what stands there tells of none.
    ///
    /// # Errors
    /// Those of the RPC.
    pub async fn consortium_of(&self, contract: Address) -> Result<Option<Address>> {
        let data = IPcac::consortiumCall {}.abi_encode();
        let Ok(answer) = self.call(None, contract, &data).await? else {
            return Ok(None);
        };
        // A later version may tell more behind the address.
        let first = answer.get(..32);
        let holder =
            first.and_then(|word| <sol_data::Address as SolType>::abi_decode_validate(word).ok());
        Ok(holder.filter(|holder| *holder != Address::ZERO))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::{Value, json};

    use super::super::fake::{Fake, Reply};
    use super::*;

    async fn chain(answer: Reply) -> (Fake, Chain) {
        let fake = Fake::new(move |method, _| match method {
            "eth_chainId" => Reply::Result(json!("0x1")),
            _ => answer.clone(),
        })
        .await;
        let chain = Chain::connect(&fake.url, 1).await.unwrap();
        (fake, chain)
    }

    fn words(hex: &str) -> Reply {
        Reply::Result(Value::from(format!("0x{hex}")))
    }

    #[tokio::test]
    async fn a_contract_account_takes_a_signature_by_the_magic_word_alone() {
        let magic = format!("1626ba7e{}", "00".repeat(28));
        for (answer, wanted) in [
            (words(&magic), true),
            (words(&format!("{}01", &magic[..62])), false),
            (words(&"00".repeat(32)), false),
            (words("1626ba7e"), false),
            (words(""), false),
            (Reply::Error(3, "reverted".into(), Some(vec![1])), false),
        ] {
            let (_fake, chain) = chain(answer).await;
            let taken = chain.accepts_typed(Address::ZERO, B256::ZERO, &[1; 65]);
            assert_eq!(taken.await.unwrap(), wanted);
        }
    }

    #[tokio::test]
    async fn the_consortium_is_the_first_word() {
        let one = format!("{:0>64}", "11".repeat(20));
        let who = Some(Address::repeat_byte(0x11));
        for (answer, wanted) in [
            (words(&one), who),
            (words(&format!("{one}{}", "00".repeat(32))), who),
            (words(&"00".repeat(32)), None),
            (words(&"ff".repeat(32)), None),
            (words("11"), None),
            (Reply::Error(3, "reverted".into(), Some(vec![1])), None),
        ] {
            let (_fake, chain) = chain(answer).await;
            assert_eq!(chain.consortium_of(Address::ZERO).await.unwrap(), wanted);
        }
    }

    #[test]
    fn typed_data_tells_its_signer() {
        let account = Account::generate();
        let hash = B256::repeat_byte(7);
        let signature = account.sign_typed(hash).unwrap();
        assert_eq!(recover_typed(hash, &signature).unwrap(), account.address());
        assert!(recover_typed(hash, &signature[..64]).is_err());
    }
}
