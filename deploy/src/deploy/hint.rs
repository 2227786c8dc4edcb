//! Hints for errors of deploying.

use pcim_core::hint::{CHECK_THE_DISK, Hint, Hints};
use pcim_ledger::Error as L;

use super::error::Error;

impl Hint for Error {
    fn hints(&self) -> Hints {
        let hint = match self {
            Self::NoConsortium => "give the --consortium's own address",
            Self::NoContract { .. } => "check --contract and the chain",
            Self::TooYoung { .. } => "`pcim deploy status` tells from when on it can be kept alive",
            Self::NotActive { .. } => "activate it: `pcim deploy keepalive`",
            Self::LowBid { .. } => "give a higher --bid, or none",
            Self::Chain(L::Key) => "check the file that --key-file names",
            Self::Chain(L::WrongChain { .. }) => {
                "give the --rpc-url of that chain, or another --network or --chain-id"
            }
            Self::Chain(L::Fee { .. }) => {
                "check that --rpc-url is the endpoint you mean; --max-fee allows more"
            }
            Self::Chain(error) => return error.hints(),
            Self::Recorded { .. } => {
                "nothing was sent; for another contract give another --record-dir"
            }
            Self::Unfinished { .. } => {
                "run that deployment's command again; delete the file if its transaction is known never to come"
            }
            Self::EmptyCacheManager { .. } | Self::OtherCacheManager { .. } => {
                "do not rely on this provider: look again with another --rpc-url"
            }
            Self::HighBid { .. } => "give the --bid that you want to pay",
            Self::NoStylus | Self::NoDeployer { .. } => {
                "deploy on an Arbitrum chain with Stylus, or on `pcim-dev devnet`"
            }
            Self::Funds { .. } => "send ether to this address on this chain",
            Self::Read { .. } | Self::Write { .. } => CHECK_THE_DISK,
            _ => return Hints::new(),
        };
        vec![hint.into()]
    }
}
