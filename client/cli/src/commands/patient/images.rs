//! `pcim patient images`

use clap::Args;
use pcim_core::date::time;

use crate::context::Context;
use crate::ui::printable;

/// List the images you have registered
#[derive(Debug, Args)]
pub(crate) struct ImagesArgs {}

impl ImagesArgs {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let images = context.reader()?.auditor().images().await?;
        let mut text = String::new();
        for own in &images {
            text.push_str(&format!(
                "{}  {}  registered {}",
                own.image,
                printable(&own.description),
                time(own.registered_at)
            ));
            if own.approval_limit > 0 {
                text.push_str(&format!(
                    "  at most {} approvals in {} s",
                    own.approval_limit, own.window_seconds
                ));
            }
            if own.withdrawn {
                text.push_str("  withdrawn");
            }
            text.push('\n');
        }
        if images.is_empty() {
            context
                .ui
                .remark("no image is registered yet: `pcim patient register HANDOVER`");
        }
        context.ui.result(&images, &text)
    }
}
