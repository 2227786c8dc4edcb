//! The state every devnet starts from.
//!
//! All keys here are public: anything that funds them on a real network is lost.

use alloy_primitives::{Address, B256, Bytes, U256, address, b256, bytes, hex, keccak256};

use crate::{
    arbos,
    chain::state::{Account, Changes},
    multicall3,
};

/// The account that Arbitrum-style development nodes fund, and its well-known key.
const DEV_KEY: B256 = b256!("0xb6b15c8cb491557369f3c7d2c287b053eb229daa9c22138887752191c9520659");
/// Further accounts; the key of the N-th is the Keccak-256 of `stylus-devnet account N`.
const MORE_ACCOUNTS: usize = 10;
/// The funds that each account starts with: 1000 ether, in wei.
const FUNDS: u128 = 1_000_000_000_000_000_000_000;

/// Deploys init code at an address that depends on it and a salt only (EIP-1014).
pub(crate) const CREATE2_FACTORY: Address = address!("0x4e59b44847b379578588920cA78FbF26c0B4956C");
const CREATE2_FACTORY_CODE: Bytes = bytes!(
    "0x7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe03601600081602082378035828234f58015156039578182fd5b8082525050506014600cf3"
);
/// Deploys, activates and initialises a Stylus program in one transaction.
pub(crate) const STYLUS_DEPLOYER: Address = address!("0xcEcba2F1DC234f70Dd89F2041029807F8D03A990");
/// Runtime code of `StylusDeployer`, © Offchain Labs, Inc., MIT OR Apache-2.0: what the creation
/// code in the crate `stylus-tools` 0.10.10, `src/devnet/bytecode.rs`, leaves on chain.
const STYLUS_DEPLOYER_CODE: &[u8] = &hex!(
    "6080604052600436106100345760003560e01c8063835d1d4c146100395780639f40b3851461006e578063a9a8e4e914"
    "61009c575b600080fd5b34801561004557600080fd5b50610059610054366004610605565b6100d4565b604051901515"
    "81526020015b60405180910390f35b34801561007a57600080fd5b5061008e610089366004610684565b6101f0565b60"
    "4051908152602001610065565b6100af6100aa3660046106d0565b610226565b60405173ffffffffffffffffffffffff"
    "ffffffffffffffff9091168152602001610065565b6040517fd70c0ca700000000000000000000000000000000000000"
    "000000000000000000815273ffffffffffffffffffffffffffffffffffffffff82163f60048201526000908190607190"
    "63d70c0ca790602401602060405180830381865afa925050508015610161575060408051601f3d908101601f19168201"
    "90925261015e91810190610765565b60015b61016d57506000610170565b90505b607173ffffffffffffffffffffffff"
    "ffffffffffffffff1663a996e0c26040518163ffffffff1660e01b8152600401602060405180830381865afa15801561"
    "01bc573d6000803e3d6000fd5b505050506040513d601f19601f820116820180604052508101906101e0919061076556"
    "5b61ffff9182169116141592915050565b600083838360405160200161020793929190610787565b6040516020818303"
    "038152906040528051906020012090509392505050565b6000811561023c576102398286866101f0565b91505b600061"
    "027f88888080601f01602080910402602001604051908101604052809392919081815260200183838082843760009201"
    "9190915250879250610534915050565b9050600061028c826100d4565b90506000811561033c5760006102a287346107"
    "a1565b6040517f58c780c200000000000000000000000000000000000000000000000000000000815273ffffffffffff"
    "ffffffffffffffffffffffffffff861660048201529091506071906358c780c290839060240160408051808303818588"
    "5af1158015610312573d6000803e3d6000fd5b50505050506040513d601f19601f820116820180604052508101906103"
    "3791906107db565b925050505b86156103ff576000808473ffffffffffffffffffffffffffffffffffffffff16888b8b"
    "60405161036d929190610807565b60006040518083038185875af1925050503d80600081146103aa576040519150601f"
    "19603f3d011682016040523d82523d6000602084013e6103af565b606091505b5091509150816103f85784816040517f"
    "88d8f57d0000000000000000000000000000000000000000000000000000000081526004016103ef92919061085d565b"
    "60405180910390fd5b5050610436565b8515610436576040517ecc797100000000000000000000000000000000000000"
    "000000000000000000815260040160405180910390fd5b60008661044383346107a1565b61044d91906107a1565b9050"
    "80156104dc57604051600090339083908381818185875af1925050503d8060008114610497576040519150601f19603f"
    "3d011682016040523d82523d6000602084013e61049c565b606091505b50509050806104da576040517f3ea991690000"
    "00000000000000000000000000000000000000000000000000008152600481018390526024016103ef565b505b604051"
    "73ffffffffffffffffffffffffffffffffffffffff851681527f8ffcdc15a283d706d38281f500270d8b5a656918f555"
    "de0913d7455e3e6bc1bf9060200160405180910390a150919998505050505050505050565b6000825160000361057157"
    "6040517f21744a5900000000000000000000000000000000000000000000000000000000815260040160405180910390"
    "fd5b6000821561058a57828451602086016000f59050610596565b8351602085016000f090505b3d1519811516156105"
    "ad576040513d6000823e3d81fd5b73ffffffffffffffffffffffffffffffffffffffff81166105fc57836040517f794c"
    "92ce0000000000000000000000000000000000000000000000000000000081526004016103ef9190610894565b90505b"
    "92915050565b60006020828403121561061757600080fd5b813573ffffffffffffffffffffffffffffffffffffffff81"
    "1681146105fc57600080fd5b60008083601f84011261064d57600080fd5b50813567ffffffffffffffff811115610665"
    "57600080fd5b60208301915083602082850101111561067d57600080fd5b9250929050565b6000806000604084860312"
    "1561069957600080fd5b83359250602084013567ffffffffffffffff8111156106b757600080fd5b6106c38682870161"
    "063b565b9497909650939450505050565b600080600080600080608087890312156106e957600080fd5b863567ffffff"
    "ffffffffff8082111561070157600080fd5b61070d8a838b0161063b565b909850965060208901359150808211156107"
    "2657600080fd5b5061073389828a0161063b565b979a9699509760408101359660609091013595509350505050565b80"
    "5161ffff8116811461076057600080fd5b919050565b60006020828403121561077757600080fd5b6107808261074e56"
    "5b9392505050565b838152818360208301376000910160200190815292915050565b818103818111156105ff577f4e48"
    "7b7100000000000000000000000000000000000000000000000000000000600052601160045260246000fd5b60008060"
    "4083850312156107ee57600080fd5b6107f78361074e565b9150602083015190509250929050565b8183823760009101"
    "908152919050565b6000815180845260005b8181101561083d57602081850181015186830182015201610821565b5060"
    "00602082860101526020601f19601f83011685010191505092915050565b73ffffffffffffffffffffffffffffffffff"
    "ffffff8316815260406020820152600061088c6040830184610817565b949350505050565b6020815260006107806020"
    "83018461081756fea26469706673582212202ffe15188103190347fe5bb6d173aaf7108665ba4de6a82347fb04622c2a"
    "ffa064736f6c63430008110033"
);

