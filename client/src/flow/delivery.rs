//! The handovers of a sealed image into files: from where its plan is recorded, sealing can only be finished.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::error::file_error;
use crate::flow::landing::Target;
use crate::operation::journal::OperationId;
use crate::operation::journal::piece::{Piece, Verdict, name};
use crate::operation::settle::note;
use crate::papers::handover::MAX_HANDOVER_BYTES;
use crate::session::Session;
use pcim_core::private;

/// The rest of the work.
#[derive(Serialize, Deserialize)]
struct Plan {
    files: Vec<Planned>,
}

/// A file of a plan.
#[derive(Serialize, Deserialize)]
struct Planned {
    #[serde(with = "name")]
    path: PathBuf,
    overwrite: bool,
    /// Encrypted to the patient; hex.
    handover: String,
}

impl Planned {
    fn is_there(&self) -> bool {
        let there = private::read_limited(&self.path, MAX_HANDOVER_BYTES);
        there.is_ok_and(|there| hex::encode(there) == self.handover)
    }
}

impl Session {
    /// Records the plan and carries it out.
    pub(crate) async fn deliver(
        &self,
        operation: OperationId,
        handovers: &[(&[u8], &Target)],
    ) -> Result<()> {
        let mut files = Vec::new();
        for (handover, target) in handovers {
            let path = std::path::absolute(&target.path);
            files.push(Planned {
                path: path.map_err(|source| file_error(&target.path, source))?,
                overwrite: target.overwrite,
                handover: hex::encode(handover),
            });
        }
        let plan = Plan { files };
        let json = serde_json::to_string(&plan)?;
        self.journal.record_plan(operation, &json)?;
        let mut placed = Vec::new();
        let written = self.write_handovers(operation, &plan, &mut placed);
        if written.is_err() {
            for path in placed {
                // The image that it names goes too; why is the error to tell.
                let _ = std::fs::remove_file(path);
            }
        }
        written?;
        self.settle(operation, Verdict::Done).await
    }

    /// Carries out a recorded plan. Tells the files.
    pub(crate) async fn redeliver(
        &self,
        operation: OperationId,
        plan: &str,
    ) -> Result<Vec<PathBuf>> {
        let mut plan: Plan = serde_json::from_str(plan)?;
        let paths = plan.files.iter().map(|file| file.path.clone()).collect();
        plan.files.retain(|file| !file.is_there());
        self.write_handovers(operation, &plan, &mut Vec::new())?;
        self.settle(operation, Verdict::Done).await?;
        Ok(paths)
    }

    /// All are on the disk before the first has its name.
    fn write_handovers<'p>(
        &self,
        operation: OperationId,
        plan: &'p Plan,
        placed: &mut Vec<&'p Path>,
    ) -> Result<()> {
        let done = Verdict::Done;
        let noted = |path: &Path| note(&self.journal, operation, done, &Piece::File(path.into()));
        let write = |file: &Planned| -> io::Result<_> {
            let handover = hex::decode(&file.handover).map_err(io::Error::other)?;
            let mut written = private::noted_file_beside(&file.path, noted)?;
            written.write_all(&handover)?;
            written.as_file().sync_all()?;
            Ok(written)
        };
        let mut written = Vec::new();
        for file in &plan.files {
            let beside = write(file).map_err(|source| file_error(&file.path, source))?;
            written.push((file, beside));
        }
        for (file, beside) in written {
            private::persist(beside, &file.path, file.overwrite)
                .map_err(|source| file_error(&file.path, source))?;
            placed.push(&file.path);
        }
        Ok(())
    }
}
