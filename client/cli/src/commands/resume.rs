//! `pcim resume`

use clap::Args;
use pcim_client::{Fate, Resumed};

use crate::context::Context;
use crate::failure::StillUnfinished;

/// Finish or roll back what earlier commands left unfinished
///
/// After a crash, a power cut or a kill. A transaction that was signed is sent and seen through, never signed again; what an
/// operation stored before it came to its transaction is dropped; a handover that was sealed is written; an image that was
/// being sealed again is. A removal that is not final yet is looked after: if a reorganisation of the chain took it back, it is
/// sent again. Half-written files are deleted. Work that cannot be finished now (the chain's node does not
/// answer) is kept for the next time, with exit code 1. Nothing is done where nothing is unfinished.
#[derive(Debug, Args)]
pub(crate) struct ResumeArgs {}

impl ResumeArgs {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let reader = context.reader()?;
        let (unfinished, needs_keys) = reader.unfinished()?;
        let resumed = match needs_keys {
            true => {
                reader.shutdown().await;
                let actor = context.client().await?;
                let resumed = actor.unlocked().resume_all().await;
                actor.shutdown().await;
                resumed
            }
            false => {
                let resumed = reader.resume_all().await;
                reader.shutdown().await;
                resumed
            }
        };
        let resumed = resumed?;
        let mut text: String = resumed.iter().map(line).collect();
        if unfinished == 0 {
            text.push_str("nothing is unfinished\n");
        }
        context.ui.result(&resumed, &text)?;
        match resumed.iter().find(|it| it.fate == Fate::Waiting) {
            Some(waiting) => Err(StillUnfinished {
                operation: waiting.operation.clone(),
                why: waiting.note.clone().unwrap_or_default(),
            }
            .into()),
            None => Ok(()),
        }
    }
}

fn line(resumed: &Resumed) -> String {
    let fate = match resumed.fate {
        Fate::Finished => "finished   ",
        Fate::RolledBack => "rolled back",
        Fate::Waiting => "unfinished ",
        Fate::NotFinal => "not final  ",
    };
    let mut line = format!("{fate}  {}  {}", resumed.operation, resumed.about.join(" "));
    if let Some(tx) = &resumed.tx {
        line.push_str(&format!("  transaction {tx}"));
    }
    if let Some(note) = &resumed.note {
        line.push_str(&format!("  {}", crate::ui::printable(note)));
    }
    line.push('\n');
    line
}