/// The contracts of the genesis state, by name.
pub(crate) const PRELOADED: [(&str, Address); 4] = [
    ("CREATE2 factory", CREATE2_FACTORY),
    ("Multicall3", multicall3::ADDRESS),
    ("StylusDeployer", STYLUS_DEPLOYER),
    ("CacheManager", arbos::precompiles::CACHE_MANAGER),
];

/// A prefunded account. Its key is public.
#[derive(Clone)]
pub struct DevAccount {
    /// Its address.
    pub address: Address,
    /// Its secp256k1 secret key.
    pub private_key: B256,
}

/// The prefunded accounts, the well-known one first.
pub(crate) fn dev_accounts() -> Result<Vec<DevAccount>, k256::ecdsa::Error> {
    let own = (1..=MORE_ACCOUNTS).map(|n| keccak256(format!("stylus-devnet account {n}")));
    std::iter::once(DEV_KEY)
        .chain(own)
        .map(|private_key| {
            let key = k256::ecdsa::SigningKey::from_slice(private_key.as_slice())?;
            Ok(DevAccount {
                address: Address::from_private_key(&key),
                private_key,
            })
        })
        .collect()
}

/// The writes that fund accounts which another chain may know already.
pub(crate) fn funds(accounts: &[DevAccount], known: impl Fn(Address) -> Account) -> Changes {
    let mut changes = Changes::default();
    for DevAccount { address, .. } in accounts {
        let funded = Account {
            balance: U256::from(FUNDS),
            ..known(*address)
        };
        changes.accounts.insert(*address, Some(funded));
    }
    changes
}

