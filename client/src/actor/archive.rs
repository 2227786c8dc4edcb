//! Sealed images as CAR files, and at pinning services: as they are, encrypted. No key is needed.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::error::{Error, Result};
use crate::flow::landing::Target;
use crate::session::Session;
use pcim_core::ImageDigest;
use pcim_node::pinning::{PinStatus, Service};

/// A file that was written.
#[derive(Clone, Debug, Serialize)]
pub struct Exported {
    /// The sealed root in it.
    pub image: ImageDigest,
    /// Where it is.
    #[serde(serialize_with = "pcim_core::text::path")]
    pub path: PathBuf,
    /// Its length.
    pub bytes: u64,
}

/// An image that was taken in.
#[derive(Clone, Debug, Serialize)]
pub struct Imported {
    /// The sealed root.
    pub image: ImageDigest,
    /// Its blocks.
    pub blocks: u64,
    /// Bytes of the sealed body.
    pub body_bytes: u64,
}

impl Session {
    /// Writes a sealed image into a CAR file; what is not here is fetched. The file appears only when it is whole.
    pub async fn export_car(&self, image: &ImageDigest, target: &Target) -> Result<Exported> {
        let path = target.path.clone();
        if !target.overwrite && path.exists() {
            return Err(Error::FileExists { path });
        }
        let node = self.node().await?;
        let stream = node.export_car(image, self.limits.fetch).await?;
        let mut source = pcim_core::pipe::reader(stream);
        let overwrite = target.overwrite;
        let bytes = tokio::task::spawn_blocking({
            let path = path.clone();
            move || {
                let mut file = pcim_core::private::temp_file_beside(&path)?;
                let bytes = io::copy(&mut source, &mut file)?;
                pcim_core::private::persist(file, &path, overwrite)?;
                io::Result::Ok(bytes)
            }
        })
        .await?
        .map_err(|source| at(&path, source))?;
        Ok(Exported {
            image: *image,
            path,
            bytes,
        })
    }

    /// Stores and pins the sealed image of a CAR file; of a file that is not exactly that nothing is kept.
    pub async fn import_car(&self, path: &Path) -> Result<Imported> {
        let mut file = File::open(path).map_err(|source| at(path, source))?;
        let (mut writer, stream) = pcim_core::pipe::writer();
        let reading = tokio::task::spawn_blocking(move || match io::copy(&mut file, &mut writer) {
            Ok(_) => writer.finish(),
            Err(error) => {
                let told = io::Error::new(error.kind(), error.to_string());
                writer.fail(error);
                Err(told)
            }
        });
        let node = self.node().await?;
        // The file has the headers of its blocks beside the body.
        let max = self
            .limits
            .body_bytes
            .saturating_add(self.limits.body_bytes / 64);
        let imported = node.import_car(stream, max).await;
        match (imported, reading.await?) {
            (Ok(imported), _) => Ok(Imported {
                image: imported.image,
                blocks: imported.blocks,
                body_bytes: imported.body.file_size,
            }),
            (Err(error), Ok(())) => Err(error.into()),
            // It stopped reading because of its own error.
            (Err(error), Err(read)) if read.kind() == io::ErrorKind::BrokenPipe => {
                Err(error.into())
            }
            (Err(_), Err(read)) => Err(at(path, read)),
        }
    }

    /// Has a pinning service keep a sealed image, fetched from this home's node, which connects to whom the service names.
    pub async fn pin_at(&self, service: &Service, image: &ImageDigest) -> Result<PinStatus> {
        let origins = self.node().await?.addresses().await?;
        let status = service.pin(image, &origins).await?;
        self.dial(&status.delegates).await?;
        Ok(status)
    }
}

fn at(path: &Path, source: io::Error) -> Error {
    let path = path.to_owned();
    match source.kind() {
        io::ErrorKind::AlreadyExists => Error::FileExists { path },
        _ => Error::File { path, source },
    }
}
