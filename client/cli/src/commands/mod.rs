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

use pcim_client::{Session, Written};
use pcim_terminal::files::{begin_result, end_result, write_result};
use serde::Serialize;

/// The lines that tell of a transaction.
/// Whether that which a command took away is final.
#[derive(Clone, Copy, Serialize)]
struct Finality {
    #[serde(rename = "final")]
    is_final: bool,
}

impl Finality {
    /// Asks the chain; where it does not tell, nothing is final.
    async fn of(client: &Session, written: &Written) -> Self {
        let is_final = client.is_final(written.mined.block).await.unwrap_or(false);
        Self { is_final }
    }

    fn line(self) -> &'static str {
        match self.is_final {
            true => "final        yes\n",
            false => {
                "final        not yet: `pcim node` and `pcim resume` send it again if a reorganisation takes it back\n"
            }
        }
    }
}

/// A result, and whether it is final.
#[derive(Serialize)]
struct Taken<'r, T> {
    #[serde(flatten)]
    what: &'r T,
    /// `None` if nothing was taken away.
    #[serde(flatten)]
    finality: Option<Finality>,
}

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
