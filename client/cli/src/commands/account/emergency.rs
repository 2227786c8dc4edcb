//! `pcim emergency`, `pcim custodian drill`

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use pcim_client::papers::emergency::drill::EmergencyDrill;
use pcim_client::{DrillStanding, EmergencyDrilled};

use super::rescue::read_letters;
use crate::commands::write_result;
use crate::context::{Context, read_small};
use crate::failure::{EmergencyWouldFail, Usage};
use crate::names;

/// The commands about emergencies.
#[derive(Debug, Subcommand)]
pub(crate) enum EmergencyCommand {
    Drill(EmergencyDrillArgs),
}

/// Find out whether your desk and custodians could open your images in an emergency, without opening anything
///
/// With --out, writes a drill: send it to desk and custodians, who answer with `pcim custodian drill`. With the drill and the answers, says
/// for each image how many shares opened. No share is given and none are brought together. Do it four times a year.
#[derive(Debug, Args)]
pub(crate) struct EmergencyDrillArgs {
    /// Where the drill is written
    #[arg(long, value_name = "FILE", conflicts_with_all = ["drill", "answers"])]
    out: Option<PathBuf>,
    /// The drill that was answered
    #[arg(long, value_name = "FILE", required_unless_present = "out")]
    drill: Option<PathBuf>,
    /// The answers
    #[arg(value_name = "ANSWER")]
    answers: Vec<PathBuf>,
}

/// Answer a patient's drill, as her custodian or as her desk
///
/// Opens your shares of the images' keys, checks them, and says which opened, to the key that acts for her and to no other. The shares are
/// not given.
#[derive(Debug, Args)]
pub(crate) struct CustodianDrillArgs {
    /// The drill that `pcim emergency drill` wrote
    #[arg(value_name = "FILE")]
    drill: PathBuf,
    /// Where the answer is written
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

impl EmergencyCommand {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let Self::Drill(args) = self;
        match (&args.out, &args.drill) {
            (Some(out), _) => begin(context, out).await,
            (None, Some(drill)) => args.judge(context, drill).await,
            (None, None) => Err(Usage("give --out, or --drill and the answers".to_owned()).into()),
        }
    }
}

impl EmergencyDrillArgs {
    async fn judge(&self, context: &Context, drill: &Path) -> anyhow::Result<()> {
        let (drill, _) = EmergencyDrill::parse(&read_small(drill)?)?;
        let answers = read_letters(&self.answers)?;
        let client = context.client().await?;
        let judged = client
            .patient()
            .judge_emergency_drill(&drill, &answers)
            .await;
        client.shutdown().await;
        let judged = judged?;
        context.ui.result(&judged, &text(&judged))?;
        match judged.standing {
            DrillStanding::WouldFail => Err(EmergencyWouldFail.into()),
            DrillStanding::Good | DrillStanding::Close => Ok(()),
        }
    }
}

async fn begin(context: &Context, out: &Path) -> anyhow::Result<()> {
    let client = context.client().await?;
    let drill = client.patient().emergency_drill().await;
    client.shutdown().await;
    let drill = drill?;
    write_result(out, &serde_json::to_vec_pretty(&drill)?, false)?;
    let text = format!(
        "patient      {}\nimages       {}\ndrill        {}\n",
        drill.patient,
        drill.images.len(),
        out.display()
    );
    context.ui.result(&drill, &text)
}

impl CustodianDrillArgs {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let (drill, to) = EmergencyDrill::parse(&read_small(&self.drill)?)?;
        let client = context.client().await?;
        let answered = client.unlocked().answer_emergency_drill(&drill, &to).await;
        client.shutdown().await;
        let answered = answered?;
        write_result(&self.out, &answered.letter, false)?;
        let mut text = format!("patient      {}\n", answered.patient);
        for image in &answered.opened {
            text.push_str(&format!("share opens  {image}\n"));
        }
        for failed in &answered.failed {
            let why = crate::ui::printable(&failed.why);
            text.push_str(&format!("no share     {}: {why}\n", failed.image));
        }
        text.push_str(&format!("answer       {}\n", self.out.display()));
        context.ui.result(&answered, &text)
    }
}

/// A drill, for people.
fn text(drilled: &EmergencyDrilled) -> String {
    let desk = match (drilled.desk, drilled.desk_answered) {
        (None, _) => "none is named".to_owned(),
        (Some(desk), true) => format!("{} answered", names::shown(desk)),
        (Some(desk), false) => format!("{} did not answer", names::shown(desk)),
    };
    let mut text = format!("desk         {desk}\n");
    for who in &drilled.answered {
        text.push_str(&format!("answered     {}\n", names::shown(*who)));
    }
    for who in &drilled.absent {
        text.push_str(&format!("no answer    {}\n", names::shown(*who)));
    }
    let threshold = drilled.threshold;
    for image in &drilled.images {
        let (image, opened) = (image.image, image.opened);
        text.push_str(&format!(
            "image        {image}: {opened} shares open; {threshold} are needed\n"
        ));
    }
    text.push_str(match drilled.standing {
        DrillStanding::Good => {
            "result       emergency access would work, with one of them less too\n"
        }
        DrillStanding::Close => "result       emergency access would work, with nobody to spare\n",
        DrillStanding::WouldFail => "result       emergency access would NOT work\n",
    });
    text
}
