//! `pcim node`

mod service;
mod tasks;

use std::time::{Duration, Instant};

use clap::Args;
use pcim_client::Session;
use pcim_terminal::log;
use serde_json::json;

use crate::commands::follow::FollowArgs;
use crate::context::{Context, interrupted};
use crate::ui::{Ui, printable};

/// How often the configured peers are dialled again.
const REDIAL: Duration = Duration::from_secs(5);
/// How often blocks that nothing pins are deleted.
const SWEEP: Duration = Duration::from_secs(600);
/// How long a relay is waited for before the node's addresses are told.
const RESERVING: Duration = Duration::from_secs(10);
/// How often it is looked whether one has given a place.
const LOOK: Duration = Duration::from_millis(200);
/// How old they must be: a process that writes or fetches now is about to pin what it has.
const GRACE: Duration = Duration::from_secs(3600);

/// Serve this home's images to others until interrupted
///
/// While it runs, the home's other commands use this node, over a socket in the home that only its
/// owner can open. It dials the home's peers again and again, so that those who come later find each
/// other, and from time to time deletes what was stored for others' images that were only opened, what
/// an interrupted command left, and the headers of readers whose removal was signed and is on the chain now. A removal that a
/// reorganisation of the chain takes back before it is final is sent again. Where the network has followers, it holds a place at two
/// of them, so that others reach it through them behind a router, too.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct NodeArgs {
    #[command(subcommand)]
    task: Option<tasks::NodeTask>,
    #[command(flatten)]
    follow: FollowArgs,
}

impl NodeArgs {
    /// Says whether it runs until it is interrupted.
    pub(crate) fn serves(&self) -> bool {
        self.task.is_none()
    }

    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        if let Some(task) = &self.task {
            return task.run(context).await;
        }
        let mut client = context.reader()?;
        service::keep_log(client.home().dir())?;
        let keeps_mail = self.follow.keeps_mail() || client.home().config().node.mailbox;
        if keeps_mail {
            client.keep_mailbox();
        }
        client.expect_guests();
        if self.follow.is_relay() {
            client.relay_for_others();
        }
        let has_relays = !self.follow.is_on() && client.be_reached_by_relays()?;
        let server = client.serve(GRACE).await?;
        let guests = match &server {
            Some(_) => client.receive_guests().await?,
            None => None,
        };
        let mailbox = match keeps_mail && server.is_some() {
            true => Some(client.open_mailbox().await?),
            false => None,
        };
        let addresses = reached(&client, has_relays && server.is_some(), context.ui).await?;
        let text: String = addresses
            .iter()
            .map(|address| format!("serving  {address}\n"))
            .collect();
        context
            .ui
            .result(&json!({ "addresses": addresses }), &text)?;
        for address in &addresses {
            log::write(&format!("serving {address}"));
        }
        let peers = client.dialled();
        let redialling = async {
            loop {
                client.dial(&peers).await?;
                tokio::time::sleep(REDIAL).await;
            }
        };
        let sweeping = async {
            // Another program's node sweeps for itself; one that follows may fetch a body for longer than that.
            if server.is_none() || self.follow.is_on() {
                std::future::pending::<()>().await;
            }
            loop {
                client.collect_garbage(GRACE).await?;
                tokio::time::sleep(SWEEP).await;
            }
        };
        let dropping = async {
            loop {
                // What the chain's node does not tell now it may tell the next time.
                if let Err(error) = client.drop_removed().await {
                    let text =
                        format!("note: a removal that was signed was not looked for: {error}");
                    context.ui.note(&text);
                }
                for seen in client.see_taken().await? {
                    if let Some(note) = &seen.note {
                        let about = seen.about.join(" ");
                        let text = format!("note: {} {about}: {}", seen.operation, printable(note));
                        context.ui.note(&text);
                    }
                }
                tokio::time::sleep(SWEEP).await;
            }
        };
        let asked = async {
            match &server {
                Some(server) => server.is_to_stop().await,
                None => std::future::pending().await,
            }
        };
        let ended: anyhow::Result<()> = tokio::select! {
            () = asked => Ok(()),
            result = dropping => result,
            result = redialling => result,
            result = sweeping => result,
            result = self.follow.run(&client, context.ui) => result,
            () = interrupted() => Ok(()),
        };
        drop((server, mailbox, guests));
        client.shutdown().await;
        log::write("the node ends");
        ended
    }
}

/// Where the node is reached. A relay may take a moment to give a place.
async fn reached(client: &Session, has_relays: bool, ui: Ui) -> anyhow::Result<Vec<String>> {
    let node = client.node().await?;
    let until = Instant::now() + RESERVING;
    loop {
        let addresses = node.addresses().await?;
        let is_reserved = addresses.iter().any(|at| at.contains("/p2p-circuit"));
        if !has_relays || is_reserved {
            return Ok(addresses);
        }
        if Instant::now() >= until {
            ui.note("note: no relay gives this node a place yet; it is asked again and again");
            return Ok(addresses);
        }
        tokio::time::sleep(LOOK).await;
    }
}
