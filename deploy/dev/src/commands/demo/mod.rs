//! `pcim-dev demo`

mod report;
mod scene;
mod story;

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context as _;
use clap::Args;

use pcim_terminal::failure::Usage;
use pcim_terminal::ui::Ui;
use report::Timeline;
use scene::Scene;

/// A small real image for those who bring none.
const BUNDLED: &[u8] = include_bytes!("../../../../../client/cli/assets/demo.dcm");
/// The bundled image's name.
const BUNDLED_NAME: &str = "demo.dcm";

/// Walk one image through the whole protocol, on a chain and nodes of its own
///
/// Starts a development chain and deploys the contract; makes a consortium, a radiologist, a patient and
/// two requestors, each with a home and an IPFS node of their own, who pass each other nothing but files,
/// blocks and transactions. Then the story of the paper's Figures 4 to 9: create, two requests, one approval, one
/// denial, traces, fetching and opening, refusal, removal.
#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// DICOM file to use instead of the bundled one; several are one study, sealed together as one tar
    #[arg(long, value_name = "FILE")]
    image: Vec<PathBuf>,
    /// Seal the files as they are; what is opened then equals what was given, byte for byte
    #[arg(long)]
    no_deid: bool,
    /// Keep the homes, the chain's state and the files in this directory, which must be new or empty
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
}

impl DemoArgs {
    pub(crate) async fn run(&self, ui: Ui) -> anyhow::Result<()> {
        let started = Instant::now();
        let stage = Stage::new(self.keep.as_deref())?;
        let (name, files) = self.files(stage.dir())?;
        let mut report = Timeline::new(ui, name, started);
        let mut scene = Scene::set(stage.dir(), self.keep.is_some(), &mut report).await?;
        let told = story::tell(&mut scene, files, !self.no_deid, stage.dir(), &mut report).await;
        scene.clear().await;
        report.finish(told?, self.keep.as_deref())
    }

    /// The image's name for the report, and its files.
    fn files(&self, dir: &Path) -> anyhow::Result<(String, Vec<PathBuf>)> {
        if self.image.is_empty() {
            let path = dir.join(BUNDLED_NAME);
            std::fs::write(&path, BUNDLED).with_context(|| path.display().to_string())?;
            return Ok((BUNDLED_NAME.to_owned(), vec![path]));
        }
        let names: Vec<_> = self
            .image
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        Ok((names.join(", "), self.image.clone()))
    }
}

/// Where everything happens: kept, or gone afterwards.
enum Stage {
    Kept(PathBuf),
    Temporary(tempfile::TempDir),
}

impl Stage {
    fn new(keep: Option<&Path>) -> anyhow::Result<Self> {
        let Some(dir) = keep else {
            let dir = tempfile::Builder::new().prefix("pcim-demo-").tempdir();
            return Ok(Self::Temporary(dir.context("no temporary directory")?));
        };
        let at = || dir.display().to_string();
        std::fs::create_dir_all(dir).with_context(at)?;
        if std::fs::read_dir(dir).with_context(at)?.next().is_some() {
            let text = format!(
                "{} is not empty: --keep wants a new directory",
                dir.display()
            );
            return Err(Usage(text).into());
        }
        Ok(Self::Kept(dir.to_owned()))
    }

    fn dir(&self) -> &Path {
        match self {
            Self::Kept(dir) => dir,
            Self::Temporary(dir) => dir.path(),
        }
    }
}
