//! ArbStatistics (0x6f): a block number, and zeros where a chain that had a past would count it.

use alloy_primitives::U256;
use alloy_sol_types::{SolCall, SolValue, sol};

use super::{Failure, Invocation, Purity};

sol! {
    function getStats() external view returns (uint256, uint256, uint256, uint256, uint256, uint256);
}

pub(super) fn run(call: &mut Invocation<'_, '_>, selector: [u8; 4]) -> Result<Vec<u8>, Failure> {
    match selector {
        getStatsCall::SELECTOR => {
            call.open::<()>(Purity::View)?;
            let mut stats = [U256::ZERO; 6];
            stats[0] = U256::from(call.ctx.chain.l2_block);
            Ok(stats.abi_encode())
        }
        _ => Err(Failure::Burn),
    }
}