/// The writes that make the genesis state under an ArbOS version.
pub(crate) fn changes(accounts: &[DevAccount], arbos: u64) -> Changes {
    let mut changes = Changes::default();
    for account in accounts {
        let funded = Account {
            balance: U256::from(FUNDS),
            ..Account::default()
        };
        changes.accounts.insert(account.address, Some(funded));
    }
    // One byte that no contract can begin with marks what the machine itself answers for.
    for address in arbos::precompile_addresses(arbos) {
        changes.put_code(address, 0, Bytes::from_static(&[0xfe]));
    }
    for (address, slot, value) in arbos::genesis_storage(arbos) {
        // A nonce keeps an account of nothing but storage from counting as empty.
        changes.accounts.entry(address).or_insert(Some(Account {
            nonce: 1,
            ..Account::default()
        }));
        changes
            .storage
            .entry(address)
            .or_default()
            .push((slot, value));
    }
    let kept = Account {
        nonce: 1,
        ..Account::default()
    };
    changes.accounts.insert(arbos::filtering::LIST, Some(kept));
    for slots in changes.storage.values_mut() {
        slots.sort_unstable();
    }
    changes.put_code(CREATE2_FACTORY, 1, CREATE2_FACTORY_CODE);
    changes.put_code(multicall3::ADDRESS, 1, multicall3::code());
    // Its deployer has sent the one transaction that it ever sends.
    let sent = Account {
        nonce: 1,
        ..Account::default()
    };
    changes.accounts.insert(multicall3::DEPLOYER, Some(sent));
    changes.put_code(STYLUS_DEPLOYER, 1, Bytes::from_static(STYLUS_DEPLOYER_CODE));
    changes
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::chain::tx::Transaction;

    #[test]
    fn the_first_account_is_the_well_known_one() {
        let accounts = dev_accounts().unwrap();
        assert_eq!(accounts.len(), 11);
        assert_eq!(
            accounts[0].address,
            address!("0x3f1Eae7D46d88F08fc2F8ed27FCb2AB183EB2d0E")
        );
        assert_ne!(accounts[1].address, accounts[2].address);
    }

    #[test]
    fn the_deployers_are_installed() {
        let changes = changes(&dev_accounts().unwrap(), 51);
        let code = |address| {
            let account = changes.accounts[&address].unwrap();
            changes.code[&account.code_hash].clone()
        };
        assert_eq!(code(STYLUS_DEPLOYER).len(), 2_269);
        assert_eq!(code(CREATE2_FACTORY).len(), 69);
        assert_eq!(code(multicall3::ADDRESS).len(), 3_808);
        let sent = Transaction::decode(multicall3::TRANSACTION.into(), 1).unwrap();
        assert_eq!(sent.from, multicall3::DEPLOYER);
        assert_eq!(sent.creates(), Some(multicall3::ADDRESS));
    }
}
