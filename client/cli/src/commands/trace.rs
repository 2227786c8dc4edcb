//! `pcim trace`

use clap::Args;
use pcim_core::{Address, ImageDigest};

use super::sign::SignArgs;
use super::transaction;
use crate::context::Context;
use crate::failure::NotAuthorized;
use crate::names;
use crate::parse;

/// Write on the chain whether a requestor is authorized
///
/// Only the requestor and the image's patient may. The exit code is 0 for yes and 4 for no; either way
/// the transaction was sent. The free view of the same truth is `pcim requestor status`.
#[derive(Debug, Args)]
pub(crate) struct TraceArgs {
    /// The image
    #[arg(value_parser = names::image)]
    image: ImageDigest,
    /// The requestor [default: this home]
    #[arg(long, alias = "requester", value_name = "ADDRESS", value_parser = parse::address)]
    requestor: Option<Address>,
    #[command(flatten)]
    sign: SignArgs,
}

impl TraceArgs {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let client = self.sign.set(context.client().await?).await?;
        let requestor = self.requestor.unwrap_or(client.address());
        let traced = client.unlocked().trace(&self.image, requestor).await;
        let Some(traced) = self.sign.settle(context, traced)? else {
            return Ok(());
        };
        let answer = match traced.authorized {
            true => "authorized",
            false => "not authorized",
        };
        let text = format!("answer       {answer}\n{}", transaction(&traced.written));
        context.ui.result(&traced, &text)?;
        match traced.authorized {
            true => Ok(()),
            false => Err(NotAuthorized(format!("{requestor} is not authorized")).into()),
        }
    }
}
