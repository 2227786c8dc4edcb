//! Receipts: a requestor who opens an image says so on the chain.
//!
//! The receipt is a `trace_authorization` of the requestor's own. It is sent when the image is here, decrypted and verified,
//! and the file gets its name only once the receipt is mined: what this program wrote has its receipt. A fetch that was cut
//! off in between leaves its signed transaction in the journal, and the next fetch of that image goes on with the same one.

use serde::Serialize;

use crate::actor::requestor::Requestor;
use crate::actor::trace::answer;
use crate::error::{Error, Result};
use crate::flow::landing::Target;
use crate::flow::opening::OpenedFile;
use crate::operation::deed::Deed;
use crate::operation::journal::OperationId;
use crate::operation::journal::piece::Verdict;
use crate::operation::write::{Prepared, Wanted, Written, is_final};
use pcim_core::{Address, ImageDigest};
use pcim_ledger::Call;

/// How old the receipt of a fetch that was cut off may be, by the chain's clock, to count for the next one.
const GOOD_FOR_SECONDS: u64 = 24 * 3600;

/// An image that was opened, and the transaction that says so.
#[derive(Clone, Debug, Serialize)]
pub struct Receipted {
    /// The opened file.
    #[serde(flatten)]
    pub opened: OpenedFile,
    /// The receipt.
    pub receipt: Written,
}

/// A receipt on the chain whose file has no name yet.
struct Receipt {
    operation: OperationId,
    written: Written,
}

impl Requestor<'_> {
    /// Fetches and opens an image, if the chain authorizes it now, and writes on the chain that this was done.
    ///
    /// # Errors
    /// [`Error::NotAuthorized`], before anything is fetched or, if the access ended meanwhile, before the file appears.
    pub async fn fetch_with_receipt(
        &self,
        image: &ImageDigest,
        target: &Target,
    ) -> Result<Receipted> {
        let (root, patient) = self.granted(image).await?;
        let attested = self.attested(image).await?;
        let first = async || self.receipt(image, patient).await;
        let opened = self.open_after(&root, patient, &attested, target, first);
        let (opened, receipt) = opened.await?;
        self.settle(receipt.operation, Verdict::Done).await?;
        self.note_opened(image, &opened).await;
        Ok(Receipted {
            opened,
            receipt: receipt.written,
        })
    }

    /// The receipt of this fetch: the one that was cut off, or a new one.
    async fn receipt(&self, image: &ImageDigest, patient: Address) -> Result<Receipt> {
        let requestor = self.address();
        let deed = Deed::Receipt {
            image: *image,
            requestor,
        };
        let receipt = match self.earlier(deed).await? {
            Some(earlier) => Some(earlier),
            None => {
                let call = async |_| {
                    Ok(Call::TraceAuthorization {
                        patient,
                        requestor,
                        image: *image,
                    })
                };
                let sending = self.sending();
                match sending.sign_noting(deed, Wanted::True, call).await? {
                    Some((operation, Prepared::Send(signed))) => {
                        let mined = self.send(operation, &signed).await?;
                        let resumed = false;
                        let written = Written { mined, resumed };
                        Some(Receipt { operation, written })
                    }
                    Some((_, Prepared::Relay(_))) | None => None,
                }
            }
        };
        match receipt {
            Some(receipt) if answer(&receipt.written) => Ok(receipt),
            refused => {
                if let Some(refused) = refused {
                    self.settle(refused.operation, Verdict::Done).await?;
                }
                let standing = self.status(image, None).await?;
                Err(Error::NotAuthorized {
                    image: *image,
                    status: standing.status,
                    expires_at: standing.expires_at,
                })
            }
        }
    }

    /// The receipt of a fetch that was cut off, seen through, if it is not too old.
    async fn earlier(&self, deed: Deed) -> Result<Option<Receipt>> {
        let key = self.scoped(deed)?;
        let unfinished = self.journal.unfinished()?;
        let Some(earlier) = unfinished.iter().find(|it| it.key == key) else {
            return Ok(None);
        };
        let operation = earlier.id;
        if earlier.signed_call.is_none() {
            self.settle(operation, Verdict::Failed).await?;
            return Ok(None);
        }
        let signed = self.recorded(earlier).await?;
        let mined = match self.send(operation, &signed).await {
            Ok(mined) => mined,
            Err(Error::Ledger(error)) if is_final(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        let now = self.ledger().await?.now().await?;
        let at = mined.events.first().and_then(|event| event.timestamp);
        let resumed = true;
        let written = Written { mined, resumed };
        if answer(&written) && at.is_some_and(|at| now.saturating_sub(at) <= GOOD_FOR_SECONDS) {
            return Ok(Some(Receipt { operation, written }));
        }
        self.settle(operation, Verdict::Done).await?;
        Ok(None)
    }
}
