//! `pcim patient`

mod account;
mod approve;
mod audit;
mod custodians;
mod delegated;
mod deny;
mod extend;
mod history;
mod images;
mod inbox;
mod limit;
mod note;
pub(crate) mod open;
mod pairs;
mod register;
mod rekey;
mod replicas;
mod requests;
mod revoke;
mod share;
mod shred;

use clap::Subcommand;

use crate::context::Context;

/// The patient's commands.
#[derive(Debug, Subcommand)]
pub(crate) enum PatientCommand {
    Register(register::RegisterArgs),
    Inbox(inbox::InboxArgs),
    Images(images::ImagesArgs),
    Requests(requests::RequestsArgs),
    Approve(approve::ApproveArgs),
    Extend(extend::ExtendArgs),
    Deny(deny::DenyArgs),
    Share(share::ShareArgs),
    Guests(share::GuestsArgs),
    Revoke(revoke::RevokeArgs),
    Rekey(rekey::RekeyArgs),
    Limit(limit::LimitArgs),
    Audit(audit::PatientAuditArgs),
    Note(note::NoteArgs),
    Open(open::OpenArgs),
    History(history::HistoryArgs),
    Replicas(replicas::ReplicasArgs),
    Guardians(account::GuardiansArgs),
    Delegate(account::DelegateArgs),
    Emergency(account::EmergencyArgs),
    Custodians(custodians::CustodiansArgs),
    Withdraw(account::WithdrawArgs),
    Restore(account::RestoreImageArgs),
    Shred(shred::ShredArgs),
    Migrate(account::MigrateArgs),
}

impl PatientCommand {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        match self {
            Self::Register(args) => args.run(context).await,
            Self::Inbox(args) => args.run(context).await,
            Self::Images(args) => args.run(context).await,
            Self::Requests(args) => args.run(context).await,
            Self::Approve(args) => args.run(context).await,
            Self::Extend(args) => args.run(context).await,
            Self::Deny(args) => args.run(context).await,
            Self::Share(args) => args.run(context).await,
            Self::Guests(args) => args.run(context),
            Self::Revoke(args) => args.run(context).await,
            Self::Rekey(args) => args.run(context).await,
            Self::Limit(args) => args.run(context).await,
            Self::Audit(args) => args.run(context).await,
            Self::Note(args) => args.run(context).await,
            Self::Open(args) => args.run(context).await,
            Self::History(args) => args.run(context).await,
            Self::Replicas(args) => args.run(context).await,
            Self::Guardians(args) => args.run(context).await,
            Self::Delegate(args) => args.run(context).await,
            Self::Emergency(args) => args.run(context).await,
            Self::Custodians(args) => args.run(context).await,
            Self::Withdraw(args) => args.run(context).await,
            Self::Restore(args) => args.run(context).await,
            Self::Shred(args) => args.run(context).await,
            Self::Migrate(args) => args.run(context).await,
        }
    }
}
