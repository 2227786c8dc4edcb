//! `pcim patient shred`

use std::path::PathBuf;

use clap::Args;
use pcim_client::{ShredPlan, Shredded};
use pcim_core::ImageDigest;
use pcim_core::date::time;

use crate::commands::confirm::ConfirmArgs;
use crate::commands::{transaction, write_result};
use crate::context::Context;
use crate::names;

/// End all access to an image for good, and throw away its keys and bytes that are here
///
/// Withdraws it, removes every approval and open request, and deletes its headers, its encrypted body, its emergency object and your
/// notes from this home. The chain keeps what stands on it, and what others have is beyond this home: the record says both. After
/// a kill the same command goes on.
#[derive(Debug, Args)]
pub(crate) struct ShredArgs {
    /// The image
    #[arg(value_parser = names::image)]
    image: ImageDigest,
    /// File for the record of what was done and what cannot be
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    confirm: ConfirmArgs,
}

impl ShredArgs {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let client = context.client().await?;
        let worked = self.shred(context, client.patient()).await;
        client.shutdown().await;
        let Some(shredded) = worked? else {
            return Ok(());
        };
        if let Some(out) = &self.out {
            write_result(out, &serde_json::to_vec_pretty(&shredded)?, false)?;
        }
        context.ui.result(&shredded, &text(&shredded))
    }

    async fn shred(
        &self,
        context: &Context,
        patient: pcim_client::Patient<'_>,
    ) -> anyhow::Result<Option<Shredded>> {
        let plan = patient.shred_plan(&self.image).await?;
        let what = format!("shred image {}:\n{}", self.image, planned(&plan));
        match self.confirm.for_good(context, &what)? {
            true => Ok(Some(patient.shred(&self.image).await?)),
            false => Ok(None),
        }
    }
}

/// A plan, for people.
fn planned(plan: &ShredPlan) -> String {
    let mut text = match plan.withdrawn {
        true => "  withdrawn already\n".to_owned(),
        false => "  withdraw it\n".to_owned(),
    };
    for reader in &plan.readers {
        text.push_str(&format!("  remove {}\n", names::shown(*reader)));
    }
    text.push_str(&format!(
        "  delete {} headers, {} bytes of bodies, {} emergency objects, {} notes",
        plan.roots.len(),
        plan.body_bytes,
        plan.objects.len(),
        plan.notes
    ));
    text
}

fn text(shredded: &Shredded) -> String {
    let plan = &shredded.plan;
    let mut text = format!(
        "shredded     {}\nat           {}\n",
        plan.image,
        time(shredded.at)
    );
    for reader in &plan.readers {
        text.push_str(&format!("removed      {}\n", names::shown(*reader)));
    }
    text.push_str(&format!(
        "deleted      {} headers, {} bytes of bodies, {} emergency objects, {} notes\n",
        plan.roots.len(),
        plan.body_bytes,
        plan.objects.len(),
        plan.notes
    ));
    for written in &shredded.written {
        text.push_str(&transaction(written));
    }
    for remains in &shredded.remains {
        text.push_str(&format!("remains      {remains}\n"));
    }
    text
}
