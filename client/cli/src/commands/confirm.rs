//! `--yes` and `--dry-run`: a look before what cannot be undone, or is many at once.

use clap::Args;
use serde_json::json;

use crate::context::Context;
use crate::failure::Usage;

/// The options of a command that asks before it acts.
#[derive(Debug, Args)]
pub(crate) struct ConfirmArgs {
    /// Do it without asking
    #[arg(long, conflicts_with = "dry_run")]
    yes: bool,
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
}

impl ConfirmArgs {
    /// Asks whether what cannot be undone is to be done; without a terminal only --yes says so. False if nothing is to be done.
    pub(crate) fn for_good(&self, context: &Context, what: &str) -> anyhow::Result<bool> {
        let answer = self.ask(context, what)?;
        let unasked = || {
            let text =
                format!("{what}: it cannot be undone, and there is no terminal to ask: give --yes");
            Usage(text).into()
        };
        answer.ok_or_else(unasked)
    }

    /// Asks whether many things at once are to be done, where there is a terminal. False if nothing is to be done.
    pub(crate) fn of_many(&self, context: &Context, what: &str) -> anyhow::Result<bool> {
        Ok(self.ask(context, what)?.unwrap_or(true))
    }

    /// The answer; none if nobody can be asked.
    fn ask(&self, context: &Context, what: &str) -> anyhow::Result<Option<bool>> {
        if self.dry_run {
            let text = format!("would do     {what}\nnothing was done\n");
            context
                .ui
                .result(&json!({ "would": what, "done": false }), &text)?;
            return Ok(Some(false));
        }
        if self.yes {
            return Ok(Some(true));
        }
        let Some(answer) = context.ui.ask(&format!("{what}. Type yes to do it: "))? else {
            return Ok(None);
        };
        if answer != "yes" {
            context.ui.note("nothing was done");
        }
        Ok(Some(answer == "yes"))
    }
}
