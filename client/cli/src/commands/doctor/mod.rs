//! `pcim doctor`

mod chain;
mod finding;
mod local;
mod reach;

use self::finding::{Finding, State};
pub(crate) use self::reach::is_here_only;

use clap::Args;
use pcim_client::Session;
use pcim_client::home::Home;

use crate::context::Context;
use crate::failure::Unwell;

/// Look whether this home can do its work, and say what mends it
///
/// Keys and passphrase, network, endpoints and whether they agree, contract, ether, whether others reach this node, followers,
/// backup, disk: a line each. Nothing is changed or sent. The exit code is 1 if something does not work; what may become a
/// trouble (`note`) does not count.
#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {}

impl DoctorArgs {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let home = Home::open(&context.home_dir()?)?;
        let mut findings = local::keys(context, &home);
        let overrides = context.overrides_in(&home)?;
        let session = Session::open(home)?;
        let session = session
            .with_overrides(overrides)
            .with_limits(context.limits());
        findings.extend(chain::findings(&session).await);
        findings.extend(reach::findings(&session).await);
        findings.extend(local::safety(session.home()));
        session.shutdown().await;
        let text: String = findings.iter().map(Finding::text).collect();
        context.ui.result(&findings, &text)?;
        let bad = |finding: &&Finding| finding.state == State::Bad;
        match findings.iter().filter(bad).count() {
            0 => Ok(()),
            count => Err(Unwell { count }.into()),
        }
    }
}
