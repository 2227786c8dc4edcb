//! `pcim deploy status`, `keepalive` and `cache-bid`

use std::path::PathBuf;

use clap::{Args, Subcommand};
use pcim_core::U256;
use pcim_core::date::time;
use pcim_deploy::artifact;
use pcim_deploy::deploy::{Activation, Deployed, Status, Upkeep, cache_bid, keepalive, status};

use super::payment::{FeeArgs, deployed, payer};
use crate::context::Context;
use crate::failure::NotSound;

/// Tasks on a deployed contract: that of the home, or of --contract on the chain that is named as for `pcim deploy`.
#[derive(Debug, Subcommand)]
pub(crate) enum UpkeepCommand {
    /// Tell whether the contract runs, until when, at which price, and whether it is this program's build
    ///
    /// The exit code is 1 if it does not run, or is another build.
    Status,
    /// Extend the contract's life to a full year again, or activate it if it has expired
    ///
    /// A program stops 365 days after its activation. It can be kept alive from 31 days after the last time on;
    /// anyone may. The fee is the chain's, what is offered too much comes back.
    Keepalive(PayerArgs),
    /// Bid for a place in the chain's cache, which makes every call cheaper
    CacheBid(BidArgs),
}

/// The account that pays.
#[derive(Debug, Args)]
pub(crate) struct PayerArgs {
    /// File with the private key (64 hex digits) of the account that pays [default: the home's]
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    #[command(flatten)]
    fee: FeeArgs,
}

/// The bid and the account that pays.
#[derive(Debug, Args)]
pub(crate) struct BidArgs {
    #[command(flatten)]
    payer: PayerArgs,
    /// Wei to bid [default: the least that wins, often 0, and at most 0.001 ether]
    #[arg(long, value_name = "WEI")]
    bid: Option<U256>,
}

impl UpkeepCommand {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let (rpc_url, chain_id, contract) = deployed(context)?;
        let deployed = Deployed {
            rpc_url: &rpc_url,
            chain_id,
            contract,
            wasm: artifact::PCAC_WASM,
        };
        let upkeep = match self {
            Self::Status => return tell(context, &status(&deployed).await?),
            Self::Keepalive(args) => {
                let key = payer(context, args.key_file.as_deref()).await?;
                keepalive(&deployed, &key, args.fee.max_fee).await?
            }
            Self::CacheBid(args) => {
                let key = payer(context, args.payer.key_file.as_deref()).await?;
                cache_bid(&deployed, &key, args.bid, args.payer.fee.max_fee).await?
            }
        };
        context.ui.result(&upkeep, &upkeep_text(&upkeep))
    }
}

fn tell(context: &Context, status: &Status) -> anyhow::Result<()> {
    context.ui.result(status, &status_text(status))?;
    if status.activation != Activation::Active {
        let text = "the contract does not run";
        return Err(NotSound(text.to_owned()).into());
    }
    if !status.is_local_build {
        let text = "the code on the chain is not that of this program's build of the contract";
        return Err(NotSound(text.to_owned()).into());
    }
    Ok(())
}

fn status_text(status: &Status) -> String {
    let days = |seconds: u64| seconds / 86_400;
    let manifest = artifact::manifest().ok();
    let running = match status.activation {
        Activation::Active => format!(
            "active, for {} days more (until {})",
            days(status.time_left),
            time(status.expires_at)
        ),
        Activation::Expired => "expired: it does not run".to_owned(),
        Activation::Inactive => "not activated: it does not run".to_owned(),
    };
    let keepalive = match (status.activation, days(status.keepalive_in)) {
        (Activation::Active, 0) => "possible now".to_owned(),
        (Activation::Active, days) => format!("possible in {days} days"),
        _ => "activates it again".to_owned(),
    };
    let told = |text: &Option<String>| text.clone().unwrap_or_else(|| "not reported".to_owned());
    let cached = match (status.cached, &status.least_bid) {
        (true, _) => "yes".to_owned(),
        (false, Some(bid)) => format!("no; a place costs {bid} wei now"),
        (false, None) => "no".to_owned(),
    };
    format!(
        "contract     {}\nconsortium   {}\nversion      {}\nprogram      {running}\nkeepalive    {keepalive}\nstylus       version {} of {}\ncached       {cached}\ncode         {} bytes, hash {}\nmodule       sha-256 {}\nthis build   {}\nbuilt by     {}\nsources      sha-256 {}\n",
        status.contract,
        told(&status.consortium.map(|address| address.to_string())),
        crate::ui::printable(&told(&status.version)),
        status.stylus_version.0,
        status.stylus_version.1,
        status.code_bytes,
        status.code_hash,
        told(&status.wasm_sha256),
        match status.is_local_build {
            true => "the same".to_owned(),
            false => format!("another: sha-256 {}", status.local_wasm_sha256),
        },
        manifest.as_ref().map_or("", |it| &it.compiler),
        manifest.as_ref().map_or("", |it| &it.source_hash),
    )
}

fn upkeep_text(upkeep: &Upkeep) -> String {
    let Some(tx) = upkeep.tx else {
        return format!("contract     {}\nnothing to do\n", upkeep.contract);
    };
    let done = match upkeep.done {
        "kept_alive" => "kept alive",
        done => done,
    };
    format!(
        "contract     {}\ndone         {done}\npaid         {} wei\ntransaction  {tx}\ngas          {}\n",
        upkeep.contract, upkeep.paid, upkeep.gas_used
    )
}
