//! Network files: the facts of a network that a home needs, signed by the network's consortium (format.md §13.13).
//!
//! A network file is a JSON document. The consortium's Ethereum account signs the struct that its fields make (EIP-712), in a
//! domain of the file's own chain and contract. It says nothing about any person.

#[cfg(test)]
mod tests;

use alloy_primitives::Bytes;
use alloy_sol_types::{Eip712Domain, SolStruct, sol};
use serde::{Deserialize, Serialize};

use pcim_core::date::time;
use pcim_core::{Address, B256, U256};
use pcim_ledger::{Account, is_insecure, recover_typed, shown_url};

/// Most bytes of a network file.
pub const MAX_NETWORK_BYTES: usize = 64 * 1024;
/// Most seconds between issue and expiry: two years.
pub const MAX_LIFETIME: u64 = 731 * DAY;
/// Most bytes of a network's name.
pub const MAX_NAME: usize = 40;
/// Most URLs of RPCs, and of gateways.
const MAX_URLS: usize = 16;
/// Most followers.
const MAX_FOLLOWERS: usize = 32;
/// Most bytes of a URL or a multiaddr.
const MAX_PLACE_BYTES: usize = 512;
/// Most bytes of a signature: what a contract account may want.
const MAX_SIGNATURE_BYTES: usize = 2_048;
/// Seconds that clocks may differ by.
const SKEW: u64 = 3_600;
const DAY: u64 = 86_400;

/// A network file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkFile {
    /// The version of the format.
    #[serde(rename = "pcim-network")]
    version: u32,
    /// The network's name: lower-case letters, digits and `-`.
    pub name: String,
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// The `Pcac` contract.
    pub contract: Address,
    /// Keccak-256 of the contract's code.
    pub code_hash: B256,
    /// The account that signs the file.
    pub consortium: Address,
    /// Endpoints of the chain, best of several operators.
    pub rpcs: Vec<NetworkRpc>,
    /// A service that sends signed calls and pays for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relay: Option<String>,
    /// Multiaddrs (with `/p2p/…`) of nodes that keep images available.
    pub followers: Vec<String>,
    /// IPFS gateways.
    pub gateways: Vec<String>,
    /// Unix seconds.
    pub issued_at: u64,
    /// Unix seconds.
    pub expires_at: u64,
    /// The consortium's signature: of a key, or whatever a contract account takes (ERC-1271).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<Bytes>,
}

/// An endpoint of a network's chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkRpc {
    /// `http(s)://` for questions and transactions, `ws(s)://` for news.
    pub url: String,
    /// True if it is reached without encryption on another machine, and that is wanted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub insecure: bool,
}

