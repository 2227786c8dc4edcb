//! The patient's inbox: handovers that came as mail, verified.

use serde::Serialize;

use crate::actor::patient::Patient;
use crate::error::Result;
use crate::mail::wire::MailId;
use crate::papers::handover::Handover;
use crate::papers::mail::{self, MailKind};
use pcim_core::{Address, ImageDigest};

/// A letter of the inbox.
#[derive(Clone, Debug, Serialize)]
pub struct InboxItem {
    /// Its id.
    #[serde(serialize_with = "crate::mail::wire::id_as_hex")]
    pub id: MailId,
    /// Its sender, who signed it.
    pub sender: Option<Address>,
    /// When it was left, unix seconds, as the sender says.
    pub sent_at: Option<u64>,
    /// The image that its handover names.
    pub image: Option<ImageDigest>,
    /// Modality and body part codes, as the handover says.
    pub description: String,
    /// True if the account that attests is accredited; `None` if the chain does not tell.
    pub accredited: Option<bool>,
    /// True if the image is registered already; `None` if the chain does not tell.
    pub registered: Option<bool>,
    /// Why it cannot be registered.
    pub problem: Option<String>,
}

impl Patient<'_> {
    /// Lists the letters of the inbox, each opened and verified; the oldest first.
    ///
    /// # Errors
    /// [`Error::Home`](crate::Error::Home)
    pub async fn inbox(&self) -> Result<Vec<InboxItem>> {
        let mut items = Vec::new();
        for id in self.home.inbox()? {
            items.push(self.inbox_item(id).await?);
        }
        items.sort_by_key(|item| (item.sent_at, item.id));
        Ok(items)
    }

    /// Reads the handover of a letter.
    ///
    /// # Errors
    /// [`Error::Home`](crate::Error::Home), [`Error::Mail`](crate::Error::Mail)
    pub fn mailed_handover(&self, id: &MailId) -> Result<Vec<u8>> {
        let letter = self.home.mail(id)?;
        let opened = mail::open(&letter, &self.keys.openpgp, self.address());
        let opened = opened.map_err(crate::mail::Error::Letter)?;
        Ok(opened.document)
    }

    async fn inbox_item(&self, id: MailId) -> Result<InboxItem> {
        let mut item = InboxItem {
            id,
            sender: None,
            sent_at: None,
            image: None,
            description: String::new(),
            accredited: None,
            registered: None,
            problem: None,
        };
        let letter = self.home.mail(&id)?;
        let opened = match mail::open(&letter, &self.keys.openpgp, self.address()) {
            Ok(opened) => opened,
            Err(error) => {
                item.problem = Some(error.to_string());
                return Ok(item);
            }
        };
        item.sender = Some(opened.sender.address);
        item.sent_at = Some(opened.sent_at);
        let MailKind::Handover = opened.kind;
        match Handover::open(&opened.document, &self.keys.openpgp, self.addressee()?) {
            Ok(handover) => self.add_handover(&mut item, &handover).await,
            Err(error) => item.problem = Some(error.to_string()),
        }
        Ok(item)
    }

    async fn add_handover(&self, item: &mut InboxItem, handover: &Handover) {
        item.image = Some(handover.image);
        item.description = handover.description.clone();
        if item.sender != Some(handover.radiologist.address) {
            let radiologist = handover.radiologist.address;
            item.problem = Some(format!(
                "the handover is {radiologist}'s, and another one sent it"
            ));
        }
        let Ok(ledger) = self.ledger().await else {
            return;
        };
        item.accredited = ledger.is_accredited(handover.attester).await.ok();
        let record = ledger.image_record(&handover.image).await;
        item.registered = record.ok().map(|record| record.is_some());
    }
}
