//! `pcim account rotate-key`

use clap::Args;
use pcim_client::Rotation;
use pcim_core::LockCost;
use pcim_core::date::time;

use crate::commands::confirm::ConfirmArgs;
use crate::commands::transaction;
use crate::context::Context;

/// Give your account another Ethereum key, drawn here
///
/// The patient stays the same, and so do images and approvals; delegates end. The key of now acts until the chain says that the new
/// one does: at once without guardians, else after their hours, when the same command is given again. It pays for both transactions,
/// and is kept in the home's folder `former` then, for ether that is left with it: send some to the new address. Approvals that this
/// home has as a requestor, and its accreditation, stay with the old address. The OpenPGP key is not changed. After a kill the same
/// command goes on.
#[derive(Debug, Args)]
pub(crate) struct RotateKeyArgs {
    #[command(flatten)]
    confirm: ConfirmArgs,
}

impl RotateKeyArgs {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        if !self
            .confirm
            .for_good(context, "give the account of this home another key")?
        {
            return Ok(());
        }
        let (client, passphrase) = context.client_and_passphrase().await?;
        let rotated = client
            .patient()
            .rotate_key(&passphrase, LockCost::FULL)
            .await;
        client.shutdown().await;
        let rotated = rotated?;
        context.ui.result(&rotated, &text(&rotated))
    }
}

fn text(rotation: &Rotation) -> String {
    let mut text = format!(
        "patient      {}\nbefore       {}\n",
        rotation.patient, rotation.from
    );
    let to = rotation.to;
    text.push_str(&match rotation.ripe {
        Some(ripe) => format!(
            "next         {to}, from {}: give the same command then\n",
            time(ripe)
        ),
        None => format!("acts         {to}\n"),
    });
    if let Some(former) = &rotation.former {
        text.push_str(&format!("kept         {}\n", former.display()));
    }
    for written in &rotation.written {
        text.push_str(&transaction(written));
    }
    text
}
