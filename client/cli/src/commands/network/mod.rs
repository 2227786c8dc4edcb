//! `pcim network`

mod file;
mod join;
mod sign;

use std::path::Path;

use clap::{Args, Subcommand};
use pcim_client::home::Home;
use pcim_client::papers::network::NetworkFile;
use pcim_core::date::time;
use serde::Serialize;
use serde_json::json;

pub(crate) use self::file::tell_answers;
use self::file::{read, text};
pub(crate) use self::join::JoinSource;

use crate::context::Context;
use crate::failure::Usage;

/// The commands about networks.
#[derive(Debug, Subcommand)]
pub(crate) enum NetworkCommand {
    Join(join::JoinArgs),
    Leave(LeaveArgs),
    List(NetworkListArgs),
    Show(NetworkShowArgs),
    Sign(sign::SignNetworkArgs),
}

/// Forget a network
///
/// The home's images and keys stay. A home that was set up for it has no network until it joins one.
#[derive(Debug, Args)]
pub(crate) struct LeaveArgs {
    /// Its name
    #[arg(value_name = "NETWORK")]
    name: String,
}

/// List the networks that the home knows
#[derive(Debug, Args)]
pub(crate) struct NetworkListArgs {}

/// Print a network file, known or not, without believing it
///
/// Needs no chain: whether its signature is its consortium's is said; whether the chain agrees, `network join` finds out.
#[derive(Debug, Args)]
pub(crate) struct NetworkShowArgs {
    /// A network file, or the name of a network that the home knows [default: the home's own]
    #[arg(value_name = "NAME|FILE")]
    shown: Option<String>,
}

impl NetworkCommand {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        match self {
            Self::Join(args) => args.run(context).await,
            Self::Leave(args) => args.run(context),
            Self::List(args) => args.run(context),
            Self::Show(args) => args.run(context),
            Self::Sign(args) => args.run(context).await,
        }
    }
}

impl LeaveArgs {
    fn run(&self, context: &Context) -> anyhow::Result<()> {
        let home = Home::open(&context.home_dir()?)?;
        if !home.leave_network(&self.name)? {
            let name = self.name.clone();
            return Err(pcim_client::Error::UnknownNetwork { name }.into());
        }
        let text = format!("left         {}\n", self.name);
        context.ui.result(&json!({ "left": self.name }), &text)
    }
}

/// A network of the home.
#[derive(Serialize)]
struct Listed {
    #[serde(flatten)]
    file: NetworkFile,
    /// True if the home is set up for it.
    is_own: bool,
}

impl NetworkListArgs {
    fn run(&self, context: &Context) -> anyhow::Result<()> {
        let home = Home::open(&context.home_dir()?)?;
        let own = home.config().network.clone();
        let mut listed = Vec::new();
        for name in home.networks()? {
            let is_own = own.as_ref() == Some(&name);
            let file = home.network(&name)?;
            listed.extend(file.map(|file| Listed { file, is_own }));
        }
        let mut text = String::new();
        for Listed { file, is_own } in &listed {
            let mark = if *is_own { "*" } else { " " };
            let until = time(file.expires_at);
            text.push_str(&format!("{mark} {:<20}  until {until}\n", file.name));
        }
        if listed.is_empty() {
            context
                .ui
                .remark("this home knows no network: `pcim network join FILE` joins one");
        }
        context.ui.result(&listed, &text)
    }
}

impl NetworkShowArgs {
    fn run(&self, context: &Context) -> anyhow::Result<()> {
        let file = match &self.shown {
            Some(name) if Path::new(name).is_file() => read(Path::new(name))?,
            name => {
                let home = Home::open(&context.home_dir()?)?;
                let own = home.config().network.clone();
                let none = || Usage("this home is set up for no network: name a file".to_owned());
                let name = name.clone().or(own).ok_or_else(none)?;
                let unknown = pcim_client::Error::UnknownNetwork { name: name.clone() };
                home.network(&name)?.ok_or(unknown)?
            }
        };
        let signed = match (&file.signature, file.is_signed_by_key()) {
            (None, _) => "no",
            (Some(_), true) => "by the consortium",
            (Some(_), false) => {
                "not by the consortium's key: altered, or a contract account is to be asked"
            }
        };
        let mut value = serde_json::to_value(&file)?;
        value["digest"] = json!(file.digest());
        let text = format!("{}signed       {signed}\n", text(&file));
        context.ui.result(&value, &text)
    }
}