/// Why a network file is not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Larger than [`MAX_NETWORK_BYTES`].
    #[error("a network file of {found} bytes; at most {MAX_NETWORK_BYTES} are read")]
    TooLarge {
        /// Its length in bytes.
        found: usize,
    },
    /// Not the JSON of a network file.
    #[error("not a network file: {0}")]
    Format(#[from] serde_json::Error),
    /// A later format.
    #[error("a network file of version {found}; this program reads version 1")]
    Version {
        /// Its version.
        found: u32,
    },
    /// A field is not what it should be.
    #[error("the network file's `{field}` {reason}")]
    Field {
        /// The field.
        field: &'static str,
        /// What is wanted.
        reason: &'static str,
    },
    /// An endpoint on another machine without encryption, which the file does not mark.
    #[error("the network file names {url} without encryption and does not mark it as insecure")]
    Unmarked {
        /// As shown, without credentials.
        url: String,
    },
    /// Nobody signed it.
    #[error("network file `{name}` is not signed")]
    Unsigned {
        /// The network.
        name: String,
    },
    /// Another key's signature, or the file was altered after it was signed.
    #[error("network file `{name}` was altered, or consortium {consortium} did not sign it")]
    Altered {
        /// The network.
        name: String,
        /// The consortium that it names.
        consortium: Address,
    },
    /// Its time is over.
    #[error("network file `{name}` expired at {}", time(*expires_at))]
    Expired {
        /// The network.
        name: String,
        /// Unix seconds.
        expires_at: u64,
    },
    /// Issued later than now.
    #[error("network file `{name}` was issued at {}, which is later than now", time(*issued_at))]
    Early {
        /// The network.
        name: String,
        /// Unix seconds.
        issued_at: u64,
    },
    /// An endpoint serves another chain.
    #[error("network file `{name}` is for chain {wanted}, and {url} serves another chain")]
    OtherChain {
        /// The network.
        name: String,
        /// The file's chain.
        wanted: u64,
        /// As shown, without credentials.
        url: String,
    },
    /// The contract has another consortium.
    #[error("network file `{name}` is of consortium {named}, and the contract's is {}", found.map_or("none".to_owned(), |it| it.to_string()))]
    OtherConsortium {
        /// The network.
        name: String,
        /// The consortium that the file names.
        named: Address,
        /// The contract's answer.
        found: Option<Address>,
    },
    /// The contract's code is another.
    #[error("network file `{name}` wants code {wanted} at the contract, and {url} has {found}")]
    OtherCode {
        /// The network.
        name: String,
        /// Keccak-256, as the file says.
        wanted: B256,
        /// Keccak-256, as found.
        found: B256,
        /// As shown, without credentials.
        url: String,
    },
    /// No endpoint of the file answered.
    #[error("no RPC of network file `{name}` answered: {reasons}")]
    Silent {
        /// The network.
        name: String,
        /// Each with its reason.
        reasons: String,
    },
    /// A renewal that is not newer.
    #[error("network `{name}` is known by a file issued at {}, and this one was issued at {}", time(*known), time(*found))]
    Older {
        /// The network.
        name: String,
        /// When the known file was issued.
        known: u64,
        /// When this one was issued.
        found: u64,
    },
    /// A renewal that leads elsewhere.
    #[error("the renewal of network `{name}` changes its {what} from {known} to {found}")]
    Changed {
        /// The network.
        name: String,
        /// `chain`, `contract`, `code hash` or `consortium`.
        what: &'static str,
        /// As known.
        known: String,
        /// As the renewal says.
        found: String,
    },
    /// Another account cannot sign it.
    #[error("consortium {consortium} signs network file `{name}`, and this home's key is {me}")]
    NotConsortium {
        /// The network.
        name: String,
        /// The consortium.
        consortium: Address,
        /// The key that was to sign.
        me: Address,
    },
    /// The chain's or a signature's own error.
    #[error(transparent)]
    Ledger(#[from] pcim_ledger::Error),
}

sol! {
    struct Rpc {
        string url;
        bool insecure;
    }

    struct NetworkFileTerms {
        string name;
        bytes32 codeHash;
        address consortium;
        Rpc[] rpcs;
        string relay;
        string[] followers;
        string[] gateways;
        uint64 issuedAt;
        uint64 expiresAt;
    }
}

impl NetworkFile {
    /// Makes an unsigned file without endpoints.
    pub fn new(
        name: String,
        chain_id: u64,
        contract: (Address, B256),
        consortium: Address,
    ) -> Self {
        Self {
            version: 1,
            name,
            chain_id,
            contract: contract.0,
            code_hash: contract.1,
            consortium,
            rpcs: Vec::new(),
            relay: None,
            followers: Vec::new(),
            gateways: Vec::new(),
            issued_at: 0,
            expires_at: 0,
            signature: None,
        }
    }

    /// Reads a file and checks its form; its signature is for [`crate::network::verify`].
    ///
    /// # Errors
    /// [`Error::TooLarge`], [`Error::Format`], [`Error::Version`], [`Error::Field`], [`Error::Unmarked`]
    pub fn read(json: &[u8]) -> Result<Self, Error> {
        if json.len() > MAX_NETWORK_BYTES {
            return Err(Error::TooLarge { found: json.len() });
        }
        let file: Self = serde_json::from_slice(json)?;
        if file.version != 1 {
            return Err(Error::Version {
                found: file.version,
            });
        }
        file.check()?;
        Ok(file)
    }

    /// Writes the file as JSON.
    ///
    /// # Errors
    /// [`Error::Format`]
    pub fn to_json(&self) -> Result<Vec<u8>, Error> {
        let mut json = serde_json::to_vec_pretty(self)?;
        json.push(b'\n');
        Ok(json)
    }

    /// Checks every field that does not need the chain.
    ///
    /// # Errors
    /// [`Error::Field`], [`Error::Unmarked`]
    pub fn check(&self) -> Result<(), Error> {
        let field = |field, reason| Err(Error::Field { field, reason });
        if !is_name(&self.name) {
            return field("name", "is not 1 to 40 lower-case letters, digits and `-`");
        }
        if self.chain_id == 0 || self.contract == Address::ZERO || self.consortium == Address::ZERO
        {
            return field("chain_id, contract or consortium", "is zero");
        }
        if self.rpcs.len() > MAX_URLS {
            return field("rpcs", "has more than 16 entries");
        }
        for rpc in &self.rpcs {
            if !is_url(&rpc.url, &["http", "https", "ws", "wss"]) {
                return field("rpcs", "has an entry that is no http, https, ws or wss URL");
            }
            if is_insecure(&rpc.url) != rpc.insecure {
                return match rpc.insecure {
                    true => field("rpcs", "marks an entry as insecure that is not"),
                    false => Err(Error::Unmarked {
                        url: shown_url(&rpc.url),
                    }),
                };
            }
        }
        let secure = |url: &String| is_url(url, &["http", "https"]) && !is_insecure(url);
        if !self.relay.iter().all(secure) {
            return field("relay", "is no https URL");
        }
        if self.gateways.len() > MAX_URLS || !self.gateways.iter().all(secure) {
            return field(
                "gateways",
                "has more than 16 entries, or one that is no https URL",
            );
        }
        if self.followers.len() > MAX_FOLLOWERS || !self.followers.iter().all(|it| is_node(it)) {
            return field(
                "followers",
                "has more than 32 entries, or one that is no multiaddr with /p2p/",
            );
        }
        let life = self.expires_at.checked_sub(self.issued_at);
        if life.is_none_or(|life| life > MAX_LIFETIME) {
            return field(
                "expires_at",
                "is before `issued_at`, or more than two years later",
            );
        }
        if self
            .signature
            .as_ref()
            .is_some_and(|it| it.len() > MAX_SIGNATURE_BYTES)
        {
            return field("signature", "has more than 2,048 bytes");
        }
        Ok(())
    }

    /// Computes what the consortium signs.
    pub fn digest(&self) -> B256 {
        let rpcs = self.rpcs.iter().map(|rpc| Rpc {
            url: rpc.url.clone(),
            insecure: rpc.insecure,
        });
        let terms = NetworkFileTerms {
            name: self.name.clone(),
            codeHash: self.code_hash,
            consortium: self.consortium,
            rpcs: rpcs.collect(),
            relay: self.relay.clone().unwrap_or_default(),
            followers: self.followers.clone(),
            gateways: self.gateways.clone(),
            issuedAt: self.issued_at,
            expiresAt: self.expires_at,
        };
        terms.eip712_signing_hash(&Eip712Domain {
            name: Some("PCIM network".into()),
            version: Some("1".into()),
            chain_id: Some(U256::from(self.chain_id)),
            verifying_contract: Some(self.contract),
            salt: None,
        })
    }

    /// Signs the file, issued at `now` for `life` seconds. The consortium may be a contract account that takes this key's
    /// signature: [`crate::network::verify`] asks it.
    ///
    /// # Errors
    /// [`Error::Field`], [`Error::Unmarked`], [`Error::Ledger`]
    pub fn sign(&mut self, account: &Account, now: u64, life: u64) -> Result<(), Error> {
        self.issued_at = now;
        self.expires_at = now.saturating_add(life);
        self.signature = None;
        self.check()?;
        if self.http_rpcs().is_empty() {
            return Err(Error::Field {
                field: "rpcs",
                reason: "has no http or https URL",
            });
        }
        let signature = account.sign_typed(self.digest())?;
        self.signature = Some(signature.to_vec().into());
        Ok(())
    }

    /// Says whether the key of the consortium that the file names signed it.
    pub fn is_signed_by_key(&self) -> bool {
        let signer = recover_typed(self.digest(), self.signature_bytes());
        signer.is_ok_and(|signer| signer == self.consortium)
    }

    /// Returns the signature; empty if there is none.
    pub fn signature_bytes(&self) -> &[u8] {
        self.signature.as_ref().map_or(&[], |signature| signature)
    }

    /// Refuses a file whose time is over or has not begun.
    ///
    /// # Errors
    /// [`Error::Expired`], [`Error::Early`]
    pub fn check_time(&self, now: u64) -> Result<(), Error> {
        let name = self.name.clone();
        if self.issued_at > now.saturating_add(SKEW) {
            let issued_at = self.issued_at;
            return Err(Error::Early { name, issued_at });
        }
        if self.expires_at <= now {
            let expires_at = self.expires_at;
            return Err(Error::Expired { name, expires_at });
        }
        Ok(())
    }

    /// Refuses to take this file in the place of one that is known under its name: if it is older, and if it leads to
    /// another chain, contract, code or consortium unless that is `wanted`.
    ///
    /// # Errors
    /// [`Error::Older`], [`Error::Changed`]
    pub fn check_renewal(&self, known: &Self, wanted: bool) -> Result<(), Error> {
        let name = self.name.clone();
        let pairs = [
            (
                "chain",
                known.chain_id.to_string(),
                self.chain_id.to_string(),
            ),
            (
                "contract",
                known.contract.to_string(),
                self.contract.to_string(),
            ),
            (
                "code hash",
                known.code_hash.to_string(),
                self.code_hash.to_string(),
            ),
            (
                "consortium",
                known.consortium.to_string(),
                self.consortium.to_string(),
            ),
        ];
        let changed = pairs.into_iter().find(|(_, known, found)| known != found);
        match changed {
            Some((what, known, found)) if !wanted => Err(Error::Changed {
                name,
                what,
                known,
                found,
            }),
            None if self.issued_at < known.issued_at => Err(Error::Older {
                name,
                known: known.issued_at,
                found: self.issued_at,
            }),
            _ => Ok(()),
        }
    }

    /// Lists the endpoints for questions and transactions, in the file's order.
    pub fn http_rpcs(&self) -> Vec<&str> {
        self.rpcs_of("http")
    }

    /// Returns the first endpoint for news, if there is one.
    pub fn ws_rpc(&self) -> Option<&str> {
        self.rpcs_of("ws").first().copied()
    }

    fn rpcs_of(&self, scheme: &str) -> Vec<&str> {
        let urls = self.rpcs.iter().map(|rpc| rpc.url.as_str());
        urls.filter(|url| url.starts_with(scheme)).collect()
    }
}

/// Says whether a text can name a network, a file and an option's value.
pub fn is_name(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(plain) && !name.starts_with('-')
}

/// Says whether a text is a URL of one of these schemes with a host.
pub fn is_url(text: &str, schemes: &[&str]) -> bool {
    let Some((scheme, rest)) = text.split_once("://") else {
        return false;
    };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    schemes.contains(&scheme)
        && !host.is_empty()
        && text.len() <= MAX_PLACE_BYTES
        && text.bytes().all(|b| b.is_ascii_graphic())
        && !shown_url(text).starts_with('(')
}

/// Says whether a text is the multiaddr of a node that is known by its key.
pub fn is_node(text: &str) -> bool {
    text.starts_with('/')
        && text.contains("/p2p/")
        && text.len() <= MAX_PLACE_BYTES
        && text.bytes().all(|b| b.is_ascii_graphic())
}
