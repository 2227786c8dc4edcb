//! `pcim network sign`

use std::path::PathBuf;

use clap::Args;
use pcim_client::network::verify;
use pcim_client::papers::network::{Error, NetworkFile, NetworkRpc};

use pcim_core::date::now;

use super::file::{read, tell_answers, text};
use crate::commands::write_result;
use crate::context::Context;
use crate::parse;

/// Sign a network file as its consortium, or renew one
///
/// The file comes from `pcim deploy`, or is the one that runs out. Options take the place of what it says. Before it
/// is written every endpoint is asked, as on joining. A consortium that is a contract account (ERC-1271) is asked whether it takes
/// the signature of this home's key.
#[derive(Debug, Args)]
pub(crate) struct SignNetworkArgs {
    /// The file
    file: PathBuf,
    /// Where the signed one is written
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Replace the file if it is there
    #[arg(long)]
    force: bool,
    /// The network's name: lower-case letters, digits and `-`
    #[arg(long)]
    name: Option<String>,
    /// An endpoint of the chain, http(s) or ws(s); give several, of several operators
    #[arg(long, value_name = "URL")]
    rpc: Vec<String>,
    /// An endpoint without encryption on another machine, which everyone who joins is warned of
    #[arg(long, value_name = "URL")]
    plain_rpc: Vec<String>,
    /// A service that sends signed calls and pays for them
    #[arg(long, value_name = "URL")]
    relay: Option<String>,
    /// Multiaddr (with /p2p/) of a node that keeps images available
    #[arg(long, value_name = "MULTIADDR")]
    follower: Vec<String>,
    /// An IPFS gateway
    #[arg(long, value_name = "URL")]
    ipfs_gateway: Vec<String>,
    /// For how long homes may join by it
    #[arg(long, value_name = "TIME", default_value = "365d", value_parser = parse::seconds)]
    lasts: u32,
}

impl SignNetworkArgs {
    pub(super) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let mut file = read(&self.file)?;
        self.change(&mut file);
        file.check().map_err(pcim_client::Error::from)?;
        let client = context.client().await?;
        let signed = self.sign(&client, &mut file).await;
        let (by_key, me) = (file.is_signed_by_key(), client.address());
        client.shutdown().await;
        let answers = match signed {
            Err(Error::Altered { name, consortium }) if !by_key => Err(Error::NotConsortium {
                name,
                consortium,
                me,
            }),
            other => other,
        };
        tell_answers(context, &answers.map_err(pcim_client::Error::from)?);
        let json = file.to_json().map_err(pcim_client::Error::from)?;
        write_result(&self.out, &json, self.force)?;
        let text = format!("{}written      {}\n", text(&file), self.out.display());
        context.ui.result(&file, &text)
    }

    /// Puts what was given in the place of what the file says.
    fn change(&self, file: &mut NetworkFile) {
        if let Some(name) = &self.name {
            file.name.clone_from(name);
        }
        if !self.rpc.is_empty() || !self.plain_rpc.is_empty() {
            let rpc = |insecure| {
                move |url: &String| NetworkRpc {
                    url: url.clone(),
                    insecure,
                }
            };
            let plain = self.plain_rpc.iter().map(rpc(true));
            file.rpcs = self.rpc.iter().map(rpc(false)).chain(plain).collect();
        }
        if self.relay.is_some() {
            file.relay.clone_from(&self.relay);
        }
        if !self.follower.is_empty() {
            file.followers.clone_from(&self.follower);
        }
        if !self.ipfs_gateway.is_empty() {
            file.gateways.clone_from(&self.ipfs_gateway);
        }
    }

    async fn sign(
        &self,
        client: &pcim_client::Actor,
        file: &mut NetworkFile,
    ) -> Result<Vec<pcim_client::network::Answered>, Error> {
        let account = &client.unlocked().keys().account;
        file.sign(account, now(), self.lasts.into())?;
        verify(file, now()).await
    }
}
