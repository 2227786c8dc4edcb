//! `pcim patient requests`

use clap::Args;

use crate::context::Context;
use crate::ui::printable;

/// List the requests that wait for your decision
///
/// Names and notes come from documents that the requestors encrypted to you. That a name is true is
/// for you to judge: the document proves only that the requestor's key wrote it.
#[derive(Debug, Args)]
pub(crate) struct RequestsArgs {}

impl RequestsArgs {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let client = context.client().await?;
        let requests = client.patient().requests().await;
        client.shutdown().await;
        let requests = requests?;
        let mut text = String::new();
        for request in &requests {
            text.push_str(&format!(
                "image        {}\nrequestor    {}\ncertificate  {}\npurpose      {}\nsince        {} (unix seconds)\n",
                request.image,
                request.requestor,
                request.public_key,
                printable(&request.purpose),
                request.requested_at
            ));
            if request.post_quantum == Some(false) {
                text.push_str(
                    "encryption   not post-quantum: what is shared with it can be opened once X25519 falls\n",
                );
            }
            if let Some(document) = &request.document {
                for (label, value) in [("name", &document.name), ("note", &document.note)] {
                    if let Some(value) = value {
                        text.push_str(&format!("{label:<11}  {}\n", printable(value)));
                    }
                }
            }
            if let Some(error) = &request.document_error {
                text.push_str(&format!("document     not read: {}\n", printable(error)));
            }
            text.push('\n');
        }
        context.ui.result(&requests, text.trim_end())
    }
}
