//! Papers of a recovery: what a successor asks guardians for, and what each answers with. Public: they hold addresses, terms
//! and signatures, no key.

use serde::{Deserialize, Serialize};

use pcim_core::Address;
use pcim_ledger::{Account, RecoveryTerms, Version};

/// Most bytes of either document.
pub const MAX_RECOVERY_BYTES: usize = 32 * 1024;

/// Why a document of a recovery is not accepted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Larger than [`MAX_RECOVERY_BYTES`].
    #[error("{found} bytes; at most {MAX_RECOVERY_BYTES} are read")]
    TooLarge {
        /// Its length in bytes.
        found: usize,
    },
    /// Not its JSON.
    #[error("not a recovery's document: {0}")]
    Format(#[from] serde_json::Error),
    /// A later format.
    #[error("a recovery's document of version {found}; this program reads version 1")]
    Version {
        /// Its version.
        found: u32,
    },
    /// A signature that no contract looks at.
    #[error("a guardian's signature of {found} bytes; wanted 1 to {max}")]
    Signature {
        /// Its bytes.
        found: usize,
        /// Most bytes.
        max: usize,
    },
    /// Another's signature, or one over something else.
    #[error("the agreement names guardian {wanted} and is signed by {found}")]
    Forged {
        /// The guardian named.
        wanted: Address,
        /// The account that signed.
        found: Address,
    },
    /// Signing failed.
    #[error(transparent)]
    Signing(#[from] pcim_ledger::Error),
}

/// A request for agreements.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecoveryRequest {
    #[serde(rename = "pcim-recovery")]
    version: u32,
    /// The terms that guardians are asked to agree to.
    pub terms: RecoveryTerms,
}

/// A guardian's agreement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Agreement {
    #[serde(rename = "pcim-recovery-agreement")]
    version: u32,
    /// The terms that are agreed to.
    pub terms: RecoveryTerms,
    /// The guardian.
    pub guardian: Address,
    /// The guardian's EIP-712 signature: 65 bytes, or whatever a contract account takes.
    #[serde(with = "alloy_primitives::serde_hex")]
    pub signature: Vec<u8>,
}

impl RecoveryRequest {
    /// Makes a request.
    #[must_use]
    pub fn new(terms: RecoveryTerms) -> Self {
        Self { version: 1, terms }
    }

    /// Reads a request.
    ///
    /// # Errors
    /// [`Error`]
    pub fn parse(json: &[u8]) -> Result<Self, Error> {
        let read: Self = read(json)?;
        known(read.version)?;
        Ok(read)
    }
}

impl Agreement {
    /// Agrees with a guardian's key.
    ///
    /// # Errors
    /// [`Error::Signing`]
    pub fn sign(terms: RecoveryTerms, guardian: &Account) -> Result<Self, Error> {
        Ok(Self {
            version: 1,
            guardian: guardian.address(),
            signature: guardian.agree(&terms)?.to_vec(),
            terms,
        })
    }

    /// Reads an agreement. A signature of 65 bytes must be the guardian's; what a contract account takes is left to the chain.
    ///
    /// # Errors
    /// [`Error`]
    pub fn parse(json: &[u8]) -> Result<Self, Error> {
        let read: Self = read(json)?;
        read.check()?;
        Ok(read)
    }

    /// Checks version and signature, as [`parse`](Self::parse) says.
    pub(crate) fn check(&self) -> Result<(), Error> {
        known(self.version)?;
        let (found, max) = (self.signature.len(), Version::V2.max_signature_bytes());
        if found == 0 || found > max {
            return Err(Error::Signature { found, max });
        }
        if let Ok(found) = self.terms.signer(&self.signature)
            && found != self.guardian
        {
            let wanted = self.guardian;
            return Err(Error::Forged { wanted, found });
        }
        Ok(())
    }
}

fn read<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Result<T, Error> {
    if json.len() > MAX_RECOVERY_BYTES {
        return Err(Error::TooLarge { found: json.len() });
    }
    Ok(serde_json::from_slice(json)?)
}

fn known(version: u32) -> Result<(), Error> {
    match version {
        1 => Ok(()),
        found => Err(Error::Version { found }),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use pcim_core::chance::{Numbers, mutations};

    use super::*;

    fn terms() -> RecoveryTerms {
        RecoveryTerms {
            chain_id: 412_346,
            contract: Address::repeat_byte(0xc0),
            patient: Address::repeat_byte(0xb0),
            successor: Address::repeat_byte(0xa0),
            lock: true,
            recovery: 3,
            deadline: 1_790_000_000,
        }
    }

    #[test]
    fn documents_are_read_as_they_were_written() {
        let request = RecoveryRequest::new(terms());
        let json = serde_json::to_vec(&request).unwrap();
        assert_eq!(RecoveryRequest::parse(&json).unwrap(), request);
        let agreement = Agreement::sign(terms(), &Account::generate()).unwrap();
        let json = serde_json::to_vec(&agreement).unwrap();
        assert_eq!(Agreement::parse(&json).unwrap(), agreement);
        assert!(RecoveryRequest::parse(&json).is_err());
    }

    #[test]
    fn an_agreement_that_is_none_is_refused() {
        let agreement = Agreement::sign(terms(), &Account::generate()).unwrap();
        let parse =
            |agreement: &Agreement| Agreement::parse(&serde_json::to_vec(agreement).unwrap());
        let forged = Agreement {
            guardian: Address::repeat_byte(1),
            ..agreement.clone()
        };
        assert!(matches!(parse(&forged), Err(Error::Forged { .. })));
        let other = Agreement {
            terms: RecoveryTerms {
                successor: Address::repeat_byte(1),
                ..terms()
            },
            ..agreement.clone()
        };
        assert!(matches!(parse(&other), Err(Error::Forged { .. })));
        for length in [0, 8_193] {
            let long = Agreement {
                signature: vec![1; length],
                ..agreement.clone()
            };
            assert!(matches!(parse(&long), Err(Error::Signature { .. })));
        }
        let later = Agreement {
            version: 2,
            ..agreement
        };
        assert!(matches!(parse(&later), Err(Error::Version { found: 2 })));
        let long = vec![b' '; MAX_RECOVERY_BYTES + 1];
        assert!(matches!(
            Agreement::parse(&long),
            Err(Error::TooLarge { .. })
        ));
    }

    #[test]
    fn mutated_agreements_are_refused_or_the_guardians() {
        let guardian = Account::generate();
        let agreement = Agreement::sign(terms(), &guardian).unwrap();
        let good = serde_json::to_vec(&agreement).unwrap();
        let mut numbers = Numbers(0x5eed_0004);
        for _ in 0..mutations() {
            if let Ok(read) = Agreement::parse(&numbers.mutated(&good))
                && let Ok(signer) = read.terms.signer(&read.signature)
            {
                assert_eq!(signer, read.guardian);
            }
        }
    }
}
