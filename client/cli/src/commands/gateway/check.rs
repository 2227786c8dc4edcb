//! `pcim gateway check`

use std::path::PathBuf;

use clap::Args;
use pcim_gateway::{Rehearsal, Rules, TlsFiles};
use serde_json::json;

use super::ConfigArg;
use crate::context::Context;
use crate::ui::printable;

/// Read the configuration and the rules, and try the rules on files, without starting
///
/// For the files it says which studies would be sealed, by which rule and to whom, and which would wait. Nothing is stored. It needs
/// neither passphrase nor network.
#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    config: ConfigArg,
    /// The rules [default: those that the configuration names]
    #[arg(long, value_name = "FILE")]
    rules: Option<PathBuf>,
    /// The sender that the files come from: an AE title, or the name of a token
    #[arg(long, value_name = "TITLE", default_value = "")]
    sender: String,
    /// DICOM files and folders, such as were recorded from a modality
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
}

impl CheckArgs {
    pub(crate) fn run(&self, context: &Context) -> anyhow::Result<()> {
        let settings = self.config.settings(&context.home_dir()?)?;
        settings.tls.as_ref().map_or(Ok(()), TlsFiles::check)?;
        let rules = match self.rules.as_ref().or(settings.rules.as_ref()) {
            Some(path) => Rules::read(path)?,
            None => Rules::default(),
        };
        let rehearsal = Rehearsal::of(&rules, &self.paths, &self.sender)?;
        let (count, patients) = rules.counts();
        let mut text = format!("good: {count} rules, {patients} patients\n");
        for study in &rehearsal.studies {
            let rule = study.rule.as_deref().map_or("none".to_owned(), printable);
            let outcome = match (&study.waits, &study.patient) {
                (None, Some(patient)) => format!("sealed to {patient}"),
                (why, _) => format!("waits: {}", printable(why.as_deref().unwrap_or_default())),
            };
            let (uid, files) = (printable(&study.study_uid), study.files);
            text.push_str(&format!("{uid}\n  {files} files, rule {rule}: {outcome}\n"));
        }
        for (path, why) in &rehearsal.refused {
            text.push_str(&format!(
                "{}\n  refused: {}\n",
                path.display(),
                printable(why)
            ));
        }
        let said = json!({ "rules": count, "patients": patients, "rehearsal": rehearsal });
        context.ui.result(&said, &text)
    }
}
