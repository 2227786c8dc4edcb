//! `pcim network join`, and `--join` of `pcim init`.

use std::path::{Path, PathBuf};

use clap::Args;
use pcim_client::home::Home;
use pcim_client::network::{Answered, verify};
use pcim_client::papers::network::{MAX_NETWORK_BYTES, NetworkFile};
use pcim_core::date::now;
use serde_json::json;

use super::file::{read, tell_answers, text};
use crate::context::Context;

/// Join a network, or take a renewed file of one that the home knows
///
/// Verified first: the consortium's signature, the file's time, and with every endpoint that answers the chain, the contract's
/// code and its consortium. The network becomes the home's own; others that it knows are used with --network NAME. A renewal
/// that leads to another chain, contract, code or consortium is refused.
#[derive(Debug, Args)]
pub(crate) struct JoinArgs {
    /// The file, or where the consortium serves it
    #[arg(value_name = "FILE|URL")]
    from: JoinSource,
    /// Take a renewal that leads to another chain, contract, code or consortium
    #[arg(long)]
    accept_change: bool,
}

/// Where a network file comes from.
#[derive(Clone, Debug)]
pub(crate) enum JoinSource {
    File(PathBuf),
    Url(String),
}

impl std::str::FromStr for JoinSource {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(
            match text.starts_with("https://") || text.starts_with("http://") {
                true => Self::Url(text.to_owned()),
                false => Self::File(Path::new(text).to_owned()),
            },
        )
    }
}

impl JoinSource {
    /// Reads the file and verifies it.
    pub(crate) async fn verified(&self) -> anyhow::Result<(NetworkFile, Vec<Answered>)> {
        let file = match self {
            Self::File(path) => read(path)?,
            Self::Url(url) => {
                let json = pcim_ledger::fetch_document(url, MAX_NETWORK_BYTES).await?;
                NetworkFile::read(&json).map_err(pcim_client::Error::from)?
            }
        };
        let answers = verify(&file, now()).await;
        Ok((file, answers.map_err(pcim_client::Error::from)?))
    }
}

impl JoinArgs {
    pub(super) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let home = Home::open(&context.home_dir()?)?;
        let (file, answers) = self.from.verified().await?;
        tell_answers(context, &answers);
        let known = home.network(&file.name)?;
        if let Some(known) = &known {
            let renewed = file.check_renewal(known, self.accept_change);
            renewed.map_err(pcim_client::Error::from)?;
        }
        home.join_network(&file)?;
        let value = json!({ "joined": file.name, "renewed": known.is_some(), "network": file });
        context.ui.result(&value, &text(&file))
    }
}
