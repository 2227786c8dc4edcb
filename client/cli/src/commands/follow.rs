//! `pcim node --follow-chain`

use std::sync::Arc;

use clap::Args;
use pcim_client::home::FollowSettings;
use pcim_client::{FollowEvent, FollowSink, Session};

use crate::ui::Ui;

/// Following the contract.
#[derive(Debug, Args)]
pub(crate) struct FollowArgs {
    /// Keep for everybody what the contract registers and approves, and drop what is removed, denied or expired
    ///
    /// Sealed roots with headers and bodies, requestors' certificates, and documents of open requests: all
    /// ciphertext or public keys; no key of this home is used. Each act is reported on standard error, one line each
    /// (with --json one JSON document a line). The node also keeps small sealed documents for others for 30 days, such as
    /// handovers, until they are fetched.
    #[arg(long)]
    follow_chain: bool,
    /// Keep no documents for others
    #[arg(long, requires = "follow_chain")]
    no_mailbox: bool,
    /// Relay nothing for others: homes behind routers are reached through a follower otherwise
    #[arg(long, requires = "follow_chain")]
    no_relay: bool,
    /// Most bytes that are kept of all images [default: `max_bytes` of the configuration, 100 GiB]
    #[arg(long, value_name = "BYTES", requires = "follow_chain")]
    max_bytes: Option<u64>,
    /// Most bytes that are kept of one image [default: `max_image_bytes` of the configuration, 64 GiB]
    #[arg(long, value_name = "BYTES", requires = "follow_chain")]
    max_image_bytes: Option<u64>,
}

impl FollowArgs {
    /// Says whether to follow.
    pub(crate) fn is_on(&self) -> bool {
        self.follow_chain
    }

    /// Says whether to keep documents for others.
    pub(crate) fn keeps_mail(&self) -> bool {
        self.follow_chain && !self.no_mailbox
    }

    /// Says whether to relay for others.
    pub(crate) fn is_relay(&self) -> bool {
        self.follow_chain && !self.no_relay
    }

    /// Follows the contract until the future is dropped; for ever without anything to follow.
    pub(crate) async fn run(&self, client: &Session, ui: Ui) -> anyhow::Result<()> {
        if !self.follow_chain {
            return std::future::pending().await;
        }
        let settings = client.home().config().follow.clone();
        let settings = FollowSettings {
            max_bytes: self.max_bytes.unwrap_or(settings.max_bytes),
            max_image_bytes: self.max_image_bytes.unwrap_or(settings.max_image_bytes),
            ..settings
        };
        let tell: FollowSink =
            Arc::new(move |event: FollowEvent| ui.event(&event, &event.to_string()));
        Ok(client.follower().follow(&settings, &tell).await?)
    }
}
