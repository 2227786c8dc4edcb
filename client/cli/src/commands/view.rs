//! `pcim view`

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use pcim_client::{Actor, Error as ClientError};
use pcim_core::ImageDigest;
use pcim_dicom::lettering::framed;
use pcim_dicom::view::{self, Image, Picture, Protocol, Window, sheet};
use serde::Serialize;
use zeroize::Zeroizing;

use crate::commands::deid::found;
use crate::commands::write_result;
use crate::context::Context;
use crate::failure::Usage;
use crate::names;
use crate::ui::printable;

/// Most bytes of one file, and of an image that is opened in memory.
const MAX_BYTES: u64 = 1 << 30;
/// Most files of a directory.
const MAX_FILES: usize = 100_000;
/// Most folders within each other.
const MAX_DEPTH: usize = 16;
/// Most tiles of a sheet; of more instances or frames some are left out, evenly.
const MAX_TILES: usize = 400;
/// The edge of a tile, in pixels.
const TILE: usize = 160;

/// Look at an image: a frame as PNG, a contact sheet of a series, a preview in the terminal
///
/// Shown as the file says: its VOI LUT or window, else from the least value to the greatest. A digest names an image of
/// your own, or one that you are approved for, which is opened in memory: nothing of it touches the disk but the PNG, and
/// ciphertext on this home's node. One instance of a study is fetched and verified by the study's signed index, without the
/// rest of it; a sheet, and an image without an index, needs all of it. A PNG shows what the pixels show, and so who it is if
/// their text says it. Overlays and presentation states are not applied.
#[derive(Debug, Args)]
pub(crate) struct ViewArgs {
    /// A DICOM file, a tar of such, a directory (with --sheet), or the digest of an image
    #[arg(value_name = "FILE|IMAGE|DIR")]
    source: String,
    /// The PNG
    #[arg(long, value_name = "FILE.png")]
    out: Option<PathBuf>,
    /// Replace the PNG if it is there
    #[arg(long)]
    force: bool,
    /// The frame, counted from 1
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    frame: u32,
    /// The file of a study, counted from 1 in the order of the archive
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    instance: u32,
    /// Values to show, after rescaling (Hounsfield units of a CT), such as 40,400
    #[arg(long, value_name = "CENTER,WIDTH", allow_hyphen_values = true)]
    window: Option<Window>,
    /// A contact sheet: every frame and file, by series and instance number
    #[arg(long, conflicts_with_all = ["frame", "instance"])]
    sheet: bool,
    /// Draw boxes around text that is found; needs --text-model
    #[arg(long, requires = "text_model", conflicts_with = "sheet")]
    text_boxes: bool,
    /// The model that finds text, as for `pcim deid`
    #[arg(long, value_name = "FILE")]
    text_model: Option<PathBuf>,
    /// Show it in the terminal by kitty, iterm2 or sixel [default: what the terminal is known for, without --out]
    #[arg(long, value_name = "PROTOCOL")]
    inline: Option<Protocol>,
}

/// The rendered picture.
#[derive(Debug, Serialize)]
struct Viewed {
    /// The PNG, if one was written.
    #[serde(serialize_with = "pcim_core::text::path_if_any")]
    out: Option<PathBuf>,
    /// In pixels.
    width: usize,
    height: usize,
    /// Frames of the file; of a sheet, its tiles.
    frames: usize,
    /// Files and frames of a sheet that could not be shown.
    refused: Vec<String>,
}

