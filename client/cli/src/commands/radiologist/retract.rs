//! `pcim radiologist retract`, `reattest`

use std::path::PathBuf;

use clap::Args;
use pcim_core::ImageDigest;
use serde::Serialize;

use crate::commands::sign::SignArgs;
use crate::commands::{transaction, write_result};
use crate::context::{Context, read_card};

/// Take the attestation of an image back, because it is another patient's or not to be used
///
/// Nobody but the patient who registered it has access then, until it is attested again. The image itself stays hers.
#[derive(Debug, Args)]
pub(crate) struct RetractArgs {
    /// The image
    image: ImageDigest,
    /// A number of your own that says why, 0 to 255; stands on the chain
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    reason: u8,
    #[command(flatten)]
    sign: SignArgs,
}

/// Attest a retracted image again
///
/// Writes a handover, with which its patient registers it again (`pcim patient register`). Approvals that were given stand:
/// she sees them with `pcim patient audit`.
#[derive(Debug, Args)]
pub(crate) struct ReattestArgs {
    /// The image
    image: ImageDigest,
    /// The patient's contact card
    #[arg(long, value_name = "CARD")]
    patient: PathBuf,
    /// The image that this one replaces, if it was sealed with --replaces
    #[arg(long, value_name = "IMAGE")]
    replaces: Option<ImageDigest>,
    /// Where the handover is written
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

#[derive(Serialize)]
struct Reattested<'a> {
    image: ImageDigest,
    handover: &'a std::path::Path,
}

impl RetractArgs {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let client = self.sign.set(context.client().await?).await?;
        let retracted = client.radiologist().retract(&self.image, self.reason).await;
        client.shutdown().await;
        let Some(written) = self.sign.settle(context, retracted)? else {
            return Ok(());
        };
        let text = format!("retracted    {}\n{}", self.image, transaction(&written));
        context.ui.result(&written, &text)
    }
}

impl ReattestArgs {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let patient = read_card(&self.patient)?;
        let client = context.client().await?;
        let radiologist = client.radiologist();
        let handover = radiologist.reattest(&self.image, &patient, self.replaces);
        let handover = handover.await;
        client.shutdown().await;
        write_result(&self.out, &handover?, false)?;
        let out = self.out.display();
        let text = format!("image        {}\nhandover     {out}\n", self.image);
        let value = Reattested {
            image: self.image,
            handover: &self.out,
        };
        context.ui.result(&value, &text)
    }
}
