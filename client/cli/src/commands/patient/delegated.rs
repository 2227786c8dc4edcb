//! `--for`: a decision that a delegate makes for a patient.

use clap::Args;
use pcim_client::Actor;

use crate::context::{Context, actor};

/// The patient for whom a delegate decides.
#[derive(Debug, Args)]
pub(crate) struct ForArgs {
    /// Decide for this patient, who named you her delegate (`pcim patient delegate`)
    #[arg(long = "for", value_name = "ADDRESS|CARD")]
    served: Option<String>,
}

impl ForArgs {
    /// The client, which decides for the patient if one is named.
    pub(crate) async fn set(&self, client: Actor) -> anyhow::Result<Actor> {
        match &self.served {
            None => Ok(client),
            Some(patient) => Ok(client.delegate_of(actor(patient)?).await?),
        }
    }

    /// The end of an approval: no later than the delegate's own. An end that is sooner than wished is said.
    pub(crate) fn end(&self, context: &Context, client: &Actor, wished: u64) -> u64 {
        let Some(delegacy) = client.delegacy() else {
            return wished;
        };
        if wished != 0 && wished <= delegacy.until {
            return wished;
        }
        context
            .ui
            .note("note: it ends with your own time as a delegate");
        delegacy.until
    }
}
