//! C-FIND (PS3.4 §C.4.1): searches over the images that this home may open.

use pcim_dicom::query::{ANSWERS_MAX, SearchIdentifier};

use super::association::Broken;
use super::classes::Operation;
use super::command::Command;
use super::serve::Service;
use crate::status;

/// Answers that are sent before the next look whether they are still wanted.
const BETWEEN_LOOKS: usize = 100;

impl Service<'_> {
    /// Answers a search with each match, until the peer cancels it.
    pub(super) async fn find(&mut self, context: u8, command: Command) -> Result<(), Broken> {
        let asked = self.asked(context, &command, Operation::Find).await?;
        let Some((data, named, model)) = asked else {
            return Ok(());
        };
        let identifier = match SearchIdentifier::read(&data, &named.syntax, model.has_patients) {
            Ok(identifier) => identifier,
            Err(error) => {
                let why = error.to_string();
                return self
                    .answer(context, &command, status::DOES_NOT_MATCH, &why)
                    .await;
            }
        };
        let own = self.association.called.clone();
        let answers = self.door.catalogue.identify(&identifier, &own);
        self.door.metrics.searches.add(1);
        let pending = match identifier.is_partly_matched() {
            true => status::PENDING_PARTLY,
            false => status::PENDING,
        };
        let one = command.response(pending, "").with_data_set();
        for (number, answer) in answers.data_sets.iter().enumerate() {
            if number % BETWEEN_LOOKS == 0
                && self.association.is_cancelled(command.message()).await?
            {
                return self.answer(context, &command, status::CANCELLED, "").await;
            }
            self.association.send(context, &one, Some(answer)).await?;
        }
        match answers.has_more {
            false => self.answer(context, &command, status::SUCCESS, "").await,
            true => {
                let why = format!("more than {ANSWERS_MAX} match");
                self.answer(context, &command, status::OUT_OF_RESOURCES, &why)
                    .await
            }
        }
    }
}
