//! The hints for errors that this program alone has.

use pcim_core::hint::CHECK_THE_DISK;
use pcim_deploy::deploy;
use pcim_terminal::failure::{Usage, of_deploy};

use crate::gas;

/// Returns what to do about an error, if it is one of this program's own.
pub(crate) fn of(error: &anyhow::Error) -> Option<&'static str> {
    if error.is::<Usage>() {
        return Some("see `pcim-dev help`, or the command's --help");
    }
    if let Some(error) = error.downcast_ref::<gas::Error>() {
        return of_gas(error);
    }
    of_devnet(error.downcast_ref::<stylus_devnet::Error>()?)
}

fn of_gas(error: &gas::Error) -> Option<&'static str> {
    use gas::Error as G;
    Some(match error {
        G::Module(_)
        | G::Deploy(
            deploy::Error::NotWasm
            | deploy::Error::TooLarge { .. }
            | deploy::Error::Activation { .. },
        ) => "check the file that --wasm names",
        G::Deploy(error) => return of_deploy(error),
        G::Refused { .. } | G::Logs { .. } => {
            "check that the module --wasm names is this contract, of this version"
        }
        _ => return None,
    })
}

fn of_devnet(error: &stylus_devnet::Error) -> Option<&'static str> {
    use stylus_devnet::{Error as D, StoreError as S};
    Some(match error {
        D::Listen { .. } => "give another --port or --host",
        D::Store(S::Io { .. }) => CHECK_THE_DISK,
        D::Store(S::Locked(_)) => "wait until that process ends, or give another --state-dir",
        D::Store(S::WrongChain { .. }) => "give that --chain-id, or another --state-dir",
        D::Store(_) => "give another --state-dir; this one cannot be gone on with",
        _ => return None,
    })
}
