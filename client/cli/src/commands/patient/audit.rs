//! `pcim patient audit`

use clap::Args;
use pcim_core::ImageDigest;

use crate::commands::audit;
use crate::context::Context;
use crate::names;

/// Show what happened to your images: `pcim audit` with fewer options
#[derive(Debug, Args)]
pub(crate) struct PatientAuditArgs {
    /// Only this image
    #[arg(value_parser = names::image)]
    image: Option<ImageDigest>,
}

impl PatientAuditArgs {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        audit::AuditArgs::of(self.image).run(context).await
    }
}
