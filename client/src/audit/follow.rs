//! Following the chain on behalf of a consumer.

use super::{Delivery, Error, Index, Result};
use crate::ledger::{Ledger, Live};

/// Deliveries that are read at once.
const BATCH: usize = 256;

impl Index {
    /// Keeps level with the chain until the future is dropped, and hands each delivery to the consumer of this name, who is
    /// subscribed already. A delivery is acknowledged when `act` returns: if the process ends within it, that delivery, with
    /// the same number, is the first one next time. A chain that cannot be read is told to `away`, and read again later.
    ///
    /// # Errors
    /// What this index itself refuses: [`Error::NoConsumer`], [`Error::Sqlite`].
    pub async fn follow(
        &self,
        ledger: &Ledger,
        live: &mut Live,
        consumer: &str,
        mut act: impl FnMut(&Delivery),
        mut away: impl FnMut(&Error),
    ) -> Result<()> {
        loop {
            match self.sync(ledger).await {
                Ok(_) => {}
                Err(
                    error @ (Error::Ledger(_) | Error::Restless { .. } | Error::BadLogs { .. }),
                ) => away(&error),
                Err(error) => return Err(error),
            }
            loop {
                let deliveries = self.pending(consumer, BATCH)?;
                for delivery in &deliveries {
                    act(delivery);
                    self.acknowledge(consumer, delivery.seq)?;
                }
                if deliveries.len() < BATCH {
                    break;
                }
            }
            live.changed().await;
        }
    }
}
