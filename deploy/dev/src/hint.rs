//! The hints for errors that this program alone has.

use pcim_core::hint::{CHECK_THE_DISK, Hint, Hints};
use pcim_deploy::deploy;
use pcim_terminal::failure::Usage;

use crate::gas;

/// Returns what to do about an error, if it is one of this program's own.
pub(crate) fn of(error: &anyhow::Error) -> Option<Hints> {
    if error.is::<Usage>() {
        return Some(vec!["see `pcim-dev help`, or the command's --help".into()]);
    }
    if let Some(error) = error.downcast_ref::<gas::Error>() {
        return Some(of_gas(error));
    }
    let hint = of_devnet(error.downcast_ref::<stylus_devnet::Error>()?);
    hint.map(|hint| vec![hint.into()])
}

fn of_gas(error: &gas::Error) -> Hints {
    use gas::Error as G;
    let hint = match error {
        G::Module(_)
        | G::Deploy(
            deploy::Error::NotWasm
            | deploy::Error::TooLarge { .. }
            | deploy::Error::Activation { .. },
        ) => "check the file that --wasm names",
        G::Deploy(error) => return error.hints(),
        G::Ledger(error) => return error.hints(),
        G::Refused { .. } | G::Logs { .. } => {
            "check that the module --wasm names is this contract, of this version"
        }
        _ => return Hints::new(),
    };
    vec![hint.into()]
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
