//! Which program this is: its version, the commit that it was built from, and the contract that it carries.

use std::sync::LazyLock;

use pcim_deploy::artifact;
use sha2::{Digest, Sha256};

/// The version for `--version`: the program's, its commit where that is known, and the SHA-256 of its contract.
pub(crate) fn long() -> &'static str {
    static TEXT: LazyLock<String> = LazyLock::new(|| {
        let commit = match env!("PCIM_COMMIT") {
            "" => "not known",
            commit => commit,
        };
        let hash = Sha256::digest(artifact::PCAC_WASM);
        let contract: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        let version = env!("CARGO_PKG_VERSION");
        format!("{version}\ncommit    {commit}\ncontract  sha-256 {contract}")
    });
    &TEXT
}
