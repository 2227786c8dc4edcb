//! `pcim requestor status`

use clap::Args;
use pcim_core::{Address, GrantStatus, ImageDigest};

use crate::context::Context;
use crate::parse;

/// Show how a request stands; sends nothing
#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// The image
    image: ImageDigest,
    /// The requestor [default: this home]
    #[arg(long, alias = "requester", value_name = "ADDRESS", value_parser = parse::address)]
    requestor: Option<Address>,
}

impl StatusArgs {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let client = context.reader()?;
        let standing = client.status(&self.image, self.requestor).await?;
        let status = match standing.status {
            GrantStatus::None => "none",
            GrantStatus::Requested => "requested",
            GrantStatus::Approved if standing.authorized => "approved",
            GrantStatus::Approved if standing.flags.0 != 0 => "approved, without access",
            GrantStatus::Approved => "approved, expired",
            GrantStatus::Emergency if standing.authorized => "open in an emergency",
            GrantStatus::Emergency => "emergency access, ended",
            GrantStatus::Denied => "denied",
            GrantStatus::Removed => "removed",
        };
        let mut text = format!(
            "status      {status}\nauthorized  {}\npatient     {}\n",
            if standing.authorized { "yes" } else { "no" },
            standing.patient
        );
        if standing.flags.0 != 0 {
            text.push_str(&format!("image       {}\n", standing.flags));
        }
        if let Some(root) = standing.shared_image.filter(|_| standing.authorized) {
            text.push_str(&format!("shared as   {root}\n"));
        }
        let ends = matches!(
            standing.status,
            GrantStatus::Approved | GrantStatus::Emergency
        );
        if ends && standing.expires_at != 0 {
            text.push_str(&format!(
                "expires     {} (unix seconds)\n",
                standing.expires_at
            ));
        }
        context.ui.result(&standing, &text)
    }
}