impl ViewArgs {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let protocol = self.protocol(context)?;
        let path = Path::new(&self.source);
        let digest = match path.exists() {
            true => None,
            false => names::image(&self.source).ok(),
        };
        let mut refused = Vec::new();
        let (picture, frames) = match digest {
            Some(image) => {
                let (payload, number) = self.opened(context, &image).await?;
                self.of_payload(&payload, number, &mut refused)?
            }
            None if path.is_dir() => self.of_directory(path, &mut refused)?,
            None => self.of_payload(&read(path)?, self.instance, &mut refused)?,
        };
        for reason in &refused {
            context.ui.note(&format!("left out: {reason}"));
        }
        if let Some(out) = &self.out {
            write_result(out, &picture.png(), self.force)?;
        }
        if let Some(protocol) = protocol {
            context.ui.picture(&view::inline(&picture, protocol))?;
        }
        let Some(out) = self.out.clone() else {
            return Ok(());
        };
        let text = format!(
            "picture      {} ({} × {})\nframes       {frames}\n",
            out.display(),
            picture.width(),
            picture.height()
        );
        let viewed = Viewed {
            out: Some(out),
            width: picture.width(),
            height: picture.height(),
            frames,
            refused,
        };
        context.ui.result(&viewed, &text)
    }

    /// How the terminal is to show it; none if it is not to.
    fn protocol(&self, context: &Context) -> anyhow::Result<Option<Protocol>> {
        let terminal = context.ui.shows_pictures();
        let protocol = match (self.inline, &self.out) {
            (Some(_), _) if !terminal => {
                return Err(Usage(
                    "--inline needs a terminal for standard output, and no --json".to_owned(),
                )
                .into());
            }
            (Some(protocol), _) => Some(protocol),
            (None, Some(_)) => None,
            (None, None) => detected(|name| std::env::var(name).ok()).filter(|_| terminal),
        };
        if protocol.is_none() && self.out.is_none() {
            let text = "give --out FILE.png: this terminal is not known to show pictures (or name its --inline protocol)";
            return Err(Usage(text.to_owned()).into());
        }
        Ok(protocol)
    }

    /// Opens what is needed of an image; tells the number that the instance has in it.
    async fn opened(
        &self,
        context: &Context,
        image: &ImageDigest,
    ) -> anyhow::Result<(Zeroizing<Vec<u8>>, u32)> {
        let client = context.client().await?;
        let opened = match self.sheet {
            true => None,
            false => self.instance_of(context, &client, image).await.transpose(),
        };
        let payload = match opened {
            Some(instance) => instance.map(|payload| (payload, 1)),
            None => {
                let unlocked = client.unlocked();
                let whole = unlocked.open_whole_in_memory(image, MAX_BYTES).await;
                whole
                    .map(|payload| (payload, self.instance))
                    .map_err(anyhow::Error::from)
            }
        };
        client.shutdown().await;
        payload
    }

    /// Opens one instance by the index of its image; none if the image has no index.
    async fn instance_of(
        &self,
        context: &Context,
        client: &Actor,
        image: &ImageDigest,
    ) -> anyhow::Result<Option<Zeroizing<Vec<u8>>>> {
        let opened = match client.unlocked().open_at_index(image).await {
            Err(ClientError::NoIndex { .. }) => return Ok(None),
            other => other?,
        };
        let (number, index) = (self.instance as usize, opened.index());
        if index.file(number).is_none() {
            let found = index.manifest().files().count();
            return Err(Usage(format!("--instance {number}: there are {found}")).into());
        }
        let payload = opened.instance(number).await?;
        context.ui.note(&format!(
            "instance {number} of {} was verified by the image's signed index; the image as a whole was not",
            index.instances()
        ));
        Ok(Some(payload))
    }

    fn of_payload(
        &self,
        payload: &[u8],
        number: u32,
        refused: &mut Vec<String>,
    ) -> anyhow::Result<(Picture, usize)> {
        let files = view::instances(payload)?;
        if self.sheet {
            let read = |number: usize| Ok(Zeroizing::new(files[number].to_vec()));
            return self.sheet_of(files.len(), &read, refused);
        }
        let file = files.get(number as usize - 1).ok_or_else(|| {
            let found = files.len();
            Usage(format!("--instance {number}: there are {found}"))
        })?;
        let image = Image::read(file)?;
        let mut picture = image.render(self.frame as usize - 1, self.window)?;
        if self.text_boxes {
            let detector = found::detector(self.text_model.as_deref())?;
            let boxes = found::boxes(&detector, file)?;
            if boxes.is_empty() {
                refused.push(
                    "text boxes: none found, which does not mean that there is no text".to_owned(),
                );
            }
            picture = framed(&picture, &boxes);
        }
        Ok((picture, image.frames()))
    }

    fn of_directory(
        &self,
        directory: &Path,
        refused: &mut Vec<String>,
    ) -> anyhow::Result<(Picture, usize)> {
        if !self.sheet {
            return Err(Usage("a directory needs --sheet".to_owned()).into());
        }
        let mut files = Vec::new();
        gather(directory, 0, &mut files).with_context(|| directory.display().to_string())?;
        // What a study's folder has beside its images.
        files.retain(|path| path.file_name().is_none_or(|name| name != "DICOMDIR"));
        files.sort();
        if files.len() > MAX_FILES {
            let found = files.len();
            return Err(Usage(format!("{found} files: at most {MAX_FILES}")).into());
        }
        self.sheet_of(files.len(), &|number| read(&files[number]), refused)
    }

    /// Makes a sheet of files, one at a time in memory: once for their places, once for their pictures.
    fn sheet_of(
        &self,
        count: usize,
        file: &dyn Fn(usize) -> anyhow::Result<Zeroizing<Vec<u8>>>,
        refused: &mut Vec<String>,
    ) -> anyhow::Result<(Picture, usize)> {
        let mut places = Vec::new();
        for number in 0..count {
            let image = file(number).and_then(|bytes| Ok(Image::read(&bytes)?));
            match image {
                Ok(image) => {
                    let frames = 0..image.frames().min(MAX_FILES);
                    places.extend(frames.map(|frame| (image.place(), number, frame)));
                }
                Err(error) => refused.push(format!("file {}: {error}", number + 1)),
            }
        }
        places.sort();
        let all = places.len();
        let chosen = (0..all.min(MAX_TILES)).map(|n| n * all / all.min(MAX_TILES));
        let mut tiles = Vec::new();
        let mut held: Option<(usize, Image)> = None;
        for (_, number, frame) in chosen.map(|at| &places[at]) {
            if held.as_ref().is_none_or(|(held, _)| held != number) {
                held = Some((*number, Image::read(&file(*number)?)?));
            }
            let Some((_, image)) = &held else { continue };
            match image.render(*frame, self.window) {
                Ok(picture) => tiles.push(picture.fitted(TILE)),
                Err(error) => {
                    refused.push(format!("file {}, frame {}: {error}", number + 1, frame + 1))
                }
            }
        }
        if tiles.is_empty() {
            let why = refused.first().cloned().unwrap_or_default();
            return Err(view::Error::NoImage).context(why);
        }
        if all > MAX_TILES {
            refused.push(format!(
                "{} of {all}: a sheet has {MAX_TILES}",
                all - MAX_TILES
            ));
        }
        let columns = (1..).find(|n| n * n >= tiles.len()).unwrap_or(1);
        Ok((sheet(&tiles, columns, TILE), tiles.len()))
    }
}

