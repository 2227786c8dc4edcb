//! `pcim recover drill`

use std::path::{Path, PathBuf};

use clap::Args;
use pcim_client::papers::guardian::{Drill, DrillAnswer};
use pcim_client::{DrillStanding, Drilled};

use super::read_set;
use crate::commands::write_result;
use crate::context::{Context, read_small};
use crate::failure::{Usage, WouldFail};

/// Find out whether your guardians could help you, without doing anything
///
/// With --out, writes a drill: send it to each guardian, who answers with `pcim guardian drill`. With the drill and the answers,
/// says whether a recovery by those who answered would work, and whether they still have their shares of your backup. Shares are
/// not brought together. Do it once a year, and after `pcim patient guardians`.
#[derive(Debug, Args)]
pub(crate) struct RecoverDrillArgs {
    /// Where the drill is written
    #[arg(long, value_name = "FILE", conflicts_with_all = ["drill", "set", "answers"])]
    out: Option<PathBuf>,
    /// The drill that was answered
    #[arg(long, value_name = "FILE", required_unless_present = "out", requires_all = ["set", "answers"])]
    drill: Option<PathBuf>,
    /// The guardians with threshold and salt
    #[arg(long, value_name = "FILE")]
    set: Option<PathBuf>,
    /// The answers
    #[arg(value_name = "ANSWER")]
    answers: Vec<PathBuf>,
}

impl RecoverDrillArgs {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        match (&self.out, &self.drill, &self.set) {
            (Some(out), ..) => begin(context, out).await,
            (None, Some(drill), Some(set)) => self.judge(context, drill, set).await,
            _ => Err(Usage("give --out, or --drill, --set and the answers".to_owned()).into()),
        }
    }

    async fn judge(&self, context: &Context, drill: &Path, set: &Path) -> anyhow::Result<()> {
        let drill = Drill::parse(&read_small(drill)?)?;
        let set = read_set(set)?;
        let mut answers = Vec::new();
        for path in &self.answers {
            answers.push(DrillAnswer::parse(&read_small(path)?, &drill)?);
        }
        let client = context.client().await?;
        let judged = client.patient().judge_drill(&drill, &set, &answers).await;
        client.shutdown().await;
        let judged = judged?;
        context.ui.result(&judged, &text(&judged))?;
        match judged.standing {
            DrillStanding::WouldFail => Err(WouldFail.into()),
            DrillStanding::Good | DrillStanding::Close => Ok(()),
        }
    }
}

async fn begin(context: &Context, out: &Path) -> anyhow::Result<()> {
    let client = context.reader()?;
    let drill = client.drill().await?;
    write_result(out, &serde_json::to_vec_pretty(&drill)?, false)?;
    let text = format!(
        "patient      {}\ndrill        {}\n",
        drill.terms.patient,
        out.display()
    );
    context.ui.result(&drill, &text)
}

/// A drill, for people.
fn text(drilled: &Drilled) -> String {
    let mut text = String::new();
    for who in &drilled.agreed {
        text.push_str(&format!("agreed       {who}\n"));
    }
    for who in &drilled.absent {
        text.push_str(&format!("no answer    {who}\n"));
    }
    for who in &drilled.damaged {
        text.push_str(&format!("other share  {who}\n"));
    }
    let (agreed, threshold) = (drilled.agreed.len(), drilled.threshold);
    text.push_str(&format!("agreements   {agreed}; {threshold} are needed\n"));
    if let Some(threshold) = drilled.shares_threshold {
        let shares = drilled.shares.len();
        text.push_str(&format!("shares       {shares}; {threshold} are needed\n"));
    }
    if let Some(why) = &drilled.refused {
        text.push_str(&format!("refused      {why}\n"));
    }
    text.push_str(match drilled.standing {
        DrillStanding::Good => "result       a recovery would work, with one of them less too\n",
        DrillStanding::Close => "result       a recovery would work, with nobody to spare\n",
        DrillStanding::WouldFail => "result       a recovery would NOT work\n",
    });
    text
}
