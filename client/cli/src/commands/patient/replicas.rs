//! `pcim patient replicas`

use clap::Args;
use pcim_client::{Replicas, Session};
use pcim_core::{Address, ImageDigest};

use crate::context::Context;
use crate::names;
use crate::parse;

/// Ask other nodes whether they hold an image
///
/// Each peer that is connected or configured is asked for the current sealed root, its header and every block of the
/// body. It is taken at its word. Ends with 1 if fewer nodes than wanted have everything. Needs no passphrase.
#[derive(Debug, Args)]
pub(crate) struct ReplicasArgs {
    /// The image
    #[arg(value_parser = names::image)]
    image: ImageDigest,
    /// How many nodes must have everything
    #[arg(long, value_name = "N", default_value_t = 1)]
    want: usize,
    /// Ask for what was shared with this reader instead of the patient's own root
    #[arg(long, value_name = "ADDRESS", value_parser = parse::address)]
    reader: Option<Address>,
}

impl ReplicasArgs {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let client = context.reader()?;
        let replicas = self.ask(&client).await;
        client.shutdown().await;
        let replicas = replicas?;
        context.ui.result(&replicas, &text(&replicas))
    }

    async fn ask(&self, client: &Session) -> anyhow::Result<Replicas> {
        let root = client.current_root(&self.image, self.reader).await?;
        Ok(client.replicas(&root).await?.at_least(self.want)?)
    }
}

fn text(replicas: &Replicas) -> String {
    let nodes = replicas.nodes.iter().map(|node| {
        let silent = match node.silent {
            0 => String::new(),
            silent => format!(", silent on {silent}"),
        };
        format!(
            "{}  {} of {}{silent}\n",
            node.peer, node.has, replicas.blocks
        )
    });
    let all: String = nodes.collect();
    format!(
        "root      {}\ncomplete  {} of {} nodes asked\n{all}",
        replicas.root,
        replicas.complete,
        replicas.nodes.len()
    )
}

/// How many nodes must hold a sealed root before a command says that it is done.
#[derive(Debug, Args)]
pub(crate) struct AwaitReplicas {
    /// Wait until N other nodes hold the sealed root, its header and the whole body
    ///
    /// Asked again and again until none of them gets further for as long as --wait says; then the command ends with 1,
    /// though what it wrote to the chain stands.
    #[arg(long, value_name = "N")]
    replicas: Option<usize>,
}

impl AwaitReplicas {
    /// Waits; how many nodes there are in the end, if it was asked for.
    pub(crate) async fn wait(
        &self,
        client: &Session,
        root: &ImageDigest,
    ) -> anyhow::Result<Option<usize>> {
        let Some(wanted) = self.replicas else {
            return Ok(None);
        };
        Ok(Some(client.await_replicas(root, wanted).await?.complete))
    }

    /// The same for each of several roots.
    pub(crate) async fn wait_for_all(
        &self,
        client: &Session,
        roots: impl Iterator<Item = ImageDigest>,
    ) -> anyhow::Result<Option<Vec<usize>>> {
        let mut all = Vec::new();
        for root in roots {
            all.extend(self.wait(client, &root).await?);
        }
        Ok(self.replicas.map(|_| all))
    }
}

/// The line that tells of it.
pub(crate) fn line(complete: Option<usize>) -> String {
    complete.map_or(String::new(), |n| format!("replicas     {n}\n"))
}
