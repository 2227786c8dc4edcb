//! `pcim node`

use std::time::Duration;

use clap::Args;
use serde_json::json;

use crate::commands::follow::FollowArgs;
use crate::context::{Context, interrupted};

/// How often the configured peers are dialled again.
const REDIAL: Duration = Duration::from_secs(5);

/// Serve this home's images to others until interrupted
///
/// It first deletes what it stored for others' images that were only opened, and what an interrupted
/// command left.
///
/// While it serves it holds the home; other commands on the same home wait until it has ended. It
/// dials the home's peers again and again, so that those who come later find each other.
#[derive(Debug, Args)]
pub(crate) struct NodeArgs {
    #[command(flatten)]
    follow: FollowArgs,
}

impl NodeArgs {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let client = context.reader()?;
        // Nothing is under way yet; what a node that follows had begun to fetch, it goes on with.
        if !self.follow.is_on() {
            client.collect_garbage().await?;
        }
        let addresses = client.node().await?.addresses().await?;
        let text: String = addresses
            .iter()
            .map(|address| format!("serving  {address}\n"))
            .collect();
        context
            .ui
            .result(&json!({ "addresses": addresses }), &text)?;
        let peers = client.home().config().peers.clone();
        let redialling = async {
            loop {
                client.dial(&peers).await?;
                tokio::time::sleep(REDIAL).await;
            }
        };
        let ended: anyhow::Result<()> = tokio::select! {
            result = redialling => result,
            result = self.follow.run(&client, context.ui) => result,
            () = interrupted() => Ok(()),
        };
        client.shutdown().await;
        ended
    }
}
