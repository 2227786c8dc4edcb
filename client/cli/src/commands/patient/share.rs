//! `pcim patient share` and `guests`

use clap::Args;
use pcim_client::papers::request::Purpose;
use pcim_core::ImageDigest;
use pcim_core::date::time;
use serde_json::json;

use super::approve::end_of;
use crate::commands::doctor::is_here_only;
use crate::commands::transaction;
use crate::context::Context;
use crate::failure::Usage;
use crate::names;
use crate::parse::{self, Expiry};
use crate::ui::printable;

/// Most characters of what a guest is called.
const MAX_CALLED: usize = 100;

/// Show an image to a guest, who needs no home
///
/// Makes an account and a key for the guest, has the guest's request sent and approves it: two calls, which the network's relay
/// pays, or this home. Prints a link and a PIN: send the link, and tell the PIN by another way. The guest opens the image with
/// `pcim visit`, while `pcim node` runs here at an address that the guest reaches. This node gives its half of the key for the right PIN alone, not
/// after five wrong ones, and not once the chain says that the access ended; `pcim patient revoke` ends it before. A guest keeps what was
/// opened.
#[derive(Debug, Args)]
pub(crate) struct ShareArgs {
    /// The image
    #[arg(value_parser = names::image)]
    image: ImageDigest,
    /// A name of your own for the guest; it stays in this home
    #[arg(long, value_name = "NAME")]
    guest: String,
    /// When the access ends: 12h or 7d from now, a day (2027-01-31, its end in UTC), or a moment
    #[arg(long, value_name = "WHEN", default_value = "7d", value_parser = parse::expiry)]
    expires: Expiry,
    /// The purpose that stands on the chain
    #[arg(long, value_name = "CODE", default_value = "TREAT")]
    purpose: Purpose,
}

/// List the guests of this home's images
///
/// `opened` counts how often this node gave its half of a key; what a guest does with an opened image nobody sees.
#[derive(Debug, Args)]
pub(crate) struct GuestsArgs {}

impl ShareArgs {
    pub(super) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let length = self.guest.chars().count();
        if !(1..=MAX_CALLED).contains(&length) || self.guest.chars().any(char::is_control) {
            let text = format!("--guest takes a name of 1 to {MAX_CALLED} characters");
            return Err(Usage(text).into());
        }
        let client = context.client().await?;
        let until = end_of(self.expires, &client).await?;
        let here = client.node().await?.addresses().await?;
        if !client.home().socket_path().exists() {
            context.ui.note(
                "note: `pcim node` does not run here: the link names where this home listens now, and opens nothing before it runs there",
            );
        }
        let actor = client.unlocked();
        let shared = actor.share_with_guest(&self.image, &self.guest, self.purpose, until);
        let shared = shared.await;
        client.shutdown().await;
        let shared = shared?;
        if is_here_only(&here) {
            context.ui.note(
                "note: the link names no address at which others can reach this node; see `pcim doctor`",
            );
        }
        let approval = &shared.approval;
        let text = format!(
            "link         {}\nPIN          {}\nuntil        {}\naccount      {}\nrequest      {}\n{}",
            *shared.link,
            *shared.pin,
            time(approval.expires_at),
            shared.account,
            shared.request.tx,
            transaction(&approval.written)
        );
        let value = json!({
            "link": *shared.link,
            "pin": *shared.pin,
            "account": shared.account,
            "request": shared.request,
            "approval": approval,
        });
        context.ui.result(&value, &text)
    }
}

impl GuestsArgs {
    pub(super) fn run(&self, context: &Context) -> anyhow::Result<()> {
        let guests = context.reader()?.guests()?;
        let mut text = String::new();
        for guest in &guests {
            text.push_str(&format!(
                "{}\n  account    {}\n  image      {}\n  until      {}\n  opened     {} times{}\n  PIN        {} wrong ones more\n",
                printable(&guest.called),
                guest.account,
                guest.image,
                time(guest.until),
                guest.opened,
                guest.latest.map_or(String::new(), |at| format!(", last {}", time(at))),
                guest.tries
            ));
        }
        if guests.is_empty() {
            text.push_str("no image was shared with a guest");
        }
        context.ui.result(&guests, &text)
    }
}
