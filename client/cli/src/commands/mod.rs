//! One file per command: its arguments (their documentation is the help) and what it does.

pub(crate) mod account;
pub(crate) mod app;
pub(crate) mod audit;
pub(crate) mod backup;
pub(crate) mod card;
pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod confirm;
pub(crate) mod consortium;
pub(crate) mod deid;
pub(crate) mod deploy;
pub(crate) mod device;
pub(crate) mod doctor;
pub(crate) mod follow;
pub(crate) mod follower;
pub(crate) mod gateway;
pub(crate) mod init;
pub(crate) mod invite;
pub(crate) mod man;
pub(crate) mod network;
pub(crate) mod node;
pub(crate) mod passphrase;
pub(crate) mod patient;
pub(crate) mod radiologist;
pub(crate) mod relay;
pub(crate) mod report;
pub(crate) mod reports;
pub(crate) mod requestor;
pub(crate) mod restore;
pub(crate) mod resume;
pub(crate) mod search;
pub(crate) mod sign;
pub(crate) mod trace;
pub(crate) mod unlock;
pub(crate) mod view;
pub(crate) mod visit;
pub(crate) mod watch;

use pcim_client::Written;
use pcim_terminal::files::{begin_result, end_result, write_result};

/// The lines that tell of a transaction.
fn transaction(written: &Written) -> String {
    let mined = &written.mined;
    let again = match written.resumed {
        true => "  (sent by an earlier attempt)",
        false => "",
    };
    format!(
        "transaction  {}{again}\ngas          {} in block {}\n",
        mined.tx, mined.gas_used, mined.block
    )
}
