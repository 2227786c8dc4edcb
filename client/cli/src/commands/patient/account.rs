//! `pcim patient guardians`, `delegate`, `emergency`, `withdraw`, `restore`, `migrate`

use std::path::{Path, PathBuf};

use clap::Args;
use pcim_client::papers::guardian::{Acceptance, Error as AcceptanceError};
use pcim_client::{Desk, Outcome};
use pcim_core::date::time;
use pcim_core::{Address, ImageDigest};
use pcim_ledger::GuardianSet;

use crate::commands::sign::SignArgs;
use crate::commands::{transaction, write_result};
use crate::context::{Context, actor, read_small};
use crate::failure::Usage;
use crate::names;
use crate::parse::{self, Expiry};

/// Name guardians, who together can hand your account to another key if yours is lost or stolen
///
/// Only a commitment stands on the chain. The file that is written holds what it hides: each guardian needs it to help you,
/// and so does `pcim recover start`. First guardians are in effect at once, later ones after the hours of those before.
#[derive(Debug, Args)]
pub(crate) struct GuardiansArgs {
    /// The guardians' acceptances (`pcim guardian accept`), addresses or contact cards, at most 15
    #[arg(
        value_name = "ACCEPTANCE|ADDRESS|CARD",
        required_unless_present = "none"
    )]
    guardians: Vec<String>,
    /// How many of them must agree
    #[arg(long, value_name = "NUMBER", required_unless_present = "none")]
    threshold: Option<u8>,
    /// Hours that a recovery, a move or other guardians wait: 72 to 720
    #[arg(long, value_name = "HOURS", default_value_t = 168)]
    hours: u16,
    /// Where guardians, threshold and salt are written
    #[arg(long, value_name = "FILE", required_unless_present = "none")]
    out: Option<PathBuf>,
    /// Have no guardians
    #[arg(long, conflicts_with_all = ["guardians", "threshold", "out"])]
    none: bool,
    #[command(flatten)]
    sign: SignArgs,
}

/// Name a delegate, who approves others than himself, denies and removes for you; or end his time
#[derive(Debug, Args)]
pub(crate) struct DelegateArgs {
    /// The delegate's address or contact card
    #[arg(value_name = "ADDRESS|CARD")]
    delegate: String,
    /// When his time ends: 30d from now, or unix seconds
    #[arg(long, value_name = "WHEN", value_parser = parse::expiry, required_unless_present = "off")]
    until: Option<Expiry>,
    /// End his time at once
    #[arg(long, conflicts_with = "until")]
    off: bool,
    #[command(flatten)]
    sign: SignArgs,
}

/// Name the desk that may open your images in an emergency; or end it
///
/// A desk waits your guardians' hours, or 72 without guardians. On the chain an emergency access opens nothing by itself:
/// custodians hold shares of the key. A denial of a requestor before it bars it for him.
#[derive(Debug, Args)]
pub(crate) struct EmergencyArgs {
    /// The desk's address or contact card
    #[arg(value_name = "ADDRESS|CARD", required_unless_present = "off")]
    desk: Option<String>,
    /// The most hours of an emergency access: 1 to 72
    #[arg(long, value_name = "HOURS", default_value_t = 24)]
    hours: u8,
    /// Have no desk, from now on
    #[arg(long, conflicts_with = "desk")]
    off: bool,
    #[command(flatten)]
    sign: SignArgs,
}

/// Stop all access to an image but your own
///
/// Requests and approvals stand, and give nothing until `pcim patient restore`. A reader who has opened the image may have
/// kept it.
#[derive(Debug, Args)]
pub(crate) struct WithdrawArgs {
    /// The image
    #[arg(value_parser = names::image)]
    image: ImageDigest,
    #[command(flatten)]
    sign: SignArgs,
}

/// End a withdrawal: who was approved has access again
#[derive(Debug, Args)]
pub(crate) struct RestoreImageArgs {
    /// The image
    #[arg(value_parser = names::image)]
    image: ImageDigest,
    #[command(flatten)]
    sign: SignArgs,
}

/// Take images over from the contract before this one
///
/// Neither limits nor approvals come with them: requestors ask again. Without IMAGE, all images that this home registered.
#[derive(Debug, Args)]
pub(crate) struct MigrateArgs {
    /// The images
    #[arg(value_name = "IMAGE")]
    images: Vec<ImageDigest>,
}

