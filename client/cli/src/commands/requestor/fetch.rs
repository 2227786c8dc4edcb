//! `pcim requestor fetch`

use std::path::PathBuf;

use clap::Args;
use pcim_client::{FetchedInstances, Selection, Target};
use pcim_core::ImageDigest;

use crate::commands::account::rescue::read_letters;
use crate::commands::patient::open::opened_text;
use crate::commands::transaction;
use crate::context::Context;
use crate::names;

/// Fetch and open an image the patient has approved
///
/// Refused with exit code 4, before anything is fetched, unless the chain authorizes this home now.
/// The file appears only when everything was verified: what was opened carries the radiologist's
/// signature that was attested. A study of several files opens as a folder, once all of it agrees with its
/// manifest; it is kept as a tar if the name after --out ends in .tar. The image's description of itself (modality, body
/// part, date of the study) and its radiologist are recorded in this home, encrypted, for `pcim search`; not those of a
/// study kept as a tar.
///
/// With --instance, --series or --first only those instances are fetched and opened, by the index that the image begins with:
/// each is what the radiologist sealed. The image as a whole is not verified by that, and the result says so. Blocks that
/// were fetched are not fetched again by a later fetch of the whole.
#[derive(Debug, Args)]
pub(crate) struct FetchArgs {
    /// The image
    #[arg(value_parser = names::image)]
    image: ImageDigest,
    /// Where it is written: a file, or the folder of a study
    #[arg(long, value_name = "PATH")]
    out: PathBuf,
    /// Replace the file if it is there
    #[arg(long)]
    force: bool,
    /// A custodian's letter, for an image that an emergency opened; once for each of those that are enough
    #[arg(long, value_name = "LETTER", conflicts_with_all = ["instance", "series", "first", "receipt"])]
    consent: Vec<PathBuf>,
    /// Only the instance of this number, counted from 1 in the order of the study
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), conflicts_with_all = ["series", "first", "receipt"])]
    instance: Option<u32>,
    /// Only the instances of this Series Instance UID, into a folder
    #[arg(long, value_name = "UID", conflicts_with_all = ["first", "receipt"])]
    series: Option<String>,
    /// Only the first instance
    #[arg(long, conflicts_with = "receipt")]
    first: bool,
    /// Also write on the chain that this home has opened the image
    ///
    /// A transaction (`trace_authorization`) sent once the image is here and verified; the file appears when it is mined.
    /// One for each fetch: a fetch that is cut off and given again within a day goes on with the same transaction. The
    /// chain can know that this address was authorized at that moment and said that it opened the image. It cannot know
    /// whether anybody looked, how often, what became of the file, or who opens the image by other means: an authorized
    /// requestor can decrypt it without a receipt, with this program or another. So a receipt shows an access, and a
    /// missing one shows nothing.
    #[arg(long)]
    receipt: bool,
}

impl FetchArgs {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let target = Target {
            path: self.out.clone(),
            overwrite: self.force,
        };
        let consents = read_letters(&self.consent)?;
        let client = context.client().await?;
        if let Some(selection) = self.selection() {
            let requestor = client.requestor();
            let fetched = requestor.fetch_instances(&self.image, &selection, &target);
            let fetched = fetched.await;
            client.shutdown().await;
            let fetched = fetched?;
            return context.ui.result(&fetched, &instances_text(&fetched));
        }
        if self.receipt {
            let fetched = client
                .requestor()
                .fetch_with_receipt(&self.image, &target)
                .await;
            client.shutdown().await;
            let fetched = fetched?;
            let opened = opened_text(&fetched.opened);
            let text = format!("{opened}receipt:\n{}", transaction(&fetched.receipt));
            return context.ui.result(&fetched, &text);
        }
        let opened = match consents.is_empty() {
            true => client.requestor().fetch(&self.image, &target).await,
            false => {
                client
                    .requestor()
                    .fetch_in_emergency(&self.image, &consents, &target)
                    .await
            }
        };
        client.shutdown().await;
        let opened = opened?;
        context.ui.result(&opened, &opened_text(&opened))
    }

    /// The instances that are wanted; none if all of the image is.
    fn selection(&self) -> Option<Selection> {
        if let Some(uid) = &self.series {
            return Some(Selection::Series(uid.clone()));
        }
        let number = self.instance.or(self.first.then_some(1))?;
        Some(Selection::Number(number as usize))
    }
}

/// The lines that tell of instances.
fn instances_text(fetched: &FetchedInstances) -> String {
    let mut text = format!("opened       {}\n", fetched.path.display());
    for instance in &fetched.instances {
        let (number, of) = (instance.number, fetched.of);
        let (bytes, sha256) = (instance.bytes, &instance.sha256);
        text.push_str(&format!(
            "instance     {number} of {of} ({bytes} bytes, sha-256 {sha256})\n"
        ));
    }
    text.push_str(&format!(
        "radiologist  {}\nsigned by    {}\nverified     these instances, by the signed index; not the image as a whole\n",
        fetched.radiologist, fetched.signer
    ));
    text
}
