//! `pcim relay serve`

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;
use pcim_client::RELAY_GAS;
use pcim_client::relay::desk::{RelayDesk, RelayLimits};
use pcim_client::relay::serve::{RelayEvent, RelayServer};
use serde_json::json;
use tokio::net::TcpListener;

use crate::context::{Context, interrupted};
use crate::ui::printable;

/// Send and pay for the calls of a network's members until interrupted
///
/// Takes signed calls by HTTP, those of the home's own contract alone, and answers each once it is on the chain. A call that the
/// contract would refuse costs nothing. Limits hold for days of UTC and over restarts. Those whom the contract does not know (neither as a
/// patient nor as an accredited radiologist) share a quarter of the day's gas, registrations excepted. A network file names the
/// service's address (`pcim network sign --relay URL`); beyond this machine it is https, by a proxy that ends TLS and
/// limits who may connect how often. This home runs no other command meanwhile.
#[derive(Debug, Args)]
pub(super) struct ServeArgs {
    /// Address and port to listen on
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8550")]
    listen: SocketAddr,
    /// Most calls of one signer in a day
    #[arg(long, value_name = "NUMBER", default_value_t = 40)]
    per_signer: u32,
    /// Most gas of one call
    #[arg(long = "max-gas", value_name = "GAS", default_value_t = RELAY_GAS)]
    per_call: u64,
    /// Most gas of all calls in a day
    #[arg(long, value_name = "GAS", default_value_t = 200 * RELAY_GAS)]
    gas_per_day: u64,
}

impl ServeArgs {
    pub(super) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let client = context.client().await?;
        let deployment = client.deployment()?;
        let name = format!("{}-{:#x}", deployment.chain_id, deployment.contract);
        let limits = RelayLimits {
            calls_per_signer: self.per_signer,
            gas_per_call: self.per_call,
            gas_per_day: self.gas_per_day,
        };
        let desk = RelayDesk::open(&client.home().relay_path(&name), limits)
            .map_err(pcim_client::Error::from)?;
        let ui = context.ui;
        let tell = Arc::new(move |event: RelayEvent| ui.event(&event, &line(&event)));
        let server = RelayServer::new(client, desk, tell).await?;
        let listener = TcpListener::bind(self.listen).await;
        let listener = listener.with_context(|| self.listen.to_string())?;
        let url = format!("http://{}", listener.local_addr()?);
        context
            .ui
            .result(&json!({ "url": url }), &format!("relay  {url}"))?;
        tokio::select! {
            () = server.serve(listener) => {}
            () = interrupted() => {}
        }
        Ok(())
    }
}

fn line(event: &RelayEvent) -> String {
    let call = format!("{} of {}", event.function, event.signer);
    match (&event.tx, &event.refused) {
        (Some(tx), _) => format!("relayed  {call}: {tx} ({} gas)", event.gas),
        (None, Some(reason)) => format!("refused  {call}: {}", printable(reason)),
        (None, None) => call,
    }
}