impl GuardiansArgs {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let client = self.sign.set(context.client().await?).await?;
        let set = match self.none {
            true => None,
            false => Some(self.set(client.patient_address())?),
        };
        // The set that the commitment hides is on the disk before the chain has the commitment: without it the guardians are of no use.
        if let (Some(set), Some(out)) = (&set, &self.out) {
            write_result(out, &serde_json::to_vec_pretty(set)?, false)?;
        }
        let named = client.patient().set_guardians(set, self.hours).await;
        let standing = client.account_of(None).await;
        client.shutdown().await;
        let Some(guarded) = self.sign.settle(context, named)? else {
            return Ok(());
        };
        let mut text = crate::commands::account::text(&standing?);
        if let Some(out) = &self.out {
            text.push_str(&format!("guardians in {}\n", out.display()));
        }
        text.push_str(&transaction(&guarded.written));
        context.ui.result(&guarded, &text)
    }

    fn set(&self, patient: Address) -> anyhow::Result<GuardianSet> {
        let mut guardians = Vec::new();
        for guardian in &self.guardians {
            guardians.push(match accepted(guardian, patient)? {
                Some(accepted) => accepted,
                None => actor(guardian)?,
            });
        }
        let threshold = self.threshold.unwrap_or_default();
        Ok(GuardianSet::draw(guardians, threshold)?)
    }
}

/// The guardian of an acceptance; `None` if it is another file or none.
fn accepted(named: &str, patient: Address) -> anyhow::Result<Option<Address>> {
    let path = Path::new(named);
    if !path.is_file() {
        return Ok(None);
    }
    let json = read_small(path)?;
    // A card is the other file that may be named.
    let (acceptance, _) = match Acceptance::parse(&json) {
        Err(AcceptanceError::Format { .. }) => return Ok(None),
        parsed => parsed?,
    };
    match acceptance.patient == patient {
        true => Ok(Some(acceptance.guardian)),
        false => {
            let of = acceptance.patient;
            let text = format!("{named}: accepted to be the guardian of {of}, not of {patient}");
            Err(Usage(text).into())
        }
    }
}

impl DelegateArgs {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let delegate = actor(&self.delegate)?;
        let client = self.sign.set(context.client().await?).await?;
        let until = match self.until {
            None => 0,
            Some(Expiry::At(moment)) => moment,
            Some(Expiry::After(seconds)) => {
                client.ledger().await?.now().await? + u64::from(seconds)
            }
        };
        let named = client.patient().set_delegate(delegate, until).await;
        client.shutdown().await;
        let Some(written) = self.sign.settle(context, named)? else {
            return Ok(());
        };
        let end = match until {
            0 => "ended".to_owned(),
            until => format!("until {}", time(until)),
        };
        let text = format!("delegate     {delegate}, {end}\n{}", transaction(&written));
        context.ui.result(&written, &text)
    }
}

impl EmergencyArgs {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let address = self.desk.as_deref().map(actor).transpose()?;
        let hours = self.hours;
        let desk = address.map(|address| Desk { address, hours });
        let client = self.sign.set(context.client().await?).await?;
        let named = client.patient().set_desk(desk).await;
        let standing = client.account_of(None).await;
        client.shutdown().await;
        let Some(written) = self.sign.settle(context, named)? else {
            return Ok(());
        };
        let account = crate::commands::account::text(&standing?);
        context
            .ui
            .result(&written, &format!("{account}{}", transaction(&written)))
    }
}

impl WithdrawArgs {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let client = self.sign.set(context.client().await?).await?;
        let withdrawn = client.patient().withdraw(&self.image).await;
        client.shutdown().await;
        let Some(written) = self.sign.settle(context, withdrawn)? else {
            return Ok(());
        };
        let text = format!("withdrawn    {}\n{}", self.image, transaction(&written));
        context.ui.result(&written, &text)
    }
}

impl RestoreImageArgs {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let client = self.sign.set(context.client().await?).await?;
        let restored = client.patient().restore(&self.image).await;
        client.shutdown().await;
        let Some(written) = self.sign.settle(context, restored)? else {
            return Ok(());
        };
        let text = format!("restored     {}\n{}", self.image, transaction(&written));
        context.ui.result(&written, &text)
    }
}

impl MigrateArgs {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let client = context.client().await?;
        let predecessor = client.ledger().await?.predecessor().await?;
        let Some(predecessor) = predecessor else {
            let text = "this contract names no predecessor to take images over from".to_owned();
            return Err(Usage(text).into());
        };
        let images = match self.images.is_empty() {
            false => self.images.clone(),
            true => client.registered_images()?,
        };
        let mut done = Vec::new();
        let mut text = format!("from         {predecessor}\n");
        for image in images {
            match client.patient().import(&image).await? {
                Some(Outcome::Mined(written)) => {
                    text.push_str(&format!("image        {image}\n{}", transaction(&written)));
                    done.push(written);
                }
                _ => text.push_str(&format!("here already {image}\n")),
            }
        }
        client.shutdown().await;
        context.ui.result(&done, &text)
    }
}
