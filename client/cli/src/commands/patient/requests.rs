//! `pcim patient requests`

use clap::Args;
use pcim_client::PendingRequest;
use pcim_core::date::time;
use serde::Serialize;

use super::delegated::ForArgs;
use crate::contacts;
use crate::context::Context;
use crate::ui::printable;

/// List the requests that wait for your decision
///
/// A requestor whose contact card lies in the home's folder `contacts` is shown by the name that you gave the card. The names and
/// notes of all others come from documents that they encrypted to you, which prove only that the requestor's key wrote them: that
/// such a name is true is for you to judge.
#[derive(Debug, Args)]
pub(crate) struct RequestsArgs {
    #[command(flatten)]
    delegated: ForArgs,
}

/// A request, and whom the owner of the home knows its requestor as.
#[derive(Serialize)]
struct Listed<'r> {
    #[serde(flatten)]
    request: &'r PendingRequest,
    known_as: Option<&'r str>,
    /// Whether the certificate is that of the requestor's card; absent without a card or the certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate_of_card: Option<bool>,
}

impl RequestsArgs {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let client = self.delegated.set(context.client().await?).await?;
        let contacts = contacts::read(context.ui, &client.home().contacts_dir())?;
        let requests = client.patient().requests().await;
        client.shutdown().await;
        let requests = requests?;
        // Emergencies first, then those whom she knows; the others in the order in which they came.
        let mut listed: Vec<_> = requests
            .iter()
            .map(|request| Listed {
                request,
                known_as: contacts.name(request.requestor),
                certificate_of_card: request
                    .fingerprint
                    .as_deref()
                    .and_then(|key| contacts.vouches(request.requestor, key)),
            })
            .collect();
        listed.sort_by_key(|one| (one.request.purpose != "ETREAT", one.known_as.is_none()));
        if listed.is_empty() {
            context.ui.remark("no request waits for your decision");
        }
        let text: String = listed.iter().map(Listed::text).collect();
        context.ui.result(&listed, text.trim_end())
    }
}

impl Listed<'_> {
    fn text(&self) -> String {
        let request = self.request;
        let mut text = format!("image        {}\n", request.image);
        if let Some(name) = self.known_as {
            text.push_str(&format!("known as     {}\n", printable(name)));
        }
        if self.certificate_of_card == Some(false) {
            text.push_str(
                "beware       the certificate is not that of the card you have: ask for a new card before you approve\n",
            );
        }
        text.push_str(&format!(
            "requestor    {}\ncertificate  {}\npurpose      {}\nsince        {}\n",
            request.requestor,
            request.public_key,
            printable(&request.purpose),
            time(request.requested_at)
        ));
        if request.post_quantum == Some(false) {
            text.push_str(
                "encryption   not post-quantum: what is shared with it can be opened once X25519 falls\n",
            );
        }
        let document = request.document.as_ref();
        let name = document.and_then(|document| document.name.as_ref());
        let note = document.and_then(|document| document.note.as_ref());
        for (label, value) in [("says to be", name), ("note", note)] {
            if let Some(value) = value {
                text.push_str(&format!("{label:<11}  {}\n", printable(value)));
            }
        }
        if let Some(error) = &request.document_error {
            text.push_str(&format!("document     not read: {}\n", printable(error)));
        }
        text + "\n"
    }
}
