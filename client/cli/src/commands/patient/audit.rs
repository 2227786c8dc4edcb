//! `pcim patient audit`

use clap::Args;
use pcim_client::domain::ImageDigest;

use crate::context::Context;
use crate::ui::printable;

/// Show what happened to your images, event by event
#[derive(Debug, Args)]
pub(crate) struct AuditArgs {
    /// Only this image
    image: Option<ImageDigest>,
}

impl AuditArgs {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let events = context.reader()?.audit(self.image.as_ref()).await?;
        let mut text = String::new();
        for logged in &events {
            let mut line = format!("block {:<8}", logged.block);
            if let serde_json::Value::Object(fields) = serde_json::to_value(&logged.event)? {
                let name = fields.get("event").and_then(|name| name.as_str());
                line.push_str(&format!("{:<22}", name.unwrap_or_default()));
                for (name, value) in fields.iter().filter(|(name, _)| *name != "event") {
                    let value = match value.as_str() {
                        Some(text) => printable(text),
                        None => value.to_string(),
                    };
                    line.push_str(&format!(" {name}={value}"));
                }
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        context.ui.result(&events, &text)
    }
}
