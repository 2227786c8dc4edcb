//! Images and requestors on a command line or in a file.

use std::path::PathBuf;

use clap::Args;
use pcim_client::Endings;
use pcim_core::{Address, ImageDigest};

use crate::commands::confirm::ConfirmArgs;
use crate::commands::sign::SignArgs;
use crate::commands::{Finality, Taken, transaction};
use crate::context::{Context, read_small};
use crate::failure::Usage;
use crate::names;

/// The images and requestors of a decision.
#[derive(Debug, Args)]
pub(crate) struct Pairs {
    /// The image and the requestor; more such pairs may follow
    #[arg(value_name = "IMAGE REQUESTOR")]
    pairs: Vec<String>,
    /// Take the pairs from this file, one `IMAGE REQUESTOR` to a line
    #[arg(long, value_name = "FILE", conflicts_with_all = ["pairs", "sign_only"])]
    file: Option<PathBuf>,
    #[command(flatten)]
    confirm: ConfirmArgs,
}

impl Pairs {
    /// Says whether they are in a file.
    pub(crate) fn in_file(&self) -> bool {
        self.file.is_some()
    }

    /// Asks, where there is a terminal, whether several pairs are to be decided on at once. False if nothing is to be done.
    pub(crate) fn confirmed(
        &self,
        context: &Context,
        what: &str,
        pairs: &[(ImageDigest, Address)],
    ) -> anyhow::Result<bool> {
        let listed = pairs
            .iter()
            .map(|(image, requestor)| format!("\n  {image}  {requestor}"));
        let listed = listed.collect::<String>();
        match pairs.len() {
            0 | 1 => Ok(true),
            count => self
                .confirm
                .of_many(context, &format!("{what} {count} pairs:{listed}\n")),
        }
    }

    /// The pairs, of which there is at least one; just one if they are to be signed.
    pub(crate) fn read(&self, sign: &SignArgs) -> anyhow::Result<Vec<(ImageDigest, Address)>> {
        let mut words: Vec<String> = self.pairs.clone();
        if let Some(file) = &self.file {
            let text = String::from_utf8(read_small(file)?)
                .map_err(|_| Usage(format!("{}: not text", file.display())))?;
            words = text.split_whitespace().map(str::to_owned).collect();
        }
        let pairs = words.chunks(2).map(pair).collect::<Result<Vec<_>, _>>();
        let pairs = pairs.map_err(Usage)?;
        let wrong = match pairs.len() {
            0 => "no image and requestor are named",
            2.. if sign.is_wanted() => "--sign-only signs one decision at a time",
            _ => return Ok(pairs),
        };
        Err(Usage(wrong.to_owned()).into())
    }
}

fn pair(words: &[String]) -> Result<(ImageDigest, Address), String> {
    let [image, requestor] = words else {
        return Err(format!(
            "`{}` names no requestor: wanted IMAGE REQUESTOR",
            words.concat()
        ));
    };
    let image = names::image(image).map_err(|error| format!("`{image}`: {error}"))?;
    let requestor = names::person(requestor).map_err(|error| format!("`{requestor}`: {error}"))?;
    Ok((image, requestor))
}

/// Shows what one transaction ended.
pub(crate) fn shown(
    what: &str,
    context: &Context,
    endings: &Endings,
    finality: Finality,
) -> anyhow::Result<()> {
    let mut text = String::new();
    for ending in &endings.ended {
        text.push_str(&format!(
            "{what:<13}{}\nimage        {}\n\n",
            names::shown(ending.requestor),
            ending.image
        ));
    }
    text.push_str(&transaction(&endings.written));
    text.push_str(finality.line());
    let what = endings;
    let finality = Some(finality);
    context.ui.result(&Taken { what, finality }, &text)
}
