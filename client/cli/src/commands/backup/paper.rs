//! `pcim backup paper`

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use pcim_client::backup::Keepers;
use pcim_client::papers::sheet::Form;

use super::{Sheets, cards, written};
use crate::context::Context;

/// Back up with two sheets of paper in the place of guardians and followers
///
/// Sheet A, 24 words and a QR code, stands for the guardians; sheet B for the followers. One alone opens nothing; keep them in
/// different places. Sheet A also gives an Ethereum key, whose address is printed: name it as your account's only guardian.
/// Paper helps against loss, not against a thief who has your key.
#[derive(Debug, Args)]
pub(crate) struct PaperArgs {
    /// Contact card of a follower, who gets what is on sheet B as well
    #[arg(long, value_name = "CARD")]
    follower: Vec<PathBuf>,
    /// How the sheets are written
    #[arg(long, value_name = "FORM", value_enum, default_value_t = PaperForm::Html)]
    form: PaperForm,
    /// Folder for the sheets and the backup; made if it is not there
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
}

/// How a sheet is written.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum PaperForm {
    /// A page for a browser, with nothing from elsewhere
    Html,
    /// Text, the QR code of block characters
    Text,
}

impl PaperArgs {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let followers = cards(&self.follower)?;
        let (form, ending) = match self.form {
            PaperForm::Html => (Form::Html, "html"),
            PaperForm::Text => (Form::Text, "txt"),
        };
        let sheet = |name: &str| Some(self.out.join(format!("sheet-{name}.{ending}")));
        let sheets = Sheets {
            a: sheet("a"),
            b: sheet("b"),
        };
        let client = context.client().await?;
        let made = client
            .backups()
            .begin(&Keepers::Paper, &followers, Some(form), false);
        let done = made
            .map_err(anyhow::Error::from)
            .and_then(|made| written(context, &made, &self.out, &sheets))
            .and_then(|()| Ok(client.backups().handed()?));
        client.shutdown().await;
        done
    }
}
