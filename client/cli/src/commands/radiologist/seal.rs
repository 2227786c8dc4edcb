//! `pcim radiologist seal`

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use pcim_client::papers::card::Card;
use pcim_client::study::{Inputs, Study};
use pcim_client::{Actor, Error, LeftMail, Overrides, SealOptions, SealedImage, Target};
use pcim_core::date::now;
use pcim_core::{Address, ImageDigest};
use pcim_dicom::deid::{BurnedIn, Report};
use serde::Serialize;

use super::list;
use crate::commands::card::spoken;
use crate::commands::deid::{ProfileArgs, counts, say_skipped};
use crate::commands::reports::{self, Reports};
use crate::commands::{begin_result, end_result, write_result};
use crate::context::{Context, read_card};
use crate::failure::Usage;
use crate::names;
use crate::parse;

/// De-identify, sign and seal images to a patient, and write the handover
///
/// A PATH is a DICOM file, a folder, a DICOMDIR or a zip archive. One file is sealed as it is; the files of a study are
/// sealed together as one tar, with a manifest and a Key Object Selection Document that lists them. Several studies make
/// several images: handover-1.pgp, handover-2.pgp and so on. All files must be of one patient, and nothing is stored
/// before each was found good. The handover is encrypted to the patient, who registers the image with it. If the network names
/// followers, it is left with them too, for the patient's `pcim patient inbox`. Serve the image with `pcim node` until the patient has
/// fetched it.
#[derive(Debug, Args)]
pub(crate) struct SealArgs {
    /// DICOM files (PS3.10), folders, DICOMDIRs, zip archives
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// The patient's contact card
    #[arg(long, value_name = "CARD")]
    to: PathBuf,
    /// Where the handover is written
    #[arg(long, value_name = "HANDOVER", default_value = "handover.pgp")]
    out: PathBuf,
    /// Replace the handover file if it is there
    #[arg(long)]
    force: bool,
    /// Leave out files that are refused, and list them; otherwise the first stops everything
    #[arg(long)]
    skip_refused: bool,
    /// Also seal what the pseudonyms stand for, by itself, to the patient alone; its handover is
    /// written beside the other, as handover.identity.pgp
    #[arg(long, conflicts_with = "no_deid")]
    with_identity: bool,
    /// Seal the files as they are, with everything they tell about the patient
    #[arg(long)]
    no_deid: bool,
    #[command(flatten)]
    profile: ProfileArgs,
    /// Also write what de-identification did to each attribute, as JSON; of a study for each file
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Bytes per leaf in IPFS, such as 256KiB [default: the home's]
    #[arg(long, value_name = "SIZE", value_parser = parse::leaf)]
    chunk: Option<u32>,
    /// Modality and body part codes for the chain, readable by everyone [default: the files' own]
    #[arg(long, value_name = "CODES")]
    description: Option<String>,
    /// Attest as this contract account (ERC-1271), which must accept a signature by this home's key
    ///
    /// For a radiologist whose accredited address is a contract, such as a practice's account. The account is asked for its
    /// consent (`isValidSignature`) before the handover is written, by the patient's client, and by the contract when the
    /// image is registered. One that wants several keys' signatures is not served by this.
    #[arg(long, value_name = "ADDRESS", value_parser = parse::address)]
    attest_as: Option<Address>,
    /// The image that this one replaces, of the same patient
    ///
    /// Named in the signature, which only readers see, and in the handover. `pcim patient history` walks the versions.
    /// For one image at a time: an input of several studies is refused.
    #[arg(value_parser = names::image, long, value_name = "IMAGE")]
    replaces: Option<ImageDigest>,
}

/// The sum of what was done to a study's files.
#[derive(Serialize)]
struct Sum {
    study_instance_uid: String,
    image: String,
    instances: usize,
    report: Option<Report>,
}

/// A sealed image, and where its handovers are.
#[derive(Serialize)]
struct Handed {
    #[serde(flatten)]
    sealed: SealedImage,
    /// What was left with followers.
    #[serde(skip_serializing_if = "Option::is_none")]
    left: Option<LeftMail>,
    #[serde(serialize_with = "pcim_core::text::path")]
    handover: PathBuf,
    #[serde(
        serialize_with = "pcim_core::text::path_if_any",
        skip_serializing_if = "Option::is_none"
    )]
    identity_handover: Option<PathBuf>,
}