/// The protocol that the environment speaks of. A multiplexer in between would not pass pictures on.
fn detected(variable: impl Fn(&str) -> Option<String>) -> Option<Protocol> {
    let is = |name: &str, values: &[&str]| variable(name).is_some_and(|v| values.contains(&&*v));
    if variable("TMUX").is_some() || variable("STY").is_some() {
        return None;
    }
    let term = variable("TERM").unwrap_or_default();
    if variable("KITTY_WINDOW_ID").is_some()
        || term == "xterm-kitty"
        || is("TERM_PROGRAM", &["ghostty"])
    {
        Some(Protocol::Kitty)
    } else if is("TERM_PROGRAM", &["iTerm.app", "WezTerm"]) || is("LC_TERMINAL", &["iTerm2"]) {
        Some(Protocol::Iterm2)
    } else if ["foot", "mlterm", "yaft"]
        .iter()
        .any(|name| term.starts_with(name))
        || term.contains("sixel")
    {
        Some(Protocol::Sixel)
    } else {
        None
    }
}

/// Lists the files of a folder and of those in it, as a study lies that was opened. Links are not followed.
fn gather(directory: &Path, depth: usize, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_file() {
            files.push(entry.path());
        } else if kind.is_dir() && depth < MAX_DEPTH && files.len() <= MAX_FILES {
            gather(&entry.path(), depth + 1, files)?;
        }
    }
    Ok(())
}

fn read(path: &Path) -> anyhow::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::new());
    let read = std::fs::File::open(path).and_then(|file| {
        let length = file.metadata()?.len().min(MAX_BYTES);
        bytes.reserve_exact(length as usize + 1);
        file.take(MAX_BYTES + 1).read_to_end(&mut bytes)
    });
    read.with_context(|| printable(&path.display().to_string()))?;
    if bytes.len() as u64 > MAX_BYTES {
        let source = std::io::Error::other(format!("longer than {MAX_BYTES} bytes"));
        let path = path.to_owned();
        return Err(ClientError::File { path, source }.into());
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminals_are_known_by_their_environment() {
        let with = |name: &'static str, value: &'static str| {
            detected(move |asked| (asked == name).then(|| value.to_owned()))
        };
        assert_eq!(with("TERM", "xterm-kitty"), Some(Protocol::Kitty));
        assert_eq!(with("KITTY_WINDOW_ID", "1"), Some(Protocol::Kitty));
        assert_eq!(with("TERM_PROGRAM", "WezTerm"), Some(Protocol::Iterm2));
        assert_eq!(with("TERM", "foot-extra"), Some(Protocol::Sixel));
        assert_eq!(with("TERM", "xterm-256color"), None);
        let inside = |asked: &str| (asked != "STY").then(|| "xterm-kitty".to_owned());
        assert_eq!(detected(inside), None);
    }
}
