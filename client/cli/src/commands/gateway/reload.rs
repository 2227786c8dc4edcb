//! `pcim gateway reload`

use clap::Args;
use pcim_gateway::{Reply, Request, ask};

use crate::context::Context;
use crate::failure::FromInbox;

/// Have the running gateway read its configuration, rules and certificates again
///
/// Associations, requests and studies that begin from then on go by them: peers, tokens, origins, rules, TLS, quiet time. Settings that need a restart are named.
/// A configuration that does not read leaves everything as it is. SIGHUP does the same.
#[derive(Debug, Args)]
pub(crate) struct ReloadArgs {}

impl ReloadArgs {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let home = context.home_dir()?;
        match ask(&home, &Request::Reload {}).await? {
            None => Err(FromInbox {
                why: "no gateway of this home runs".to_owned(),
                hints: vec!["start it with `pcim gateway`: it reads them then".to_owned()],
            }
            .into()),
            Some(Reply::Reloaded(reloaded)) => {
                let (rules, patients) = (reloaded.rules, reloaded.patients);
                let mut text = format!("read again: {rules} rules, {patients} patients\n");
                for name in &reloaded.at_next_start {
                    text.push_str(&format!("at the next start: {name}\n"));
                }
                context.ui.result(&reloaded, &text)
            }
            Some(Reply::Refused { why, hints }) => Err(FromInbox { why, hints }.into()),
            Some(_) => Err(super::another_answer()),
        }
    }
}
