//! `pcim radiologist seal`

use std::path::PathBuf;

use clap::Args;
use pcim_client::client::{Error, Overrides, SealOptions, Target};
use pcim_client::deid::BurnedIn;
use pcim_client::domain::ImageDigest;

use crate::commands::deid::{ProfileArgs, counts};
use crate::commands::write_result;
use crate::context::{Context, read_card};
use crate::parse;

/// De-identify, sign and seal images to a patient, and write the handover
///
/// One file is sealed as it is; several are the files of one study and are sealed together as one tar.
/// The handover is encrypted to the patient, who registers the image with it. Serve the image with
/// `pcim node` until the patient has fetched it.
#[derive(Debug, Args)]
pub(crate) struct SealArgs {
    /// DICOM files (PS3.10)
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The patient's contact card
    #[arg(long, value_name = "CARD")]
    to: PathBuf,
    /// Where the handover is written
    #[arg(long, value_name = "HANDOVER", default_value = "handover.pgp")]
    out: PathBuf,
    /// Replace the handover file if it is there
    #[arg(long)]
    force: bool,
    /// Seal the files as they are, with everything they tell about the patient
    #[arg(long)]
    no_deid: bool,
    #[command(flatten)]
    profile: ProfileArgs,
    /// Also write what de-identification did to each attribute, as JSON
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Bytes per leaf in IPFS, such as 256KiB [default: the home's]
    #[arg(long, value_name = "SIZE", value_parser = parse::bytes)]
    chunk: Option<u32>,
    /// Modality and body part codes for the chain, readable by everyone [default: the files' own]
    #[arg(long, value_name = "CODES")]
    description: Option<String>,
    /// The image that this one replaces, of the same patient
    ///
    /// Named in the signature, which only readers see, and in the handover. `pcim patient history` walks the versions.
    #[arg(long, value_name = "IMAGE")]
    replaces: Option<ImageDigest>,
}

impl SealArgs {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let results = [Some(&self.out), self.report.as_ref()];
        let taken = results.into_iter().flatten().find(|path| path.exists());
        if let Some(path) = taken.filter(|_| !self.force) {
            let path = path.clone();
            return Err(Error::FileExists { path }.into());
        }
        let own = Overrides {
            chunk_bytes: self.chunk,
            ..Overrides::default()
        };
        let patient = read_card(&self.to)?;
        let options = SealOptions {
            deidentify: !self.no_deid,
            profile: self.profile.profile()?,
            description: self.description.clone(),
            replaces: self.replaces,
        };
        let client = context.client_with(own).await?;
        let target = Target {
            path: self.out.clone(),
            overwrite: self.force,
        };
        let files = self.files.clone();
        let sealed = client.seal_into(files, &patient, &options, &target).await;
        client.shutdown().await;
        let sealed = sealed?;
        if let (Some(path), Some(report)) = (&self.report, &sealed.deidentified) {
            write_result(path, &serde_json::to_vec_pretty(report)?, self.force)?;
        }
        let mut text = format!(
            "image        {}\nseal         {}\ndescription  {}\nsealed       {} bytes as {} bytes\nhandover     {}\n",
            sealed.image,
            sealed.seal,
            sealed.description,
            sealed.payload_bytes,
            sealed.body_bytes,
            self.out.display()
        );
        if let Some(report) = &sealed.deidentified {
            text.push_str(&counts(report));
            if report.burned_in == BurnedIn::Unknown {
                context.ui.note(
                    "note: the file does not say whether its pixels show text about the patient: look at them",
                );
            }
        }
        context.ui.result(&sealed, &text)
    }
}
