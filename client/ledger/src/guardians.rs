//! Guardians: the commitment to them, and what they sign to have an account moved (format.md §3.8.1, §3.8.4).

#[cfg(test)]
mod tests;

use alloy_primitives::{Bytes, U256, keccak256};
use alloy_sol_types::SolStruct;
use serde::{Deserialize, Serialize};

use super::account::recover_digest;
use super::relay::domain;
use super::{Account, Error, Recovery, Result, Version, abi};
use pcim_core::{Address, B256};

/// Most guardians of a patient.
pub const MAX_GUARDIANS: usize = 15;

/// The guardians of a patient: what a commitment hides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GuardianSet {
    /// Ascending, each once.
    pub guardians: Vec<Address>,
    /// How many of them must agree.
    pub threshold: u8,
    /// Random.
    pub salt: B256,
}

impl GuardianSet {
    /// Makes a set that the contract can match: sorted, with a new salt.
    ///
    /// # Errors
    /// [`Error::BadGuardians`] for none, too many, one twice, the zero address, or a threshold that is none.
    pub fn draw(mut guardians: Vec<Address>, threshold: u8) -> Result<Self> {
        guardians.sort();
        let set = Self {
            guardians,
            threshold,
            salt: B256::from(rand::random::<[u8; 32]>()),
        };
        set.check()?;
        Ok(set)
    }

    /// Refuses a set that the contract would not match: a commitment to it would be of no use, for good.
    ///
    /// # Errors
    /// [`Error::BadGuardians`]
    pub fn check(&self) -> Result<()> {
        let bad = |reason: String| Err(Error::BadGuardians { reason });
        let found = self.guardians.len();
        if found == 0 || found > MAX_GUARDIANS {
            return bad(format!("{found} guardians; wanted 1 to {MAX_GUARDIANS}"));
        }
        if self.guardians[0] == Address::ZERO {
            return bad("the zero address is nobody".into());
        }
        if let Some(pair) = self.guardians.windows(2).find(|pair| pair[0] >= pair[1]) {
            return bad(match pair[0] == pair[1] {
                true => format!("{} is named twice", pair[0]),
                false => format!("{} stands before {}; wanted ascending", pair[0], pair[1]),
            });
        }
        if self.threshold == 0 || usize::from(self.threshold) > found {
            let threshold = self.threshold;
            return bad(format!(
                "{threshold} of {found} must agree; wanted 1 to {found}"
            ));
        }
        Ok(())
    }

    /// Computes the commitment: the first 24 bytes of keccak256(guardian ‖ … ‖ threshold ‖ salt), each one word.
    #[must_use]
    pub fn commitment(&self) -> [u8; 24] {
        let words = self.guardians.iter().map(|guardian| guardian.into_word());
        let threshold = B256::from(U256::from(self.threshold));
        let words: Vec<u8> = words
            .chain([threshold, self.salt])
            .flat_map(|word| word.0)
            .collect();
        let mut first = [0; 24];
        first.copy_from_slice(&keccak256(words)[..24]);
        first
    }
}

/// The terms of a recovery, to which guardians agree: that another key acts for a patient.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecoveryTerms {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// The contract.
    pub contract: Address,
    /// The patient.
    pub patient: Address,
    /// The key that is to act.
    pub successor: Address,
    /// True if the acting key is stopped until then.
    pub lock: bool,
    /// The account's counter.
    pub recovery: u16,
    /// The last second in which it may be sent, Unix.
    pub deadline: u64,
}

impl RecoveryTerms {
    fn digest(&self) -> B256 {
        let terms = abi::Recovery {
            patient: self.patient,
            successor: self.successor,
            lock: self.lock,
            recovery: self.recovery,
            deadline: self.deadline,
        };
        terms.eip712_signing_hash(&domain(Version::V2, self.chain_id, self.contract))
    }

    /// Tells whose key signed.
    ///
    /// # Errors
    /// [`Error::Signature`] if it is not a canonical signature of 65 bytes: a contract account may take it all the same.
    pub fn signer(&self, signature: &[u8]) -> Result<Address> {
        recover_digest(self.digest(), signature)
    }

    /// Makes the call that starts the recovery, with the signatures of those who agreed.
    ///
    /// # Errors
    /// [`Error::BadGuardians`] if fewer agreed than must, or one that is no guardian.
    pub fn call(&self, set: &GuardianSet, agreed: &[(Address, Bytes)]) -> Result<Recovery> {
        set.check()?;
        let bad = |reason: String| Err(Error::BadGuardians { reason });
        for (who, _) in agreed {
            if !set.guardians.contains(who) {
                return bad(format!("{who} is not among the guardians"));
            }
        }
        let signature = |guardian: &Address| {
            let found = agreed.iter().find(|(who, _)| who == guardian);
            found.map_or_else(Bytes::new, |(_, signature)| signature.clone())
        };
        let signatures: Vec<_> = set.guardians.iter().map(signature).collect();
        let signed = signatures.iter().filter(|it| !it.is_empty()).count();
        if signed < usize::from(set.threshold) {
            let needed = set.threshold;
            return bad(format!("{signed} guardians agreed; {needed} must"));
        }
        Ok(Recovery {
            patient: self.patient,
            successor: self.successor,
            lock: self.lock,
            guardians: set.guardians.clone(),
            threshold: set.threshold,
            salt: set.salt,
            deadline: self.deadline,
            signatures,
        })
    }
}

impl Account {
    /// Agrees as a guardian: 65 bytes r‖s‖v, low s, v 27 or 28.
    ///
    /// # Errors
    /// [`Error::Signing`]
    pub fn agree(&self, terms: &RecoveryTerms) -> Result<[u8; 65]> {
        self.sign_digest(terms.digest())
    }
}
