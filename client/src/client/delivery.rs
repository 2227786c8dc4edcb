//! The handover of a sealed image into a file: from where its plan is recorded, sealing can only be finished.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::opening::file_error;
use super::settle::note;
use super::{Client, Result, Target};
use crate::handover::MAX_HANDOVER_BYTES;
use crate::journal::{Outcome, Piece, name};
use crate::private;

/// What is left to do.
#[derive(Serialize, Deserialize)]
struct Plan {
    #[serde(with = "name")]
    path: PathBuf,
    overwrite: bool,
    /// Encrypted to the patient; hex.
    handover: String,
}

impl Client {
    /// Records the plan and carries it out.
    pub(super) async fn deliver(
        &self,
        operation: i64,
        handover: &[u8],
        target: &Target,
    ) -> Result<()> {
        let path = std::path::absolute(&target.path);
        let plan = Plan {
            path: path.map_err(|source| file_error(&target.path, source))?,
            overwrite: target.overwrite,
            handover: hex::encode(handover),
        };
        let json = serde_json::to_string(&plan)?;
        self.journal.record_plan(operation, &json)?;
        self.write_handover(operation, &plan).await
    }

    /// Carries out a recorded plan. Tells the file.
    pub(super) async fn redeliver(&self, operation: i64, plan: &str) -> Result<PathBuf> {
        let plan: Plan = serde_json::from_str(plan)?;
        let there = private::read_limited(&plan.path, MAX_HANDOVER_BYTES);
        if there.is_ok_and(|there| hex::encode(there) == plan.handover) {
            self.settle(operation, Outcome::Done).await?;
        } else {
            self.write_handover(operation, &plan).await?;
        }
        Ok(plan.path)
    }

    async fn write_handover(&self, operation: i64, plan: &Plan) -> Result<()> {
        let done = Outcome::Done;
        let noted = |path: &Path| note(&self.journal, operation, done, &Piece::File(path.into()));
        let write = || -> io::Result<()> {
            let handover = hex::decode(&plan.handover).map_err(io::Error::other)?;
            let mut file = private::noted_file_beside(&plan.path, noted)?;
            file.write_all(&handover)?;
            private::persist(file, &plan.path, plan.overwrite)
        };
        write().map_err(|source| file_error(&plan.path, source))?;
        self.settle(operation, done).await
    }
}
