//! `pcim visit`

use std::path::{Path, PathBuf};

use clap::Args;
use pcim_client::Target;
use pcim_client::guest::visit::visit;
use pcim_client::papers::guest::{Link, MAX_LINK};
use pcim_core::private::read_limited;
use zeroize::Zeroizing;

use crate::commands::patient::open::opened_text;
use crate::context::{Context, read_secret};
use crate::failure::Usage;

/// Open an image that a patient shared by a link, without a home
///
/// The link leads to the patient's node, which gives the rest for the PIN. The network's file is verified, and so is what was opened: it
/// carries the signature of the radiologist who is named. Nothing stays here but the opened image. Others on this machine see what a command is
/// given: a file with the link in it is taken, too.
#[derive(Debug, Args)]
pub(crate) struct VisitArgs {
    /// The link, or a file that holds it
    #[arg(value_name = "LINK|FILE")]
    link: String,
    /// A file (0600) with the PIN; without it you are asked
    #[arg(long, value_name = "FILE")]
    pin_file: Option<PathBuf>,
    /// Where the image is written: a file, or the folder of a study
    #[arg(long, value_name = "PATH")]
    out: PathBuf,
    /// Replace the file if it is there
    #[arg(long)]
    force: bool,
}

impl VisitArgs {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let link = self.link().map_err(pcim_client::Error::from)?;
        let pin = self.pin(context)?;
        let target = Target {
            path: self.out.clone(),
            overwrite: self.force,
        };
        let opened = visit(&link, &pin, &target, context.limits()).await?;
        context.ui.result(&opened, &opened_text(&opened))
    }

    fn link(&self) -> Result<Link, pcim_client::papers::guest::Error> {
        let path = Path::new(&self.link);
        let text = match path.is_file() {
            true => read_limited(path, MAX_LINK)
                .ok()
                .and_then(|bytes| String::from_utf8(bytes).ok()),
            false => None,
        };
        Link::read(&Zeroizing::new(text.unwrap_or_else(|| self.link.clone())))
    }

    fn pin(&self, context: &Context) -> anyhow::Result<Zeroizing<String>> {
        let read = match &self.pin_file {
            Some(path) => {
                let bytes = read_secret(path)?;
                Some(Zeroizing::new(String::from_utf8_lossy(&bytes).into_owned()))
            }
            None => context.ui.ask_secret("PIN: ")?,
        };
        let missing = || Usage("no terminal to ask for the PIN: give --pin-file".to_owned());
        let pin = read.ok_or_else(missing)?;
        Ok(Zeroizing::new(pin.trim().to_owned()))
    }
}
