//! `pcim patient custodians`

use std::path::PathBuf;

use clap::Args;
use pcim_client::papers::card::Card;
use pcim_client::papers::emergency::Custodians;
use pcim_client::{Outcome, Written};
use pcim_core::{Address, ImageDigest};
use serde::Serialize;

use crate::commands::backup::cards;
use crate::commands::transaction;
use crate::context::Context;
use crate::names;

/// Give shares of your images' keys to custodians, who open an image when your desk says that there is an emergency
///
/// Name people of other houses than the desk. Each image costs a transaction, which tells everyone that there are shares and how
/// many, but not whose. Images that you register or seal again later get their shares by themselves. Without custodians on the
/// command line those of before are shown, and images that lack shares get them. --none ends it: an emergency opens nothing then.
#[derive(Debug, Args)]
pub(crate) struct CustodiansArgs {
    /// The custodians' contact cards, 2 to 15
    #[arg(value_name = "CARD", requires = "threshold")]
    custodians: Vec<PathBuf>,
    /// How many of them open an image; at least 2
    #[arg(long, value_name = "NUMBER", requires = "custodians")]
    threshold: Option<u8>,
    /// Have no custodians
    #[arg(long, conflicts_with_all = ["custodians", "threshold"])]
    none: bool,
}

/// Custodians, and the images whose shares they got.
#[derive(Serialize)]
struct Done {
    threshold: Option<u8>,
    custodians: Vec<Address>,
    entrusted: Vec<Entrusted>,
    unchanged: Vec<ImageDigest>,
}

#[derive(Serialize)]
struct Entrusted {
    image: ImageDigest,
    #[serde(flatten)]
    written: Written,
}

impl CustodiansArgs {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let named = match self.threshold {
            Some(threshold) => Some(Custodians::new(threshold, cards(&self.custodians)?)),
            None => None,
        };
        let client = context.client().await?;
        let patient = client.patient();
        let earlier = client.custodians()?;
        // The same people again are no others: what an earlier command did not come to is gone on with.
        let same = match (&earlier, &named) {
            (Some(earlier), Some(named)) => {
                (earlier.threshold, &earlier.cards) == (named.threshold, &named.cards)
            }
            (_, named) => named.is_none() && !self.none,
        };
        let custodians = match same {
            true => earlier,
            false => {
                patient.set_custodians(named.as_ref())?;
                named
            }
        };
        let mut done = Done {
            threshold: custodians.as_ref().map(|it| it.threshold),
            custodians: Vec::new(),
            entrusted: Vec::new(),
            unchanged: Vec::new(),
        };
        for card in custodians.iter().flat_map(|it| &it.cards) {
            done.custodians.push(Card::verify(card)?.address);
        }
        let work = async {
            for image in client.registered_images()? {
                match patient.entrust(&image).await?.and_then(Outcome::mined) {
                    Some(written) => done.entrusted.push(Entrusted { image, written }),
                    None => done.unchanged.push(image),
                }
            }
            Ok::<_, pcim_client::Error>(())
        };
        let worked = work.await;
        client.shutdown().await;
        worked?;
        context.ui.result(&done, &text(&done))
    }
}

fn text(done: &Done) -> String {
    let mut text = match done.threshold {
        None => "no custodians\n".to_owned(),
        Some(threshold) => format!("threshold    {threshold} of {}\n", done.custodians.len()),
    };
    for custodian in &done.custodians {
        text.push_str(&format!("custodian    {}\n", names::shown(*custodian)));
    }
    for Entrusted { image, written } in &done.entrusted {
        text.push_str(&format!("image        {image}\n{}", transaction(written)));
    }
    for image in &done.unchanged {
        text.push_str(&format!("unchanged    {image}\n"));
    }
    text
}
