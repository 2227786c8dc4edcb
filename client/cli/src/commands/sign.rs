//! `--sign-only`: a call signed into a file instead of sent.

use std::path::PathBuf;

use clap::Args;
use pcim_client::{Actor, Error, Outcome, Signing};
use pcim_ledger::RelayCall;
use serde::Serialize;

use super::write_result;
use crate::context::Context;
use crate::parse::{self, Expiry};

/// Options of every command that writes to the chain.
#[derive(Debug, Args)]
pub(crate) struct SignArgs {
    /// Sign the call into this file instead of sending it; `pcim relay` sends it, from any account
    #[arg(long, value_name = "FILE", help_heading = "Without ether")]
    sign_only: Option<PathBuf>,
    /// Until when it can be sent: 12h or 30d from now, or unix seconds [default: 1d for what gives, else 7d]
    #[arg(
        long,
        value_name = "WHEN",
        help_heading = "Without ether",
        value_parser = parse::expiry,
        requires = "sign_only"
    )]
    deadline: Option<Expiry>,
    /// Number of the signed call at version 1 of the contract, for one that follows another which was not sent yet
    /// [default: the chain's next]
    #[arg(
        long,
        value_name = "NUMBER",
        help_heading = "Without ether",
        requires = "sign_only"
    )]
    nonce: Option<u64>,
}

/// The document that was written instead.
#[derive(Serialize)]
struct Signed<'a> {
    file: &'a std::path::Path,
    #[serde(flatten)]
    call: &'a RelayCall,
}

impl SignArgs {
    /// Says whether the call is to be signed and not sent.
    pub(crate) fn is_wanted(&self) -> bool {
        self.sign_only.is_some()
    }

    /// The client, which signs instead of sending if that is wanted.
    pub(crate) async fn set(&self, client: Actor) -> anyhow::Result<Actor> {
        let Some(path) = &self.sign_only else {
            return Ok(client);
        };
        if path.exists() {
            return Err(Error::FileExists { path: path.clone() }.into());
        }
        let deadline = match self.deadline {
            None => None,
            Some(Expiry::At(moment)) => Some(moment),
            Some(Expiry::After(seconds)) => {
                Some(client.ledger().await?.now().await? + u64::from(seconds))
            }
        };
        Ok(client.with_signing(Signing {
            nonce: self.nonce,
            deadline,
        }))
    }

    /// Takes the outcome of the command; `None` if the call was signed: then the file is written and reported.
    pub(crate) fn settle<T>(
        &self,
        context: &Context,
        done: Result<Outcome<T>, Error>,
    ) -> anyhow::Result<Option<T>> {
        let (call, file) = match (done?, &self.sign_only) {
            (Outcome::Mined(done), _) => return Ok(Some(done)),
            (Outcome::Signed(call), Some(file)) => (call, file),
            // Only --sign-only has calls signed.
            (Outcome::Signed(_), None) => return Ok(None),
        };
        write_result(file, &call.to_json()?, false)?;
        let text = format!(
            "signed       {} as call {} of {}\nuntil        {} (unix seconds)\nnot sent     pcim relay {}\n",
            call.function,
            call.nonce,
            call.signer,
            call.deadline,
            file.display()
        );
        context.ui.result(&Signed { file, call: &call }, &text)?;
        Ok(None)
    }
}
