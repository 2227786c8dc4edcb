//! `pcim requestor request`

use std::path::PathBuf;

use clap::Args;
use pcim_client::AccessRequest;
use pcim_client::papers::request::Purpose;
use pcim_core::ImageDigest;

use crate::commands::sign::SignArgs;
use crate::commands::transaction;
use crate::context::{Context, read_card};
use crate::names;

/// Ask a patient for an image
///
/// Puts this home's certificate (no names) and an encrypted document (name and note, for the patient
/// only) into IPFS and the request on the chain, where everyone can read the image, both addresses and
/// the purpose code. Serve both with `pcim node` until the patient has decided.
#[derive(Debug, Args)]
pub(crate) struct RequestArgs {
    /// The patient's contact card
    #[arg(long, value_name = "CARD")]
    patient: PathBuf,
    /// The image
    #[arg(value_parser = names::image, long, value_name = "DIGEST")]
    image: ImageDigest,
    /// TREAT (treatment), HRESCH (research), HPAYMT (payment) or ETREAT (emergency)
    #[arg(long)]
    purpose: Purpose,
    /// Your name, for the patient only
    #[arg(long, value_name = "TEXT")]
    name: Option<String>,
    /// A word to the patient only
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    /// Contact card of a delegate who decides for the patient: name and note are readable for him, too; may be repeated
    #[arg(long, value_name = "CARD")]
    delegate: Vec<PathBuf>,
    #[command(flatten)]
    sign: SignArgs,
}

impl RequestArgs {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let patient = read_card(&self.patient)?;
        let delegates = self.delegate.iter().map(|path| read_card(path));
        let request = AccessRequest {
            image: self.image,
            purpose: self.purpose,
            name: self.name.clone(),
            note: self.note.clone(),
            delegates: delegates.collect::<anyhow::Result<_>>()?,
        };
        let client = self.sign.set(context.client().await?).await?;
        let requested = client.requestor().request(&patient, request).await;
        client.shutdown().await;
        let Some(requested) = self.sign.settle(context, requested)? else {
            return Ok(());
        };
        if requested.published_name {
            context.ui.note(
                "note: this certificate is not valid without its User ID, which is public now",
            );
        }
        let text = format!(
            "requested    {}\ncertificate  {}\n{}",
            requested.image,
            requested.public_key,
            transaction(&requested.written)
        );
        context.ui.result(&requested, &text)
    }
}