impl SealArgs {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let results = [Some(&self.out), self.report.as_ref()];
        self.check_free(results.into_iter().flatten())?;
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
            leave_out: self.skip_refused,
            with_identity: self.with_identity,
            attest_as: self.attest_as,
        };
        let (address, key) = (patient.address, spoken(&patient));
        let text = format!("note: sealing to {address}, OpenPGP key {key}");
        context.ui.note(&text);
        if patient.is_expired(now()) {
            let text = "note: the patient's card is past its end: ask her for a new one";
            context.ui.note(text);
        }
        let inputs = Inputs::gather(&self.paths, self.skip_refused)?;
        say_skipped(context.ui, &inputs);
        let client = context.client_with(own).await?;
        say_unaccredited(context, &client, self.attest_as).await;
        let result = self
            .seal(context, &client, inputs, &patient, &options)
            .await;
        client.shutdown().await;
        let (sealed, text) = result?;
        match &sealed[..] {
            [one] => context.ui.result(one, &text),
            several => context.ui.result(&several, &text),
        }
    }

    async fn seal(
        &self,
        context: &Context,
        client: &Actor,
        inputs: Inputs,
        patient: &Card,
        options: &SealOptions,
    ) -> anyhow::Result<(Vec<Handed>, String)> {
        let file = match &self.report {
            Some(path) => Some(begin_result(path)?),
            None => None,
        };
        let reports = match &file {
            Some(file) => Some(Reports::begin(file.reopen()?)?),
            None => None,
        };
        let tell = reports::sink(context.ui, reports.clone());
        let studies = client.radiologist().studies(inputs, options, tell).await?;
        if self.replaces.is_some() && studies.len() > 1 {
            let text = format!(
                "--replaces is for one image, and these files are {} studies",
                studies.len()
            );
            return Err(Usage(text).into());
        }
        // A single file is looked at when it is sealed, and has a report of its own.
        let single = matches!(&studies[..], [study] if study.uid().is_none());
        let outs: Vec<_> = (1..=studies.len())
            .map(|number| numbered(&self.out, number, studies.len()))
            .collect();
        let identities: Vec<_> = outs.iter().map(|out| identity_path(out)).collect();
        let wanted = identities.iter().filter(|_| self.with_identity);
        self.check_free(outs.iter().chain(wanted))?;

        let (mut all, mut sums, mut text) = (Vec::new(), Vec::new(), String::new());
        for ((study, out), identity) in studies.into_iter().zip(&outs).zip(&identities) {
            let uid = uid_of(&study);
            let [handover, its_identity] = [out, identity].map(|path| Target {
                path: path.clone(),
                overwrite: self.force,
            });
            let sealed = client
                .radiologist()
                .seal_into(study, patient, options, &handover, &its_identity)
                .await?;
            text.push_str(&told(&sealed, out));
            let its_identity = sealed.identity.as_ref().map(|it| it.image);
            let images: Vec<_> = [sealed.image].into_iter().chain(its_identity).collect();
            let left = list::leave(context, client, &images, patient).await?;
            text.extend(left.as_ref().map(list::left_text));
            if let Some(sealed) = &sealed.identity {
                let (image, path) = (sealed.image, identity.display());
                text.push_str(&format!("identity     {image}\nits handover {path}\n"));
            }
            say_burned_in(context, sealed.deidentified.as_ref());
            sums.push(Sum {
                study_instance_uid: uid,
                image: sealed.image.to_string(),
                instances: sealed.instances,
                report: sealed.deidentified.clone(),
            });
            let identity = sealed.identity.as_ref().map(|_| identity.clone());
            all.push(Handed {
                sealed,
                left,
                handover: out.clone(),
                identity_handover: identity,
            });
        }
        if let (Some(path), Some(file), Some(reports)) = (&self.report, file, reports) {
            if !single {
                reports.finish(&sums)?;
                end_result(file, path, self.force)?;
            } else if let Some(report) =
                all.first().and_then(|one| one.sealed.deidentified.as_ref())
            {
                write_result(path, &serde_json::to_vec_pretty(report)?, self.force)?;
            }
        }
        Ok((all, text))
    }

    /// Results that are there are replaced only if that was asked for.
    fn check_free<'a>(&self, mut paths: impl Iterator<Item = &'a PathBuf>) -> anyhow::Result<()> {
        match paths.find(|path| !self.force && path.exists()) {
            Some(path) => Err(Error::FileExists { path: path.clone() }.into()),
            None => Ok(()),
        }
    }
}

/// How long the chain is asked about an accreditation, for sealing does not need the chain.
const ASKING: Duration = Duration::from_secs(5);

/// Says so if the chain tells that the attester is not accredited.
async fn say_unaccredited(context: &Context, client: &Actor, attest_as: Option<Address>) {
    let attester = attest_as.unwrap_or(client.address());
    let asked = async {
        client
            .ledger()
            .await?
            .is_accredited(attester)
            .await
            .map_err(Error::from)
    };
    if let Ok(Ok(false)) = tokio::time::timeout(ASKING, asked).await {
        context.ui.note(&format!(
            "note: {attester} is not accredited: patients cannot register this image until the consortium has named it"
        ));
    }
}

fn uid_of(study: &Study) -> String {
    study.uid().unwrap_or_default().to_owned()
}

fn told(sealed: &SealedImage, out: &Path) -> String {
    let mut text = format!(
        "image        {}\ndescription  {}\nsealed       {} bytes as {} bytes\nhandover     {}\n",
        sealed.image,
        sealed.description,
        sealed.payload_bytes,
        sealed.body_bytes,
        out.display()
    );
    if sealed.instances > 1 {
        text.push_str(&format!("instances    {}\n", sealed.instances));
    }
    if let Some(report) = &sealed.deidentified {
        text.push_str(&counts(report));
    }
    text
}

fn say_burned_in(context: &Context, report: Option<&Report>) {
    if report.is_some_and(|report| report.burned_in == BurnedIn::Unknown) {
        context.ui.note(
            "note: the file does not say whether its pixels show text about the patient: look at them",
        );
    }
}

/// `handover.pgp` for one, `handover-1.pgp` and so on for several.
fn numbered(path: &Path, number: usize, of: usize) -> PathBuf {
    match of {
        1 => path.to_owned(),
        _ => with_mark(path, &format!("-{number}")),
    }
}

/// `handover.identity.pgp`
fn identity_path(path: &Path) -> PathBuf {
    with_mark(path, ".identity")
}

/// A mark before a name's ending.
fn with_mark(path: &Path, mark: &str) -> PathBuf {
    let mut name = path.file_stem().unwrap_or_default().to_owned();
    name.push(mark);
    if let Some(ending) = path.extension() {
        name.push(".");
        name.push(ending);
    }
    path.with_file_name(name)
}
