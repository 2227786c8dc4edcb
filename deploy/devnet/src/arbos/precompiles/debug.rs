//! ArbDebug (0xff): on the local development chain, anybody may own it.

use alloy_sol_types::{SolCall, sol};

use super::{Failure, Invocation, Purity};
use crate::arbos;

sol! {
    function becomeChainOwner() external;
}

pub(super) fn run(call: &mut Invocation<'_, '_>, selector: [u8; 4]) -> Result<Vec<u8>, Failure> {
    match selector {
        becomeChainOwnerCall::SELECTOR => {
            call.open::<()>(Purity::Write)?;
            let caller = call.caller;
            call.insert(arbos::chain_owners(), caller)?;
            Ok(Vec::new())
        }
        _ => Err(Failure::Burn),
    }
}
